"""Shards are read whole and in order, through expired iterators, splits and outages."""

import pytest

from pipeline.errors import Unavailable
from tests.support.fake_kinesis import FakeKinesis, an_error
from tests.support.lambda_function import AFunction, a_mapping, numbered


def test_an_expired_iterator_is_renewed() -> None:
    """Reading continues behind the last record that was read."""
    kinesis, function = FakeKinesis(), AFunction()
    kinesis.put(*numbered(12))
    mapping = a_mapping(kinesis, function)
    assert mapping.poll() == 10
    kinesis.expire_iterators()
    assert mapping.drain(10) == 2
    assert function.finished == numbered(12)
    kinesis.expire_iterators()
    assert mapping.drain(10) == 0


def test_new_shards_are_read_after_their_parent() -> None:
    """After a split, the children's records come behind all of the parent's, even if one of those fails."""
    kinesis, function = FakeKinesis(), AFunction(transient_failures=2)
    kinesis.put(b"1", b"transient")
    mapping = a_mapping(kinesis, function)
    assert mapping.poll() == 1
    kinesis.put(b"2")
    kinesis.split()
    kinesis.put(b"3", shard=1)
    kinesis.put(b"4", shard=2)
    assert mapping.drain(10) == 4
    assert function.finished == [b"1", b"transient", b"2", b"3", b"4"]


def test_a_finished_shard_is_not_read_again() -> None:
    """A shard that is closed and read to its end causes no further call."""
    kinesis = FakeKinesis()
    kinesis.split()
    mapping = a_mapping(kinesis, AFunction())
    mapping.drain(10)
    kinesis.calls.clear()
    mapping.poll()
    assert kinesis.calls == ["list_shards", "get_records", "get_records"]


@pytest.mark.parametrize("calls_before", range(4), ids=["ListShards", "Describe", "GetShardIterator", "GetRecords"])
def test_a_short_outage_of_the_stream_loses_nothing(calls_before: int) -> None:
    """Whichever call fails, the pass raises an error, and the next pass continues there."""
    kinesis, function = FakeKinesis(), AFunction()
    kinesis.put(*numbered(3))
    kinesis.outages = [None] * calls_before + [an_error("ProvisionedThroughputExceededException")]
    mapping = a_mapping(kinesis, function)
    with pytest.raises(Unavailable, match="ProvisionedThroughputExceededException"):
        mapping.poll()
    assert mapping.drain(10) == 3
    assert function.finished == numbered(3)
