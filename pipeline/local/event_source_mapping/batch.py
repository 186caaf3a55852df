"""What an event source mapping does with a batch, once the function has answered. Pure.

docs.aws.amazon.com/lambda/latest/dg/services-kinesis-batchfailurereporting.html (what counts as a failure, splitting),
docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html ("Splitting a batch does not count towards the
retry quota")

Kinesis records as Lambda hands them to a function. Pure.

docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from mypy_boto3_kinesis.type_defs import RecordTypeDef

KinesisRecord = dict[str, Any]
"""One of an event's `Records`."""


class EventSourceArns(msgspec.Struct, frozen=True, kw_only=True):
    """Whence records come and whither they go.

    Attributes:
        stream_arn: The stream.
        function_name: The function's name.
    """

    stream_arn: str
    function_name: str

    @property
    def region(self) -> str:
        """Where both are."""
        return self.stream_arn.split(":")[3]

    @property
    def account_id(self) -> str:
        """Whose both are."""
        return self.stream_arn.split(":")[4]

    @property
    def function_arn(self) -> str:
        """The function."""
        return f"arn:aws:lambda:{self.region}:{self.account_id}:function:{self.function_name}"

    @property
    def role_arn(self) -> str:
        """The function's role, by which the stream is read."""
        return f"arn:aws:iam::{self.account_id}:role/{self.function_name}"


def lambda_record(record: RecordTypeDef, *, shard_id: str, source: EventSourceArns) -> KinesisRecord:
    """Return a record that GetRecords gave as Lambda passes it on."""
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
    """Return a record's sequence number: text, to be compared as a number."""
    number: str = record["kinesis"]["sequenceNumber"]
    return number


FOR_EVER = -1
"""AWS's word for a number of retries without end."""


class ShardBatch(msgspec.Struct, frozen=True, kw_only=True):
    """Records of one shard that go to the function together.

    Attributes:
        records: In the shard's order.
        failures: How often exactly these have failed.
    """

    records: Sequence[KinesisRecord]
    failures: int = 0


class RetryDecision(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of a batch.

    Attributes:
        done: How many of its records need no further attempt, the discarded ones among them.
        retry: The rest, to be tried again, in this order.
        discarded: The rest, if the retries are used up.
    """

    done: int
    retry: Sequence[ShardBatch] = ()
    discarded: ShardBatch | None = None


class DiscardedBatch(msgspec.Struct, frozen=True, kw_only=True):
    """A batch whose retries are used up.

    Attributes:
        shard_id: Its shard.
        batch: What was tried.
        raised: Whether the function raised an error at last, rather than report failures.
    """

    shard_id: str
    batch: ShardBatch
    raised: bool


def resume_at(batch: ShardBatch, answer: object) -> int | None:
    """Return the index of the first record that must be tried again, by the function's answer; None: all are done.

    An answer without failures is a success, whatever else it says. Of several failures the lowest sequence number
    counts. An identifier that is missing, empty or none of the batch's makes the whole batch a failure.
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


def decide(batch: ShardBatch, first: int | None, *, bisect: bool, maximum_retry_attempts: int) -> RetryDecision:
    """Return what becomes of a batch whose record `first` is the first that failed; None: none did.

    With `bisect` it is split: behind the records that are done, or else, if none is, in the middle. AWS's guide leaves
    that second case open for an answer that names the first record; it is treated as the error that it amounts to.

    Args:
        batch: The batch as it was tried.
        first: From `resume_at`; 0 if the function raised an error.
        bisect: BisectBatchOnFunctionError.
        maximum_retry_attempts: MaximumRetryAttempts: attempts at the same batch after the first one, or `FOR_EVER`.
    """
    if first is None:
        return RetryDecision(done=len(batch.records))
    rest = batch.records[first:]
    if bisect and (first or len(rest) > 1):
        parts = [rest] if first else [rest[: len(rest) // 2], rest[len(rest) // 2 :]]
        return RetryDecision(done=first, retry=[ShardBatch(records=part, failures=batch.failures) for part in parts])
    failed = ShardBatch(records=rest, failures=batch.failures + 1)
    if maximum_retry_attempts != FOR_EVER and failed.failures > maximum_retry_attempts:
        return RetryDecision(done=len(batch.records), discarded=failed)
    return RetryDecision(done=first, retry=[failed])
