"""What became of an e-mail, and what else a payload can turn out to be.

Pure types. A payload holds one or more records; each becomes exactly one `Outcome`.
"""

from datetime import datetime
from enum import StrEnum

import msgspec

from pipeline.address import Address
from pipeline.wire import Details, Mail


class EventKind(StrEnum):
    """SES's ten event types, an operator's decision, and whatever SES may invent next."""

    SEND = "send"
    DELIVERY = "delivery"
    BOUNCE = "bounce"
    COMPLAINT = "complaint"
    REJECT = "reject"
    OPEN = "open"
    CLICK = "click"
    RENDERING_FAILURE = "rendering_failure"
    DELIVERY_DELAY = "delivery_delay"
    SUBSCRIPTION = "subscription"
    DECISION = "decision"
    UNKNOWN = "unknown"


FEEDBACK = frozenset({EventKind.BOUNCE, EventKind.COMPLAINT, EventKind.DECISION})
"""The kinds that can hold facts about an address."""


class Envelope(StrEnum):
    """What a record was wrapped in on its way."""

    LAMBDA_SNS = "lambda_sns"
    LAMBDA_SQS = "lambda_sqs"
    SQS = "sqs"
    SNS = "sns"
    EVENTBRIDGE = "eventbridge"
    KINESIS = "kinesis"
    FIREHOSE = "firehose"
    FIREHOSE_ERROR = "firehose_error"


class Event(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Something became of an e-mail.

    Attributes:
        id: 32 hex digits, the same for the same happening however often and in whatever form it arrives.
        kind: What happened.
        type: SES's own word for it, as received.
        occurred_at: When it happened, UTC to the millisecond; None where unreadable.
        sent_at: When the message was sent; None where unreadable.
        message_id: SES's id of the message.
        recipients: Whom it is about: canonical, distinct, in order of appearance.
        unusable: How many of those whom it names are no address.
        mail: SES's fields about the message.
        details: SES's fields about what happened; None for a kind that has none.
        raw: The record's exact JSON text, without white space around it.
        envelopes: What it came in, outermost first; empty for a bare record.
    """

    id: str
    kind: EventKind
    type: str
    occurred_at: datetime | None
    sent_at: datetime | None
    message_id: str | None
    recipients: tuple[Address, ...]
    unusable: int
    mail: Mail
    details: Details | None
    raw: bytes
    envelopes: tuple[Envelope, ...]


class NotAnEvent(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Understood, and not about a sent e-mail: to be passed over.

    Attributes:
        why: What it is, for people.
        raw: Its bytes.
    """

    why: str
    raw: bytes


class Poison(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Not understood: to be kept, with its bytes, until somebody has looked.

    Attributes:
        why: What is wrong with it, for people; never holds any of it.
        raw: Its bytes.
    """

    why: str
    raw: bytes


Outcome = Event | NotAnEvent | Poison
