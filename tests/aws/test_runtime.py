"""What a projector works on is made when it is first needed, once; only the tables may change under it."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from moto import mock_aws

from pipeline.aws.clients import Service, create_client
from pipeline.aws.dynamodb import DynamoSuppressionStore, table_definition
from pipeline.aws.runtime import MAX_AGE_SECONDS, Runtime
from pipeline.aws.settings import Settings
from pipeline.batch import StreamRecord
from pipeline.policy import DEFAULT_POLICY
from tests.support.builders import ADA, BOB, a_bounce

PARAMETER = "/mailfold/mail/tables"
SETTINGS = Settings(table="suppression-0", bucket="mail-log", tables_parameter=PARAMETER, delivery_stream="mail-log")
TABLES = ["suppression-0", "suppression-1", "suppression-2"]


class World:
    """AWS, a clock, and how often each client was made."""

    def __init__(self) -> None:
        self.now_seconds = 0.0
        self.clients: Counter[str] = Counter()
        for table in TABLES:
            create_client("dynamodb", region="us-east-1").create_table(**table_definition(table))

    def connect(self, service: Service) -> Any:
        self.clients[service] += 1
        return create_client(service, region="us-east-1")

    def wiring(self, settings: Settings = SETTINGS) -> Runtime:
        return Runtime(settings, warn=pytest.fail, connect=self.connect, clock=lambda: self.now_seconds)

    def say(self, tables: str) -> None:
        """Change the parameter, and let a minute pass."""
        ssm = create_client("ssm", region="us-east-1")
        ssm.put_parameter(Name=PARAMETER, Value=tables, Type="String", Overwrite=True)
        self.now_seconds += MAX_AGE_SECONDS

    def addresses(self, table: str) -> set[str]:
        store = DynamoSuppressionStore(create_client("dynamodb", region="us-east-1"), table=table)
        return {key.address for key, _ in store.scan()}


@pytest.fixture
def world() -> Iterator[World]:
    with mock_aws():
        yield World()


def bounce(wiring: Runtime, address: str) -> None:
    record = StreamRecord(payload=a_bounce(recipients=[address]), position="1")
    assert wiring.projector().project([record]).failed_at is None


def test_a_rebuilt_table_takes_over_without_a_restart(world: World) -> None:
    """Both tables get what comes while a second one is built; then the second is the live one."""
    wiring = world.wiring()
    bounce(wiring, "early@example.com")
    world.say('{"live":"suppression-1","shadow_tables":["suppression-2"]}')
    bounce(wiring, ADA)
    world.say('{"live":"suppression-2"}')
    bounce(wiring, BOB)

    assert [world.addresses(table) for table in TABLES] == [{"early@example.com"}, {ADA}, {ADA, BOB}]


def test_each_client_is_made_once_and_none_that_is_not_needed(world: World) -> None:
    wiring = world.wiring()
    assert world.clients == {}
    for address in (ADA, BOB):
        bounce(wiring, address)
        world.say('{"live":"suppression-1","shadow_tables":["suppression-2"]}')
    assert world.clients == {"dynamodb": 1, "ssm": 1}

    assert wiring.log is wiring.log
    assert world.clients == {"dynamodb": 1, "ssm": 1, "firehose": 1}


@pytest.mark.parametrize(("parameter", "clients"), [(PARAMETER, {"dynamodb": 1, "ssm": 1}), (None, {"dynamodb": 1})])
def test_what_every_batch_needs_can_be_made_before_the_first(
    world: World, parameter: str | None, clients: dict[str, int]
) -> None:
    wiring = world.wiring(Settings(table="suppression-0", bucket="mail-log", tables_parameter=parameter))
    wiring.start()
    assert world.clients == clients
    bounce(wiring, ADA)
    assert world.clients == clients


def test_poison_is_what_makes_the_client_of_the_quarantine(world: World) -> None:
    create_client("s3", region="us-east-1").create_bucket(Bucket=SETTINGS.bucket)
    wiring = world.wiring()
    for position in ("1", "2"):
        wiring.projector().project([StreamRecord(payload=b"no JSON", position=position)])
    assert world.clients["s3"] == 1
    assert create_client("s3", region="us-east-1").list_objects_v2(Bucket=SETTINGS.bucket)["KeyCount"] == 2


def test_settings_without_parameter_and_stream_need_neither(world: World) -> None:
    wiring = world.wiring(Settings(table="suppression-0", bucket="mail-log", policy=DEFAULT_POLICY))
    bounce(wiring, ADA)
    assert wiring.log is None
    assert world.addresses("suppression-0") == {ADA}
    assert world.clients == {"dynamodb": 1}
