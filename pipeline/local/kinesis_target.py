"""A Kinesis stream as the target of an EventBridge rule: PutRecords, retries and dead letters.

Claims: PutRecords' limits; partial failures, of which only the rejected entries are put again; a dead-letter list of
entries that stay rejected. Leaves out: EventBridge's 24 hours and 185 attempts; there are only a few here.

docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html (limits, partial failure),
docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-retry-policy.html (retries, dead letters)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from pipeline.aws.batching import batches
from pipeline.aws.errors import error_code
from pipeline.aws.retry import attempts
from pipeline.local.client import ERRORS

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient

MAX_RECORDS = 500  # a PutRecords call
# AWS raised a call from 5 to 10 MiB. All regions and emulators take the old limit, and 500 bounces are near 1 MiB.
MAX_CALL_BYTES = 5 * 1024 * 1024
MAX_ENTRY_BYTES = 1024 * 1024  # data and key of one record, unless the stream's MaxRecordSizeInKiB is raised
PUT_ATTEMPTS = 5


class TargetEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A record to put.

    Attributes:
        key: Partition key, 1 to 256 characters.
        data: The record's bytes.
    """

    key: str
    data: bytes

    @property
    def size_bytes(self) -> int:
        """Size as PutRecords counts it."""
        return len(self.key.encode()) + len(self.data)


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """A record that could not be put, as a rule's dead-letter queue keeps it.

    Attributes:
        data: The record's bytes.
        error_code: AWS's code for the reason.
    """

    data: bytes
    error_code: str


class KinesisTarget:
    """Puts records into one stream, with a limited number of attempts.

    Safe to use from several threads. Order is kept among records that the first attempt puts.

    Args:
        kinesis_client: boto3's, with its time-outs.
        stream: Name of the stream.
        retry_after_seconds: Wait before the second attempt, at most; it doubles before each further one.

    Attributes:
        dead_letters: Records that could not be put, oldest first.
    """

    def __init__(self, kinesis_client: KinesisClient, *, stream: str, retry_after_seconds: float) -> None:
        self.dead_letters: list[DeadLetter] = []
        self._kinesis, self._stream = kinesis_client, stream
        self._retry_after_seconds = retry_after_seconds

    def put(self, entries: Sequence[TargetEntry]) -> int:
        """Put the records, and return how many the stream took. The others are in `dead_letters`."""
        # One oversized entry would make AWS reject the whole call.
        oversized = [entry for entry in entries if entry.size_bytes > MAX_ENTRY_BYTES]
        self._keep_dead_letters(oversized, "ValidationException")
        fitting = [entry for entry in entries if entry.size_bytes <= MAX_ENTRY_BYTES]
        calls = batches(
            fitting, size_bytes=lambda entry: entry.size_bytes, max_bytes=MAX_CALL_BYTES, max_items=MAX_RECORDS
        )
        return sum(map(self._put_batch, calls))

    def _put_batch(self, entries: list[TargetEntry]) -> int:
        pending, code = entries, ""
        for _ in attempts(PUT_ATTEMPTS, first_wait_seconds=self._retry_after_seconds):
            pending, code = self._put_once(pending)
            if not pending:
                break
        self._keep_dead_letters(pending, code)
        return len(entries) - len(pending)

    def _put_once(self, entries: list[TargetEntry]) -> tuple[list[TargetEntry], str]:
        """Make one call. Return the entries that the stream rejected, and the error code of one of them."""
        try:
            response = self._kinesis.put_records(
                StreamName=self._stream, Records=[{"PartitionKey": entry.key, "Data": entry.data} for entry in entries]
            )
        except ERRORS as error:
            return entries, error_code(error)
        # The call succeeds even if some of its records fail: FailedRecordCount of them.
        codes = [result.get("ErrorCode", "") for result in response["Records"]]
        rejected = [entry for entry, code in zip(entries, codes, strict=True) if code]
        return rejected, next(filter(None, codes), "")

    def _keep_dead_letters(self, entries: list[TargetEntry], error_code: str) -> None:
        self.dead_letters.extend(DeadLetter(data=entry.data, error_code=error_code) for entry in entries)
