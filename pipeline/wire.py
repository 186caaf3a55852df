"""Parse a record whose JSON is sound but whose types are not what SES documents.

Fixtures, proxies and old SDKs write a string where an array belongs, a number where a string does, an object
where a list does. The value is bent into the documented shape where its meaning is plain, and left out where it is not;
then the one typed parser reads it. So there is no second decoder to keep in step.

SES's records as they travel: the fields this project reads, in SES's own shape.

Only what a column, an identity or a fact needs is named; all else is skipped while parsing and stays in `raw`.
Every field is optional, since in the field every one of them has been seen missing.
Names and their quirks: docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html and
docs.aws.amazon.com/ses/latest/dg/notification-contents.html
"""

import re
from typing import Annotated, Any

import msgspec
from msgspec import inspect

Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""A whole number that a bigint column can hold."""


class Wire(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """Part of a SES record; attributes are snake_case, JSON keys are SES's camelCase."""


class CommonHeaders(Wire, frozen=True):
    """The headers SES picked out."""

    subject: str | None = None


class Mail(Wire, frozen=True):
    """The message that the event is about; `timestamp` is when it was sent."""

    timestamp: str | None = None
    message_id: str | None = None
    source: str | None = None
    source_arn: str | None = None
    sending_account_id: str | None = None
    destination: list[str] | None = None
    common_headers: CommonHeaders | None = None
    tags: dict[str, list[str]] | None = None


NO_MAIL = Mail()


class Recipient(Wire, frozen=True):
    """One recipient of a bounce, a complaint or a delay. All but the address come with a DSN only."""

    email_address: str | None = None
    action: str | None = None
    status: str | None = None
    diagnostic_code: str | None = None


class Bounce(Wire, frozen=True):
    """The remote server said no, or SES gave up."""

    bounce_type: str | None = None
    bounce_sub_type: str | None = None
    bounced_recipients: list[Recipient] | None = None
    timestamp: str | None = None
    feedback_id: str | None = None
    reporting_mta: str | None = msgspec.field(default=None, name="reportingMTA")
    remote_mta_ip: str | None = None


class Complaint(Wire, frozen=True):
    """Somebody pressed "spam". Many providers hide who: then SES lists everyone it may have been."""

    complained_recipients: list[Recipient] | None = None
    timestamp: str | None = None
    feedback_id: str | None = None
    complaint_sub_type: str | None = None
    complaint_feedback_type: str | None = None
    user_agent: str | None = None
    arrival_date: str | None = None


class Delivery(Wire, frozen=True):
    """The remote server took it."""

    timestamp: str | None = None
    processing_time_millis: Int64 | None = None
    recipients: list[str] | None = None
    smtp_response: str | None = None
    reporting_mta: str | None = msgspec.field(default=None, name="reportingMTA")
    remote_mta_ip: str | None = None


class Reject(Wire, frozen=True):
    """SES refused it (a virus); it has no time of its own."""

    reason: str | None = None


class Open(Wire, frozen=True):
    """The pixel was fetched. Nothing says by which recipient."""

    timestamp: str | None = None
    ip_address: str | None = None
    user_agent: str | None = None
    is_bot_event: str | None = None


class Click(Wire, frozen=True):
    """A tracked link was followed."""

    timestamp: str | None = None
    ip_address: str | None = None
    user_agent: str | None = None
    link: str | None = None
    link_tags: dict[str, list[str]] | None = None
    is_bot_event: str | None = None


class Failure(Wire, frozen=True):
    """The template could not be rendered; it has no time of its own."""

    template_name: str | None = None
    error_message: str | None = None


class DeliveryDelay(Wire, frozen=True):
    """SES is still trying."""

    timestamp: str | None = None
    delay_type: str | None = None
    delayed_recipients: list[Recipient] | None = None
    expiration_time: str | None = None
    reporting_mta: str | None = msgspec.field(default=None, name="reportingMTA")


class TopicPreferences(Wire, frozen=True):
    """What a contact wants of a list."""

    unsubscribe_all: bool | None = None


class Subscription(Wire, frozen=True):
    """A contact changed what they want, by SES's own list management."""

    timestamp: str | None = None
    contact_list: str | None = None
    source: str | None = None
    new_topic_preferences: TopicPreferences | None = None


class Decision(Wire, frozen=True):
    """An operator's word: this project's own event, in the same log as SES's. See schemas/wire/README.md."""

    id: str | None = None
    action: str | None = None
    address: str | None = None
    scope: str | None = None
    timestamp: str | None = msgspec.field(default=None, name="decidedAt")
    read: list[str] | None = None


Details = Bounce | Complaint | Delivery | Reject | Open | Click | Failure | DeliveryDelay | Subscription | Decision
"""What happened, by kind of event."""


class Record(Wire, frozen=True):
    """One record. `event_type` is event publishing's name for its type, `notification_type` the notifications'."""

    event_type: str | None = None
    notification_type: str | None = None
    mail: Mail | None = None
    bounce: Bounce | None = None
    complaint: Complaint | None = None
    delivery: Delivery | None = None
    reject: Reject | None = None
    open: Open | None = None
    click: Click | None = None
    failure: Failure | None = None
    delivery_delay: DeliveryDelay | None = None
    subscription: Subscription | None = None
    decision: Decision | None = None


_NUMBER = re.compile(r"-?\d{1,18}", re.ASCII)  # 18 digits always fit a bigint
_SHAPE = inspect.type_info(Record)


def coerce(tree: object) -> Record:
    """Return `tree` (parsed JSON) as a record; fields that make no sense are absent in it. Never raises."""
    return msgspec.convert(_mend(tree, _SHAPE) or {}, Record)


def _mend(value: Any, shape: inspect.Type) -> Any:
    """Return `value` in the form that `shape` wants, or None."""
    match shape:
        case inspect.UnionType():  # every union here is "X or None"
            return _mend(value, next(t for t in shape.types if not isinstance(t, inspect.NoneType)))
        case inspect.StructType():
            return _mend_object(value, shape)
        case inspect.ListType():
            if value is None:
                return None
            mended_items = [_mend(item, shape.item_type) for item in (value if isinstance(value, list) else [value])]
            if isinstance(shape.item_type, inspect.StructType):  # somebody is meant, even if nobody can tell who
                return [item or {} for item in mended_items]
            return [item for item in mended_items if item is not None]
        case inspect.DictType() if isinstance(value, dict):
            mended_values = {key: _mend(item, shape.value_type) for key, item in value.items()}
            return {key: item for key, item in mended_values.items() if item is not None}
        case _:
            return _mend_scalar(value, shape)


def _mend_object(value: Any, shape: inspect.StructType) -> Any:
    known = {field.encode_name: field.type for field in shape.fields}
    if isinstance(value, str) and "emailAddress" in known:  # a bare address in place of {"emailAddress": …}
        return {"emailAddress": value}
    if not isinstance(value, dict):
        return None
    return {name: _mend(value[name], shape_) for name, shape_ in known.items() if name in value}


def _mend_scalar(value: Any, shape: inspect.Type) -> Any:
    match shape, value:
        case inspect.StrType(), str():
            return value
        case inspect.StrType(), bool():
            return None
        case inspect.StrType(), int() | float():
            return str(value)
        case inspect.IntType(), str() if _NUMBER.fullmatch(value):
            return int(value)
        case inspect.IntType(), int() if not isinstance(value, bool) and abs(value) < 10**18:
            return value
        case inspect.BoolType(), bool():
            return value
        case inspect.BoolType(), str() if value.lower() in {"true", "false"}:
            return value.lower() == "true"
        case _:
            return None
