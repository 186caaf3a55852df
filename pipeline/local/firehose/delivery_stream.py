"""A Data Firehose delivery stream, DirectPut to S3 as Parquet, which no emulator has right.

Claims: PutRecordBatch's limits; a buffer by size and by age; transformation, conversion, error rows and names as in
`delivery`; retries until S3 takes an object, while later records wait; at-least-once delivery, as AWS's.
Leaves out: the separate buffer in front of the transform (one serves both), the minimum of 64 MB, quotas, encryption,
and records that outlive the process: AWS keeps them on disk for 24 hours, this keeps them in memory.

docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html,
docs.aws.amazon.com/firehose/latest/dev/basic-deliver.html
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, TypeVar
from uuid import uuid4

import msgspec

from pipeline.aws.errors import error_code
from pipeline.aws.retry import waits_seconds
from pipeline.errors import ArchiveUnavailable, UsageError, describe
from pipeline.local.client import ERRORS
from pipeline.local.firehose.buffer import Buffer
from pipeline.local.firehose.delivery import DeliveryDestination, PreparedDelivery, S3Object, prepare_delivery
from pipeline.local.firehose.transformation import BufferedRecord, Transform
from pipeline.timestamp import to_ms

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

T = TypeVar("T")

MEBIBYTE = 1024 * 1024
MAX_RECORDS = 500  # a PutRecordBatch call
MAX_CALL_BYTES = 4 * MEBIBYTE
MAX_RECORD_BYTES = 1000 * 1024  # before base64
PUT_TIMEOUT_SECONDS = 30.0
MAX_RETRY_AFTER_SECONDS = 10.0

_log = logging.getLogger(__name__)


class DeliveryCounters(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of a delivery stream so far.

    Attributes:
        records_in: Records accepted.
        rows_out: Rows in Parquet objects.
        dropped: Records that the transform dropped.
        failed: Records in error objects.
        objects: Parquet objects.
        object_bytes: Total size of the Parquet objects.
        error_objects: Error objects.
    """

    records_in: int = 0
    rows_out: int = 0
    dropped: int = 0
    failed: int = 0
    objects: int = 0
    object_bytes: int = 0
    error_objects: int = 0


class _ClosedError(Exception):
    """The stream was closed during a delivery."""


