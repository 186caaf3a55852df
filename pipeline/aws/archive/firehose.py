"""Append records received through SNS or SQS to the event log, by way of Firehose. SES does not archive these itself.

Payloads are put unchanged, poison included: the transform decodes them like any other record. A payload that is put
twice becomes two rows of one event, which does not change a fold.
docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from pipeline.aws.batching import batches
from pipeline.aws.errors import translated
from pipeline.aws.retry import attempts
from pipeline.batch import StreamRecord
from pipeline.errors import STOPS_BATCH, ArchiveUnavailable, PartialBatchFailure
from pipeline.ports import Quarantine, Quarantined

if TYPE_CHECKING:
    from mypy_boto3_firehose import FirehoseClient

RECORDS_PER_CALL = 500  # Firehose's limits for PutRecordBatch
BYTES_PER_CALL = 4 * 1_024 * 1_024
BYTES_PER_RECORD = 1_000 * 1_024  # Firehose's limit for a record, before base64; SNS and SQS allow 1,024 KiB

PUT_ATTEMPTS = 6  # 6 s at most, all waits included
FIRST_PUT_WAIT_SECONDS = 0.2

Pending = dict[int, StreamRecord]
"""Records that are not done, by their index in the batch."""


class FirehoseLog:
    """Puts payloads into the delivery stream of the event log.

    Args:
        client: boto3's Firehose client, with its time-outs and its retries of whole calls.
        delivery_stream: The delivery stream's name. It must exist.
        quarantine: Takes payloads larger than Firehose's limit. Ingesting them from there brings them into the log.
        wait: Waits so many seconds before records are put again that Firehose left out.
    """

    def __init__(
        self,
        client: FirehoseClient,
        *,
        delivery_stream: str,
        quarantine: Quarantine,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client, self._delivery_stream = client, delivery_stream
        self._quarantine, self._wait = quarantine, wait

    def put(self, records: Sequence[StreamRecord]) -> int:
        """Put all records. Firehose then has them, and retries their delivery to S3 for 24 hours.

        Returns:
            How many were quarantined for their size.

        Raises:
            PartialBatchFailure: Firehose or the quarantine failed. All records before `failed_at` are done. Later ones
                may be too, and become further rows if they are put again.
        """
        pending = dict(enumerate(records))
        oversized = [index for index, record in pending.items() if len(record.payload) > BYTES_PER_RECORD]
        try:
            for indices in batches(
                sorted(pending.keys() - set(oversized)),
                size_bytes=lambda index: len(records[index].payload),
                max_bytes=BYTES_PER_CALL,
                max_items=RECORDS_PER_CALL,
            ):
                self._put(indices, pending)
            for index in oversized:
                self._quarantine_oversized(index, pending)
        except STOPS_BATCH as cause:
            raise PartialBatchFailure(failed_at=min(pending), cause=cause) from cause
        return len(oversized)

    def _put(self, indices: Sequence[int], pending: Pending) -> None:
        """Put the records of one call. A call may succeed in part, so put again those that it left out."""
        for _ in attempts(PUT_ATTEMPTS, first_wait_seconds=FIRST_PUT_WAIT_SECONDS, wait=self._wait):
            error_codes = self._put_batch([pending[index].payload for index in indices])
            for index, error_code in zip(indices, error_codes, strict=True):
                if error_code is None:
                    del pending[index]
            indices = [index for index in indices if index in pending]
            if not indices:
                return
        raise ArchiveUnavailable(
            f"Firehose left {len(indices)} records out of all {PUT_ATTEMPTS} responses: "
            f"{self._delivery_stream} is busy, try again later"
        )

    def _put_batch(self, payloads: Sequence[bytes]) -> list[str | None]:
        """Return Firehose's error code for each payload, or None if it took it.

        A rejected call is an outage too: once its cause is corrected, trying again loses nothing.
        """
        with translated(
            f"putting records into the delivery stream {self._delivery_stream}",
            unavailable=ArchiveUnavailable,
            invalid=ArchiveUnavailable,
        ):
            response = self._client.put_record_batch(
                DeliveryStreamName=self._delivery_stream, Records=[{"Data": payload} for payload in payloads]
            )
        return [result.get("ErrorCode") for result in response["RequestResponses"]]

    def _quarantine_oversized(self, index: int, pending: Pending) -> None:
        record = pending[index]
        reason = f"too large for the event log: {len(record.payload)} bytes; Firehose's limit is {BYTES_PER_RECORD}"
        self._quarantine.put(Quarantined(payload=record.payload, reason=reason, position=record.position))
        del pending[index]
