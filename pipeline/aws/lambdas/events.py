"""What called the projector's Lambda, told by the records themselves: a shard of a stream, a queue, or a topic.

Each record becomes its payload and its place; what else is around the payload is for `decode` to find. SNS's signature
is not looked at: nobody calls a Lambda, nor writes into a queue, but whom its policy names.
Shapes: docs.aws.amazon.com/lambda/latest/dg/ (with-kinesis, with-sqs, with-sns)
"""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Any

import msgspec
from aws_lambda_powertools.utilities.data_classes import KinesisStreamEvent, SNSEvent, SQSEvent
from aws_lambda_powertools.utilities.data_classes.kinesis_stream_event import KinesisStreamRecord
from aws_lambda_powertools.utilities.data_classes.sns_event import SNSEventRecord
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from pipeline.aws.kinesis import record_payload
from pipeline.batch import StreamRecord
from pipeline.errors import UsageError


class EventSource(StrEnum):
    """What the projector can be connected with, by Lambda's name for it."""

    KINESIS = "aws:kinesis"
    SQS = "aws:sqs"
    SNS = "aws:sns"


class EventBatch(msgspec.Struct, frozen=True, kw_only=True):
    """What the Lambda was called with.

    Attributes:
        source: Where it comes from.
        records: The payloads, each with its place.
        ids: What Lambda calls each of them: its sequence number, or its message's id.
    """

    source: EventSource
    records: Sequence[StreamRecord]
    ids: Sequence[str]


def read_batch(event: dict[str, Any]) -> EventBatch:
    """Return what an event holds.

    Raises:
        UsageError: It comes from none of these sources. Whoever connected it with this Lambda has to undo that.
    """
    match _source(event):
        case EventSource.KINESIS:
            stream_records = list(KinesisStreamEvent(event).records)
            ids = [record.kinesis.sequence_number for record in stream_records]
            return _batch(EventSource.KINESIS, map(_of_stream, stream_records), ids)
        case EventSource.SQS:
            messages = list(SQSEvent(event).records)
            return _batch(EventSource.SQS, map(_of_queue, messages), [message.message_id for message in messages])
        case EventSource.SNS:
            notifications = list(SNSEvent(event).records)
            ids = [notification.sns.message_id for notification in notifications]
            return _batch(EventSource.SNS, map(_of_topic, notifications), ids)


def _source(event: Any) -> EventSource:
    """Return the one source of all records; Lambda mixes none."""
    records = event.get("Records") if isinstance(event, dict) else None
    if records == []:
        return EventSource.KINESIS  # there is nothing to do, and nothing to answer, whoever asked
    name = _source_name(records[0]) if isinstance(records, list) else None
    if name in set(EventSource):
        return EventSource(name)
    raise UsageError(
        f"the projector was called by {name or _stranger(event)}, which is not what it reads: connect a Kinesis "
        "stream, an SQS queue or an SNS topic with it and nothing else, and give other payloads to `mailfold ingest`"
    )


def _source_name(record: Any) -> str | None:
    """Return Lambda's name for where a record comes from; SNS alone writes its key with a capital."""
    return (record.get("eventSource") or record.get("EventSource")) if isinstance(record, dict) else None


def _stranger(event: Any) -> str:
    """Say what called without records of a known shape; nothing of the event itself, which may be anything."""
    return "EventBridge" if isinstance(event, dict) and "detail-type" in event else "somebody who sends no records"


def _batch(source: EventSource, records: Iterable[StreamRecord], ids: Sequence[str]) -> EventBatch:
    return EventBatch(source=source, records=list(records), ids=ids)


def _of_stream(record: KinesisStreamRecord) -> StreamRecord:
    stream = record.event_source_arn.rpartition("/")[2]
    shard, _, sequence_number = record.event_id.partition(":")
    return StreamRecord(payload=record_payload(record.kinesis.data), position=f"{stream} {shard} {sequence_number}")


def _of_queue(message: SQSRecord) -> StreamRecord:
    queue = message.event_source_arn.rpartition(":")[2]
    return StreamRecord(payload=_bytes(message.body), position=f"{queue} {message.message_id}")


def _of_topic(notification: SNSEventRecord) -> StreamRecord:
    topic = notification.sns.topic_arn.rpartition(":")[2]
    return StreamRecord(payload=_bytes(notification.sns.message), position=f"{topic} {notification.sns.message_id}")


def _bytes(text: str) -> bytes:
    """Return a text's bytes; half a surrogate pair, which is none, is for `decode` to judge."""
    return text.encode(errors="surrogatepass")
