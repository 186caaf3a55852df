"""The failure destination of an event source mapping: an S3 object for each discarded batch.

Claims: Lambda's key and document, with the whole event in `payload`, which only S3 destinations get.
Stricter than Lambda: a batch is discarded only once its object is stored.
Leaves out: SQS, SNS and Kafka destinations, which get pointers without records.

docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import msgspec

from pipeline.aws.errors import translated
from pipeline.local.event_source_mapping.batch import DiscardedBatch, EventSourceArns, KinesisRecord, sequence_number
from pipeline.timestamp import format_time

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class FailureBucket:
    """An S3 bucket as a failure destination.

    Args:
        s3_client: boto3's, with its time-outs.
        bucket: Name of the bucket.
    """

    def __init__(self, s3_client: S3Client, *, bucket: str) -> None:
        self._s3 = s3_client
        self._bucket = bucket

    def put(self, discarded: DiscardedBatch, *, mapping_id: str, source: EventSourceArns) -> None:
        """Store a batch.

        Args:
            discarded: The batch.
            mapping_id: UUID of the event source mapping.
            source: Its stream and function.

        Raises:
            MailfoldError: S3 fails; see `pipeline.aws.errors.translated`. Nothing was stored.
        """
        now = datetime.now(UTC)
        key = f"aws/lambda/{mapping_id}/{discarded.shard_id}/{now:%Y/%m/%d}/{now:%Y-%m-%dT%H.%M.%S}-{uuid4()}"
        body = msgspec.json.encode(_document(discarded, source, now))
        with translated(f"storing a failed batch in bucket {self._bucket}"):
            self._s3.put_object(Bucket=self._bucket, Key=key, Body=body, ContentType="application/json")


def _document(discarded: DiscardedBatch, source: EventSourceArns, now: datetime) -> dict[str, Any]:
    """Return what Lambda's guide calls the invocation record."""
    records = discarded.batch.records
    return {
        "requestContext": {
            "requestId": str(uuid4()),
            "functionArn": source.function_arn,
            "condition": "RetryAttemptsExhausted",
            "approximateInvokeCount": discarded.batch.failures,
        },
        "responseContext": {
            "statusCode": 200,
            "executedVersion": "$LATEST",
            "functionError": "Unhandled" if discarded.raised else None,
        },
        "version": "1.0",
        "timestamp": format_time(now),
        "KinesisBatchInfo": {
            "shardId": discarded.shard_id,
            "startSequenceNumber": sequence_number(records[0]),
            "endSequenceNumber": sequence_number(records[-1]),
            "approximateArrivalOfFirstRecord": _arrival(records[0]),
            "approximateArrivalOfLastRecord": _arrival(records[-1]),
            "batchSize": len(records),
            "streamArn": source.stream_arn,
        },
        "payload": msgspec.json.encode({"Records": records}).decode(),
    }


def _arrival(record: KinesisRecord) -> str:
    return format_time(datetime.fromtimestamp(record["kinesis"]["approximateArrivalTimestamp"], UTC))
