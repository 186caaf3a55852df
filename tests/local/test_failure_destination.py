"""A discarded batch is stored as Lambda stores it, and no batch is discarded before that."""

import json
from base64 import b64decode, b64encode
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from pipeline.aws.leftovers.objects import S3Leftovers
from pipeline.errors import Unavailable
from pipeline.leftover import Leftover, Place
from pipeline.local.event_source_mapping.failure_destination import FailureBucket
from tests.support.fake_kinesis import FIRST_SEQUENCE_NUMBER, STREAM_ARN, FakeKinesis
from tests.support.lambda_function import QUICKLY, AFunction, a_mapping, numbered, put

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient
    from mypy_boto3_s3 import S3Client

BUCKET = "failures"


@pytest.fixture
def s3(aws: None) -> "S3Client":
    """A bucket in moto."""
    client = boto3.client("s3", region_name="us-east-1")
    client.create_bucket(Bucket=BUCKET)
    return client


def documents(s3: "S3Client") -> list[dict[str, Any]]:
    """Return the documents in the failure destination, in order of their keys."""
    keys = [entry["Key"] for entry in s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])]
    return [json.loads(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()) for key in keys]


def payloads_of(document: dict[str, Any]) -> list[bytes]:
    return [b64decode(record["kinesis"]["data"]) for record in json.loads(document["payload"])["Records"]]


@pytest.mark.parametrize("reports", [True, False], ids=["reporting it", "raising an error"])
def test_only_poison_goes_to_the_failure_destination(
    kinesis: "KinesisClient", s3: "S3Client", *, reports: bool
) -> None:
    """With bisecting, the poisonous record is the only one that is stored, after its retries."""
    payloads = [*numbered(6), b"poison", *numbered(5)]
    put(kinesis, *payloads)
    function = AFunction(reports=reports)
    mapping = a_mapping(
        kinesis, function, batch_size=100, maximum_retry_attempts=2, on_failure=FailureBucket(s3, bucket=BUCKET)
    )
    assert mapping.drain(10) == len(payloads)
    assert set(function.finished) == set(numbered(6))
    assert [payloads_of(document) for document in documents(s3)] == [[b"poison"]]
    assert function.batches.count([b"poison"]) == 3
    assert mapping.given_up == 1


def test_a_stored_batch_is_a_leftover(kinesis: "KinesisClient", s3: "S3Client") -> None:
    """`mailfold quarantine` reads the object, and finds the record with its place in the stream."""
    put(kinesis, b"poison")
    function = AFunction()
    a_mapping(kinesis, function, maximum_retry_attempts=0, on_failure=FailureBucket(s3, bucket=BUCKET)).drain(10)
    [leftover] = S3Leftovers(s3, kinesis, bucket=BUCKET, place=Place.LAMBDA).waiting()
    assert isinstance(leftover, Leftover)
    [record] = leftover.records
    assert (record.payload, leftover.in_log, leftover.expired) == (b"poison", True, 0)
    assert record.position.split()[1].startswith("shardId-")


def test_without_bisecting_the_rest_of_the_batch_is_stored_too(kinesis: "KinesisClient", s3: "S3Client") -> None:
    """The records behind the poisonous one are discarded together with it."""
    put(kinesis, b"1", b"poison", b"2")
    mapping = a_mapping(
        kinesis, AFunction(), bisect=False, maximum_retry_attempts=1, on_failure=FailureBucket(s3, bucket=BUCKET)
    )
    assert mapping.drain(10) == 3
    assert [payloads_of(document) for document in documents(s3)] == [[b"poison", b"2"]]


@pytest.mark.parametrize(("reports", "function_error"), [(True, None), (False, "Unhandled")])
def test_the_stored_document_is_lambdas(s3: "S3Client", *, reports: bool, function_error: str | None) -> None:
    """Key, keys and values are those of Lambda's invocation record, with the whole event in it."""
    kinesis, function = FakeKinesis(), AFunction(reports=reports)
    kinesis.put(b"poison")
    mapping = a_mapping(kinesis, function, maximum_retry_attempts=2, on_failure=FailureBucket(s3, bucket=BUCKET))
    before = datetime.now(UTC)
    mapping.drain(10)
    (document,) = documents(s3)
    number = str(FIRST_SEQUENCE_NUMBER + 1)
    assert document.pop("payload") == json.dumps(function.events[0], separators=(",", ":"))
    assert document["requestContext"].pop("requestId")
    assert datetime.fromisoformat(document.pop("timestamp")).timestamp() >= before.timestamp() - QUICKLY
    assert document == {
        "requestContext": {
            "functionArn": "arn:aws:lambda:us-east-1:123456789012:function:mailfold-projector",
            "condition": "RetryAttemptsExhausted",
            "approximateInvokeCount": 3,
        },
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": function_error},
        "version": "1.0",
        "KinesisBatchInfo": {
            "shardId": "shardId-000000000000",
            "startSequenceNumber": number,
            "endSequenceNumber": number,
            "approximateArrivalOfFirstRecord": "2026-03-01T12:00:03.250Z",
            "approximateArrivalOfLastRecord": "2026-03-01T12:00:03.250Z",
            "batchSize": 1,
            "streamArn": STREAM_ARN,
        },
    }
    (key,) = [entry["Key"] for entry in s3.list_objects_v2(Bucket=BUCKET)["Contents"]]
    assert key.startswith(f"aws/lambda/{mapping.id}/shardId-000000000000/{before:%Y/%m/}")


def test_nothing_is_discarded_while_storing_fails(s3: "S3Client") -> None:
    """A batch is retried until S3 has its document."""
    kinesis = FakeKinesis()
    kinesis.put(b"poison", b"1")
    mapping = a_mapping(kinesis, AFunction(), maximum_retry_attempts=0, on_failure=FailureBucket(s3, bucket="missing"))
    with pytest.raises(Unavailable, match="NoSuchBucket"):
        mapping.drain(0.2)
    assert (mapping.finished, mapping.given_up) == (0, 0)
    s3.create_bucket(Bucket="missing")
    assert mapping.drain(10) == 2
    assert mapping.given_up == 1


def test_without_a_destination_discarding_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The log names the records' sequence numbers, and contains no payload and no address."""
    kinesis = FakeKinesis()
    kinesis.put(b"poison of ada@example.com")
    a_mapping(kinesis, AFunction(reports=False), maximum_retry_attempts=0).drain(10)
    assert f"records {FIRST_SEQUENCE_NUMBER + 1} to {FIRST_SEQUENCE_NUMBER + 1} are given up" in caplog.text
    assert "RuntimeError" in caplog.text
    assert "ada@example.com" not in caplog.text
    assert b64encode(b"poison").decode() not in caplog.text
