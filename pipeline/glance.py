"""Tell at a glance that a payload holds no facts, so that most of a busy stream costs one skim of its JSON.

Facts are never dropped on a guess: only bare records of the eight kinds that hold none are passed, and all else is
left to `decode`. Their whole text is checked to be JSON; except for Send, half of all traffic, which is known by its
beginning and its end on one line. So a Send that is broken in its middle passes here, where nothing in it could
matter; the log's transform, which decodes everything, finds it. A test holds glance and decode together. Pure.
"""

import msgspec

from pipeline.document import NOT_JSON
from pipeline.event import Kind


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


_FEEDBACK = (b'{"eventType":"Bounce"', b'{"eventType":"Complaint"')  # no need to look twice
_KINDS: dict[type[_Record], Kind] = {
    _Send: Kind.SEND,
    _Reject: Kind.REJECT,
    _Delivery: Kind.DELIVERY,
    _Open: Kind.OPEN,
    _Click: Kind.CLICK,
    _DeliveryDelay: Kind.DELIVERY_DELAY,
    _RenderingFailure: Kind.RENDERING_FAILURE,
    _Subscription: Kind.SUBSCRIPTION,
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


_SEND_BEGINS = b'{"eventType":"Send","mail":{'
_SEND_ENDS = (b'},"send":{}}\n', b'},"send":{}}')


def glance(payload: bytes) -> Kind | None:
    """Return the kind of a bare record that cannot hold facts; None: it must be decoded to know."""
    if payload.startswith(_SEND_BEGINS):
        if payload.endswith(_SEND_ENDS) and payload.find(b"\n", 0, -1) < 0:
            return Kind.SEND
    elif payload.startswith(_FEEDBACK):
        return None
    try:
        payload.isascii() or payload.decode()
        return _KINDS.get(type(_skim(payload)))
    except NOT_JSON:
        return None
