"""The event of the projector's Lambda as a batch of records: from a Kinesis stream, an SQS queue or an SNS topic.

Each record becomes its payload and its position; `decode` handles any envelope around the payload. SNS's signature is
not verified, because only principals that a policy names can invoke the Lambda or write to the queue.
Shapes: docs.aws.amazon.com/lambda/latest/dg/ (with-kinesis, with-sqs, with-sns)
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import msgspec
from aws_lambda_powertools.utilities.data_classes import KinesisStreamEvent, SNSEvent, SQSEvent
from aws_lambda_powertools.utilities.data_classes.sns_event import SNSEventRecord
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from pipeline.aws.kinesis import record_payload
from pipeline.batch import StreamRecord
from pipeline.errors import UsageError


class EventSource(StrEnum):
    """The sources that can invoke the projector, by Lambda's names for them."""

    KINESIS = "aws:kinesis"
    SQS = "aws:sqs"
    SNS = "aws:sns"


class EventBatch(msgspec.Struct, frozen=True, kw_only=True):
    """The records of one invocation.

    Attributes:
        source: Their source.
        records: The payloads, each with its position.
        ids: Lambda's identifier of each record: its sequence number, or its message id.
    """

    source: EventSource
    records: Sequence[StreamRecord]
    ids: Sequence[str]


def read_batch(event: dict[str, Any]) -> EventBatch:
    """Return the records of an event.

    Raises:
        UsageError: The event comes from another source. Its trigger must be removed.
    """
    source = _source(event)
    match source:
        case EventSource.KINESIS:
            # Powertools' objects for single records would cost as much as decoding them, so a record stays a dict.
            stream_records = KinesisStreamEvent(event)["Records"]
            records = [_from_stream(record) for record in stream_records]
            ids = [record["kinesis"]["sequenceNumber"] for record in stream_records]
        case EventSource.SQS:
            messages = list(SQSEvent(event).records)
            records = [_from_queue(message) for message in messages]
            ids = [message.message_id for message in messages]
        case EventSource.SNS:
            notifications = list(SNSEvent(event).records)
            records = [_from_topic(notification) for notification in notifications]
            ids = [notification.sns.message_id for notification in notifications]
    return EventBatch(source=source, records=records, ids=ids)


def _source(event: Any) -> EventSource:
    """Return the source of all records; Lambda does not mix sources."""
    records = event.get("Records") if isinstance(event, dict) else None
    if records == []:
        return EventSource.KINESIS  # any source would do: there is no record to project or to report
    name = _source_name(records[0]) if isinstance(records, list) else None
    if name in set(EventSource):
        return EventSource(name)
    raise UsageError(
        f"the projector was invoked by {name or _unknown_invoker(event)}, which it cannot read: connect only a Kinesis "
        "stream, an SQS queue or an SNS topic to it, and read other payloads with `mailfold ingest`"
    )


def _source_name(record: Any) -> str | None:
    """Return Lambda's name for a record's source. Only SNS capitalizes the key."""
    return (record.get("eventSource") or record.get("EventSource")) if isinstance(record, dict) else None


def _unknown_invoker(event: Any) -> str:
    """Return a name for the invoker of an event without known records; the event's content is not quoted."""
    return "EventBridge" if isinstance(event, dict) and "detail-type" in event else "an unknown source"


def _from_stream(record: dict[str, Any]) -> StreamRecord:
    kinesis = record["kinesis"]
    stream = record["eventSourceARN"].rpartition("/")[2]
    return StreamRecord(
        payload=record_payload(kinesis["data"]),
        position=f"{stream} {record['eventID'].replace(':', ' ', 1)}",
        arrived_at=datetime.fromtimestamp(kinesis["approximateArrivalTimestamp"], UTC),
    )


def _from_queue(message: SQSRecord) -> StreamRecord:
    queue = message.event_source_arn.rpartition(":")[2]
    return StreamRecord(payload=_encode(message.body), position=f"{queue} {message.message_id}")


def _from_topic(notification: SNSEventRecord) -> StreamRecord:
    topic = notification.sns.topic_arn.rpartition(":")[2]
    return StreamRecord(payload=_encode(notification.sns.message), position=f"{topic} {notification.sns.message_id}")


def _encode(text: str) -> bytes:
    """Return a text's bytes. A lone surrogate, which has none in UTF-8, is kept for `decode` to report."""
    return text.encode(errors="surrogatepass")
