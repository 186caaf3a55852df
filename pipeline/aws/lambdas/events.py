"""The event of the projector's Lambda as a batch of records: from a Kinesis stream, an SQS queue or an SNS topic.

Each record becomes its payload and its position; `decode` handles any envelope around the payload. A message of SQS or
SNS keeps its envelope, so that `decode` and the log know where it came from: an operator's decision does not come that
way. SNS's signature is not verified, because only principals that a policy names can invoke the Lambda or write to the
queue.
Shapes: docs.aws.amazon.com/lambda/latest/dg/ (with-kinesis, with-sqs, with-sns)
"""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import msgspec

from pipeline.aws.kinesis import record_payload
from pipeline.batch import StreamRecord
from pipeline.errors import UsageError


class EventSource(StrEnum):
    """The sources that can invoke the projector, by Lambda's names for them."""

    KINESIS = "aws:kinesis"
    SQS = "aws:sqs"
    SNS = "aws:sns"


LambdaRecord = Mapping[str, Any]
"""A record of Lambda's event. Powertools' objects would take a sixth of the start, and longer than decoding."""


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
    from_record, id_of = _READERS[source]
    records = event["Records"]
    return EventBatch(
        source=source, records=[from_record(record) for record in records], ids=[id_of(record) for record in records]
    )


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


def _from_stream(record: LambdaRecord) -> StreamRecord:
    kinesis = record["kinesis"]
    stream = record["eventSourceARN"].rpartition("/")[2]
    return StreamRecord(
        payload=record_payload(kinesis["data"]),
        position=f"{stream} {record['eventID'].replace(':', ' ', 1)}",
        arrived_at=datetime.fromtimestamp(kinesis["approximateArrivalTimestamp"], UTC),
    )


def _from_queue(message: LambdaRecord) -> StreamRecord:
    queue = message["eventSourceARN"].rpartition(":")[2]
    return StreamRecord(payload=_encode({"Body": message["body"]}), position=f"{queue} {message['messageId']}")


def _from_topic(record: LambdaRecord) -> StreamRecord:
    notification = record["Sns"]
    topic = notification["TopicArn"].rpartition(":")[2]
    payload = _encode({"Message": notification["Message"]})
    return StreamRecord(payload=payload, position=f"{topic} {notification['MessageId']}")


def _encode(envelope: dict[str, Any]) -> bytes:
    """Return an envelope's bytes. A lone surrogate, which has none in UTF-8, stays an escape for `decode` to report."""
    return json.dumps(envelope, separators=(",", ":")).encode()


_READERS: Mapping[EventSource, tuple[Callable[[LambdaRecord], StreamRecord], Callable[[LambdaRecord], str]]] = {
    EventSource.KINESIS: (_from_stream, lambda record: record["kinesis"]["sequenceNumber"]),
    EventSource.SQS: (_from_queue, lambda record: record["messageId"]),
    EventSource.SNS: (_from_topic, lambda record: record["Sns"]["MessageId"]),
}
