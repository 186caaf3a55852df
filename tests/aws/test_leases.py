"""The lease table, compared with the shards of the stream: which shards are due, and which checkpoints are foreign."""

from typing import Any

import pytest

from pipeline.aws.leases import SHARD_END, Lease, StreamShard, due_shards, foreign_leases, read_leases, read_shards
from tests.support.fake_service import FakeService

LAST_OF_OLD_STREAM = 100
FIRST = 200


def a_lease(shard: str, checkpoint: str = "TRIM_HORIZON", *, parents: tuple[str, ...] = ()) -> Lease:
    return Lease(shard=shard, owner="host:1:a:0", counter=3, checkpoint=checkpoint, parents=frozenset(parents))


def a_shard(shard: str, *parents: str, is_open: bool = True) -> StreamShard:
    return StreamShard(id=shard, parents=frozenset(parents), first_sequence_number=FIRST, is_open=is_open)


@pytest.mark.parametrize(
    ("checkpoint", "is_foreign"),
    [
        (str(LAST_OF_OLD_STREAM), True),
        (SHARD_END, True),
        (str(FIRST), False),
        (str(FIRST + 1), False),
        ("TRIM_HORIZON", False),
        ("LATEST", False),
        ("AT_TIMESTAMP", False),
    ],
)
def test_a_checkpoint_that_the_shard_cannot_have_is_foreign(checkpoint: str, is_foreign: bool) -> None:
    """A new stream has the shard ids of the old one of its name, and greater sequence numbers."""
    assert foreign_leases([a_lease("a", checkpoint)], [a_shard("a")]) == (["a"] if is_foreign else [])


def test_a_shard_that_was_read_to_its_end_is_not_foreign() -> None:
    """It is closed. A lease of a shard that is no longer retained may have any checkpoint."""
    leases = [a_lease("a", SHARD_END), a_lease("gone", str(LAST_OF_OLD_STREAM))]
    assert foreign_leases(leases, [a_shard("a", is_open=False)]) == []


def test_a_shard_is_due_until_it_is_read_to_its_end() -> None:
    """Whether it is open or not."""
    shards = [a_shard("open"), a_shard("closed", is_open=False), a_shard("done", is_open=False)]
    leases = [a_lease("open"), a_lease("closed"), a_lease("done", SHARD_END)]
    assert due_shards(leases, shards) == {"open", "closed"}


def test_a_child_is_due_once_all_of_its_parents_are_read() -> None:
    """The lease of a merged shard may exist while one parent is still read, and its owner waits."""
    shards = [a_shard("a", is_open=False), a_shard("b", is_open=False), a_shard("merged", "a", "b")]
    merged = a_lease("merged", parents=("a", "b"))
    assert due_shards([a_lease("a", SHARD_END), a_lease("b"), merged], shards) == {"b"}
    assert due_shards([a_lease("a", SHARD_END), a_lease("b", SHARD_END), merged], shards) == {"merged"}


def test_an_open_shard_without_a_lease_is_due_after_its_ancestors() -> None:
    """The library creates a child's lease when the parent ends. Without that, no worker reads the shard."""
    shards = [a_shard("a", is_open=False), a_shard("b", "a", is_open=False), a_shard("c", "b")]
    assert due_shards([a_lease("a")], shards) == {"a"}
    assert due_shards([a_lease("a", SHARD_END)], shards) == {"c"}
    assert due_shards([], shards) == {"c"}


class Kinesis(FakeService):
    """A stream whose shards take two pages."""

    SERVICE = "kinesis"

    def _list_shards(self, **parameters: Any) -> dict[str, Any]:
        numbers: dict[str, Any] = {"StartingSequenceNumber": str(FIRST)}
        keys = {"StartingHashKey": "0", "EndingHashKey": "1"}
        if parameters == {"NextToken": "second"}:
            shard = {"ShardId": "merged", "ParentShardId": "a", "AdjacentParentShardId": "b"}
            return {"Shards": [{**shard, "HashKeyRange": keys, "SequenceNumberRange": numbers}]}
        assert parameters == {"StreamName": "feedback"}
        numbers["EndingSequenceNumber"] = str(FIRST + 9)
        shards = [{"ShardId": name, "HashKeyRange": keys, "SequenceNumberRange": numbers} for name in ("a", "b")]
        return {"Shards": shards, "NextToken": "second"}


def test_shards_of_all_pages_are_read() -> None:
    """With a token, Kinesis takes no name of a stream."""
    expected = (a_shard("a", is_open=False), a_shard("b", is_open=False), a_shard("merged", "a", "b"))
    assert read_shards(Kinesis().client(), "feedback") == expected


class DynamoDb(FakeService):
    """A lease table as KCL 3.1.3 and 3.5 write it."""

    SERVICE = "dynamodb"

    def _scan(self, **_: Any) -> dict[str, Any]:
        lease = {"leaseKey": {"S": "merged"}, "checkpoint": {"S": "TRIM_HORIZON"}, "leaseCounter": {"N": "3"}}
        owned = {**lease, "leaseOwner": {"S": "host:1:a:0"}, "parentShardId": {"SS": ["a", "b"]}}
        return {"Items": [owned, {**lease, "leaseKey": {"S": "free"}}, {"leaseKey": {"S": "Migration3.0"}}]}


class NoTable(FakeService):
    """An account in which no consumer has started yet."""

    SERVICE = "dynamodb"

    def _scan(self, **_: Any) -> dict[str, Any]:
        return {"Error": {"Code": "ResourceNotFoundException", "Message": "no table"}}


def test_leases_are_read_and_other_entries_are_skipped() -> None:
    """KCL 3.5 may store its coordinator's entries in the same table."""
    merged, free = read_leases(DynamoDb().client(), "mail-consumer")
    assert merged == a_lease("merged", parents=("a", "b"))
    assert (free.shard, free.owner, free.parents) == ("free", None, frozenset())


def test_a_table_that_does_not_exist_yet_has_no_leases() -> None:
    """The library creates it when the first daemon starts."""
    assert read_leases(NoTable().client(), "mail-consumer") == ()
