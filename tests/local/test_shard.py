"""Shards are read whole and in order, through expired iterators, splits and outages."""

import pytest

from pipeline.errors import Unavailable
from tests.support.fake_kinesis import FakeKinesis, an_error
from tests.support.lambda_function import AFunction, a_mapping, numbered


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
    with pytest.raises(Unavailable, match="ProvisionedThroughputExceededException"):
        mapping.poll()
    assert mapping.drain(10) == 3
    assert function.done == numbered(3)
