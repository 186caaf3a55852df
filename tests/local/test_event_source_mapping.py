"""The event source mapping keeps Lambda's contract: nothing lost, nothing passed over, poison set aside alone."""

import json
import threading
import time
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws

from pipeline.aws.projector_lambda import project_event
from pipeline.errors import Outage, StoreUnavailable
from pipeline.local.event_source_mapping import EventSourceMapping
from pipeline.local.eventbridge import Relay
from pipeline.local.failure_destination import FailureBucket
from pipeline.local.lane import MAX_EVENT_BYTES, Handler, RetryPolicy
from pipeline.lookup import lookup
from pipeline.memory import MemoryQuarantine, MemoryStore
from pipeline.policy import DEFAULT_POLICY
from pipeline.ports import Item
from pipeline.standing import Key
from tests.builders import a_bounce, a_complaint, a_delivery
from tests.local.fake_kinesis import ARRIVED_AT, FIRST_SEQUENCE_NUMBER, STREAM, STREAM_ARN, FakeKinesis, an_error

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient
    from mypy_boto3_s3 import S3Client

BUCKET = "failures"
QUICKLY = 0.001


class AFunction:
    """A function that notes the payloads of each event, and fails as it is told."""

    def __init__(self, *, poison: bytes = b"poison", transient_failures: int = 0, reports: bool = True) -> None:
        self.events: list[dict[str, Any]] = []
        self.batches: list[list[bytes]] = []
        self.done: list[bytes] = []
        self._poison = poison
        self._transient_failures = transient_failures
        self._reports = reports

    def __call__(self, event: dict[str, Any]) -> Mapping[str, Any]:
        self.events.append(event)
        self.batches.append([b64decode(record["kinesis"]["data"]) for record in event["Records"]])
        for record, payload in zip(event["Records"], self.batches[-1], strict=True):
            if payload.startswith(self._poison) or self._is_away(payload):
                return self._fail(record)
            self.done.append(payload)
        return {"batchItemFailures": []}

    def _is_away(self, payload: bytes) -> bool:
        if payload.startswith(b"transient") and self._transient_failures:
            self._transient_failures -= 1
            return True
        return False

    def _fail(self, record: dict[str, Any]) -> Mapping[str, Any]:
        if not self._reports:
            raise RuntimeError(record["kinesis"]["data"])
        return {"batchItemFailures": [{"itemIdentifier": record["kinesis"]["sequenceNumber"]}]}


@pytest.fixture
def aws() -> Iterator[None]:
    """An empty AWS, by moto."""
    with mock_aws():
        yield


@pytest.fixture
def kinesis(aws: None) -> "KinesisClient":
    """A stream of one shard in moto."""
    client = boto3.client("kinesis", region_name="us-east-1")
    client.create_stream(StreamName=STREAM, ShardCount=1)
    return client


@pytest.fixture
def s3(aws: None) -> "S3Client":
    """A bucket in moto."""
    client = boto3.client("s3", region_name="us-east-1")
    client.create_bucket(Bucket=BUCKET)
    return client


def a_mapping(kinesis: "KinesisClient | FakeKinesis", handler: Handler, **options: Any) -> EventSourceMapping:
    client = kinesis.client() if isinstance(kinesis, FakeKinesis) else kinesis
    return EventSourceMapping(
        client, stream=STREAM, handler=handler, **({"retry_after_seconds": QUICKLY, "batch_size": 10} | options)
    )


def put(kinesis: "KinesisClient", *payloads: bytes) -> None:
    kinesis.put_records(
        StreamName=STREAM, Records=[{"Data": payload, "PartitionKey": payload[:64].decode()} for payload in payloads]
    )


def numbered(count: int) -> list[bytes]:
    return [b"%d" % number for number in range(1, count + 1)]


def documents(s3: "S3Client") -> list[dict[str, Any]]:
    """Return what is in the failure destination, by key."""
    keys = [entry["Key"] for entry in s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])]
    return [json.loads(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()) for key in keys]


def payloads_of(document: dict[str, Any]) -> list[bytes]:
    return [b64decode(record["kinesis"]["data"]) for record in json.loads(document["payload"])["Records"]]


