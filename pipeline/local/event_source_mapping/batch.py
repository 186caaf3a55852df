"""Batches of an event source mapping: records as Lambda passes them, and the decision after an invocation. Pure.

Claims: Lambda's record format; which records an answer reports as failed; splitting, retries and discarding.
Leaves out: MaximumRecordAgeInSeconds.

docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html (record format),
docs.aws.amazon.com/lambda/latest/dg/services-kinesis-batchfailurereporting.html (failures, splitting),
docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html ("Splitting a batch does not count towards the
retry quota")
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from mypy_boto3_kinesis.type_defs import RecordTypeDef

KinesisRecord = dict[str, Any]
"""One of the `Records` of Lambda's event."""

UNLIMITED_RETRIES = -1
"""Value of MaximumRetryAttempts for retries without end."""


class EventSourceArns(msgspec.Struct, frozen=True, kw_only=True):
    """ARNs that Lambda's events and documents name.

    Attributes:
        stream_arn: The stream.
        function_name: Name of the function.
    """

    stream_arn: str
    function_name: str

    @property
    def region(self) -> str:
        """Region of stream and function."""
        return self.stream_arn.split(":")[3]

    @property
    def account_id(self) -> str:
        """Account of stream and function."""
        return self.stream_arn.split(":")[4]

    @property
    def function_arn(self) -> str:
        """The function."""
        return f"arn:aws:lambda:{self.region}:{self.account_id}:function:{self.function_name}"

    @property
    def role_arn(self) -> str:
        """The function's role, which reads the stream."""
        return f"arn:aws:iam::{self.account_id}:role/{self.function_name}"


class ShardBatch(msgspec.Struct, frozen=True, kw_only=True):
    """Records of one shard that one invocation gets.

    Attributes:
        records: Records in the shard's order.
        failures: Number of failed invocations with exactly these records.
    """

    records: Sequence[KinesisRecord]
    failures: int = 0


class RetryDecision(msgspec.Struct, frozen=True, kw_only=True):
    """Decision about a batch after an invocation.

    Attributes:
        finished: Number of its records that need no further attempt, discarded ones included.
        retry: The other records, as the next batches, in order.
        discarded: The other records, if their retries are used up.
    """

    finished: int
    retry: Sequence[ShardBatch] = ()
    discarded: ShardBatch | None = None


class DiscardedBatch(msgspec.Struct, frozen=True, kw_only=True):
    """A batch whose retries are used up.

    Attributes:
        shard_id: Its shard.
        batch: The batch of the last attempt.
        raised: True if the function raised an error in the end, False if it reported failures.
    """

    shard_id: str
    batch: ShardBatch
    raised: bool


def lambda_record(record: RecordTypeDef, *, shard_id: str, source: EventSourceArns) -> KinesisRecord:
    """Return a record from GetRecords as Lambda passes it to a function."""
    return {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": record["PartitionKey"],
            "sequenceNumber": record["SequenceNumber"],
            "data": b64encode(record["Data"]).decode(),
            "approximateArrivalTimestamp": round(record["ApproximateArrivalTimestamp"].timestamp(), 3),
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"{shard_id}:{record['SequenceNumber']}",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": source.role_arn,
        "awsRegion": source.region,
        "eventSourceARN": source.stream_arn,
    }


def sequence_number(record: KinesisRecord) -> str:
    """Return a record's sequence number: text that must be compared as a number."""
    number: str = record["kinesis"]["sequenceNumber"]
    return number


def resume_at(batch: ShardBatch, answer: object) -> int | None:
    """Return the index of the first record to try again, by the function's answer. None: all are finished.

    An answer without failures is a success, whatever else it contains. Of several failures the lowest sequence number
    counts. An identifier that is missing, empty or not in the batch makes the whole batch a failure.
    """
    failures = answer.get("batchItemFailures") if isinstance(answer, Mapping) else None
    if not failures:
        return None
    # As numbers: an emulator's "9" comes before its "10".
    index_of = {int(sequence_number(record)): index for index, record in enumerate(batch.records)}
    try:
        return min(index_of[int(failure["itemIdentifier"])] for failure in failures)
    except (KeyError, TypeError, ValueError):
        return 0


def decide(batch: ShardBatch, first_failed: int | None, *, bisect: bool, maximum_retry_attempts: int) -> RetryDecision:
    """Return the decision about a batch after an invocation.

    With `bisect`, a failed batch is split: behind its finished records or, if there are none, in the middle. AWS's
    guide does not describe an answer that reports the first record; it is handled as an error of the function.

    Args:
        batch: Batch of the invocation.
        first_failed: From `resume_at`; 0 if the function raised an error; None if all records are finished.
        bisect: BisectBatchOnFunctionError.
        maximum_retry_attempts: MaximumRetryAttempts: attempts at the same batch after the first one, or
            `UNLIMITED_RETRIES`.
    """
    if first_failed is None:
        return RetryDecision(finished=len(batch.records))
    rest = batch.records[first_failed:]
    if bisect and (first_failed or len(rest) > 1):
        parts = [rest] if first_failed else [rest[: len(rest) // 2], rest[len(rest) // 2 :]]
        retry = [ShardBatch(records=part, failures=batch.failures) for part in parts]
        return RetryDecision(finished=first_failed, retry=retry)
    failed = ShardBatch(records=rest, failures=batch.failures + 1)
    if maximum_retry_attempts != UNLIMITED_RETRIES and failed.failures > maximum_retry_attempts:
        return RetryDecision(finished=len(batch.records), discarded=failed)
    return RetryDecision(finished=first_failed, retry=[failed])
