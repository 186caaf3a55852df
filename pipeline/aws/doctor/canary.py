"""Following a canary to the table and to the log, with the time that each hop took.

A canary: one mail that SES's simulator bounces, so that what becomes of it can be followed.

Facts about the simulator's addresses are kept and suppress nobody, and do not count in SES's bounce rate.
docs.aws.amazon.com/ses/latest/dg/send-an-email-from-console.html
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import msgspec
from msgspec.structs import replace

from pipeline.address import SIMULATOR_DOMAIN, Address
from pipeline.aws.archive.athena import query
from pipeline.aws.doctor.deployment import Deployment
from pipeline.aws.doctor.ses import sending_identities
from pipeline.aws.errors import translated
from pipeline.aws.ses import OutgoingEmail, send_email
from pipeline.errors import Unavailable, UsageError
from pipeline.standing import Key
from pipeline.timestamp import from_ms, parse_time

if TYPE_CHECKING:
    from mypy_boto3_sesv2 import SESV2Client

SUBJECT = "A canary of Mailfold's"
MESSAGE_ID = re.compile(r"[A-Za-z0-9@.<>_-]{1,200}", re.ASCII)  # fit to stand in SQL


class Canary(msgspec.Struct, frozen=True, kw_only=True):
    """A mail on its way.

    Attributes:
        recipient: The simulator's address that it went to, with a label of its own.
        message_id: SES's id of it.
        sent_at: When it was given to SES.
        started: The clock at that moment.
    """

    recipient: Address
    message_id: str
    sent_at: datetime
    started: float


class CanaryClock(msgspec.Struct, frozen=True, kw_only=True):
    """What tells the time, and passes it.

    Attributes:
        seconds: Seconds from some moment on.
        now: The moment, aware.
        wait: Waits so many seconds.
    """

    seconds: Callable[[], float] = time.monotonic
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    wait: Callable[[float], None] = time.sleep


def first_sender(deployment: Deployment) -> str:
    """Return an address of the first identity that SES has verified.

    Raises:
        UsageError: There is none; or SES denies saying so.
        ServiceUnavailable: SES throttles or cannot be reached.
    """
    with translated("listing SES's identities"):
        identity = next(sending_identities(deployment.client("sesv2")), None)
    if identity is None:
        raise UsageError("SES has no verified identity here: verify one, or name a sender with --from")
    name = identity["IdentityName"]
    return name if "@" in name else f"canary@{name}"


def send_canary(deployment: Deployment, *, sender: str, clock: CanaryClock) -> Canary:
    """Send a canary with the stack's own configuration set.

    Raises:
        UsageError: SES refuses it.
        ServiceUnavailable: SES throttles or cannot be reached.
    """
    ses: SESV2Client = deployment.client("sesv2")
    recipient = Address(f"bounce+{uuid4().hex}@{SIMULATOR_DOMAIN}")
    started, sent_at = clock.seconds(), clock.now()
    email = OutgoingEmail(sender=sender, to=[recipient], subject=SUBJECT, body=SUBJECT)
    message_id = send_email(ses, email, configuration_set=deployment.output("ConfigurationSet"))
    if not MESSAGE_ID.fullmatch(message_id):
        raise UsageError("SES's id of the canary is none that can be looked for")
    return Canary(recipient=recipient, message_id=message_id, sent_at=sent_at, started=started)


TABLE_SECONDS = 180.0  # seconds are usual; EventBridge and Lambda try again within minutes
TABLE_POLL_SECONDS = 1.0
LOG_SLACK = 1.5  # Firehose may take half as long again as its buffer says, and the transform's own buffer a minute
LOG_SLACK_SECONDS = 180.0
LOG_POLL_SECONDS = 20.0  # each poll is a query of Athena's, of 10 MB at least

TABLE_CHECKS = "see what is said of destinations, rule, mapping, projector and set aside"
LOG_CHECKS = "see what is said of destinations, Firehose, transform, Glue table and set aside"


class CanaryHop(msgspec.Struct, frozen=True, kw_only=True):
    """A place that the canary came to, or did not.

    Attributes:
        name: The place.
        seconds: How long after it was sent; None: it did not come in time.
        words: What was seen there.
        mending: Where to look if it did not come.
    """

    name: str
    seconds: float | None
    words: str
    mending: str = ""


def trace_canary(
    deployment: Deployment, *, sender: str | None = None, clock: CanaryClock | None = None
) -> Iterator[CanaryHop]:
    """Send a canary, and give each hop as soon as it is made, or given up.

    Args:
        deployment: What it flies through.
        sender: From whom; None: the first identity that SES has verified.
        clock: This machine's, unless said otherwise.

    Raises:
        UsageError: There is nobody to send from, or AWS refuses to send, or Athena to be asked.
        ServiceUnavailable: SES throttles or cannot be reached.
    """
    clock = clock or CanaryClock()
    canary = send_canary(deployment, sender=sender or first_sender(deployment), clock=clock)
    words = f"SES took message {canary.message_id}, with the configuration set {deployment.output('ConfigurationSet')}"
    yield CanaryHop(name="SES", seconds=clock.seconds() - canary.started, words=words)
    yield _awaited(
        clock,
        canary,
        lambda: _in_table(deployment, canary),
        CanaryHop(
            name="table",
            seconds=None,
            words=f"no bounce in the table after {TABLE_SECONDS:.0f} s",
            mending=TABLE_CHECKS,
        ),
        timeout_seconds=TABLE_SECONDS,
        poll_seconds=TABLE_POLL_SECONDS,
    )
    limit_seconds = LOG_SLACK_SECONDS + LOG_SLACK * float(deployment.stack.parameters.get("LogBufferSeconds", "900"))
    yield _awaited(
        clock,
        canary,
        lambda: _in_log(deployment, canary, clock),
        CanaryHop(
            name="log", seconds=None, words=f"no bounce in the log after {limit_seconds:.0f} s", mending=LOG_CHECKS
        ),
        timeout_seconds=limit_seconds,
        poll_seconds=LOG_POLL_SECONDS,
    )


def _awaited(
    clock: CanaryClock,
    canary: Canary,
    look: Callable[[], str | None],
    lost: CanaryHop,
    *,
    timeout_seconds: float,
    poll_seconds: float,
) -> CanaryHop:
    """Return the hop as soon as looking gives words; or `lost`, with the last outage, when it takes too long."""
    while True:
        words, why = _looked(look)
        seconds = clock.seconds() - canary.started
        if words is not None:
            return CanaryHop(name=lost.name, seconds=seconds, words=words)
        if seconds >= timeout_seconds:
            return replace(lost, words=f"{lost.words}: {why}") if why else lost
        clock.wait(min(poll_seconds, timeout_seconds - seconds))


def _looked(look: Callable[[], str | None]) -> tuple[str | None, str]:
    """Return what was seen, or else why nothing could be: what is away now may be there in time."""
    try:
        return look(), ""
    except Unavailable as error:
        return None, str(error)


def _in_table(deployment: Deployment, canary: Canary) -> str | None:
    from pipeline.aws.dynamodb import DynamoSuppressionStore  # noqa: PLC0415 - heavy: see `pipeline.aws.clients`

    store = DynamoSuppressionStore(deployment.client("dynamodb"), table=deployment.live_table)
    key = Key(canary.recipient)
    for evidence in store.load([key])[key].standing.hard:
        if evidence.message_id == canary.message_id:
            return f"the table knows that it bounced{_after(canary, from_ms(evidence.at_ms))}"
    return None


def _in_log(deployment: Deployment, canary: Canary, clock: CanaryClock) -> str | None:
    """Ask Athena, of the hours since it was sent."""
    days = {canary.sent_at.date(), clock.now().date(), (canary.sent_at - timedelta(hours=1)).date()}
    listed = ", ".join(f"'{day:%Y-%m-%d}'" for day in sorted(days))
    answer = query(
        deployment.client("athena"),
        f"SELECT event_type, CAST(max(occurred_at) AS varchar) FROM events WHERE dt IN ({listed}) "  # noqa: S608 - see MESSAGE_ID
        f"AND message_id = '{canary.message_id}' GROUP BY 1",
        database=deployment.output("Database"),
        workgroup=deployment.output("Workgroup"),
    )
    found = {row[0]: row[1] for row in answer.rows}
    if "bounce" not in found:
        return None
    types = ", ".join(sorted(str(type_) for type_ in found))
    return f"the log has its {types}{_after(canary, parse_time(found['bounce']))}"


def _after(canary: Canary, at: datetime | None) -> str:
    return f"; SES says it bounced {(at - canary.sent_at).total_seconds():.1f} s after it was sent" if at else ""