def test_the_event_is_lambdas() -> None:
    kinesis, function = FakeKinesis(), AFunction()
    kinesis.put(b"\x00\xff")
    assert a_mapping(kinesis, function).poll() == 1
    number = str(FIRST_SEQUENCE_NUMBER + 1)
    expected = {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": "key",
            "sequenceNumber": number,
            "data": "AP8=",
            "approximateArrivalTimestamp": ARRIVED_AT.timestamp(),
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"shardId-000000000000:{number}",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": "arn:aws:iam::123456789012:role/mailfold-projector",
        "awsRegion": "us-east-1",
        "eventSourceARN": STREAM_ARN,
    }
    assert function.events == [{"Records": [expected]}]


def test_records_come_from_the_oldest_on_in_order_and_in_batches(kinesis: "KinesisClient") -> None:
    put(kinesis, *numbered(25))
    function = AFunction()
    mapping = a_mapping(kinesis, function)
    assert mapping.drain(10) == 25
    assert [len(batch) for batch in function.batches] == [10, 10, 5]
    assert function.done == numbered(25)
    put(kinesis, b"late")
    assert mapping.drain(10) == 1
    assert function.done[-1] == b"late"


def test_every_shard_is_read(aws: None) -> None:
    kinesis = boto3.client("kinesis", region_name="us-east-1")
    kinesis.create_stream(StreamName=STREAM, ShardCount=3)
    put(kinesis, *numbered(30))
    function = AFunction()
    assert a_mapping(kinesis, function).drain(10) == 30
    assert sorted(function.done) == sorted(numbered(30))
    assert len({event["Records"][0]["eventID"].split(":")[0] for event in function.events}) == 3


def test_an_empty_stream_is_drained_without_a_call_of_the_function(kinesis: "KinesisClient") -> None:
    function = AFunction()
    assert a_mapping(kinesis, function).drain(10) == 0
    assert function.events == []


def test_one_pass_makes_at_most_one_call_for_each_shard(kinesis: "KinesisClient") -> None:
    put(kinesis, *numbered(15))
    function = AFunction()
    mapping = a_mapping(kinesis, function)
    assert [mapping.poll(), mapping.poll(), mapping.poll()] == [10, 5, 0]
    assert len(function.events) == 2


def test_no_event_is_larger_than_lambda_takes(kinesis: "KinesisClient") -> None:
    for _ in range(6):
        put(kinesis, b"x" * 1_000_000)
    function = AFunction()
    assert a_mapping(kinesis, function).drain(10) == 6
    assert [len(batch) for batch in function.batches] == [4, 2]
    assert all(len(json.dumps(event)) < MAX_EVENT_BYTES for event in function.events)


@pytest.mark.parametrize("bisect", [True, False])
@pytest.mark.parametrize("reports", [True, False], ids=["reporting it", "raising an error"])
def test_a_transient_failure_in_the_middle_loses_and_skips_nothing(
    kinesis: "KinesisClient", *, reports: bool, bisect: bool
) -> None:
    payloads = [*numbered(7), b"transient", *numbered(9)]
    put(kinesis, *payloads)
    function = AFunction(transient_failures=3, reports=reports)
    mapping = a_mapping(kinesis, function, bisect=bisect)
    assert mapping.drain(10) == len(payloads)
    first_done = dict.fromkeys(function.done)
    assert list(first_done) == list(dict.fromkeys(payloads))
    assert mapping.given_up == 0


def test_after_a_reported_failure_the_records_before_it_do_not_come_again(kinesis: "KinesisClient") -> None:
    """Sequence numbers here are "1" to "12": as text, "9" is the highest of all."""
    put(kinesis, *numbered(8), b"transient", *numbered(3))
    function = AFunction(transient_failures=1)
    a_mapping(kinesis, function, batch_size=100).drain(10)
    assert function.batches[1] == [b"transient", *numbered(3)]


