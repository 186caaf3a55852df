"""The events that benchmarks work on: made-up traffic in the order in which it happened, so that mails interleave."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache

from pipeline.decode import decode
from pipeline.event import Event
from pipeline.local.traffic.generator import generate_traffic

START = datetime(2026, 3, 1, tzinfo=UTC)
EVENTS_PER_EMAIL = 2  # a Send and a Delivery, mostly; never fewer on average


@cache
def events(count: int, *, seed: int = 1) -> Sequence[bytes]:
    """Return that many events as SES writes them, each with its newline."""
    made = [
        event for some in generate_traffic(emails=count // EVENTS_PER_EMAIL, seed=seed, start=START) for event in some
    ]
    return sorted(made[:count], key=_occurred_at)


def _occurred_at(payload: bytes) -> datetime:
    (event,) = decode(payload)
    return event.occurred_at if isinstance(event, Event) and event.occurred_at else START
