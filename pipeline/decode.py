"""Where a payload becomes events.

`decode` gives one outcome for each record inside a payload, whatever carried it, and raises nothing for any
bytes. Pure: no AWS, no clock, no logging.
Field names and their quirks: docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html

Whom an event is about.

A bounce names its own, even when that is nobody: the destination list of the same mail holds people whose mail
arrived (an out-of-office reply to a group may name none at all). Pure.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any

import msgspec

from pipeline.address import Address, canonical
from pipeline.document import NOT_JSON, InvalidJSON, is_utf8, to_python
from pipeline.envelope import Fragment, unwrap
from pipeline.event import Event, EventKind, NotAnEvent, Outcome, Poison
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
    Wire,
    coerce,
)


class Recipients(msgspec.Struct, frozen=True, gc=False):
    """Whom an event is about.

    Attributes:
        addresses: Canonical, distinct, in order of appearance.
        unusable: How many of those whom it names are no address.
    """

    addresses: tuple[Address, ...]
    unusable: int = 0


_NONE_USABLE = Recipients((), 1)


def recipients(details: Wire | None, mail: Mail) -> Recipients:
    """Return whom the event is about, by what its own object names, or else by the mail's destinations."""
    kind = type(details)
    name = _NAMES.get(kind)
    if name is None:
        return _recipients(mail.destination)
    found = _recipients(name(details))
    if found.addresses or kind not in _FALLS_BACK:
        return found
    destinations = _recipients(mail.destination)
    if kind is Complaint and len(destinations.addresses) + destinations.unusable != 1:
        return found  # several destinations, and no word of which complained
    return Recipients(destinations.addresses, found.unusable)


def _recipients(texts: Sequence[str] | None) -> Recipients:
    if texts and len(texts) == 1:
        address = canonical(texts[0])
        return Recipients((address,)) if address else _NONE_USABLE
    found = [canonical(text) for text in texts or ()]
    usable = [address for address in found if address]
    return Recipients(tuple(dict.fromkeys(usable)), len(found) - len(usable))


def _texts(people: Iterable[Recipient] | None) -> list[str]:
    return [person.email_address or "" for person in people or ()]


_NAMES: dict[type, Callable[[Any], Sequence[str] | None]] = {
    Bounce: lambda details: _texts(details.bounced_recipients),
    Complaint: lambda details: _texts(details.complained_recipients),
    DeliveryDelay: lambda details: _texts(details.delayed_recipients),
    Delivery: lambda details: details.recipients,
    Decision: lambda details: (details.address or "",),
}
_FALLS_BACK = frozenset({Complaint, Delivery, DeliveryDelay})


DECODER_VERSION = 1
"""Goes up whenever the same bytes may give another event or other facts; rows of older versions are decoded again."""

MAX_READ = 128  # events that a release may name; a look-up shows fewer than a hundred
MAX_NAME = 64  # of an event, and of a scope
ACTIONS = frozenset({"suppress", "release"})

_NOT_EVENTS = {
    "received": "received mail",
    "amazonsnssubscriptionsucceeded": "SNS's word that a subscription succeeded",
}


class _Meaning(msgspec.Struct, frozen=True):
    """What a type name means.

    Attributes:
        kind: What happened.
        details: The record's key that says more about it, if any.
        needs_details: Whether a record without that key is no record.
        timed: Whether it has a time of its own; else it happens when the mail is sent.
    """

    kind: EventKind
    details: str | None = None
    needs_details: bool = True
    timed: bool = True


# By type name without case, spaces and underscores: SES itself writes "Rendering Failure" in a record,
# RENDERING_FAILURE in its API and RenderingFailure in its guide.
_MEANINGS = {
    "send": _Meaning(EventKind.SEND, timed=False),
    "delivery": _Meaning(EventKind.DELIVERY, "delivery"),
    "bounce": _Meaning(EventKind.BOUNCE, "bounce"),
    "complaint": _Meaning(EventKind.COMPLAINT, "complaint"),
    "reject": _Meaning(EventKind.REJECT, "reject", needs_details=False, timed=False),
    "open": _Meaning(EventKind.OPEN, "open"),
    "click": _Meaning(EventKind.CLICK, "click"),
    "renderingfailure": _Meaning(EventKind.RENDERING_FAILURE, "failure", timed=False),
    "deliverydelay": _Meaning(EventKind.DELIVERY_DELAY, "delivery_delay"),
    "subscription": _Meaning(EventKind.SUBSCRIPTION, "subscription"),
    "decision": _Meaning(EventKind.DECISION, "decision"),
}
_UNKNOWN = _Meaning(EventKind.UNKNOWN)

