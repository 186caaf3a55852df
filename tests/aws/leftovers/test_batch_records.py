"""The records of a batch that Lambda only names are read from the stream again, while it retains them."""

from typing import Any

import pytest
from moto import mock_aws

from pipeline.aws.archive.objects import ListedObject
from pipeline.aws.clients import create_client
from pipeline.aws.leftovers.batch_records import read_batch_records
from pipeline.aws.leftovers.contents import BatchReference
from pipeline.aws.leftovers.objects import S3Leftovers, read_kept
from pipeline.leftover import ForeignObject, Leftover, Place
from tests.support.builders import dumped
from tests.support.leftovers import BATCH_KEY, a_batch_reference

STREAM, BUCKET, REGION = "mail-feedback", "mail-log", "us-east-1"


@pytest.fixture
def kinesis() -> Any:
    with mock_aws():
        client = create_client("kinesis", region=REGION)
        client.create_stream(StreamName=STREAM, ShardCount=1)
        yield client


def a_reference(kinesis: Any, *, size: int, before: int = 1, after: int = 1) -> BatchReference:
    """Put records into the stream, and return a reference to those between others."""
    arn = kinesis.describe_stream_summary(StreamName=STREAM)["StreamDescriptionSummary"]["StreamARN"]
    numbers = [
        kinesis.put_record(StreamName=STREAM, Data=b"%d" % number, PartitionKey="key")["SequenceNumber"]
        for number in range(before + size + after)
    ]
    return BatchReference(
        stream_arn=arn,
        shard_id="shardId-000000000000",
        start_sequence_number=numbers[before],
        end_sequence_number=numbers[before + size - 1],
        batch_size=size,
    )


@pytest.mark.parametrize("after", [0, 1])
def test_exactly_the_batch_is_read(kinesis: Any, after: int) -> None:
    """Neither earlier nor later records of the shard are read, and each has its position."""
    reference = a_reference(kinesis, size=12, after=after)
    records = read_batch_records(kinesis, reference)
    assert [record.payload for record in records] == [b"%d" % number for number in range(1, 13)]
    assert records[0].position == f"{STREAM} {reference.shard_id} {reference.start_sequence_number}"


def test_a_stream_that_is_gone_has_no_records(kinesis: Any) -> None:
    """It is no error: the log has them."""
    reference = a_reference(kinesis, size=2)
    kinesis.delete_stream(StreamName=STREAM)
    assert read_batch_records(kinesis, reference) == ()


def test_expired_records_are_counted(kinesis: Any) -> None:
    """A leftover says how many of its records the stream does not have any more."""
    s3 = create_client("s3", region=REGION)
    s3.create_bucket(Bucket=BUCKET)
    reference = a_reference(kinesis, size=3, after=0)
    info = {
        "shardId": reference.shard_id,
        "streamArn": reference.stream_arn,
        "startSequenceNumber": reference.start_sequence_number,
        "endSequenceNumber": reference.end_sequence_number,
    }
    s3.put_object(Bucket=BUCKET, Key=BATCH_KEY, Body=dumped(a_batch_reference(5, **info)))
    [leftover] = S3Leftovers(s3, kinesis, bucket=BUCKET, place=Place.LAMBDA).waiting()
    assert isinstance(leftover, Leftover)
    assert (len(leftover.records), leftover.expired) == (3, 2)


def test_an_object_that_is_deleted_after_it_was_listed_is_passed_over(kinesis: Any) -> None:
    """Another operator has redriven it meanwhile."""
    s3 = create_client("s3", region=REGION)
    s3.create_bucket(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key="here", Body=b"x")
    listed = [ListedObject(f"s3://{BUCKET}/{key}", "", 1) for key in ("gone", "here")]
    kept = read_kept(s3, listed, read=lambda item, _: ForeignObject(id=item.uri, why=""))
    assert [item.id for item in kept] == [f"s3://{BUCKET}/here"]
