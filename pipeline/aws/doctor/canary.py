"""A canary: one mail that SES's mailbox simulator bounces, followed to the suppression table and to the log.

Facts about the simulator's addresses are stored but suppress no address, and do not count in SES's bounce rate.
docs.aws.amazon.com/ses/latest/dg/send-an-email-from-console.html
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import msgspec

from pipeline.address import SIMULATOR_DOMAIN, Address
from pipeline.aws.archive.athena import query
from pipeline.aws.doctor.deployment import Deployment
from pipeline.aws.doctor.ses import sending_identities
from pipeline.aws.dynamodb import DynamoSuppressionStore
from pipeline.aws.errors import translated
from pipeline.aws.ses import OutgoingEmail, send_email
from pipeline.errors import STOPS_BATCH, UsageError
from pipeline.standing import Key
from pipeline.timestamp import from_ms, parse_time

SUBJECT = "Mailfold canary"
MESSAGE_ID = re.compile(r"[A-Za-z0-9@.<>_-]{1,200}", re.ASCII)  # safe to quote in SQL

TABLE_SECONDS = 180.0  # it takes seconds; EventBridge and Lambda retry within minutes
TABLE_POLL_SECONDS = 1.0
LOG_SLACK = 1.5  # Firehose may take half as long again as its buffer, and the transform's own buffer a minute
LOG_SLACK_SECONDS = 180.0
LOG_POLL_SECONDS = 20.0  # each poll is an Athena query, billed as 10 MB at least

TABLE_REMEDY = "see the findings about destinations, rule, mapping, projector and failed records"
LOG_REMEDY = "see the findings about destinations, Firehose, transform, Glue table and failed records"


class CanaryClock(msgspec.Struct, frozen=True, kw_only=True):
    """The clock of a canary.

    Attributes:
        seconds: Monotonic seconds.
        now: The current time, aware.
        wait: Waits so many seconds.
    """

    seconds: Callable[[], float] = time.monotonic
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    wait: Callable[[float], None] = time.sleep


class CanaryHop(msgspec.Struct, frozen=True, kw_only=True):
    """A place that the canary reached, or did not.

    Attributes:
        name: The place.
        seconds: Seconds from sending until it was seen there, or None if it did not arrive in time.
        message: What was seen there.
        remedy: Where to look if it did not arrive.
    """

    name: str
    seconds: float | None
    message: str
    remedy: str = ""


class Canary(msgspec.Struct, frozen=True, kw_only=True):
    """A canary that was sent.

    Attributes:
        recipient: Its address at the mailbox simulator, with a unique label.
        message_id: SES's id of the mail.
        clock: Its clock.
        sent_at: When it was sent.
        sent_at_seconds: The monotonic clock at that moment.
    """

    recipient: Address
    message_id: str
    clock: CanaryClock
    sent_at: datetime
    sent_at_seconds: float

    def age_seconds(self) -> float:
        """Return the seconds since it was sent."""
        return self.clock.seconds() - self.sent_at_seconds


def trace_canary(
    deployment: Deployment, *, sender: str | None = None, clock: CanaryClock | None = None
) -> Iterator[CanaryHop]:
    """Send a canary, and yield each hop as soon as it is reached or given up.

    Args:
        deployment: The deployment.
        sender: The sender's address. None: one of the first identity that SES has verified.
        clock: None: the system's.

    Raises:
        UsageError: SES has no verified identity, or the parameter of the live table is invalid.
        InvalidInput: SES rejects the mail.
        NotFound: The configuration set does not exist.
        AccessDenied: AWS denies sending.
        QueryFailed: Athena rejects the query of the log.
        ServiceUnavailable: SES throttles or cannot be reached.
    """
    canary = _send_canary(deployment, sender=sender or _first_sender(deployment), clock=clock or CanaryClock())
    configuration_set = deployment.output("ConfigurationSet")
    message = f"SES accepted message {canary.message_id} with the configuration set {configuration_set}"
    yield CanaryHop(name="SES", seconds=canary.age_seconds(), message=message)
    yield _wait_for_hop(
        canary,
        "table",
        lambda: _find_in_table(deployment, canary),
        timeout_seconds=TABLE_SECONDS,
        poll_seconds=TABLE_POLL_SECONDS,
        remedy=TABLE_REMEDY,
    )
    buffer_seconds = float(deployment.stack.parameters.get("LogBufferSeconds", "900"))
    yield _wait_for_hop(
        canary,
        "log",
        lambda: _find_in_log(deployment, canary),
        timeout_seconds=LOG_SLACK_SECONDS + LOG_SLACK * buffer_seconds,
        poll_seconds=LOG_POLL_SECONDS,
        remedy=LOG_REMEDY,
    )


def _first_sender(deployment: Deployment) -> str:
    """Return an address of the first identity that SES has verified."""
    with translated("listing SES's identities"):
        identity = next(sending_identities(deployment.clients.sesv2), None)
    if identity is None:
        raise UsageError("SES has no verified identity in this region: verify one, or name a sender with --from")
    name = identity["IdentityName"]
    return name if "@" in name else f"canary@{name}"


def _send_canary(deployment: Deployment, *, sender: str, clock: CanaryClock) -> Canary:
    """Send a canary with the stack's own configuration set."""
    recipient = Address(f"bounce+{uuid4().hex}@{SIMULATOR_DOMAIN}")
    sent_at_seconds, sent_at = clock.seconds(), clock.now()
    email = OutgoingEmail(sender=sender, to=[recipient], subject=SUBJECT, body=SUBJECT)
    configuration_set = deployment.output("ConfigurationSet")
    message_id = send_email(deployment.clients.sesv2, email, configuration_set=configuration_set)
    if not MESSAGE_ID.fullmatch(message_id):
        raise UsageError("SES's id of the canary contains unexpected characters, so it cannot be searched for")
    return Canary(
        recipient=recipient, message_id=message_id, clock=clock, sent_at=sent_at, sent_at_seconds=sent_at_seconds
    )


