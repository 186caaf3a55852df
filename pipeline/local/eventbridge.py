"""EventBridge between SES and a Kinesis data stream, which no emulator has.

Claims: AWS's envelope around the exact record; a rule that pins source and detail-type; a Kinesis target with the
partition key path $.detail.mail.messageId, its retries and its dead letters (`kinesis_target`).
Leaves out: buses, other rules and targets, and input transformers. AWS promises neither order nor delivery exactly
once on this way: nobody may rely on this relay's order either.

docs.aws.amazon.com/eventbridge/latest/ref/events-ref-ses.html,
docs.aws.amazon.com/ses/latest/dg/monitoring-eventbridge.html,
docs.aws.amazon.com/eventbridge/latest/APIReference/API_KinesisParameters.html

A Kinesis stream as an EventBridge target: PutRecords, and what it refuses.

Claims: PutRecords' limits; partial failures, of which only the refused entries are tried again; a dead-letter list for
what is still refused after that. Leaves out: EventBridge's 24 hours and 185 attempts, of which a few are left.

docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html (limits, partial failure),
docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-retry-policy.html (retries, dead letters)
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import uuid4

import msgspec

from pipeline.aws.batching import batches
from pipeline.aws.errors import error_code
from pipeline.aws.retry import attempts
from pipeline.errors import UsageError
from pipeline.local.client import ERRORS
from pipeline.row import CONFIGURATION_SET_TAG
from pipeline.wire import NO_MAIL, Mail

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient
    from mypy_boto3_kinesis.type_defs import PutRecordsRequestEntryTypeDef

MAX_RECORDS = 500  # a PutRecords call
# AWS raised a call from 5 to 10 MiB. All regions and emulators take the old limit, and 500 bounces are near 1 MiB.
MAX_CALL_BYTES = 5 * 1024 * 1024
MAX_ENTRY_BYTES = 1024 * 1024  # data and key of one record, unless the stream's MaxRecordSizeInKiB is raised
ATTEMPTS = 5


class TargetEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One record to put.

    Attributes:
        key: Its partition key: 1 to 256 characters.
        data: Its bytes.
    """

    key: str
    data: bytes

    @property
    def size_bytes(self) -> int:
        """Its size as PutRecords counts it."""
        return len(self.key.encode()) + len(self.data)


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """A record that could not be put, as a rule's dead-letter queue keeps it.

    Attributes:
        data: The record.
        error_code: Why, in AWS's word for it.
    """

    data: bytes
    error_code: str


class KinesisTarget:
    """Puts records into one stream, as often as it takes, within reason.

    Safe to call from several threads. Order is kept among records that are taken at the first attempt.

    Args:
        kinesis_client: boto3's, with its time-outs.
        stream: The stream's name.
        retry_after_seconds: The wait before the second attempt, at most; it doubles before every further one.

    Attributes:
        dead_letters: What could not be put, oldest first.
    """

    def __init__(self, kinesis_client: "KinesisClient", *, stream: str, retry_after_seconds: float) -> None:
        self.dead_letters: list[DeadLetter] = []
        self._kinesis = kinesis_client
        self._stream = stream
        self._retry_after_seconds = retry_after_seconds

    def put(self, entries: Sequence[TargetEntry]) -> int:
        """Put the records and return how many were taken; the others are in `dead_letters`."""
        # One oversized entry would have the whole call refused.
        oversized = [entry for entry in entries if entry.size_bytes > MAX_ENTRY_BYTES]
        self._bury(oversized, "ValidationException")
        fitting = [entry for entry in entries if entry.size_bytes <= MAX_ENTRY_BYTES]
        calls = batches(
            fitting, size_bytes=lambda entry: entry.size_bytes, max_bytes=MAX_CALL_BYTES, max_items=MAX_RECORDS
        )
        return sum(map(self._put, calls))

    def _put(self, entries: list[TargetEntry]) -> int:
        waiting, code = entries, ""
        for _ in attempts(ATTEMPTS, first_wait_seconds=self._retry_after_seconds):
            waiting, code = self._try(waiting)
            if not waiting:
                break
        self._bury(waiting, code)
        return len(entries) - len(waiting)

    def _try(self, entries: list[TargetEntry]) -> tuple[list[TargetEntry], str]:
        """Make one call; return the entries that it did not take, and an error code of theirs."""
        records: list[PutRecordsRequestEntryTypeDef] = [
            {"PartitionKey": entry.key, "Data": entry.data} for entry in entries
        ]
        try:
            answer = self._kinesis.put_records(StreamName=self._stream, Records=records)
        except ERRORS as error:
            return entries, error_code(error)
        # The call succeeds though some of its records fail: FailedRecordCount of them.
        codes = [result.get("ErrorCode", "") for result in answer["Records"]]
        refused = [entry for entry, code in zip(entries, codes, strict=True) if code]
        return refused, next(filter(None, codes), "")

    def _bury(self, entries: list[TargetEntry], error_code: str) -> None:
        self.dead_letters.extend(DeadLetter(data=entry.data, error_code=error_code) for entry in entries)


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
"""EventBridge's name for each of SES's event types."""

