"""Identify an event by what happened, so that every copy of it has the same id.

SES gives its events no id, and a transport's id (SNS, EventBridge, Kinesis) changes with every delivery. So the id is a
hash of what SES says happened: type, message, and what distinguishes two such events of one message. Pure.

The JSON text is hashed only where nothing else identifies the event, because its key order differs by feed. Two events
with one id could lose a suppression, while one event with two ids is harmless. So, in doubt, more goes into the hash.
"""

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any

import msgspec

from pipeline.event import EventKind
from pipeline.wire import Bounce, Click, Complaint, Decision, Delivery, DeliveryDelay, Open, Subscription, TableEvidence

Moment = datetime | str | None
Discriminator = tuple[Any, ...]
"""What distinguishes two events of one type and one message. Its first element is the feedback id or the time."""

_encode = msgspec.json.Encoder(order="sorted").encode
_HEX_ID = re.compile(r"[0-9a-f]{32}")


def identify(
    kind: EventKind, details: Any, message_id: str | None, occurred_at: datetime | None, recipients: Sequence[str]
) -> str | None:
    """Return the event's id: 128 bits as 32 hex digits; None if the record contains too little to have one.

    Args:
        kind: What happened.
        details: The record's object of that kind.
        message_id: SES's id of the message, if known.
        occurred_at: The event's own time, if readable.
        recipients: The addresses that it is about, canonical and distinct.
    """
    if type(details) is Decision:
        return _client_id(details.id or "")
    if type(details) is TableEvidence:  # all of it: copies of one event that differ in a text are different facts
        return _hash((kind, *msgspec.structs.astuple(details)))
    discriminate = _DISCRIMINATORS.get(type(details))
    if discriminate is None:  # Send, Reject, Rendering Failure: at most one of each for a message
        return _hash((kind, message_id)) if message_id and kind is not EventKind.UNKNOWN else None
    # A time that cannot be parsed still distinguishes two events.
    discriminator = discriminate(details, occurred_at or details.timestamp, recipients)
    return _hash((kind, message_id, *discriminator)) if message_id or discriminator[0] else None


def content_id(kind: EventKind, tree: object) -> str:
    """Return the id of a record that names neither its message, nor its feedback, nor its time: a hash of all of it.

    Args:
        kind: What happened.
        tree: The record as plain Python values; the order of its keys does not matter.
    """
    return _hash((kind, tree))


def _client_id(text: str) -> str:
    """Return a decision's id, made by the client, in the form of all ids."""
    plain = text.replace("-", "").lower()
    return plain if _HEX_ID.fullmatch(plain) else _hash((EventKind.DECISION, text))


def _hash(parts: object) -> str:
    """Return the hash of the parts as a JSON array, so that two different lists never have the same bytes."""
    return sha256(_encode(parts)).hexdigest()[:32]


def _feedback(details: Any, moment: Moment, recipients: Sequence[str]) -> Discriminator:
    return details.feedback_id or moment, sorted(recipients)


def _delivery(_: Any, moment: Moment, recipients: Sequence[str]) -> Discriminator:
    return moment, sorted(recipients)


_DISCRIMINATORS: dict[type, Callable[[Any, Moment, Sequence[str]], Discriminator]] = {
    Bounce: _feedback,
    Complaint: _feedback,
    Delivery: _delivery,
    DeliveryDelay: _delivery,
    Open: lambda details, moment, _: (moment, details.ip_address, details.user_agent),
    Click: lambda details, moment, _: (moment, details.ip_address, details.user_agent, details.link),
    Subscription: lambda _, moment, __: (moment,),
}