@pytest.mark.parametrize("reports", [True, False], ids=["reporting it", "raising an error"])
def test_poison_in_the_middle_ends_alone_in_the_failure_destination(
    kinesis: "KinesisClient", s3: "S3Client", *, reports: bool
) -> None:
    payloads = [*numbered(6), b"poison", *numbered(5)]
    put(kinesis, *payloads)
    function = AFunction(reports=reports)
    mapping = a_mapping(
        kinesis, function, batch_size=100, maximum_retry_attempts=2, on_failure=FailureBucket(s3, bucket=BUCKET)
    )
    assert mapping.drain(10) == len(payloads)
    assert set(function.done) == set(numbered(6))
    assert [payloads_of(document) for document in documents(s3)] == [[b"poison"]]
    assert function.batches.count([b"poison"]) == 3
    assert mapping.given_up == 1


def test_without_bisecting_all_that_follows_poison_in_its_batch_is_given_up_with_it(
    kinesis: "KinesisClient", s3: "S3Client"
) -> None:
    put(kinesis, b"1", b"poison", b"2")
    mapping = a_mapping(
        kinesis, AFunction(), bisect=False, maximum_retry_attempts=1, on_failure=FailureBucket(s3, bucket=BUCKET)
    )
    assert mapping.drain(10) == 3
    assert [payloads_of(document) for document in documents(s3)] == [[b"poison", b"2"]]


@pytest.mark.parametrize(("reports", "function_error"), [(True, None), (False, "Unhandled")])
def test_the_failure_destinations_document_is_lambdas(
    s3: "S3Client", *, reports: bool, function_error: str | None
) -> None:
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


def test_nothing_is_given_up_while_the_failure_destination_is_away(s3: "S3Client") -> None:
    kinesis = FakeKinesis()
    kinesis.put(b"poison", b"1")
    mapping = a_mapping(kinesis, AFunction(), maximum_retry_attempts=0, on_failure=FailureBucket(s3, bucket="missing"))
    with pytest.raises(Outage, match="NoSuchBucket"):
        mapping.drain(0.2)
    assert (mapping.finished, mapping.given_up) == (0, 0)
    s3.create_bucket(Bucket="missing")
    assert mapping.drain(10) == 2
    assert mapping.given_up == 1


def test_without_a_failure_destination_giving_up_is_said_in_the_log_without_the_payload(
    caplog: pytest.LogCaptureFixture,
) -> None:
    kinesis = FakeKinesis()
    kinesis.put(b"poison of ada@example.com")
    a_mapping(kinesis, AFunction(reports=False), maximum_retry_attempts=0).drain(10)
    assert f"records {FIRST_SEQUENCE_NUMBER + 1} to {FIRST_SEQUENCE_NUMBER + 1} are given up" in caplog.text
    assert "RuntimeError" in caplog.text
    assert "ada@example.com" not in caplog.text
    assert b64encode(b"poison").decode() not in caplog.text


def test_a_failed_batch_waits_before_it_is_tried_again() -> None:
    kinesis, function = FakeKinesis(), AFunction()
    kinesis.put(b"poison")
    mapping = a_mapping(kinesis, function, retry_after_seconds=60)
    assert [mapping.poll(), mapping.poll()] == [0, 0]
    assert len(function.events) == 1


def test_the_wait_doubles_up_to_a_limit() -> None:
    policy = RetryPolicy(bisect=True, maximum_retry_attempts=10_000, retry_after_seconds=0.5)
    assert [policy.wait_seconds(failures) for failures in range(5)] == [0, 0.5, 1, 2, 4]
    assert policy.wait_seconds(9_999) == 30


def test_an_expired_iterator_is_renewed_behind_the_last_record_read() -> None:
    kinesis, function = FakeKinesis(), AFunction()
    kinesis.put(*numbered(12))
    mapping = a_mapping(kinesis, function)
    assert mapping.poll() == 10
    kinesis.expire_iterators()
    assert mapping.drain(10) == 2
    assert function.done == numbered(12)
    kinesis.expire_iterators()
    assert mapping.drain(10) == 0


def test_shards_that_appear_are_read_after_their_parent() -> None:
    kinesis, function = FakeKinesis(), AFunction(transient_failures=2)
    kinesis.put(b"1", b"transient")
    mapping = a_mapping(kinesis, function)
    assert mapping.poll() == 1
    kinesis.put(b"2")
    kinesis.split()
    kinesis.put(b"3", shard=1)
    kinesis.put(b"4", shard=2)
    assert mapping.drain(10) == 4
    assert function.done == [b"1", b"transient", b"2", b"3", b"4"]


