"""The result of decoding: an event, a record that is not an event, or poison.

Pure types. A payload contains one or more records, and each record becomes exactly one `Outcome`.
"""

from datetime import datetime
from enum import StrEnum

import msgspec

from pipeline.address import Address
from pipeline.wire import Details, Mail


class EventKind(StrEnum):
    """SES's ten event types, an operator's decision, evidence of a table, and any type that SES may add."""

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
    EVIDENCE = "evidence"
    UNKNOWN = "unknown"


FEEDBACK = frozenset({EventKind.BOUNCE, EventKind.COMPLAINT, EventKind.DECISION, EventKind.EVIDENCE})
"""The kinds that can contain facts about an address."""


class Envelope(StrEnum):
    """The wrappers that transports put around a record."""

    LAMBDA_SNS = "lambda_sns"
    LAMBDA_SQS = "lambda_sqs"
    SQS = "sqs"
    SNS = "sns"
    EVENTBRIDGE = "eventbridge"
    KINESIS = "kinesis"
    FIREHOSE = "firehose"
    FIREHOSE_ERROR = "firehose_error"
    CLOUDWATCH_LOGS = "cloudwatch_logs"
    HTTP = "http"


DECISION_ENVELOPES = frozenset({Envelope.KINESIS, Envelope.FIREHOSE, Envelope.FIREHOSE_ERROR})
"""The envelopes of a decision and of evidence: their author puts them into the stream and the delivery stream. All
others carry what SES, another program or a stranger writes, who must not be able to release an address."""


class Event(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Something that happened to an e-mail, or an operator's decision.

    Attributes:
        id: 32 hex digits; the same for every copy of the event, in every form and envelope.
        kind: What happened.
        type: SES's own name of the type, as received.
        occurred_at: When it happened, UTC to the millisecond; None if unreadable.
        sent_at: When the message was sent; None if unreadable.
        message_id: SES's id of the message.
        recipients: The addresses that it is about: canonical, distinct, in order of appearance.
        unusable_recipients: Number of named recipients that are not addresses.
        mail: SES's fields about the message.
        details: SES's fields about what happened; None for a kind that has none.
        raw: The exact JSON text of the record, without surrounding white space. In an envelope that contains the
            record as an object, U+FFFD replaces half a surrogate pair.
        envelopes: The envelopes around it, outermost first; empty for a bare record.
    """

    id: str
    kind: EventKind
    type: str
    occurred_at: datetime | None
    sent_at: datetime | None
    message_id: str | None
    recipients: tuple[Address, ...]
    unusable_recipients: int
    mail: Mail
    details: Details | None
    raw: bytes
    envelopes: tuple[Envelope, ...]


class NotAnEvent(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A record that was understood and is not about a sent e-mail. Ignore it.

    Attributes:
        why: What it is, for people.
        raw: Its bytes.
    """

    why: str
    raw: bytes


class Poison(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A record that cannot be decoded. Quarantine it with its bytes.

    Attributes:
        why: What is wrong with it, for people; contains nothing of the record.
        raw: Its bytes.
    """

    why: str
    raw: bytes


Outcome = Event | NotAnEvent | Poison
