"""Tell at a glance that a payload holds no facts, so that most of a busy stream costs one skim of its JSON.

Nothing is passed on a guess: the whole text is checked to be JSON with the type's own object in its place, and whatever
is not plainly a bare Send, Delivery, Open, Click, DeliveryDelay, Reject, Rendering Failure or Subscription is left
to `decode`. A test holds the two together. Pure.
"""

from collections.abc import Sequence

import msgspec

from pipeline.document import NOT_JSON
from pipeline.event import EventKind


class _There(msgspec.Struct, gc=False):
    """An object, whatever is in it."""


class _Record(msgspec.Struct, gc=False, tag_field="eventType"):
    """A record by SES's exact name for its type."""


class _Send(_Record, tag="Send", gc=False):
    pass


class _Reject(_Record, tag="Reject", gc=False):
    pass


class _Delivery(_Record, tag="Delivery", gc=False):
    delivery: _There


class _Open(_Record, tag="Open", gc=False):
    open: _There


class _Click(_Record, tag="Click", gc=False):
    click: _There


class _DeliveryDelay(_Record, tag="DeliveryDelay", gc=False):
    delivery_delay: _There = msgspec.field(name="deliveryDelay")


class _RenderingFailure(_Record, tag="Rendering Failure", gc=False):
    failure: _There


class _Subscription(_Record, tag="Subscription", gc=False):
    subscription: _There


class _Bounce(_Record, tag="Bounce", gc=False):
    pass


class _Complaint(_Record, tag="Complaint", gc=False):
    pass


_KINDS: dict[type[_Record], EventKind] = {
    _Send: EventKind.SEND,
    _Reject: EventKind.REJECT,
    _Delivery: EventKind.DELIVERY,
    _Open: EventKind.OPEN,
    _Click: EventKind.CLICK,
    _DeliveryDelay: EventKind.DELIVERY_DELAY,
    _RenderingFailure: EventKind.RENDERING_FAILURE,
    _Subscription: EventKind.SUBSCRIPTION,
}
_skim = msgspec.json.Decoder(
    _Send
    | _Delivery
    | _Open
    | _Click
    | _Bounce
    | _Complaint
    | _DeliveryDelay
    | _Reject
    | _RenderingFailure
    | _Subscription
).decode


def glance(payload: bytes) -> EventKind | None:
    """Return the kind of a bare record that cannot hold facts; None: it must be decoded to know."""
    try:
        return _KINDS.get(type(_skim(payload)))
    except NOT_JSON:
        return None


def glances(payloads: Sequence[bytes]) -> list[EventKind | None]:
    """Return `glance` of each payload; a batch of plain ones, which is the usual, in a third less time."""
    try:
        return [_KINDS.get(type(record)) for record in map(_skim, payloads)]
    except NOT_JSON:
        return [glance(payload) for payload in payloads]
