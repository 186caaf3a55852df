"""Decode a payload into outcomes, one per record.

Total: `decode` never raises, whatever the bytes and the envelopes. Pure: no AWS, no clock, no logging.
Field names and their quirks: docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html
"""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any

import msgspec

from pipeline.address import Address, mailboxes
from pipeline.authored import AUTHORED, authored_poison
from pipeline.coercion import coerce
from pipeline.document import NOT_JSON, is_too_deep, is_utf8, to_python
from pipeline.envelope import Fragment, unwrap
from pipeline.event import Envelope, Event, EventKind, NotAnEvent, Outcome, Poison
from pipeline.identity import content_id, identify
from pipeline.timestamp import parse_time
from pipeline.wire import (
    NO_MAIL,
    Bounce,
    Complaint,
    Decision,
    Delivery,
    DeliveryDelay,
    Mail,
    Recipient,
    Record,
    TableEvidence,
    Wire,
)

DECODER_VERSION = 1
"""Increased whenever the same bytes may yield another event or other facts; replay decodes older rows again."""

_NOT_EVENTS = {
    "received": "received mail",
    "amazonsnssubscriptionsucceeded": "SNS's notice that a subscription succeeded",
}


class _RecordType(msgspec.Struct, frozen=True):
    """The meaning of a type name.

    Attributes:
        kind: What happened.
        details: The record's key with its details, if the type has one.
        needs_details: True if a record without that key is poison.
        timed: True if the details contain a time; else the event happens when the mail is sent.
    """

    kind: EventKind
    details: str | None = None
    needs_details: bool = True
    timed: bool = True


# By type name without case, spaces and underscores: SES itself writes "Rendering Failure" in a record,
# RENDERING_FAILURE in its API and RenderingFailure in its guide.
_TYPES = {
    "send": _RecordType(EventKind.SEND, timed=False),
    "delivery": _RecordType(EventKind.DELIVERY, "delivery"),
    "bounce": _RecordType(EventKind.BOUNCE, "bounce"),
    "complaint": _RecordType(EventKind.COMPLAINT, "complaint"),
    "reject": _RecordType(EventKind.REJECT, "reject", needs_details=False, timed=False),
    "open": _RecordType(EventKind.OPEN, "open"),
    "click": _RecordType(EventKind.CLICK, "click"),
    "renderingfailure": _RecordType(EventKind.RENDERING_FAILURE, "failure", timed=False),
    "deliverydelay": _RecordType(EventKind.DELIVERY_DELAY, "delivery_delay"),
    "subscription": _RecordType(EventKind.SUBSCRIPTION, "subscription"),
    "decision": _RecordType(EventKind.DECISION, "decision"),
    "evidence": _RecordType(EventKind.EVIDENCE, "evidence", timed=False),
}
_UNKNOWN = _RecordType(EventKind.UNKNOWN)


class _EventBridge(msgspec.Struct, gc=False):
    """EventBridge's envelope. Its other keys do not matter."""

    detail_type: str = msgspec.field(name="detail-type")
    detail: msgspec.Raw


EVENTBRIDGE_START = b'{"version"'  # as EventBridge writes it; any other order of keys takes the slower way

_parse_record = msgspec.json.Decoder(Record).decode
_parse_eventbridge = msgspec.json.Decoder(_EventBridge).decode


def decode(payload: bytes) -> list[Outcome]:
    """Return one outcome for each record inside `payload`, in order. Never raises.

    Args:
        payload: A record, envelopes in any nesting around records, NDJSON of either, or any other bytes.
    """
    if payload.startswith(EVENTBRIDGE_START) and (outcome := _decode_eventbridge(payload)):
        return [outcome]
    record = None if is_too_deep(payload) else _bare_record(payload)
    if record is not None:
        return [_decode_record(record, Fragment(payload.strip(), payload, ()))]
    return [_decode_fragment(part) if isinstance(part, Fragment) else part for part in unwrap(payload)]


def _bare_record(payload: bytes) -> Record | None:
    """Return a bare, valid record without unwrapping, as nearly every payload is one; None for all others."""
    try:
        record = _parse_record(payload) if is_utf8(payload) else None
    except NOT_JSON:
        return None
    if record is None or not (record.mail or record.decision or record.evidence):
        return None
    return record if record.event_type or record.notification_type else None


def _decode_eventbridge(payload: bytes) -> Outcome | None:
    """Return the outcome of SES's own event on EventBridge without unwrapping, as most feedback is one; else None."""
    try:
        envelope = None if is_too_deep(payload) else _parse_eventbridge(payload)
    except NOT_JSON:
        return None
    if envelope is None or not envelope.detail_type.startswith("Email "):
        return None
    detail = bytes(envelope.detail)
    record = _bare_record(detail)
    return _decode_record(record, Fragment(detail, detail, (Envelope.EVENTBRIDGE,))) if record else None


def _decode_fragment(fragment: Fragment) -> Outcome:
    try:
        return _decode_record(_parse_record(fragment.text), fragment)
    except msgspec.ValidationError:
        return _decode_record(None, fragment)


def _decode_record(record: Record | None, fragment: Fragment) -> Outcome:
    """Return the outcome of a record; None is one with unexpected types, which are coerced first."""
    if record is None or _is_incomplete(record):
        record = coerce(to_python(fragment.text))
    return _outcome(record, fragment)


def _is_incomplete(record: Record) -> bool:
    """Return True if a record may have its keys in another case, since it lacks what every record has."""
    has_type = record.event_type or record.notification_type
    return not has_type or record.mail is None or record.mail.message_id is None or _lacks_recipients(record)


