"""EventBridge between SES and a Kinesis data stream, which no emulator has.

Claims: AWS's envelope around the exact record; a rule that pins source and detail-type; a Kinesis target with the
partition key path $.detail.mail.messageId (`pipeline.local.kinesis_target`).
Leaves out: buses, other rules and targets, and input transformers. AWS promises neither order nor exactly one
delivery here, so no caller may rely on this module's order.

docs.aws.amazon.com/eventbridge/latest/ref/events-ref-ses.html,
docs.aws.amazon.com/ses/latest/dg/monitoring-eventbridge.html,
docs.aws.amazon.com/eventbridge/latest/APIReference/API_KinesisParameters.html
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import uuid4

import msgspec

from pipeline.errors import UsageError
from pipeline.local.kinesis_target import DeadLetter, KinesisTarget, TargetEntry
from pipeline.row import CONFIGURATION_SET_TAG
from pipeline.wire import NO_MAIL, Mail

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient

SOURCE = "aws.ses"
DETAIL_TYPES = {
    "Send": "Email Sent",
    "Delivery": "Email Delivered",
    "Bounce": "Email Bounced",
    "Complaint": "Email Complaint Received",
    "Reject": "Email Rejected",
    "Open": "Email Opened",
    "Click": "Email Clicked",
    "Rendering Failure": "Email Rendering Failed",
    "DeliveryDelay": "Email Delivery Delayed",
    "Subscription": "Email Subscribed",
}
"""EventBridge's detail-type for each of SES's event types."""

# Both keys are pinned: the advisor's, the account's and CloudTrail's "aws.ses" events share the default bus.
FEEDBACK_RULE = {"source": (SOURCE,), "detail-type": ("Email Bounced", "Email Complaint Received")}
"""Event pattern of the rule."""

MAX_KEY_CHARACTERS = 256  # a Kinesis partition key


class EventBridgeEvent(msgspec.Struct, frozen=True, kw_only=True):
    """EventBridge's envelope, with AWS's keys in AWS's order.

    Attributes:
        version: Version of the envelope, always "0".
        id: Id of this delivery. The same event delivered again has another.
        detail_type: EventBridge's name for the event type.
        source: Service that sent it.
        account: Sending account.
        time: Time at which EventBridge received it, to the second.
        region: Region that the e-mail was sent in.
        resources: ARN of the configuration set, if one was used.
        detail: SES's record, byte for byte.
    """

    version: str = "0"
    id: str
    detail_type: str = msgspec.field(name="detail-type")
    source: str = SOURCE
    account: str
    time: str
    region: str
    resources: tuple[str, ...]
    detail: msgspec.Raw


class Relay:
    """The rule for feedback, with a Kinesis stream as its target.

    Safe to use from several threads.

    Args:
        kinesis_client: boto3's, with its time-outs.
        stream: Name of the stream.
        account_id: Sending account.
        retry_after_seconds: Wait before a rejected record is put again; it doubles each time.
    """

    def __init__(
        self,
        kinesis_client: KinesisClient,
        *,
        stream: str,
        account_id: str = "123456789012",
        retry_after_seconds: float = 0.1,
    ) -> None:
        self._target = KinesisTarget(kinesis_client, stream=stream, retry_after_seconds=retry_after_seconds)
        self._account_id = account_id
        self._region = kinesis_client.meta.region_name

    @property
    def dead_letters(self) -> Sequence[DeadLetter]:
        """Records that the stream rejected at every attempt, oldest first."""
        return self._target.dead_letters

    def deliver(self, events: Sequence[bytes]) -> int:
        """Put the SES records that the rule selects into the stream, in envelopes. Return how many it took.

        Other selected records are in `dead_letters`.

        Args:
            events: SES's records, of any type, without an envelope.

        Raises:
            UsageError: One of them is not a record of event publishing. Nothing was put.
        """
        return self._target.put([entry for event in events if (entry := self._entry(event))])

    def _entry(self, event: bytes) -> TargetEntry | None:
        record = _read(event)
        if DETAIL_TYPES[record.event_type] not in FEEDBACK_RULE["detail-type"]:
            return None
        envelope = _envelope(event, record, account_id=self._account_id, region=self._region)
        # Without a value at the key path, EventBridge uses the event's id.
        message_id = record.mail.message_id or ""
        key = message_id if 0 < len(message_id) <= MAX_KEY_CHARACTERS else envelope.id
        return TargetEntry(key=key, data=msgspec.json.encode(envelope))


def to_eventbridge_event(event: bytes, *, account_id: str, region: str) -> bytes:
    """Return a SES record in the envelope in which EventBridge delivers it.

    Raises:
        UsageError: It is not a record of event publishing, or EventBridge has no name for its type.
    """
    return msgspec.json.encode(_envelope(event, _read(event), account_id=account_id, region=region))


class _Record(msgspec.Struct, frozen=True, rename="camel"):
    """The keys of a SES record that the envelope is built from."""

    event_type: str
    mail: Mail = NO_MAIL


_decode_record = msgspec.json.Decoder(_Record).decode


def _read(event: bytes) -> _Record:
    try:
        record = _decode_record(event)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsageError("EventBridge relays only records of SES event publishing here, and this is not one") from error
    if record.event_type not in DETAIL_TYPES:
        raise UsageError("EventBridge has no detail-type for this record's eventType: use one of SES's event types")
    return record


def _envelope(event: bytes, record: _Record, *, account_id: str, region: str) -> EventBridgeEvent:
    names = (record.mail.tags or {}).get(CONFIGURATION_SET_TAG) or ()
    return EventBridgeEvent(
        id=str(uuid4()),
        detail_type=DETAIL_TYPES[record.event_type],
        account=account_id,
        time=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        region=region,
        resources=tuple(f"arn:aws:ses:{region}:{account_id}:configuration-set/{name}" for name in names),
        detail=msgspec.Raw(event.strip()),
    )
