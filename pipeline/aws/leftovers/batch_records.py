"""The records of a batch that a leftover only refers to: read from the feedback stream again, while it retains them.

docs.aws.amazon.com/kinesis/latest/APIReference/API_GetShardIterator.html and API_GetRecords.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pipeline.aws.errors import missing_ok, translated
from pipeline.aws.leftovers.contents import BatchReference
from pipeline.batch import StreamRecord
from pipeline.errors import QuarantineUnavailable

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient
    from mypy_boto3_kinesis.type_defs import RecordTypeDef

RECORDS_PER_CALL = 1_000
# Kinesis's code for a sequence number that is not of the shard, or of another stream of the same name.
FOREIGN_SEQUENCE_NUMBER = "InvalidArgumentException"


def read_batch_records(kinesis: KinesisClient, reference: BatchReference) -> tuple[StreamRecord, ...]:
    """Return those records of a batch that the stream retains; none if stream or shard do not exist any more.

    Raises:
        QuarantineUnavailable: Kinesis throttles or cannot be reached.
        AccessDenied: AWS denies reading the stream.
    """
    stream = reference.stream
    with translated(
        f"reading a batch of the stream {stream}", unavailable=QuarantineUnavailable, invalid=QuarantineUnavailable
    ):
        return tuple(
            StreamRecord(payload=record["Data"], position=f"{stream} {reference.shard_id} {record['SequenceNumber']}")
            for record in _records(kinesis, reference)
        )


def _records(kinesis: KinesisClient, reference: BatchReference) -> Iterator[RecordTypeDef]:
    """Yield the records. The iterator of an expired number begins with the oldest record that is retained."""
    first, last = int(reference.start_sequence_number), int(reference.end_sequence_number)
    answer = missing_ok(
        lambda: kinesis.get_shard_iterator(
            StreamName=reference.stream,
            ShardId=reference.shard_id,
            ShardIteratorType="AT_SEQUENCE_NUMBER",
            StartingSequenceNumber=reference.start_sequence_number,
        ),
        FOREIGN_SEQUENCE_NUMBER,
    )
    iterator = answer["ShardIterator"] if answer else None
    while iterator:
        page = kinesis.get_records(ShardIterator=iterator, Limit=RECORDS_PER_CALL)
        numbers = [int(record["SequenceNumber"]) for record in page["Records"]]
        yield from (record for record, number in zip(page["Records"], numbers, strict=True) if first <= number <= last)
        is_past = bool(numbers) and numbers[-1] >= last
        is_at_end = not numbers and page.get("MillisBehindLatest", 0) == 0
        iterator = None if is_past or is_at_end else page.get("NextShardIterator")