class DeliveryStream:
    """Accepts records, which its thread delivers.

    Safe to use from several threads. The defaults are AWS's, for a stream that converts.

    Args:
        s3_client: boto3's, with its time-outs.
        bucket: Bucket that it delivers to.
        transform: The transforming function.
        buffer_bytes: Size of records at which a delivery is due.
        buffer_seconds: Age of the oldest record at which a delivery is due, whatever its size.
        prefix: Prefix of Parquet objects.
        error_prefix: Prefix of error objects.
        name: Name of the stream.
        account_id: Its account.
        retry_after_seconds: Longest wait before the second attempt at S3; it doubles each time, up to 10 s.
        clock: Returns a record's time of arrival.

    Attributes:
        last_error: Reason why the oldest records cannot be delivered now; empty if they can.
    """

    def __init__(
        self,
        s3_client: S3Client,
        *,
        bucket: str,
        transform: Transform,
        buffer_bytes: int = 128 * MEBIBYTE,
        buffer_seconds: float = 300.0,
        prefix: str = "events/",
        error_prefix: str = "errors/",
        name: str = "mailfold-events",
        account_id: str = "123456789012",
        retry_after_seconds: float = 0.5,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.last_error = ""
        self._s3 = s3_client
        self._bucket = bucket
        self._destination = DeliveryDestination(
            name=name,
            region=s3_client.meta.region_name,
            account_id=account_id,
            prefix=prefix,
            error_prefix=error_prefix,
            transform=transform,
        )
        self._buffer = Buffer(due_bytes=buffer_bytes, due_seconds=buffer_seconds)
        self._retry_after_seconds = retry_after_seconds
        self._clock = clock
        self._delivered = DeliveryCounters()  # replaced by the thread only
        self._thread = threading.Thread(target=self._deliver_all, name=f"firehose {name}", daemon=True)
        self._thread.start()

    @property
    def counters(self) -> DeliveryCounters:
        """Counts so far."""
        return msgspec.structs.replace(self._delivered, records_in=self._buffer.put_count)

    def put(self, records: Sequence[bytes]) -> list[str]:
        """Accept records, all or none, and return an id for each. Wait while the buffer is full.

        Raises:
            UsageError: There are too many, they are too large, or the stream is closed. None was accepted.
            ArchiveUnavailable: The buffer stays full, because S3 is slow or fails. None was accepted; try again later.
        """
        _check_limits(records)
        arrived_ms = to_ms(self._clock())
        accepted = [BufferedRecord(id=str(uuid4()), data=data, arrived_ms=arrived_ms) for data in records]
        if not self._buffer.put(accepted, timeout_seconds=PUT_TIMEOUT_SECONDS):
            if self._buffer.closed:
                raise UsageError(f"the delivery stream {self._destination.name} is closed")
            raise ArchiveUnavailable(
                f"the buffer of {self._destination.name} is full: {self.last_error or 'slow down'}"
            )
        return [record.id for record in accepted]

    def flush(self, timeout_seconds: float = 60.0) -> None:
        """Deliver all records put so far, and return once they are in S3.

        Raises:
            ArchiveUnavailable: They are not in S3 in time. Nothing is lost: delivery continues.
        """
        if not self._buffer.flush(timeout_seconds=timeout_seconds):
            undelivered = f"{self._buffer.unsettled_count} records of {self._destination.name} are not delivered"
            raise ArchiveUnavailable(
                f"{undelivered} after {timeout_seconds:g} s: {self.last_error or 'there are too many'}"
            )

    def close(self, timeout_seconds: float = 60.0) -> None:
        """Deliver all records, and stop. The stream accepts no more.

        Raises:
            ArchiveUnavailable: They are not delivered in time. The rest is lost when this process ends.
        """
        try:
            self.flush(timeout_seconds)
        finally:
            self._buffer.close()
            self._thread.join(timeout_seconds)

    def _deliver_all(self) -> None:
        with suppress(_ClosedError):
            while records := self._buffer.take():
                delivery = self._retry(partial(prepare_delivery, records, self._destination))
                for item in delivery.objects:
                    self._retry(partial(self._put_object, item))
                self._delivered = _add(self._delivered, delivery)
                self._buffer.settle(records)

    def _retry(self, action: Callable[[], T]) -> T:
        """Run an action until it succeeds: records wait rather than get lost.

        Raises:
            _ClosedError: The stream was closed before it succeeded.
        """
        for wait_seconds in waits_seconds(self._retry_after_seconds, longest_seconds=MAX_RETRY_AFTER_SECONDS):
            try:
                result = action()
            except Exception as error:  # noqa: BLE001 - a thread's entry point: `flush` reports the error
                self.last_error = error_code(error) if isinstance(error, ERRORS) else describe(error)
                _log.warning(
                    "delivering %s failed and will be tried again: %s", self._destination.name, self.last_error
                )
            else:
                self.last_error = ""
                return result
            if not self._buffer.pause(wait_seconds):
                break
        raise _ClosedError

    def _put_object(self, item: S3Object) -> None:
        self._s3.put_object(Bucket=self._bucket, Key=item.key, Body=item.body)


def _check_limits(records: Sequence[bytes]) -> None:
    if not 1 <= len(records) <= MAX_RECORDS:
        raise UsageError(f"PutRecordBatch takes 1 to {MAX_RECORDS} records, not {len(records)}: split the call")
    largest_bytes = max(map(len, records))
    if largest_bytes > MAX_RECORD_BYTES:
        raise UsageError(f"a record has at most {MAX_RECORD_BYTES} bytes, this one has {largest_bytes}")
    total_bytes = sum(map(len, records))
    if total_bytes > MAX_CALL_BYTES:
        raise UsageError(f"PutRecordBatch takes at most {MAX_CALL_BYTES} bytes, not {total_bytes}: split the records")


def _add(counters: DeliveryCounters, delivery: PreparedDelivery) -> DeliveryCounters:
    parquet_bytes = [len(delivery.parquet.body)] if delivery.parquet else []
    return DeliveryCounters(
        rows_out=counters.rows_out + delivery.rows,
        dropped=counters.dropped + delivery.dropped,
        failed=counters.failed + delivery.failed,
        objects=counters.objects + len(parquet_bytes),
        object_bytes=counters.object_bytes + sum(parquet_bytes),
        error_objects=counters.error_objects + len(delivery.errors),
    )