_record = msgspec.json.Decoder(Record).decode


def decode(payload: bytes) -> list[Outcome]:
    """Return what is inside `payload`, one outcome per record, in order. Raises nothing.

    Args:
        payload: A record or anything that carries records, in any nesting; NDJSON; or what is neither.
    """
    record = _plain(payload)
    if record is not None:
        return [_checked(record, Fragment(payload.strip(), payload, ()))]
    return [_read(found) if isinstance(found, Fragment) else found for found in unwrap(payload)]


def _plain(payload: bytes) -> Record | None:
    """Return a bare, sound record at once: nearly every payload is one. Everything else goes the careful way."""
    try:
        record = _record(payload) if payload.isascii() or is_utf8(payload) else None
    except NOT_JSON:
        return None
    return record if record and (record.event_type or record.notification_type) else None


def _read(piece: Fragment) -> Outcome:
    try:
        return _checked(_record(piece.text), piece)
    except msgspec.ValidationError:
        return _checked(None, piece)


def _checked(record: Record | None, piece: Fragment) -> Outcome:
    """Return the outcome of a record, mended first if its types are odd."""
    try:
        return _outcome(record or coerce(to_python(piece.text)), piece)
    except (InvalidJSON, RecursionError):
        return _too_deep(piece)


def _too_deep(piece: Fragment) -> Poison:
    return Poison(why="nested too deep", raw=piece.raw)


def _outcome(record: Record, piece: Fragment) -> Outcome:
    type_name = record.event_type or record.notification_type
    if not type_name:
        return Poison(why="its type is not a text", raw=piece.raw)
    meaning = _meaning(type_name)
    if isinstance(meaning, str):
        return NotAnEvent(why=meaning, raw=piece.raw)
    details = getattr(record, meaning.details) if meaning.details else None
    if details is None and meaning.details and meaning.needs_details:
        return Poison(why=f"{meaning.kind}: what happened is missing", raw=piece.raw)
    if type(details) is Decision and not _is_whole(details):
        return Poison(
            why="decision: its id, action, address, time or what was read is missing or unusable", raw=piece.raw
        )
    return _event(record, type_name, meaning, details, piece)


@lru_cache(maxsize=256)
def _meaning(type_name: str) -> _Meaning | str:
    """Return what a type name means; a text: what it is instead of a sending event."""
    plain = "".join(filter(str.isalnum, type_name.lower()))
    return _NOT_EVENTS[plain] if plain in _NOT_EVENTS else _MEANINGS.get(plain, _UNKNOWN)


def _event(record: Record, type_name: str, meaning: _Meaning, details: Any, piece: Fragment) -> Outcome:
    kind, mail = meaning.kind, record.mail or NO_MAIL
    sent_at = parse_time(mail.timestamp)
    occurred_at = (parse_time(details.timestamp) if details else None) if meaning.timed else sent_at
    about = recipients(details, mail)
    addresses = about.addresses
    message_id = mail.message_id or None
    return Event(
        id=identify(kind, details, message_id, occurred_at, addresses) or content_id(kind, to_python(piece.text)),
        kind=kind,
        type=type_name,
        occurred_at=occurred_at,
        sent_at=sent_at,
        message_id=message_id,
        recipients=addresses,
        unusable=about.unusable,
        mail=mail,
        details=details,
        raw=piece.raw,
        envelopes=piece.envelopes,
    )


def _is_whole(decision: Decision) -> bool:
    return bool(
        decision.id
        and decision.action in ACTIONS
        and canonical(decision.address or "")
        and parse_time(decision.timestamp) is not None
        and len(decision.read or ()) <= MAX_READ
        and all(len(text) <= MAX_NAME for text in (*(decision.read or ()), decision.scope or ""))
    )
