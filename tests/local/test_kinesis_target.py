"""The Kinesis target keeps PutRecords' limits, and retries or keeps each record that the stream rejects."""

import pytest
from botocore.exceptions import EndpointConnectionError

from pipeline.local.kinesis_target import PUT_ATTEMPTS, DeadLetter, KinesisTarget, TargetEntry
from tests.support.fake_kinesis import STREAM, FakeKinesis, an_error

MEBIBYTE = 2**20


def a_target(kinesis: FakeKinesis) -> KinesisTarget:
    return KinesisTarget(kinesis.client(), stream=STREAM, retry_after_seconds=0)


def an_entry(data: bytes = b"data") -> TargetEntry:
    return TargetEntry(key="key", data=data)


def test_more_than_500_records_take_several_calls() -> None:
    """A call has at most PutRecords' 500 records."""
    kinesis = FakeKinesis()
    assert a_target(kinesis).put([an_entry()] * 1_001) == 1_001
    assert [len(call) for call in kinesis.put_calls] == [500, 500, 1]


def test_no_call_is_larger_than_5_mebibytes() -> None:
    """Records are split by size before they reach PutRecords' limit."""
    kinesis = FakeKinesis()
    assert a_target(kinesis).put([an_entry(b"x" * 700_000)] * 8) == 8
    assert [len(call) for call in kinesis.put_calls] == [7, 1]


def test_only_an_oversized_record_becomes_a_dead_letter() -> None:
    """A record over 1 MiB becomes a dead letter, and the others of its call are put."""
    target = a_target(FakeKinesis())
    assert target.put([an_entry(b"x" * MEBIBYTE), an_entry()]) == 1
    assert [letter.error_code for letter in target.dead_letters] == ["ValidationException"]


def test_only_rejected_records_are_put_again() -> None:
    """After a partial failure, the second call has the rejected records alone."""
    codes = iter([None, "ProvisionedThroughputExceededException", None])
    kinesis = FakeKinesis(reject=lambda _key, _data: next(codes, None))
    target = a_target(kinesis)
    assert target.put([an_entry(b"1"), an_entry(b"2"), an_entry(b"3")]) == 3
    assert kinesis.put_calls == [[b"1", b"2", b"3"], [b"2"]]
    assert target.dead_letters == []


def test_a_record_rejected_at_each_attempt_becomes_a_dead_letter() -> None:
    """After the last attempt the record is kept with AWS's code."""
    kinesis = FakeKinesis(reject=lambda _key, data: "InternalFailure" if data == b"unlucky" else None)
    target = a_target(kinesis)
    assert target.put([an_entry(b"lucky"), an_entry(b"unlucky")]) == 1
    assert len(kinesis.put_calls) == PUT_ATTEMPTS
    assert target.dead_letters == [DeadLetter(data=b"unlucky", error_code="InternalFailure")]


@pytest.mark.parametrize(
    "error",
    [an_error("InternalFailure"), EndpointConnectionError(endpoint_url="http://127.0.0.1:1")],
    ids=["a response with an error", "no response"],
)
def test_a_short_outage_of_the_stream_loses_nothing(error: Exception) -> None:
    """Calls that fail are repeated, and no record becomes a dead letter."""
    kinesis = FakeKinesis()
    kinesis.outages = [error, error]
    target = a_target(kinesis)
    assert target.put([an_entry()]) == 1
    assert target.dead_letters == []
