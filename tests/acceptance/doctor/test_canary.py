"""A canary is sent, and followed to the table and to the log; where it is lost, it is said after which hop."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pipeline.address import SIMULATOR_DOMAIN, canonical
from pipeline.aws.archive.s3 import S3Archive
from pipeline.aws.doctor.canary import CanaryClock, CanaryHop, trace_canary
from pipeline.aws.dynamodb import DynamoSuppressionStore
from pipeline.batch import StreamRecord
from pipeline.errors import UsageError
from pipeline.ingest import Ingestion
from pipeline.lookup import lookup
from pipeline.memory import MemoryArchive, MemoryQuarantine, MemoryStore
from pipeline.policy import DEFAULT_POLICY
from tests.acceptance.doctor.answer import answering
from tests.acceptance.doctor.deployment_fixture import IDENTITY, Patient
from tests.support.builders import a_bounce, a_send

pytestmark = pytest.mark.slow

NOWHERE = '{"live": "mail-suppression-nowhere"}'
STARTED_AT = datetime.now(UTC)


class Sky:
    """The time while a canary flies, and what SES and the pipeline do in it.

    Args:
        patient: Where.
        lands: What happens, by the seconds after which it does.
    """

    def __init__(self, patient: Patient, lands: dict[float, Callable[["Sky"], None]]) -> None:
        self.patient, self.seconds, self.lands = patient, 0.0, dict(lands)
        self.sent: dict[str, Any] = {}
        self.message_id = ""

    @property
    def clock(self) -> CanaryClock:
        return CanaryClock(
            seconds=lambda: self.seconds, now=lambda: STARTED_AT + timedelta(seconds=self.seconds), wait=self.wait
        )

    def wait(self, seconds: float) -> None:
        self.seconds += seconds
        for due in sorted(at for at in self.lands if at <= self.seconds):
            self.lands.pop(due)(self)

    def hops(self, **answers: Any) -> Iterator[CanaryHop]:
        """Send the canary."""
        connect = answering(self.patient, answers)

        def client(service: Any) -> Any:
            made = connect(service)
            made.meta.events.register("provide-client-params.sesv2.SendEmail", self._sent)
            made.meta.events.register("after-call.sesv2.SendEmail", self._accepted)
            made.meta.events.register("provide-client-params.athena.StartQueryExecution", self._asked)
            return made

        return trace_canary(self.patient.deployment(client), clock=self.clock)

    def _sent(self, params: dict[str, Any], **_: Any) -> None:
        self.sent = params

    def _accepted(self, parsed: dict[str, Any], **_: Any) -> None:
        self.message_id = parsed["MessageId"]

    def _asked(self, params: dict[str, Any], **_: Any) -> None:
        """The emulator's Athena does not keep answers itself, as the workgroup asks."""
        params["ResultConfiguration"] = {"OutputLocation": f"s3://{self.patient['LogBucket']}/athena-results/"}

    @property
    def recipient(self) -> str:
        """Whom it was sent to."""
        [recipient] = self.sent["Destination"]["ToAddresses"]
        return str(recipient)


def comes(sky: Sky, *, to_table: bool = False, to_log: bool = False) -> None:
    """The canary's events come to the table, or to the log."""
    mail: dict[str, Any] = {"messageId": sky.message_id, "timestamp": f"{STARTED_AT:%Y-%m-%dT%H:%M:%S.000Z}"}
    bounce = a_bounce(recipients=[sky.recipient], at=STARTED_AT + timedelta(seconds=2), **mail)
    store = DynamoSuppressionStore(sky.patient.client("dynamodb"), table=sky.patient["SuppressionTable"])
    archive = S3Archive(sky.patient.client("s3"), bucket=sky.patient["LogBucket"])
    ingestion = Ingestion(
        archive=archive if to_log else MemoryArchive(),
        store=store if to_table else MemoryStore(),
        quarantine=MemoryQuarantine(),
        policy=DEFAULT_POLICY,
        arrived_at=STARTED_AT,
    )
    records = [StreamRecord(payload=payload, position="") for payload in (a_send(**mail), bounce)]
    ingestion.ingest(records, progress=lambda _: None)


def to_table(sky: Sky) -> None:
    comes(sky, to_table=True)


