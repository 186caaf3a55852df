"""E-mails, and their events as read back, for tests of the SES publisher."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from pipeline.decode import decode
from pipeline.event import Event
from pipeline.local.ses.email import Email
from pipeline.local.ses.outcome import MailOutcome, Occurrence
from pipeline.local.ses.publisher import Publisher

ANN = "ann@example.com"
BEN = "ben@example.net"
SENT_AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def an_email(*to: str, **fields: Any) -> Email:
    """Return an e-mail to these addresses, or to Ann."""
    return Email(**({"sender": "Shop <news@shop.example>", "to": to or (ANN,), "subject": "Hello"} | fields))


def an_outcome(*occurrences: Occurrence) -> MailOutcome:
    """Return an outcome of these occurrences."""
    return MailOutcome(occurrences=occurrences)


def publish_email(
    email: Email, *, by: Publisher | None = None, outcome: MailOutcome | None = None
) -> list[dict[str, Any]]:
    """Return the events of an e-mail, parsed."""
    events = (by or Publisher(seed=1)).publish(email, sent_at=SENT_AT, outcome=outcome)
    return [json.loads(event) for event in events]


def event_kinds(*to: str, by: Publisher | None = None) -> list[str]:
    """Return the kinds of the events of an e-mail to these addresses."""
    return [event_kind(event) for event in publish_email(an_email(*to), by=by)]


def event_kind(event: dict[str, Any]) -> str:
    """Return an event's type with the type and sub-type of a bounce or a complaint."""
    if details := event.get("bounce"):
        return f"Bounce {details['bounceType']}/{details['bounceSubType']}"
    if details := event.get("complaint"):
        return f"Complaint {details['complaintSubType'] or details['complaintFeedbackType']}"
    return str(event["eventType"])


def decoded(payloads: Sequence[bytes]) -> list[Event]:
    """Return the events of payloads that hold one each."""
    events = []
    for payload in payloads:
        (event,) = decode(payload)
        assert isinstance(event, Event), event
        events.append(event)
    return events