def test_a_closed_shard_is_not_read_any_more() -> None:
    kinesis = FakeKinesis()
    kinesis.split()
    mapping = a_mapping(kinesis, AFunction())
    mapping.drain(10)
    kinesis.calls.clear()
    mapping.poll()
    assert kinesis.calls == ["list_shards", "get_records", "get_records"]


@pytest.mark.parametrize("calls_before", range(4), ids=["ListShards", "Describe", "GetShardIterator", "GetRecords"])
def test_a_stream_that_is_away_for_a_moment_loses_nothing(calls_before: int) -> None:
    kinesis, function = FakeKinesis(), AFunction()
    kinesis.put(*numbered(3))
    kinesis.outages = [None] * calls_before + [an_error("ProvisionedThroughputExceededException")]
    mapping = a_mapping(kinesis, function)
    with pytest.raises(Outage, match="ProvisionedThroughputExceededException"):
        mapping.poll()
    assert mapping.drain(10) == 3
    assert function.done == numbered(3)


def test_draining_rides_out_an_outage_and_gives_up_in_time() -> None:
    kinesis, function = FakeKinesis(), AFunction()
    kinesis.put(b"1")
    kinesis.outages = [an_error("InternalFailure")]
    mapping = a_mapping(kinesis, function)
    assert mapping.drain(10) == 1
    kinesis.put(b"poison")
    with pytest.raises(Outage, match=f"{STREAM} is not drained after 0.1 s"):
        mapping.drain(0.1)


def test_running_feeds_the_function_until_told_to_stop() -> None:
    kinesis, function, stop = FakeKinesis(), AFunction(), threading.Event()
    kinesis.outages = [an_error("InternalFailure")]
    mapping = a_mapping(kinesis, function)
    thread = threading.Thread(target=mapping.run, args=(stop,), kwargs={"idle_seconds": QUICKLY}, daemon=True)
    thread.start()
    kinesis.put(*numbered(5))
    end_s = time.monotonic() + 10
    while mapping.finished < 5 and time.monotonic() < end_s:
        time.sleep(0.01)
    stop.set()
    thread.join(timeout=10)
    assert not thread.is_alive()
    assert function.done == numbered(5)


class AStoreThatIsAwayAtFirst(MemoryStore):
    """A store that cannot save until it has been asked a few times."""

    def __init__(self, *, failures: int) -> None:
        super().__init__()
        self._failures = failures

    def save(self, key: Key, item: Item, *, expected: str) -> None:
        if self._failures:
            self._failures -= 1
            raise StoreUnavailable("made up")
        super().save(key, item, expected=expected)


@pytest.mark.parametrize("failures", [0, 7])
def test_feedback_reaches_the_table_through_relay_stream_and_mapping(kinesis: "KinesisClient", failures: int) -> None:
    """Whatever outages the projector meets on the way, everybody who bounced or complained is suppressed in the end."""
    people = [f"person{number}@example.com" for number in range(30)]
    events = [a_delivery(recipients=["happy@example.com"], destination=["happy@example.com"])]
    for number, person in enumerate(people):
        builder = a_complaint if number % 3 == 0 else a_bounce
        events.append(builder(recipients=[person], messageId=f"m{number}", feedback_id=f"f{number}"))
    store, quarantine = AStoreThatIsAwayAtFirst(failures=failures), MemoryQuarantine()

    assert Relay(kinesis, stream=STREAM).deliver(events) == len(people)
    put(kinesis, b"poison")
    mapping = a_mapping(
        kinesis, lambda event: project_event(event, store=store, quarantine=quarantine, policy=DEFAULT_POLICY)
    )

    assert mapping.drain(10) == len(people) + 1
    answers = lookup([*people, "happy@example.com"], store=store, now=datetime.now(UTC))
    assert [answer.suppressed for answer in answers] == [True] * len(people) + [False]
    assert [held.payload for held in quarantine.held] == [b"poison"]
    assert mapping.given_up == 0
