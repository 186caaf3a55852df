"""A Kinesis stream as an EventBridge target: PutRecords, and what it refuses.

Claims: PutRecords' limits; partial failures, of which only the refused entries are tried again; a dead-letter list for
what is still refused after that. Leaves out: EventBridge's 24 hours and 185 attempts, of which a few are left.

docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html (limits, partial failure),
docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-retry-policy.html (retries, dead letters)
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from pipeline.aws.batch import batches
from pipeline.aws.refusal import code_of
from pipeline.aws.retry import attempts
from pipeline.local.aws_error import ERRORS

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient
    from mypy_boto3_kinesis.type_defs import PutRecordsRequestEntryTypeDef

MAX_RECORDS = 500  # a PutRecords call
# AWS raised a call from 5 to 10 MiB. All regions and emulators take the old limit, and 500 bounces are near 1 MiB.
MAX_CALL_BYTES = 5 * 1024 * 1024
MAX_ENTRY_BYTES = 1024 * 1024  # data and key of one record, unless the stream's MaxRecordSizeInKiB is raised
ATTEMPTS = 5


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One record to put.

    Attributes:
        key: Its partition key: 1 to 256 characters.
        data: Its bytes.
    """

    key: str
    data: bytes

    @property
    def size_bytes(self) -> int:
        """Its size as PutRecords counts it."""
        return len(self.key.encode()) + len(self.data)


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """A record that could not be put, as a rule's dead-letter queue keeps it.

    Attributes:
        data: The record.
        error_code: Why, in AWS's word for it.
    """

    data: bytes
    error_code: str


class KinesisTarget:
    """Puts records into one stream, as often as it takes, within reason.

    Safe to call from several threads. Order is kept among records that are taken at the first attempt.

    Args:
        kinesis_client: boto3's, with its time-outs.
        stream: The stream's name.
        retry_after_seconds: The wait before the second attempt, at most; it doubles before every further one.

    Attributes:
        dead_letters: What could not be put, oldest first.
    """

    def __init__(self, kinesis_client: "KinesisClient", *, stream: str, retry_after_seconds: float) -> None:
        self.dead_letters: list[DeadLetter] = []
        self._kinesis = kinesis_client
        self._stream = stream
        self._retry_after_seconds = retry_after_seconds

    def put(self, entries: Sequence[Entry]) -> int:
        """Put the records and return how many were taken; the others are in `dead_letters`."""
        # One oversized entry would have the whole call refused.
        oversized = [entry for entry in entries if entry.size_bytes > MAX_ENTRY_BYTES]
        self._bury(oversized, "ValidationException")
        fitting = [entry for entry in entries if entry.size_bytes <= MAX_ENTRY_BYTES]
        calls = batches(
            fitting, size_bytes=lambda entry: entry.size_bytes, max_bytes=MAX_CALL_BYTES, max_items=MAX_RECORDS
        )
        return sum(map(self._put, calls))

    def _put(self, entries: list[Entry]) -> int:
        waiting, code = entries, ""
        for _ in attempts(ATTEMPTS, first_wait_seconds=self._retry_after_seconds):
            waiting, code = self._try(waiting)
            if not waiting:
                break
        self._bury(waiting, code)
        return len(entries) - len(waiting)

    def _try(self, entries: list[Entry]) -> tuple[list[Entry], str]:
        """Make one call; return the entries that it did not take, and an error code of theirs."""
        records: list[PutRecordsRequestEntryTypeDef] = [
            {"PartitionKey": entry.key, "Data": entry.data} for entry in entries
        ]
        try:
            answer = self._kinesis.put_records(StreamName=self._stream, Records=records)
        except ERRORS as error:
            return entries, code_of(error)
        # The call succeeds though some of its records fail: FailedRecordCount of them.
        codes = [result.get("ErrorCode", "") for result in answer["Records"]]
        refused = [entry for entry, code in zip(entries, codes, strict=True) if code]
        return refused, next(filter(None, codes), "")

    def _bury(self, entries: list[Entry], error_code: str) -> None:
        self.dead_letters.extend(DeadLetter(data=entry.data, error_code=error_code) for entry in entries)