def _wait_for_hop(
    canary: Canary,
    name: str,
    find: Callable[[], str | None],
    *,
    timeout_seconds: float,
    poll_seconds: float,
    remedy: str,
) -> CanaryHop:
    """Return the hop as soon as `find` returns a message, or a missing one with the last outage after the time-out."""
    while True:
        message, outage = _find_unless_unavailable(find)
        seconds = canary.age_seconds()
        if message is not None:
            return CanaryHop(name=name, seconds=seconds, message=message)
        if seconds >= timeout_seconds:
            message = f"no bounce in the {name} after {timeout_seconds:.0f} s{outage and f': {outage}'}"
            return CanaryHop(name=name, seconds=None, message=message, remedy=remedy)
        canary.clock.wait(min(poll_seconds, timeout_seconds - seconds))


def _find_unless_unavailable(find: Callable[[], str | None]) -> tuple[str | None, str]:
    """Return what `find` returns, and the reason if it cannot look: that may change before the time-out."""
    try:
        return find(), ""
    except STOPS_BATCH as error:
        return None, str(error)


def _find_in_table(deployment: Deployment, canary: Canary) -> str | None:
    store = DynamoSuppressionStore(deployment.clients.dynamodb, table=deployment.live_table())
    key = Key(canary.recipient)
    for evidence in store.load([key])[key].standing.hard:
        if evidence.message_id == canary.message_id:
            return f"the table contains its bounce{_delay(canary, from_ms(evidence.at_ms))}"
    return None


def _find_in_log(deployment: Deployment, canary: Canary) -> str | None:
    """Query the partitions since the canary was sent."""
    days = {canary.sent_at.date(), canary.clock.now().date(), (canary.sent_at - timedelta(hours=1)).date()}
    dates = ", ".join(f"'{day:%Y-%m-%d}'" for day in sorted(days))
    result = query(
        deployment.clients.athena,
        f"SELECT event_type, CAST(max(occurred_at) AS varchar) FROM events WHERE dt IN ({dates}) "  # noqa: S608 - see MESSAGE_ID
        f"AND message_id = '{canary.message_id}' GROUP BY 1",
        database=deployment.output("Database"),
        workgroup=deployment.output("Workgroup"),
    )
    occurred_at = {str(row[0]): row[1] for row in result.rows}
    if "bounce" not in occurred_at:
        return None
    return f"the log contains its {', '.join(sorted(occurred_at))}{_delay(canary, parse_time(occurred_at['bounce']))}"


def _delay(canary: Canary, bounced_at: datetime | None) -> str:
    if bounced_at is None:
        return ""
    return f"; by SES's clock it bounced {(bounced_at - canary.sent_at).total_seconds():.1f} s after it was sent"
