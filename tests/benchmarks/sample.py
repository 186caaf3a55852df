"""The events of the benchmarks: synthetic traffic in order of time, so that mails interleave."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache

from pipeline.decode import decode
from pipeline.event import Event
from pipeline.local.traffic.generator import generate_traffic
from tests.support.builders import a_bounce, in_eventbridge

START = datetime(2026, 3, 1, tzinfo=UTC)
SMALL_BYTES = 1_000
EVENTS_PER_EMAIL = 2  # mostly a Send and a Delivery; never fewer on average


@cache
def events(count: int, *, seed: int = 1) -> Sequence[bytes]:
    """Return that many events as SES writes them, each with its newline."""
    traffic = [
        event
        for mail_events in generate_traffic(emails=count // EVENTS_PER_EMAIL, seed=seed, start=START)
        for event in mail_events
    ]
    return sorted(traffic[:count], key=_occurred_at)


def feedback(count: int) -> list[bytes]:
    """Return bounces and complaints as EventBridge delivers them, each with other addresses."""
    types = (b'"eventType":"Bounce"', b'"eventType":"Complaint"')
    templates = [event.strip() for event in events(40_000) if any(name in event for name in types)]
    return [
        in_eventbridge(templates[number % len(templates)].replace(b"@", b"%d@" % number)) for number in range(count)
    ]


def small_feedback(count: int) -> list[bytes]:
    """Return bounces of less than 1 KB as EventBridge delivers them, each of another address."""
    events = [
        a_bounce(recipients=[f"person{number}@example.com"], feedback_id=f"f{number}", headers=[], tags={})
        for number in range(count)
    ]
    payloads = [in_eventbridge(event) for event in events]
    assert max(map(len, payloads)) < SMALL_BYTES
    return payloads


def _occurred_at(payload: bytes) -> datetime:
    (event,) = decode(payload)
    return event.occurred_at if isinstance(event, Event) and event.occurred_at else START
