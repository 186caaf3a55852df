"""E-mails, and their events as read back, for tests of the SES publisher."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from pipeline.decode import decode
from pipeline.event import Event
from pipeline.local.ses.outcome import MailOutcome, Occurrence
from pipeline.local.ses.publisher import Email, Publisher

ANN = "ann@example.com"
BEN = "ben@example.net"
SENT_AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def an_email(*to: str, **fields: Any) -> Email:
    """Return an e-mail to these people, or to Ann."""
    return Email(**({"sender": "Shop <news@shop.example>", "to": to or (ANN,), "subject": "Hello"} | fields))


def a_fate(*occurrences: Occurrence) -> MailOutcome:
    """Return a fate of these occurrences."""
    return MailOutcome(occurrences=occurrences)


def published(email: Email, *, by: Publisher | None = None, fate: MailOutcome | None = None) -> list[dict[str, Any]]:
    """Return the events of an e-mail, parsed."""
    events = (by or Publisher(seed=1)).publish(email, sent_at=SENT_AT, fate=fate)
    return [json.loads(event) for event in events]


def outcome(*to: str, by: Publisher | None = None) -> list[str]:
    """Return what becomes of a mail to these addresses: types, with what sort of bounce or complaint it is."""
    return [sort(event) for event in published(an_email(*to), by=by)]


def sort(event: dict[str, Any]) -> str:
    """Return an event's type, and what sort of bounce or complaint it is."""
    if details := event.get("bounce"):
        return f"Bounce {details['bounceType']}/{details['bounceSubType']}"
    if details := event.get("complaint"):
        return f"Complaint {details['complaintSubType'] or details['complaintFeedbackType']}"
    return str(event["eventType"])


def decoded(payloads: Sequence[bytes]) -> list[Event]:
    """Return payloads as the events that they are, one each."""
    events = []
    for payload in payloads:
        (event,) = decode(payload)
        assert isinstance(event, Event), event
        events.append(event)
    return events
