"""The event source mapping keeps Lambda's contract: no record is lost, none is skipped."""

import json
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import boto3
import pytest

from pipeline.aws.lambdas.projector import project_event
from pipeline.errors import StoreUnavailable, Unavailable
from pipeline.local.event_source_mapping.shard_poller import MAX_EVENT_BYTES
from pipeline.local.eventbridge import Relay
from pipeline.lookup import LookupStatus, lookup
from pipeline.memory import MemoryQuarantine, MemoryStore
from pipeline.policy import DEFAULT_POLICY
from pipeline.ports import Put
from pipeline.projection import BatchProjector
from tests.support.builders import a_bounce, a_complaint, a_delivery
from tests.support.fake_kinesis import ARRIVED_AT, FIRST_SEQUENCE_NUMBER, STREAM, STREAM_ARN, FakeKinesis, an_error
from tests.support.lambda_function import QUICKLY, AFunction, a_mapping, numbered, put
from tests.support.waiting import until

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient


def test_the_event_is_lambdas() -> None:
    """The function gets the keys and values that Lambda sends for a Kinesis record."""
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


def test_records_come_in_order_and_in_batches(kinesis: "KinesisClient") -> None:
    """A new mapping reads from the oldest record on; later records follow."""
    put(kinesis, *numbered(25))
    function = AFunction()
    mapping = a_mapping(kinesis, function)
    assert mapping.drain(10) == 25
    assert [len(batch) for batch in function.batches] == [10, 10, 5]
    assert function.finished == numbered(25)
    put(kinesis, b"late")
    assert mapping.drain(10) == 1
    assert function.finished[-1] == b"late"


def test_each_shard_is_read(aws: None) -> None:
    """The records of all shards arrive, and no event has records of two shards."""
    kinesis = boto3.client("kinesis", region_name="us-east-1")
    kinesis.create_stream(StreamName=STREAM, ShardCount=3)
    put(kinesis, *numbered(30))
    function = AFunction()
    assert a_mapping(kinesis, function).drain(10) == 30
    assert sorted(function.finished) == sorted(numbered(30))
    assert len({event["Records"][0]["eventID"].split(":")[0] for event in function.events}) == 3


def test_an_empty_stream_causes_no_invocation(kinesis: "KinesisClient") -> None:
    """Draining an empty stream does not invoke the function."""
    function = AFunction()
    assert a_mapping(kinesis, function).drain(10) == 0
    assert function.events == []


def test_a_pass_makes_one_invocation_for_each_shard(kinesis: "KinesisClient") -> None:
    """A pass takes at most one batch of a shard."""
    put(kinesis, *numbered(15))
    function = AFunction()
    mapping = a_mapping(kinesis, function)
    assert [mapping.poll(), mapping.poll(), mapping.poll()] == [10, 5, 0]
    assert len(function.events) == 2


def test_no_event_is_larger_than_lambdas_limit(kinesis: "KinesisClient") -> None:
    """A batch of large records is split before it exceeds 6 MB."""
    for _ in range(6):
        put(kinesis, b"x" * 1_000_000)
    function = AFunction()
    assert a_mapping(kinesis, function).drain(10) == 6
    assert [len(batch) for batch in function.batches] == [4, 2]
    assert all(len(json.dumps(event)) < MAX_EVENT_BYTES for event in function.events)


@pytest.mark.parametrize("bisect", [True, False])
@pytest.mark.parametrize("reports", [True, False], ids=["reporting it", "raising an error"])
def test_a_transient_failure_loses_and_skips_nothing(kinesis: "KinesisClient", *, reports: bool, bisect: bool) -> None:
    """After failures in the middle of a batch, each record is finished once, in order."""
    payloads = numbered(17)
    payloads[7] = b"transient"
    put(kinesis, *payloads)
    function = AFunction(transient_failures=3, reports=reports)
    mapping = a_mapping(kinesis, function, bisect=bisect)
    assert mapping.drain(10) == len(payloads)
    assert list(dict.fromkeys(function.finished)) == payloads
    assert mapping.given_up == 0


