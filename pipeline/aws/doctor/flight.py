"""Following a canary to the table and to the log, with the time that each hop took."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import msgspec
from msgspec.structs import replace

from pipeline.aws.athena import query
from pipeline.aws.doctor.canary import Canary, Clock, first_sender, send
from pipeline.aws.doctor.deployment import Deployment
from pipeline.errors import Outage
from pipeline.standing import Key
from pipeline.timestamp import from_ms, parse

TABLE_SECONDS = 180.0  # seconds are usual; EventBridge and Lambda try again within minutes
TABLE_POLL_SECONDS = 1.0
LOG_SLACK = 1.5  # Firehose may take half as long again as its buffer says, and the transform's own buffer a minute
LOG_SLACK_SECONDS = 180.0
LOG_POLL_SECONDS = 20.0  # each poll is a query of Athena's, of 10 MB at least

TABLE_CHECKS = "see what is said of destinations, rule, mapping, projector and set aside"
LOG_CHECKS = "see what is said of destinations, Firehose, transform, Glue table and set aside"


class Hop(msgspec.Struct, frozen=True, kw_only=True):
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


def fly(deployment: Deployment, *, sender: str | None = None, clock: Clock | None = None) -> Iterator[Hop]:
    """Send a canary, and give each hop as soon as it is made, or given up.

    Args:
        deployment: What it flies through.
        sender: From whom; None: the first identity that SES has verified.
        clock: This machine's, unless said otherwise.

    Raises:
        Misuse: There is nobody to send from, or AWS refuses to send, or Athena to be asked.
        CloudUnavailable: SES throttles or cannot be reached.
    """
    clock = clock or Clock()
    canary = send(deployment, sender=sender or first_sender(deployment), clock=clock)
    words = f"SES took message {canary.message_id}, with the configuration set {deployment.output('ConfigurationSet')}"
    yield Hop(name="SES", seconds=clock.seconds() - canary.started, words=words)
    yield _awaited(
        clock,
        canary,
        lambda: _in_table(deployment, canary),
        Hop(
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
        Hop(name="log", seconds=None, words=f"no bounce in the log after {limit_seconds:.0f} s", mending=LOG_CHECKS),
        timeout_seconds=limit_seconds,
        poll_seconds=LOG_POLL_SECONDS,
    )


def _awaited(
    clock: Clock,
    canary: Canary,
    look: Callable[[], str | None],
    lost: Hop,
    *,
    timeout_seconds: float,
    poll_seconds: float,
) -> Hop:
    """Return the hop as soon as looking gives words; or `lost`, with the last outage, when it takes too long."""
    while True:
        words, why = _looked(look)
        seconds = clock.seconds() - canary.started
        if words is not None:
            return Hop(name=lost.name, seconds=seconds, words=words)
        if seconds >= timeout_seconds:
            return replace(lost, words=f"{lost.words}: {why}") if why else lost
        clock.wait(min(poll_seconds, timeout_seconds - seconds))


def _looked(look: Callable[[], str | None]) -> tuple[str | None, str]:
    """Return what was seen, or else why nothing could be: what is away now may be there in time."""
    try:
        return look(), ""
    except Outage as error:
        return None, str(error)


def _in_table(deployment: Deployment, canary: Canary) -> str | None:
    from pipeline.aws.store_dynamodb import DynamoSuppressionStore  # noqa: PLC0415 - heavy: see `pipeline.aws.clients`

    store = DynamoSuppressionStore(deployment.client("dynamodb"), table=deployment.live_table)
    key = Key(canary.recipient)
    for evidence in store.load([key])[key].standing.hard:
        if evidence.message_id == canary.message_id:
            return f"the table knows that it bounced{_after(canary, from_ms(evidence.at_ms))}"
    return None


def _in_log(deployment: Deployment, canary: Canary, clock: Clock) -> str | None:
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
    return f"the log has its {', '.join(sorted(str(type_) for type_ in found))}{_after(canary, parse(found['bounce']))}"


def _after(canary: Canary, at: datetime | None) -> str:
    return f"; SES says it bounced {(at - canary.sent_at).total_seconds():.1f} s after it was sent" if at else ""
