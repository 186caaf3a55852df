"""Tests of the canary: it is sent and followed to the table and to the log, and the hop where it is lost is named."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pipeline.address import SIMULATOR_DOMAIN, canonical
from pipeline.aws.archive.s3 import S3Archive
from pipeline.aws.clients import Clients, Service
from pipeline.aws.doctor import canary
from pipeline.aws.doctor.canary import CanaryClock, CanaryHop, trace_canary
from pipeline.aws.dynamodb import DynamoSuppressionStore
from pipeline.batch import StreamRecord
from pipeline.errors import UsageError
from pipeline.ingest import Ingestion
from pipeline.lookup import LookupStatus, lookup
from pipeline.memory import MemoryArchive, MemoryQuarantine, MemoryStore
from pipeline.policy import DEFAULT_POLICY
from tests.acceptance.doctor.deployment_fixture import IDENTITY, DeploymentFixture
from tests.acceptance.doctor.responses import Change, with_responses
from tests.support.builders import a_bounce, a_send

pytestmark = pytest.mark.slow

MISSING_TABLE = '{"live": "mail-suppression-nowhere"}'
STARTED_AT = datetime.now(UTC)


@pytest.fixture(autouse=True)
def _seldom_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Poll seldom: time is simulated, but each poll is a real call of the emulator, up to a tenth of a second."""
    monkeypatch.setattr(canary, "TABLE_POLL_SECONDS", 20.0)
    monkeypatch.setattr(canary, "LOG_POLL_SECONDS", 350.0)


class FakeTime:
    """Simulated time while a canary is followed, and what SES and the pipeline do in it.

    Args:
        fixture: The deployment.
        arrivals: What happens, by the simulated seconds after which it does.
    """

    def __init__(self, fixture: DeploymentFixture, arrivals: dict[float, Callable[["FakeTime"], None]]) -> None:
        self.fixture, self.seconds, self.arrivals = fixture, 0.0, dict(arrivals)
        self.request: dict[str, Any] = {}
        self.message_id = ""

    @property
    def clock(self) -> CanaryClock:
        """The clock of the canary."""
        return CanaryClock(
            seconds=lambda: self.seconds, now=lambda: STARTED_AT + timedelta(seconds=self.seconds), wait=self.wait
        )

    def wait(self, seconds: float) -> None:
        """Advance the time, and let arrive what is due."""
        self.seconds += seconds
        for due in sorted(at for at in self.arrivals if at <= self.seconds):
            self.arrivals.pop(due)(self)

    def hops(self, **responses: Change) -> Iterator[CanaryHop]:
        """Send the canary and follow it."""
        clients = with_responses(self.fixture, responses)

        def create(service: Service) -> Any:
            client: Any = getattr(clients, service)
            client.meta.events.register("provide-client-params.sesv2.SendEmail", self._record_request)
            client.meta.events.register("after-call.sesv2.SendEmail", self._record_id)
            client.meta.events.register("provide-client-params.athena.StartQueryExecution", self._add_location)
            return client

        return trace_canary(self.fixture.deployment(Clients(create)), clock=self.clock)

    def _record_request(self, params: dict[str, Any], **_: Any) -> None:
        self.request = params

    def _record_id(self, parsed: dict[str, Any], **_: Any) -> None:
        self.message_id = parsed["MessageId"]

    def _add_location(self, params: dict[str, Any], **_: Any) -> None:
        """Name a place for results: the emulator's Athena cannot keep them itself."""
        params["ResultConfiguration"] = {"OutputLocation": f"s3://{self.fixture['LogBucket']}/athena-results/"}

    @property
    def recipient(self) -> str:
        """The recipient of the canary."""
        [recipient] = self.request["Destination"]["ToAddresses"]
        return str(recipient)


def ingest_events(time: FakeTime, *, into_table: bool = False, into_log: bool = False) -> None:
    """Store the canary's send and bounce in the table, or in the log."""
    mail: dict[str, Any] = {"messageId": time.message_id, "timestamp": f"{STARTED_AT:%Y-%m-%dT%H:%M:%S.000Z}"}
    bounce = a_bounce(recipients=[time.recipient], at=STARTED_AT + timedelta(seconds=2), **mail)
    store = DynamoSuppressionStore(time.fixture.client("dynamodb"), table=time.fixture["SuppressionTable"])
    archive = S3Archive(time.fixture.client("s3"), bucket=time.fixture["LogBucket"])
    ingestion = Ingestion(
        archive=archive if into_log else MemoryArchive(),
        store=store if into_table else MemoryStore(),
        quarantine=MemoryQuarantine(),
        policy=DEFAULT_POLICY,
        arrived_at=STARTED_AT,
    )
    records = [StreamRecord(payload=payload, position="") for payload in (a_send(**mail), bounce)]
    ingestion.ingest(records, progress=lambda _: None)