def test_records_before_a_reported_failure_do_not_come_again(kinesis: "KinesisClient") -> None:
    """The retry starts at the failed record. Sequence numbers are compared as numbers: as text, "9" is above "12"."""
    put(kinesis, *numbered(8), b"transient", *numbered(3))
    function = AFunction(transient_failures=1)
    a_mapping(kinesis, function, batch_size=100).drain(10)
    assert function.batches[1] == [b"transient", *numbered(3)]


def test_a_failed_batch_waits_before_its_retry() -> None:
    """A pass right after a failure does not invoke the function."""
    kinesis, function = FakeKinesis(), AFunction()
    kinesis.put(b"poison")
    mapping = a_mapping(kinesis, function, retry_after_seconds=60)
    assert [mapping.poll(), mapping.poll()] == [0, 0]
    assert len(function.events) == 1


def test_draining_survives_an_outage_and_ends_at_its_time_out() -> None:
    """An error of the stream is retried; a batch that keeps failing ends the drain at its time-out."""
    kinesis, function = FakeKinesis(), AFunction()
    kinesis.put(b"1")
    kinesis.outages = [an_error("InternalFailure")]
    mapping = a_mapping(kinesis, function)
    assert mapping.drain(10) == 1
    kinesis.put(b"poison")
    with pytest.raises(Unavailable, match=f"{STREAM} is not drained after 0.1 s"):
        mapping.drain(0.1)


def test_running_invokes_the_function_until_stopped() -> None:
    """The loop survives an outage, and ends once it is stopped."""
    kinesis, function, stop = FakeKinesis(), AFunction(), threading.Event()
    kinesis.outages = [an_error("InternalFailure")]
    mapping = a_mapping(kinesis, function)
    thread = threading.Thread(target=mapping.run, args=(stop,), kwargs={"idle_seconds": QUICKLY}, daemon=True)
    thread.start()
    kinesis.put(*numbered(5))
    assert until(lambda: mapping.finished >= 5)
    stop.set()
    thread.join(timeout=120)
    assert not thread.is_alive()
    assert function.finished == numbered(5)


class AnUnreliableStore(MemoryStore):
    """A store whose first saves fail."""

    def __init__(self, *, failures: int) -> None:
        super().__init__()
        self._failures = failures

    def put(self, put: Put) -> None:
        if self._failures:
            self._failures -= 1
            raise StoreUnavailable("made up")
        super().put(put)


@pytest.mark.parametrize("failures", [0, 7])
def test_feedback_reaches_the_table_despite_outages(kinesis: "KinesisClient", failures: int) -> None:
    """Through relay, stream and mapping, each address that bounced or complained is suppressed in the end."""
    people = [f"person{number}@example.com" for number in range(30)]
    events = [a_delivery(recipients=["happy@example.com"], destination=["happy@example.com"])]
    for number, person in enumerate(people):
        builder = a_complaint if number % 3 == 0 else a_bounce
        events.append(builder(recipients=[person], messageId=f"m{number}", feedback_id=f"f{number}"))
    store, quarantine = AnUnreliableStore(failures=failures), MemoryQuarantine()

    assert Relay(kinesis, stream=STREAM).deliver(events) == len(people)
    put(kinesis, b"poison")
    projector = BatchProjector(store=store, quarantine=quarantine, policy=DEFAULT_POLICY)
    mapping = a_mapping(kinesis, lambda event: project_event(event, projector=projector))

    assert mapping.drain(10) == len(people) + 1
    answers = lookup([*people, "happy@example.com"], store=store, now=datetime.now(UTC))
    assert [answer.status for answer in answers] == [LookupStatus.SUPPRESSED] * len(people) + [LookupStatus.CLEAR]
    assert [held.payload for held in quarantine.held] == [b"poison"]
    assert mapping.given_up == 0
