"""Into the log by Firehose: what the projector got by SNS or SQS, and SES therefore did not put there itself.

Payloads go as they came, poison too: nothing is decoded here, and the transform makes of each what it makes of any
record. A payload that is put twice is two rows of one event, which folds do not mind.
docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from pipeline.aws.batching import batches
from pipeline.aws.errors import error_code
from pipeline.aws.retry import attempts
from pipeline.batch import StreamRecord
from pipeline.errors import ArchiveUnavailable, PartialBatchFailure, Unavailable
from pipeline.ports import Quarantine, Quarantined

if TYPE_CHECKING:
    from mypy_boto3_firehose import FirehoseClient

RECORDS_PER_CALL = 500  # Firehose's limits for PutRecordBatch
BYTES_PER_CALL = 4 * 1_024 * 1_024
BYTES_PER_RECORD = 1_000 * 1_024  # and for a record, before base64; a message of SNS or SQS may have 1,024 KiB

PUT_ATTEMPTS = 6  # with all the waits between them, 6 s at most
FIRST_WAIT_SECONDS = 0.2

Pending = dict[int, StreamRecord]
"""Records that are not done, by their index in the batch."""


class FirehoseLog:
    """Puts payloads into the log's delivery stream."""

    def __init__(
        self,
        client: FirehoseClient,
        *,
        delivery_stream: str,
        quarantine: Quarantine,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        """Use a delivery stream that exists.

        Args:
            client: From `clients.client("firehose")`; time-outs, and retries of whole calls, are its own.
            delivery_stream: Its name.
            quarantine: Where a payload waits that is larger than Firehose takes. Ingesting it from there brings it into
                the log.
            wait: Waits so many seconds before putting again what Firehose left out.
        """
        self._client = client
        self._delivery_stream = delivery_stream
        self._quarantine = quarantine
        self._wait = wait

    def put(self, records: Sequence[StreamRecord]) -> int:
        """Put all records. Once this returns, Firehose has them, and tries for 24 hours to bring them into S3.

        Returns:
            How many were set aside for their size.

        Raises:
            PartialBatchFailure: Firehose or the quarantine is away. All before `first` is done; what comes after may be
                too, and is then another row if it is put again.
        """
        pending = dict(enumerate(records))
        large = {index: each for index, each in pending.items() if len(each.payload) > BYTES_PER_RECORD}
        try:
            for lot in batches(
                sorted(pending.keys() - large.keys()),
                size_bytes=lambda index: len(records[index].payload),
                max_bytes=BYTES_PER_CALL,
                max_items=RECORDS_PER_CALL,
            ):
                self._put(lot, pending)
            for index in large:
                self._set_aside(index, pending)
        except Unavailable as cause:
            raise PartialBatchFailure(failed_at=min(pending), cause=cause) from cause
        return len(large)

    def _put(self, lot: Sequence[int], pending: Pending) -> None:
        """Put one call's worth, again and again what was left out of it: a call may succeed in part."""
        for _ in attempts(PUT_ATTEMPTS, first_wait_seconds=FIRST_WAIT_SECONDS, wait=self._wait):
            for index, code in zip(lot, self._call([pending[index].payload for index in lot]), strict=True):
                if code is None:
                    del pending[index]
            lot = [index for index in lot if index in pending]
            if not lot:
                return
        raise ArchiveUnavailable(
            f"Firehose's PutRecordBatch left {len(lot)} records out of {PUT_ATTEMPTS} answers: "
            f"{self._delivery_stream} takes no more for now, try again"
        )

    def _call(self, payloads: Sequence[bytes]) -> list[str | None]:
        """Return what was wrong with each; None: nothing."""
        try:
            answer = self._client.put_record_batch(
                DeliveryStreamName=self._delivery_stream, Records=[{"Data": payload} for payload in payloads]
            )
        except (ClientError, BotoCoreError) as error:
            # Every error: a missing permission or stream too. Trying again once that is mended loses nothing.
            raise ArchiveUnavailable(f"Firehose's PutRecordBatch ended in {error_code(error)}: try again") from error
        return [each.get("ErrorCode") for each in answer["RequestResponses"]]

    def _set_aside(self, index: int, pending: Pending) -> None:
        record = pending[index]
        reason = f"too large for the log's stream: {len(record.payload)} bytes, and Firehose takes {BYTES_PER_RECORD}"
        self._quarantine.put(Quarantined(payload=record.payload, reason=reason, position=record.position))
        del pending[index]
