"""Whom an event is about.

A bounce names its own, even when that is nobody: the destination list of the same mail holds people whose mail
arrived (an out-of-office reply to a group may name none at all). Pure.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from pipeline.address import Address, canonical
from pipeline.wire import Bounce, Complaint, Decision, Delivery, DeliveryDelay, Mail, Recipient, Wire


class Recipients(msgspec.Struct, frozen=True, gc=False):
    """Whom an event is about.

    Attributes:
        addresses: Canonical, distinct, in order of appearance.
        unusable: How many of those whom it names are no address.
    """

    addresses: tuple[Address, ...]
    unusable: int = 0


_NONE_USABLE = Recipients((), 1)


def recipients(own: Wire | None, mail: Mail) -> Recipients:
    """Return whom the event is about, by what its own object names, or else by the mail's destinations."""
    kind = type(own)
    name = _NAMES.get(kind)
    if name is None:
        return _recipients(mail.destination)
    found = _recipients(name(own))
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
    Bounce: lambda own: _texts(own.bounced_recipients),
    Complaint: lambda own: _texts(own.complained_recipients),
    DeliveryDelay: lambda own: _texts(own.delayed_recipients),
    Delivery: lambda own: own.recipients,
    Decision: lambda own: (own.address or "",),
}
_FALLS_BACK = frozenset({Complaint, Delivery, DeliveryDelay})
