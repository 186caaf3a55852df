"""A projector's objects are made when they are first needed, once, and it follows the live table within a minute."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from moto import mock_aws

from pipeline.aws.clients import Clients, Service, create_client
from pipeline.aws.dynamodb import DynamoSuppressionStore, table_definition
from pipeline.aws.runtime import BATCH_SECONDS, GOOD_SECONDS, MAX_AGE_SECONDS, LiveTables, Runtime
from pipeline.aws.settings import Settings
from pipeline.aws.stack import SuppressionTables
from pipeline.batch import StreamRecord
from pipeline.errors import MailfoldError, ServiceUnavailable, UsageError
from pipeline.policy import DEFAULT_POLICY, Policy
from tests.support import cloudformation
from tests.support.builders import ADA, BOB, a_bounce, a_complaint

PARAMETER = "/mailfold/mail/tables"
SETTINGS = Settings(table="suppression-0", bucket="mail-log", tables_parameter=PARAMETER, delivery_stream="mail-log")
TABLES = ["suppression-0", "suppression-1", "suppression-2"]


class Account:
    """moto's AWS with three tables, a clock, and the number of clients made."""

    def __init__(self) -> None:
        self.now_seconds = 0.0
        self.client_counts: Counter[str] = Counter()
        for table in TABLES:
            create_client("dynamodb", region="us-east-1").create_table(**table_definition(table))

    def create(self, service: Service) -> Any:
        self.client_counts[service] += 1
        return create_client(service, region="us-east-1")

    def runtime(self, settings: Settings = SETTINGS) -> Runtime:
        return Runtime(settings, warn=pytest.fail, clients=Clients(self.create), clock=lambda: self.now_seconds)

    def set_tables(self, tables: str) -> None:
        """Change the parameter, and let a minute pass."""
        ssm = create_client("ssm", region="us-east-1")
        ssm.put_parameter(Name=PARAMETER, Value=tables, Type="String", Overwrite=True)
        self.now_seconds += MAX_AGE_SECONDS

    def addresses(self, table: str) -> set[str]:
        store = DynamoSuppressionStore(create_client("dynamodb", region="us-east-1"), table=table)
        return {key.address for key, _ in store.scan()}


@pytest.fixture
def account() -> Iterator[Account]:
    with mock_aws():
        yield Account()


def project_bounce(runtime: Runtime, address: str) -> None:
    record = StreamRecord(payload=a_bounce(recipients=[address]), position="1")
    assert runtime.projector().project([record]).failed_at is None


def test_a_rebuilt_table_takes_over_without_a_restart(account: Account) -> None:
    """While a second table is built, both get new facts; then the second is the live one."""
    runtime = account.runtime()
    project_bounce(runtime, "early@example.com")
    account.set_tables('{"live":"suppression-1","shadow_tables":["suppression-2"]}')
    project_bounce(runtime, ADA)
    account.set_tables('{"live":"suppression-2"}')
    project_bounce(runtime, BOB)

    assert [account.addresses(table) for table in TABLES] == [{"early@example.com"}, {ADA}, {ADA, BOB}]


def test_a_client_is_made_once_when_it_is_needed(account: Account) -> None:
    """Making a client takes a Lambda's time, so none is made in advance or twice."""
    runtime = account.runtime()
    assert account.client_counts == {}
    for address in (ADA, BOB):
        project_bounce(runtime, address)
        account.set_tables('{"live":"suppression-1","shadow_tables":["suppression-2"]}')
    assert account.client_counts == {"dynamodb": 1, "ssm": 1}

    assert runtime.log is runtime.log
    assert account.client_counts == {"dynamodb": 1, "ssm": 1, "firehose": 1}


@pytest.mark.parametrize(("parameter", "counts"), [(PARAMETER, {"dynamodb": 1, "ssm": 1}), (None, {"dynamodb": 1})])
def test_start_makes_the_clients_of_every_batch(
    account: Account, parameter: str | None, counts: dict[str, int]
) -> None:
    """The first batch makes no further client."""
    runtime = account.runtime(Settings(table="suppression-0", bucket="mail-log", tables_parameter=parameter))
    runtime.start()
    assert account.client_counts == counts
    project_bounce(runtime, ADA)
    assert account.client_counts == counts


def test_poison_makes_the_client_of_the_quarantine(account: Account) -> None:
    """The first quarantined payload makes it, and later ones use it."""
    create_client("s3", region="us-east-1").create_bucket(Bucket=SETTINGS.bucket)
    runtime = account.runtime()
    for position in ("1", "2"):
        runtime.projector().project([StreamRecord(payload=b"no JSON", position=position)])
    assert account.client_counts["s3"] == 1
    assert create_client("s3", region="us-east-1").list_objects_v2(Bucket=SETTINGS.bucket)["KeyCount"] == 2


def test_parameter_and_delivery_stream_are_optional(account: Account) -> None:
    """Without them the table of the settings is live, and there is no log."""
    runtime = account.runtime(Settings(table="suppression-0", bucket="mail-log", policy=DEFAULT_POLICY))
    project_bounce(runtime, ADA)
    assert runtime.log is None
    assert account.addresses("suppression-0") == {ADA}
    assert account.client_counts == {"dynamodb": 1}


@pytest.mark.parametrize(("own", "published", "expected"), [(1, 2, 2), (3, 2, 3)])
def test_the_newest_policy_decides(account: Account, own: int, published: int, expected: int) -> None:
    """After the rollback of an update a process has an older policy than the items that were written meanwhile."""
    runtime = account.runtime(msgspec.structs.replace(SETTINGS, policy=Policy(version=own)))
    account.set_tables(f'{{"live":"suppression-1","policy":{{"version":{published}}}}}')
    project_bounce(runtime, ADA)
    store = DynamoSuppressionStore(create_client("dynamodb", region="us-east-1"), table="suppression-1")
    assert {item.policy_version for _, item in store.scan()} == {expected}