def to_log(sky: Sky) -> None:
    comes(sky, to_log=True)


def test_a_canary_that_arrives(patient: Patient) -> None:
    """Each hop is told with its time, and the simulator's address is not suppressed."""
    sky = Sky(patient, {3.0: to_table, 700.0: to_log})
    ses, table, log = sky.hops()
    assert (ses.name, ses.seconds) == ("SES", 0.0)
    assert (table.name, table.seconds) == ("table", 3.0)
    assert (log.name, log.seconds) == ("log", 703.0)
    assert sky.message_id in ses.words
    assert "2.0 s after it was sent" in table.words
    assert "bounce, send" in log.words
    assert "2.0 s after it was sent" in log.words
    store = DynamoSuppressionStore(patient.client("dynamodb"), table=patient["SuppressionTable"])
    [answer] = lookup([sky.recipient], store=store, now=STARTED_AT)
    assert answer.standing.hard
    assert not answer.suppressed


def test_what_is_sent(patient: Patient) -> None:
    """One mail to the simulator, with a label of its own, by the stack's set and from a verified identity."""
    sky = Sky(patient, {1.0: to_table, 2.0: to_log})
    list(sky.hops())
    other = Sky(patient, {})
    next(other.hops())
    assert sky.recipient.startswith("bounce+")
    assert sky.recipient.endswith(f"@{SIMULATOR_DOMAIN}")
    assert canonical(sky.recipient) == sky.recipient
    assert sky.recipient != other.recipient
    assert sky.sent["ConfigurationSetName"] == patient["ConfigurationSet"]
    assert sky.sent["FromEmailAddress"] == f"canary@{IDENTITY}"


def test_a_canary_that_is_lost_before_the_table(patient: Patient) -> None:
    _, table, log = Sky(patient, {100.0: to_log}).hops()
    assert (table.name, table.seconds) == ("table", None)
    assert "after 180 s" in table.words
    assert "mapping" in table.mending
    assert log.seconds is not None


def test_a_canary_that_is_lost_before_the_log(patient: Patient) -> None:
    """It is waited for as long as Firehose may take: the buffer, half of it again, and three minutes."""
    sky = Sky(patient, {1.0: to_table})
    _, table, log = sky.hops()
    assert table.seconds == 1.0
    assert (log.name, log.seconds) == ("log", None)
    assert "after 1530 s" in log.words
    assert "Firehose" in log.mending
    assert sky.seconds == 1530.0


def test_an_older_bounce_of_another_mail_is_not_the_canary(patient: Patient) -> None:
    def another(sky: Sky) -> None:
        canary, sky.message_id = sky.message_id, "another"
        to_table(sky)
        sky.message_id = canary

    _, table, _ = Sky(patient, {1.0: another, 2.0: to_log}).hops()
    assert table.seconds is None


def test_a_table_that_is_away_is_waited_for_and_named_at_last(patient: Patient) -> None:
    def away(sky: Sky) -> None:
        patient.client("ssm").put_parameter(Name=patient["TablesParameter"], Value=NOWHERE, Overwrite=True)

    parameter = patient.client("ssm").get_parameter(Name=patient["TablesParameter"])["Parameter"]["Value"]
    try:
        _, table, _ = Sky(patient, {1.0: away, 2.0: to_log}).hops()
    finally:
        patient.client("ssm").put_parameter(Name=patient["TablesParameter"], Value=parameter, Overwrite=True)
    assert table.seconds is None
    assert "ResourceNotFoundException" in table.words


def test_without_an_identity_there_is_nobody_to_send_it(patient: Patient) -> None:
    hops = Sky(patient, {}).hops(**{"sesv2.ListEmailIdentities": {"EmailIdentities": []}})
    with pytest.raises(UsageError, match="no verified identity"):
        next(hops)


def test_an_identity_that_is_an_address_sends_by_itself(patient: Patient) -> None:
    address = f"ann@{IDENTITY}"
    identity = {"IdentityName": address, "SendingEnabled": True}
    sky = Sky(patient, {})
    next(sky.hops(**{"sesv2.ListEmailIdentities": {"EmailIdentities": [identity]}}))
    assert sky.sent["FromEmailAddress"] == address
