"""Put records into the feedback stream, as the rule of EventBridge does with SES's events.

docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING

from pipeline.aws.batching import batches
from pipeline.aws.errors import translated
from pipeline.aws.retry import attempts
from pipeline.batch import StreamRecord
from pipeline.errors import StoreUnavailable

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient

RECORDS_PER_PUT = 500  # Kinesis's limits for PutRecords
BYTES_PER_PUT = 5 * 1_024 * 1_024
PUT_ATTEMPTS = 6  # 6 s at most, all waits included
FIRST_PUT_WAIT_SECONDS = 0.2


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
        """Put all records, in any order.

        Raises:
            StoreUnavailable: Kinesis is throttled or unreachable. Some records may have been put; a repeated one
                changes nothing.
            AccessDenied, NotFound: The stream may not be written, or does not exist.
        """
        payloads = [record.payload for record in records]
        for batch in batches(payloads, size_bytes=len, max_bytes=BYTES_PER_PUT, max_items=RECORDS_PER_PUT):
            self._put(batch)

    def _put(self, payloads: Sequence[bytes]) -> None:
        """Put the payloads of one call. A call may succeed in part, so put again those that it left out."""
        for _ in attempts(PUT_ATTEMPTS, first_wait_seconds=FIRST_PUT_WAIT_SECONDS, wait=self._wait):
            payloads = self._put_once(payloads)
            if not payloads:
                return
        raise StoreUnavailable(
            f"Kinesis left {len(payloads)} records out of all {PUT_ATTEMPTS} responses: {self._stream} is busy, "
            "try again later"
        )

    def _put_once(self, payloads: Sequence[bytes]) -> Sequence[bytes]:
        """Return the payloads that Kinesis left out."""
        with translated(
            f"putting records into the stream {self._stream}", unavailable=StoreUnavailable, invalid=StoreUnavailable
        ):
            response = self._client.put_records(
                StreamName=self._stream,
                Records=[{"Data": payload, "PartitionKey": sha256(payload).hexdigest()} for payload in payloads],
            )
        results = response["Records"]
        return [payload for payload, result in zip(payloads, results, strict=True) if result.get("ErrorCode")]