def _lacks_recipients(record: Record) -> bool:
    """Return True if a bounce or a complaint lacks its type, its recipients or an address of one."""
    if bounce := record.bounce:
        recipients = bounce.bounced_recipients if bounce.bounce_type else None
    elif record.complaint:
        recipients = record.complaint.complained_recipients
    else:
        return False
    return recipients is None or any(recipient.email_address is None for recipient in recipients)


def _outcome(record: Record, fragment: Fragment) -> Outcome:
    type_name = _type_name(record.event_type, record.notification_type)
    if not type_name:
        return Poison(why="its type is not a text", raw=fragment.raw)
    record_type = _record_type(type_name)
    if isinstance(record_type, str):
        return NotAnEvent(why=record_type, raw=fragment.raw)
    details = getattr(record, record_type.details) if record_type.details else None
    if details is None and record_type.details and record_type.needs_details:
        return Poison(why=f"{record_type.kind}: what happened is missing", raw=fragment.raw)
    if record.mail is None and details is None and record_type.kind is not EventKind.UNKNOWN:
        return Poison(why=f"{record_type.kind}: the mail is missing", raw=fragment.raw)
    if isinstance(details, AUTHORED) and (poison := authored_poison(details, fragment)):
        return poison
    return _event(record, type_name, record_type, details, fragment)


@lru_cache(maxsize=256)
def _type_name(event_type: str | None, notification_type: str | None) -> str:
    """Return the type of a record; of two, the one that is known."""
    names = [name for name in (event_type, notification_type) if name and name.strip()]
    return next((name for name in names if _record_type(name) is not _UNKNOWN), next(iter(names), ""))


@lru_cache(maxsize=256)
def _record_type(type_name: str) -> _RecordType | str:
    """Return the meaning of a type name, or, if it is not about a sent e-mail, a description of what it is."""
    plain = "".join(filter(str.isalnum, type_name.lower()))
    return _NOT_EVENTS[plain] if plain in _NOT_EVENTS else _TYPES.get(plain, _UNKNOWN)


def _event(record: Record, type_name: str, record_type: _RecordType, details: Any, fragment: Fragment) -> Event:
    kind, mail = record_type.kind, record.mail or NO_MAIL
    sent_at = parse_time(mail.timestamp)
    occurred_at = (parse_time(details.timestamp) if details else None) if record_type.timed else sent_at
    recipients = _recipients(details, mail)
    addresses = recipients.addresses
    message_id = mail.message_id or None
    return Event(
        id=identify(kind, details, message_id, occurred_at, addresses) or content_id(kind, to_python(fragment.text)),
        kind=kind,
        type=type_name,
        occurred_at=occurred_at,
        sent_at=sent_at,
        message_id=message_id,
        recipients=addresses,
        unusable_recipients=recipients.unusable,
        mail=mail,
        details=details,
        raw=fragment.raw,
        envelopes=fragment.envelopes,
    )


def destinations(event: Event) -> tuple[Address, ...]:
    """Return all addresses that the mail was sent to: canonical, distinct, in order of appearance."""
    if type(event.details) not in _NAMED_RECIPIENTS:
        return event.recipients
    return _parse_recipients(event.mail.destination).addresses


def unusable_recipients(event: Event) -> tuple[str, ...]:
    """Return the fields of an event, as received, with a part that names no mailbox."""
    texts = _NAMED_RECIPIENTS.get(type(event.details), lambda _: event.mail.destination)(event.details)
    return tuple(text for text in texts or () if mailboxes(text).unusable)


class _Recipients(msgspec.Struct, frozen=True, gc=False):
    """The addresses that an event is about.

    Attributes:
        addresses: Canonical, distinct, in order of appearance.
        unusable: Number of parts of the fields that name no mailbox.
    """

    addresses: tuple[Address, ...]
    unusable: int = 0


def _recipients(details: Wire | None, mail: Mail) -> _Recipients:
    """Return the recipients that the details name, or else the destinations of the mail.

    A bounce never falls back: the destinations of the same mail include people who received it, and an out-of-office
    reply to a group may name no one.
    """
    details_type = type(details)
    named_in_details = _NAMED_RECIPIENTS.get(details_type)
    if named_in_details is None:
        return _parse_recipients(mail.destination)
    named = _parse_recipients(named_in_details(details))
    if named.addresses or details_type not in _FALLS_BACK:
        return named
    destinations = _parse_recipients(mail.destination)
    if details_type is Complaint and len(destinations.addresses) + destinations.unusable != 1:
        return named  # which of several destinations complained is unknown
    return _Recipients(destinations.addresses, named.unusable)


def _parse_recipients(texts: Sequence[str] | None) -> _Recipients:
    parsed = [mailboxes(text) for text in texts or ()]
    if len(parsed) == 1 and len(parsed[0].found) == 1:
        return _Recipients((parsed[0].found[0].address,), parsed[0].unusable)
    addresses = dict.fromkeys(mailbox.address for field in parsed for mailbox in field.found)
    return _Recipients(tuple(addresses), sum(field.unusable for field in parsed))


def _addresses(recipients: Iterable[Recipient] | None) -> list[str]:
    return [recipient.email_address or "" for recipient in recipients or ()]


_NAMED_RECIPIENTS: dict[type, Callable[[Any], Sequence[str] | None]] = {
    Bounce: lambda details: _addresses(details.bounced_recipients),
    Complaint: lambda details: _addresses(details.complained_recipients),
    DeliveryDelay: lambda details: _addresses(details.delayed_recipients),
    Delivery: lambda details: details.recipients,
    Decision: lambda details: (details.address or "",),
    TableEvidence: lambda details: (details.address or "",),
}
_FALLS_BACK = frozenset({Complaint, Delivery, DeliveryDelay})