def into_table(time: FakeTime) -> None:
    ingest_events(time, into_table=True)


def into_log(time: FakeTime) -> None:
    ingest_events(time, into_log=True)


def test_canary_arrives(deployed: DeploymentFixture) -> None:
    """Each hop has the time of the poll that saw it, and the simulator's address is not suppressed."""
    time = FakeTime(deployed, {15.0: into_table, 700.0: into_log})
    ses, table, log = time.hops()
    assert (ses.name, ses.seconds) == ("SES", 0.0)
    assert (table.name, table.seconds) == ("table", 20.0)
    assert (log.name, log.seconds) == ("log", 720.0)
    assert time.message_id in ses.message
    assert "2.0 s after it was sent" in table.message
    assert "bounce, send" in log.message
    assert "2.0 s after it was sent" in log.message
    store = DynamoSuppressionStore(deployed.client("dynamodb"), table=deployed["SuppressionTable"])
    [answer] = lookup([time.recipient], store=store, now=STARTED_AT)
    assert answer.standings["*"].hard
    assert answer.status is LookupStatus.CLEAR


def test_request_to_ses(deployed: DeploymentFixture) -> None:
    """The canary is one mail to the simulator, with a unique label, the stack's set and a verified sender."""
    time = FakeTime(deployed, {1.0: into_table, 2.0: into_log})
    list(time.hops())
    other = FakeTime(deployed, {})
    next(other.hops())
    assert time.recipient.startswith("bounce+")
    assert time.recipient.endswith(f"@{SIMULATOR_DOMAIN}")
    assert canonical(time.recipient) == time.recipient
    assert time.recipient != other.recipient
    assert time.request["ConfigurationSetName"] == deployed["ConfigurationSet"]
    assert time.request["FromEmailAddress"] == f"canary@{IDENTITY}"


def test_canary_is_lost_before_the_table(deployed: DeploymentFixture) -> None:
    """A canary that does not reach the table in three minutes is still followed to the log."""
    _, table, log = FakeTime(deployed, {100.0: into_log}).hops()
    assert (table.name, table.seconds) == ("table", None)
    assert "after 180 s" in table.message
    assert "mapping" in table.remedy
    assert log.seconds is not None


def test_canary_is_lost_before_the_log(deployed: DeploymentFixture) -> None:
    """The time-out is what Firehose may take: its buffer, half of it again, and three minutes."""
    time = FakeTime(deployed, {1.0: into_table})
    _, table, log = time.hops()
    assert table.seconds == 20.0
    assert (log.name, log.seconds) == ("log", None)
    assert "after 1530 s" in log.message
    assert "Firehose" in log.remedy
    assert time.seconds == 1530.0


def test_bounce_of_another_mail_is_not_the_canary(deployed: DeploymentFixture) -> None:
    """Only a bounce with the canary's message id counts."""

    def another_into_table(time: FakeTime) -> None:
        message_id, time.message_id = time.message_id, "another"
        into_table(time)
        time.message_id = message_id

    _, table, _ = FakeTime(deployed, {1.0: another_into_table, 2.0: into_log}).hops()
    assert table.seconds is None


def test_unavailable_table_is_retried_and_reported(deployed: DeploymentFixture) -> None:
    """The canary waits for a table that is missing, and names the last error after the time-out."""
    ssm, name = deployed.client("ssm"), deployed["TablesParameter"]
    parameter = ssm.get_parameter(Name=name)["Parameter"]["Value"]

    def lose_table(_: FakeTime) -> None:
        ssm.put_parameter(Name=name, Value=MISSING_TABLE, Overwrite=True)

    try:
        _, table, _ = FakeTime(deployed, {1.0: lose_table, 2.0: into_log}).hops()
    finally:
        ssm.put_parameter(Name=name, Value=parameter, Overwrite=True)
    assert table.seconds is None
    assert "ResourceNotFoundException" in table.message


def test_no_identity_to_send_from(deployed: DeploymentFixture) -> None:
    """Without a verified identity, and without --from, nothing can be sent."""
    hops = FakeTime(deployed, {}).hops(**{"sesv2.ListEmailIdentities": {"EmailIdentities": []}})
    with pytest.raises(UsageError, match="no verified identity"):
        next(hops)


def test_identity_that_is_an_address_is_the_sender(deployed: DeploymentFixture) -> None:
    """An identity that is an address sends the canary itself."""
    address = f"ann@{IDENTITY}"
    identity = {"IdentityName": address, "SendingEnabled": True}
    time = FakeTime(deployed, {})
    next(time.hops(**{"sesv2.ListEmailIdentities": {"EmailIdentities": [identity]}}))
    assert time.request["FromEmailAddress"] == address
