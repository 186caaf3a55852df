"""The contents of leftovers, in the formats in which Mailfold, Firehose, Lambda and SQS write them. Pure.

Formats: docs.aws.amazon.com/firehose/latest/dev/ (data-transformation-failure-handling.html and
record-format-conversion-error-handling.html); docs.aws.amazon.com/lambda/latest/dg/ (kinesis-on-failure-destination
and invocation-async-retain-records);
docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_Message.html;
docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html (attributes of the message)
"""

from collections.abc import Mapping, Sequence
from typing import TypeVar

import msgspec
from msgspec import Raw, field

from pipeline.aws.errors import redact_addresses
from pipeline.aws.quarantine import QuarantineObject
from pipeline.batch import StreamRecord
from pipeline.framing import split_documents
from pipeline.leftover import Place

T = TypeVar("T")

ERROR_ROWS = "an object with Firehose's error rows"


class NotALeftover(ValueError):
    """An object or a message has another format. The text says which is expected, and contains nothing of it."""


class BatchReference(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A batch of the feedback stream, as Lambda names it.

    Attributes:
        stream_arn: The stream.
        shard_id: The shard.
        start_sequence_number: Sequence number of the first record.
        end_sequence_number: That of the last one.
        batch_size: Number of records.
    """

    stream_arn: str
    shard_id: str
    start_sequence_number: str
    end_sequence_number: str
    batch_size: int

    @property
    def stream(self) -> str:
        """The stream's name."""
        return self.stream_arn.rpartition("/")[2]

    @property
    def position(self) -> str:
        """Stream, shard and sequence numbers."""
        return f"{self.stream} {self.shard_id} {self.start_sequence_number} to {self.end_sequence_number}"


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """The contents of a leftover; see `leftover.Leftover`.

    Attributes:
        reference: The batch whose records are not in it, but in the stream; None if they are in it.
    """

    reason: str
    position: str
    records: tuple[StreamRecord, ...]
    in_log: bool = False
    reference: BatchReference | None = None


class KeptMessage(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """A message of a dead-letter queue, with SQS's keys. As an object it is kept after it was redriven."""

    message_id: str
    body: str
    attributes: Mapping[str, str] = {}
    message_attributes: Mapping[str, Mapping[str, str]] = {}


class _ErrorRow(msgspec.Struct):
    raw_data: bytes = field(name="rawData")
    error_code: str | None = field(default=None, name="errorCode")
    error_message: str | None = field(default=None, name="errorMessage")
    last_error_code: str | None = field(default=None, name="lastErrorCode")
    last_error_message: str | None = field(default=None, name="lastErrorMessage")


class _Invocation(msgspec.Struct):
    condition: str = "unknown"


class _FailedCall(msgspec.Struct):
    context: _Invocation = field(name="requestContext")
    batch: BatchReference | None = field(default=None, name="KinesisBatchInfo")
    payload: Raw = Raw()
    request: Raw = field(default=Raw(), name="requestPayload")


class _KinesisData(msgspec.Struct):
    data: bytes


class _KinesisRecord(msgspec.Struct):
    kinesis: _KinesisData
    event_id: str = field(name="eventID")
    stream_arn: str = field(name="eventSourceARN")


class _KinesisEvent(msgspec.Struct, rename="pascal"):
    records: list[_KinesisRecord]


class _Notification(msgspec.Struct, rename="pascal"):
    message: str
    message_id: str
    topic_arn: str


class _TopicRecord(msgspec.Struct):
    sns: _Notification = field(name="Sns")


class _TopicEvent(msgspec.Struct, rename="pascal"):
    records: list[_TopicRecord]


def quarantined_contents(data: bytes, *, name: str) -> Contents:  # noqa: ARG001 - the signature of all formats
    """Return the contents of an object of the quarantine.

    Raises:
        NotALeftover: It is none.
    """
    document = _parse(data, QuarantineObject, "a quarantine object")
    record = StreamRecord(payload=document.payload_base64, position=document.position)
    return Contents(reason=redact_addresses(document.reason), position=document.position, records=(record,))


def delivery_error_contents(data: bytes, *, name: str) -> Contents:
    """Return the contents of an object with Firehose's error rows.

    Raises:
        NotALeftover: A part of it is no such row.
    """
    parts = split_documents(data)
    rows = [_parse(part.data, _ErrorRow, ERROR_ROWS) for part in parts]
    if not rows:
        raise NotALeftover(f"it is not {ERROR_ROWS}")
    records = (
        StreamRecord(payload=row.raw_data, position=f"{name}:{part.line}")
        for part, row in zip(parts, rows, strict=True)
    )
    return Contents(reason=_reasons([_row_reason(row) for row in rows]), position=name, records=tuple(records))


def failed_call_contents(data: bytes, *, name: str) -> Contents:
    """Return the contents of what Lambda writes to a failure destination, of a batch or of an asynchronous call.

    The log has the records of a batch already: it receives them before the stream does. It has no notification whose
    call failed.

    Raises:
        NotALeftover: It is none of both.
    """
    expected = "a batch or a call that Lambda discarded"
    call = _parse(data, _FailedCall, expected)
    reason = f"Lambda stopped retrying it: {call.context.condition}"
    if call.batch and not call.payload:
        return Contents(reason=reason, position=call.batch.position, records=(), in_log=True, reference=call.batch)
    if call.batch:
        return Contents(reason=reason, position=call.batch.position, records=_batch(call.payload), in_log=True)
    if not call.request:
        raise NotALeftover(f"it is not {expected}")
    event = _parse(_document(call.request), _TopicEvent, "a call by SNS")
    return Contents(reason=reason, position=name, records=tuple(_notification(record.sns) for record in event.records))


def message_contents(message: KeptMessage, *, place: Place, name: str) -> Contents:
    """Return the contents of a message of a dead-letter queue.

    It keeps its envelope, as the projector keeps that of a message, so that `decode` knows where it came from: an
    operator's decision does not come that way. The log has what the rule could not deliver.
    """
    payload = msgspec.json.encode({"Body": message.body})
    return Contents(
        reason=_message_reason(message, place),
        position=name,
        records=(StreamRecord(payload=payload, position=name),),
        in_log=place is Place.RULE_QUEUE,
    )


def parse_message(data: bytes) -> KeptMessage:
    """Return a message that was kept as an object.

    Raises:
        NotALeftover: It is none.
    """
    return _parse(data, KeptMessage, "a message of a dead-letter queue")


def _parse(data: bytes, kind: type[T], expected: str) -> T:
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NotALeftover(f"it is not {expected}") from error


def _document(raw: Raw) -> bytes:
    """Return a member's JSON, which may be the text of a string."""
    data = bytes(raw)
    return msgspec.json.decode(data, type=str).encode() if data.startswith(b'"') else data


def _batch(payload: Raw) -> tuple[StreamRecord, ...]:
    event = _parse(_document(payload), _KinesisEvent, "a batch of Kinesis records")
    return tuple(
        StreamRecord(
            payload=record.kinesis.data,
            position=f"{record.stream_arn.rpartition('/')[2]} {record.event_id.replace(':', ' ', 1)}",
        )
        for record in event.records
    )


def _notification(notification: _Notification) -> StreamRecord:
    """Return a notification as the projector puts it into the log."""
    topic = notification.topic_arn.rpartition(":")[2]
    payload = msgspec.json.encode({"Message": notification.message})
    return StreamRecord(payload=payload, position=f"{topic} {notification.message_id}")


def _row_reason(row: _ErrorRow) -> str:
    parts = (row.error_code or row.last_error_code, row.error_message or row.last_error_message)
    return redact_addresses(": ".join(part for part in parts if part) or "Firehose names no reason")


def _reasons(reasons: Sequence[str]) -> str:
    first, *others = dict.fromkeys(reasons)
    return f"{first}; and {len(others)} other reasons" if others else first


def _message_reason(message: KeptMessage, place: Place) -> str:
    code = message.message_attributes.get("ERROR_CODE", {}).get("StringValue")
    detail = message.message_attributes.get("ERROR_MESSAGE", {}).get("StringValue")
    if place is Place.RULE_QUEUE:
        cause = redact_addresses(": ".join(part for part in (code, detail) if part) or "no reason given")
        return f"EventBridge could not put it into the stream: {cause}"
    if "DeadLetterQueueSourceArn" in message.attributes:
        return "the projector did not process it before its retries ended"
    return "SNS could not deliver it"