# Both keys are pinned: the advisor's, the account's and CloudTrail's "aws.ses" events share the default bus.
FEEDBACK_RULE = {"source": (SOURCE,), "detail-type": ("Email Bounced", "Email Complaint Received")}
"""The event pattern of the rule."""

MAX_KEY_CHARACTERS = 256  # a Kinesis partition key


class EventBridgeEvent(msgspec.Struct, frozen=True, kw_only=True):
    """EventBridge's envelope, with AWS's keys in AWS's order.

    Attributes:
        version: The envelope's, always "0".
        id: Of this delivery; the same event delivered again has another.
        detail_type: What happened.
        source: Who says so.
        account: The sending account.
        time: When EventBridge got it, to the second.
        region: Where it was sent.
        resources: The ARN of the configuration set, if one was used.
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


class _Record(msgspec.Struct, frozen=True, rename="camel"):
    """The keys of a SES record that the envelope is made of."""

    event_type: str
    mail: Mail = NO_MAIL


_record = msgspec.json.Decoder(_Record).decode


def to_eventbridge_event(event: bytes, *, account_id: str, region: str) -> bytes:
    """Return a SES record in the envelope in which EventBridge hands it on.

    Raises:
        UsageError: It is no record of event publishing, or of a type that EventBridge has no name for.
    """
    return msgspec.json.encode(_enveloped(event, _read(event), account_id=account_id, region=region))


class Relay:
    """The rule for feedback, with a Kinesis stream as its target.

    Safe to call from several threads.

    Args:
        kinesis_client: boto3's, with its time-outs.
        stream: The stream's name.
        account_id: The account whose events these are.
        retry_after_seconds: The wait before a refused record is put again; it doubles every time.
    """

    def __init__(
        self,
        kinesis_client: "KinesisClient",
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
        """What the stream refused however often it was tried, oldest first."""
        return self._target.dead_letters

    def deliver(self, events: Sequence[bytes]) -> int:
        """Put those SES records that the rule selects into the stream, enveloped; return how many it took.

        The others that the rule selects are in `dead_letters`.

        Args:
            events: SES's records, of any type, without an envelope.

        Raises:
            UsageError: One of them is no record of event publishing. Nothing was put.
        """
        return self._target.put([entry for event in events if (entry := self._entry(event))])

    def _entry(self, event: bytes) -> TargetEntry | None:
        record = _read(event)
        if DETAIL_TYPES[record.event_type] not in FEEDBACK_RULE["detail-type"]:
            return None
        enveloped = _enveloped(event, record, account_id=self._account_id, region=self._region)
        # Where the path finds nothing, EventBridge takes the event's id.
        message_id = record.mail.message_id or ""
        key = message_id if 0 < len(message_id) <= MAX_KEY_CHARACTERS else enveloped.id
        return TargetEntry(key=key, data=msgspec.json.encode(enveloped))


def _read(event: bytes) -> _Record:
    try:
        record = _record(event)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsageError("EventBridge takes records of SES event publishing here, and this is none") from error
    if record.event_type not in DETAIL_TYPES:
        raise UsageError("EventBridge has no detail-type for this record's eventType")
    return record


def _enveloped(event: bytes, record: _Record, *, account_id: str, region: str) -> EventBridgeEvent:
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
