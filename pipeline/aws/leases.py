"""The KCL's lease table, compared with the shards of the stream: what should be read, and from where.

docs.aws.amazon.com/streams/latest/dev/kcl-dynamoDB.html and
github.com/awslabs/amazon-kinesis-client/blob/master/docs/lease-lifecycle.md
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from pipeline.aws.errors import missing_ok

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_kinesis import KinesisClient

SHARD_END = "SHARD_END"  # the library's checkpoint of a shard that was read to its end


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """A lease of one shard.

    Attributes:
        shard: The shard's id.
        owner: The worker that reads it; None if there is none.
        counter: A number that its owner increases every few seconds.
        checkpoint: A sequence number up to which records are done, or the name of a position.
        parents: Shards that must be read to their end before.
    """

    shard: str
    owner: str | None
    counter: int
    checkpoint: str
    parents: frozenset[str] = frozenset()

    @property
    def has_ended(self) -> bool:
        """True if the shard was read to its end."""
        return self.checkpoint == SHARD_END


class StreamShard(msgspec.Struct, frozen=True, kw_only=True):
    """A shard of the stream.

    Attributes:
        id: The shard's id.
        parents: The shards that were split or merged into it.
        first_sequence_number: No record of the shard has a smaller one.
        is_open: True if it accepts records.
    """

    id: str
    parents: frozenset[str]
    first_sequence_number: int
    is_open: bool


def read_leases(dynamodb: DynamoDBClient, table: str) -> tuple[Lease, ...]:
    """Return the leases in a table, or none if the library has not created it yet."""
    pages = dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
    items = missing_ok(lambda: [item for page in pages for item in page["Items"]]) or []
    return tuple(_to_lease(item) for item in items if "checkpoint" in item)  # KCL 3.5 may store other entries


def _to_lease(item: Mapping[str, Any]) -> Lease:
    return Lease(
        shard=item["leaseKey"]["S"],
        owner=item.get("leaseOwner", {}).get("S") or None,
        counter=int(item.get("leaseCounter", {}).get("N", 0)),
        checkpoint=item["checkpoint"]["S"],
        parents=frozenset(item.get("parentShardId", {}).get("SS", ())),
    )


def read_shards(kinesis: KinesisClient, stream: str) -> tuple[StreamShard, ...]:
    """Return the shards of a stream whose records are retained."""
    return tuple(_to_shard(shard) for shard in _listed(kinesis, stream))


def _listed(kinesis: KinesisClient, stream: str) -> Iterator[Mapping[str, Any]]:
    # ListShards takes the stream's name only without a token, so boto3's paginator fails at the second page.
    page = kinesis.list_shards(StreamName=stream)
    yield from page["Shards"]
    while token := page.get("NextToken"):
        page = kinesis.list_shards(NextToken=token)
        yield from page["Shards"]


def _to_shard(shard: Mapping[str, Any]) -> StreamShard:
    parents = {shard.get("ParentShardId"), shard.get("AdjacentParentShardId")} - {None, ""}
    numbers = shard["SequenceNumberRange"]
    return StreamShard(
        id=shard["ShardId"],
        parents=frozenset(map(str, parents)),
        first_sequence_number=int(numbers["StartingSequenceNumber"]),
        is_open=not numbers.get("EndingSequenceNumber"),
    )


def foreign_leases(leases: Iterable[Lease], shards: Iterable[StreamShard]) -> list[str]:
    """Return the shards whose checkpoint is of another stream, which had the same name. No worker can read them.

    Such a checkpoint is smaller than the shard's first sequence number, or ends a shard that is still open.
    """
    by_id = {shard.id: shard for shard in shards}
    return sorted(lease.shard for lease in leases if lease.shard in by_id and _is_foreign(lease, by_id[lease.shard]))


def _is_foreign(lease: Lease, shard: StreamShard) -> bool:
    if lease.checkpoint.isdecimal():
        return int(lease.checkpoint) < shard.first_sequence_number
    return lease.has_ended and shard.is_open


def due_shards(leases: Iterable[Lease], shards: Iterable[StreamShard]) -> set[str]:
    """Return the shards that a worker should be reading, in the order of parents before children.

    The library creates the leases of children when their parent ends, and waits for all parents before it starts.
    """
    by_shard, by_id = {lease.shard: lease for lease in leases}, {shard.id: shard for shard in shards}
    unfinished = {lease.shard for lease in by_shard.values() if not lease.has_ended}
    leased = {shard for shard in unfinished if not by_shard[shard].parents & unfinished}
    missing = {shard.id for shard in by_id.values() if shard.is_open and shard.id not in by_shard}
    return leased | {shard for shard in missing if not _ancestors(by_id[shard], by_id) & unfinished}


def _ancestors(shard: StreamShard, by_id: Mapping[str, StreamShard]) -> set[str]:
    ancestors: set[str] = set()
    pending = list(shard.parents)
    while pending:
        parent = pending.pop()
        ancestors.add(parent)
        pending += by_id[parent].parents if parent in by_id else ()
    return ancestors
