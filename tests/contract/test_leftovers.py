"""The contract of `leftover.Leftovers`: in memory, in S3, in a queue of SQS, and in S3 on the local cloud."""

import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from moto import mock_aws

from pipeline.aws.clients import create_client
from pipeline.aws.leftovers.objects import S3Leftovers
from pipeline.aws.leftovers.queue import QueueLeftovers
from pipeline.leftover import ForeignObject, Leftover, Leftovers, Place
from pipeline.local.cloud import LocalCloud
from pipeline.memory import MemoryLeftovers
from tests.support.builders import a_bounce
from tests.support.leftovers import (
    RULE_ATTRIBUTES,
    a_discarded_batch,
    a_leftover,
    a_quarantine_object,
    an_error_object,
)

BUCKET = "mailfold-log"
PAGE = 1_000  # keys in an answer of ListObjectsV2, and in a call of DeleteObjects
PREFIXES = {Place.QUARANTINE: "quarantine/", Place.FIREHOSE: "errors/processing-failed/", Place.LAMBDA: "aws/lambda/"}


class Case(NamedTuple):
    """A place of leftovers.

    Attributes:
        open: Opens it, as a process does.
        keep: Keeps a bounce with this feedback id there.
    """

    open: Callable[[], Leftovers]
    keep: Callable[[str], None]


@pytest.fixture(
    params=["memory", Place.QUARANTINE, Place.FIREHOSE, Place.LAMBDA, Place.RULE_QUEUE, Place.NOTIFICATION_QUEUE]
)
def case(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Case]:
    """Return an empty place."""
    monkeypatch.setattr("pipeline.aws.leftovers.queue.POLL_SECONDS", 0)  # moto answers at once
    if request.param == "memory":
        yield _in_memory()
        return
    with mock_aws():
        s3 = create_client("s3", region="us-east-1")
        s3.create_bucket(Bucket=BUCKET)
        yield _in_aws(request.param, s3)


def _in_memory() -> Case:
    memory = MemoryLeftovers()

    def keep(name: str) -> None:
        memory._kept[name] = a_leftover(a_bounce(feedback_id=name), name=name)

    return Case(lambda: memory, keep)


def _in_aws(place: Place, s3: Any) -> Case:
    if place in PREFIXES:
        kinesis = create_client("kinesis", region="us-east-1")
        return Case(
            lambda: S3Leftovers(s3, kinesis, bucket=BUCKET, place=place), lambda name: _put_object(s3, place, name)
        )
    sqs = create_client("sqs", region="us-east-1")
    url = sqs.create_queue(QueueName="dead-letters")["QueueUrl"]
    return Case(
        lambda: QueueLeftovers(sqs, s3, url=url, bucket=BUCKET, place=place),
        lambda name: sqs.send_message(
            QueueUrl=url, MessageBody=a_bounce(feedback_id=name).decode(), MessageAttributes=RULE_ATTRIBUTES
        ),
    )


def _put_object(s3: Any, place: Place, name: str) -> None:
    payload = a_bounce(feedback_id=name)
    bodies = {
        Place.QUARANTINE: a_quarantine_object(payload),
        Place.FIREHOSE: an_error_object(payload),
        Place.LAMBDA: json.dumps(a_discarded_batch(payload)).encode(),
    }
    s3.put_object(Bucket=BUCKET, Key=f"{PREFIXES[place]}{name}", Body=bodies[place])


def waiting(leftovers: Leftovers) -> dict[str, Leftover]:
    """Read what waits, as a process that then ends."""
    found = {kept.id: kept for kept in leftovers.waiting() if isinstance(kept, Leftover)}
    leftovers.release()
    return found


def marked(leftovers: Leftovers) -> dict[str, Leftover]:
    return {kept.id: kept for kept in leftovers.redriven() if isinstance(kept, Leftover)}


def test_a_leftover_waits_with_its_record_and_its_reason(case: Case) -> None:
    """Each has an id, a reason and a time, and the record's feedback is in it; reading changes nothing."""
    case.keep("one")
    case.keep("two")
    first, second = waiting(case.open()), waiting(case.open())
    assert first == second
    assert len(first) == 2
    for leftover in first.values():
        assert leftover.reason
        assert leftover.at.tzinfo
        assert leftover.size_bytes > 0
        assert not leftover.is_redriven
        [record] = leftover.records
        assert b"Permanent" in record.payload


def test_a_marked_leftover_is_kept_and_waits_no_more(case: Case) -> None:
    """It has the same id and the same record, and the others wait as before."""
    case.keep("one")
    case.keep("two")
    leftovers = case.open()
    first, second = [kept for kept in leftovers.waiting() if isinstance(kept, Leftover)]
    leftovers.mark([first])
    leftovers.release()

    assert waiting(case.open()).keys() == {second.id}
    [kept] = marked(case.open()).values()
    assert (kept.id, kept.place, kept.is_redriven) == (first.id, first.place, True)
    assert [record.payload for record in kept.records] == [record.payload for record in first.records]


