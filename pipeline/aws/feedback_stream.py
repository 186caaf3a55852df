"""Put records into the feedback stream: decisions, and what is redriven.

docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING

import msgspec

from pipeline.aws.batching import batches
from pipeline.aws.errors import translated
from pipeline.aws.retry import attempts
from pipeline.batch import StreamRecord
from pipeline.errors import StoreUnavailable

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient

RECORDS_PER_PUT = 500  # Kinesis's limits for PutRecords
BYTES_PER_PUT = 5 * 1_024 * 1_024
PUT_ATTEMPTS = 8  # 25 s at most: a shard takes 1,000 records a second, so a long list is throttled
FIRST_PUT_WAIT_SECONDS = 0.2


class KeyedRecord(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A record and its partition key.

    Attributes:
        key: 1 to 256 characters; records with one key are in one shard.
        payload: Its bytes.
    """

    key: str
    payload: bytes


class FeedbackStream:
    """The feedback stream, from which the projector reads.

    Args:
        client: boto3's Kinesis client, with its time-outs and its retries of whole calls.
        stream: The stream's name. It must exist.
        wait: Waits so many seconds before records are put again that Kinesis left out.
    """

    def __init__(self, client: KinesisClient, *, stream: str, wait: Callable[[float], None] = time.sleep) -> None:
        self._client, self._stream, self._wait = client, stream, wait

    def put(self, records: Sequence[StreamRecord]) -> None:
        """Put all records, in any order. Raises as `put_keyed` does."""
        self.put_keyed(
            KeyedRecord(key=sha256(record.payload).hexdigest(), payload=record.payload) for record in records
        )

    def put_keyed(self, records: Iterable[KeyedRecord], *, progress: Callable[[int], None] = lambda _: None) -> None:
        """Put all records, each with its key; `progress` gets the number of those that each call put.

        Raises:
            StoreUnavailable: Kinesis is throttled or unreachable. Some records may have been put; a repeated one
                changes nothing.
            AccessDenied, NotFound: The stream may not be written, or does not exist.
        """
        for batch in batches(
            records,
            size_bytes=lambda record: len(record.key) + len(record.payload),
            max_bytes=BYTES_PER_PUT,
            max_items=RECORDS_PER_PUT,
        ):
            self._put(batch)
            progress(len(batch))

    def _put(self, records: Sequence[KeyedRecord]) -> None:
        """Put the records of one call. A call may succeed in part, so put again those that it left out."""
        for _ in attempts(PUT_ATTEMPTS, first_wait_seconds=FIRST_PUT_WAIT_SECONDS, wait=self._wait):
            records = self._put_once(records)
            if not records:
                return
        raise StoreUnavailable(
            f"Kinesis left {len(records)} records out of all {PUT_ATTEMPTS} responses: {self._stream} is busy, "
            "try again later"
        )

    def _put_once(self, records: Sequence[KeyedRecord]) -> Sequence[KeyedRecord]:
        """Return the records that Kinesis left out."""
        with translated(
            f"putting records into the stream {self._stream}", unavailable=StoreUnavailable, invalid=StoreUnavailable
        ):
            response = self._client.put_records(
                StreamName=self._stream,
                Records=[{"Data": record.payload, "PartitionKey": record.key} for record in records],
            )
        results = response["Records"]
        return [record for record, result in zip(records, results, strict=True) if result.get("ErrorCode")]