def test_an_item_of_a_newer_policy_shows_that_the_parameter_has_changed(account: Account) -> None:
    """It is read at once, and not only after a minute, so the batch does not stop."""
    account.set_tables('{"live":"suppression-1"}')
    old, new = account.runtime(), account.runtime()
    project_bounce(old, ADA)
    account.set_tables('{"live":"suppression-1","policy":{"version":2}}')
    account.now_seconds -= MAX_AGE_SECONDS
    project_bounce(new, ADA)

    complaint = StreamRecord(payload=a_complaint(recipients=[ADA]), position="2")
    assert old.projector().project([complaint]).failed_at is None
    store = DynamoSuppressionStore(create_client("dynamodb", region="us-east-1"), table="suppression-1")
    [(_, item)] = store.scan()
    assert (item.policy_version, len(item.standing.hard), len(item.standing.complaint)) == (2, 1, 1)


def test_the_projectors_time_limit_is_the_templates() -> None:
    """A batch that began with an old value of the parameter ends within it."""
    projector = cloudformation.template()["Resources"]["Projector"]["Properties"]
    assert projector["Timeout"] == BATCH_SECONDS


# The live table.

FIRST, SECOND = (
    SuppressionTables(live="mail-suppression-1"),
    SuppressionTables(live="mail-suppression-2", shadow_tables=("mail-suppression-1",)),
)
ERRORS = [ServiceUnavailable("AWS throttles it"), UsageError("it is invalid")]


class FakeParameter:
    """The parameter, and a clock that the test moves."""

    def __init__(self, value: SuppressionTables | MailfoldError | None) -> None:
        self.value = value
        self.now_seconds = 1_000.0
        self.reads = 0
        self.warnings: list[str] = []

    def read(self) -> SuppressionTables | None:
        self.reads += 1
        if isinstance(self.value, MailfoldError):
            raise self.value
        return self.value

    def live_tables(self) -> LiveTables:
        return LiveTables(
            self.read,
            default="mail-suppression-0",
            warn=self.warnings.append,
            clock=lambda: self.now_seconds,
        )


def test_the_parameter_is_read_once_a_minute() -> None:
    """Within a minute its last value is used."""
    parameter = FakeParameter(FIRST)
    tables = parameter.live_tables()
    for _ in range(3):
        assert tables.current() == FIRST
        parameter.now_seconds += MAX_AGE_SECONDS / 3 - 0.1
    assert parameter.reads == 1


def test_a_changed_parameter_is_used_after_a_minute() -> None:
    """A rebuild makes another table the live one while projectors run."""
    parameter = FakeParameter(FIRST)
    tables = parameter.live_tables()
    tables.current()
    parameter.value = SECOND
    parameter.now_seconds += MAX_AGE_SECONDS
    assert tables.current() == SECOND


def test_without_the_parameter_the_default_is_live() -> None:
    """A parameter that is created later is used after a minute."""
    parameter = FakeParameter(None)
    tables = parameter.live_tables()
    assert tables.current() == SuppressionTables(live="mail-suppression-0")
    parameter.value = SECOND
    assert tables.current() == SuppressionTables(live="mail-suppression-0")
    parameter.now_seconds += MAX_AGE_SECONDS
    assert tables.current() == SECOND


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_unreadable_parameter_keeps_its_last_value(error: MailfoldError) -> None:
    """The reason is a warning, once a minute: a read may take most of one, so not every batch tries it."""
    parameter = FakeParameter(SECOND)
    tables = parameter.live_tables()
    tables.current()
    parameter.value = error
    parameter.now_seconds += MAX_AGE_SECONDS

    assert [tables.current(), tables.current()] == [SECOND, SECOND]
    assert parameter.warnings == [str(error)]
    assert parameter.reads == 2

    parameter.value = FIRST
    parameter.now_seconds += MAX_AGE_SECONDS
    assert tables.current() == FIRST


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_a_value_that_is_some_minutes_old_is_an_outage(error: MailfoldError) -> None:
    """Another table may be the live one by then. The next batch reads the parameter again."""
    parameter = FakeParameter(FIRST)
    tables = parameter.live_tables()
    tables.current()
    parameter.value = error
    parameter.now_seconds += GOOD_SECONDS - 1
    assert tables.current() == FIRST
    parameter.now_seconds += MAX_AGE_SECONDS
    with pytest.raises(ServiceUnavailable, match=f"parameter of the live table cannot be read: {error}"):
        tables.current()
    parameter.value = SECOND
    assert tables.current() == SECOND


def test_a_parameter_that_disappears_is_an_outage() -> None:
    """The default table may be an old one, which a rebuild replaced."""
    parameter = FakeParameter(SECOND)
    tables = parameter.live_tables()
    tables.current()
    parameter.value = None
    assert tables.current() == SECOND
    parameter.now_seconds += MAX_AGE_SECONDS
    for _ in range(2):
        with pytest.raises(ServiceUnavailable, match="is missing, although it existed"):
            tables.current()
    parameter.value = FIRST
    assert tables.current() == FIRST


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_a_parameter_that_was_never_read_is_an_outage(error: MailfoldError) -> None:
    """No table is guessed, and the next batch reads the parameter again."""
    parameter = FakeParameter(error)
    tables = parameter.live_tables()
    with pytest.raises(ServiceUnavailable, match=f"parameter of the live table cannot be read: {error}"):
        tables.current()
    parameter.value = FIRST
    assert tables.current() == FIRST
    assert parameter.warnings == []