def test_only_the_named_leftovers_are_read(case: Case) -> None:
    """An id that is not there is not yielded."""
    case.keep("one")
    case.keep("two")
    one, two = waiting(case.open()).values()
    leftovers = case.open()
    assert [kept.id for kept in leftovers.waiting([two.id, f"{two.id}-not"])] == [two.id]
    assert list(leftovers.redriven([two.id])) == []
    assert [kept.id for kept in leftovers.waiting([one.id])] == [one.id]
    leftovers.mark([one])
    leftovers.release()
    assert [kept.id for kept in case.open().redriven([one.id, two.id])] == [one.id]


def test_marking_nothing_changes_nothing(case: Case) -> None:
    """A group may have no leftover that is ready."""
    case.keep("one")
    case.open().mark([])
    assert len(waiting(case.open())) == 1


@pytest.fixture
def bucket() -> Iterator[Any]:
    """Return S3 with an empty bucket."""
    with mock_aws():
        s3 = create_client("s3", region="us-east-1")
        s3.create_bucket(Bucket=BUCKET)
        yield s3


def in_s3(s3: Any, place: Place = Place.QUARANTINE) -> S3Leftovers:
    return S3Leftovers(s3, create_client("kinesis", region="us-east-1"), bucket=BUCKET, place=place)


@pytest.mark.slow
def test_more_objects_than_a_page_are_all_read_and_marked(bucket: Any) -> None:
    """S3 lists and deletes a thousand objects a call."""
    number = PAGE + 500
    for name in range(number):
        bucket.put_object(Bucket=BUCKET, Key=f"quarantine/{name:04}.json", Body=a_quarantine_object(b"%d" % name))
    leftovers = in_s3(bucket)
    found = [kept for kept in leftovers.waiting() if isinstance(kept, Leftover)]
    assert {record.payload for kept in found for record in kept.records} == {b"%d" % n for n in range(number)}
    leftovers.mark(found)
    assert (len(waiting(leftovers)), len(marked(leftovers))) == (0, number)


@pytest.mark.parametrize("place", PREFIXES)
@pytest.mark.parametrize(
    "body", [b"{}", b"hello ada@example.com", b"\xff\xfe\x00", b"[" * 100_000, b'{"rawData": "?"}']
)
def test_an_object_that_is_not_ours_is_named(bucket: Any, place: Place, body: bytes) -> None:
    """It hides no leftover beside it, and nothing of it is quoted."""
    bucket.put_object(Bucket=BUCKET, Key=f"{PREFIXES[place]}notes", Body=body)
    _put_object(bucket, place, "one")
    foreign, leftover = sorted(in_s3(bucket, place).waiting(), key=lambda kept: isinstance(kept, Leftover))
    assert isinstance(foreign, ForeignObject)
    assert foreign.id == f"{PREFIXES[place]}notes"
    assert foreign.why.startswith("it is not ")
    assert "@" not in foreign.why
    assert leftover.id == f"{PREFIXES[place]}one"


def test_two_processes_may_redrive_at_once(bucket: Any) -> None:
    """Neither fails, and the object is marked once."""
    _put_object(bucket, Place.QUARANTINE, "one")
    first, second = in_s3(bucket), in_s3(bucket)
    [leftover], [same] = waiting(first).values(), waiting(second).values()
    first.mark([leftover])
    second.mark([same])
    assert list(marked(first)) == [leftover.id]


def test_a_copy_that_a_killed_process_left_is_replaced(bucket: Any) -> None:
    """A process that ends between copy and deletion leaves both; the leftover still waits."""
    _put_object(bucket, Place.QUARANTINE, "one")
    leftovers = in_s3(bucket)
    [leftover] = waiting(leftovers).values()
    bucket.copy_object(Bucket=BUCKET, Key=f"redriven/{leftover.id}", CopySource={"Bucket": BUCKET, "Key": leftover.id})
    assert list(waiting(leftovers)) == [leftover.id]
    leftovers.mark([leftover])
    assert (list(waiting(leftovers)), list(marked(leftovers))) == ([], [leftover.id])


@pytest.mark.slow
def test_the_local_cloud_keeps_the_contract() -> None:
    """What its projector and its Firehose set aside is read, and marked, by the same adapter."""
    with LocalCloud(seed=1, buffer_seconds=0.1) as cloud:
        cloud.clients.kinesis.put_record(StreamName=cloud.names.stream, Data=b"no JSON", PartitionKey="0")
        cloud.clients.firehose.put_record_batch(
            DeliveryStreamName=cloud.names.delivery_stream, Records=[{"Data": b"no JSON"}]
        )
        cloud.settle(120)
        for place in (Place.QUARANTINE, Place.FIREHOSE):
            leftovers = S3Leftovers(cloud.clients.s3, cloud.clients.kinesis, bucket=cloud.names.bucket, place=place)
            [leftover] = waiting(leftovers).values()
            assert [record.payload for record in leftover.records] == [b"no JSON"]
            leftovers.mark([leftover])
            assert (list(waiting(leftovers)), list(marked(leftovers))) == ([], [leftover.id])
