"""Checks of the Kinesis Client Library's leases: every shard has a reader, which is not late.

An owner alone proves nothing: a library may own a lease and read nothing.
docs.aws.amazon.com/streams/latest/dev/kcl-dynamoDB.html and
docs.aws.amazon.com/kinesis/latest/APIReference/API_GetRecords.html
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pipeline.aws.doctor.consumer import read_consumer_logs
from pipeline.aws.doctor.deployment import Deployment
from pipeline.aws.doctor.finding import Finding, error
from pipeline.aws.errors import missing_ok
from pipeline.aws.leases import Lease, StreamShard, due_shards, foreign_leases, read_leases, read_shards

MAX_SHARD_NAMES = 5  # in one message
MAX_LAG_SECONDS = 900.0  # as the stack's alarm on late feedback
MAX_READS = 10  # Kinesis may return no record though there are some later, and then states how far it is behind


def check_leases(deployment: Deployment) -> Iterator[Finding]:
    """Check that each shard is read in time, if the consumer keeps leases: in a container, or elsewhere."""
    table = deployment.stack.outputs.get("ConsumerApplication")
    if table is None:
        return
    leases = read_leases(deployment.clients.dynamodb, table)
    if not leases:
        message = f"the lease table {table} is missing or empty: no consumer reads the stream"
        yield error("leases_missing", message, remedy=read_consumer_logs(deployment))
        return
    stream = deployment.output("FeedbackStream")
    shards = missing_ok(lambda: read_shards(deployment.clients.kinesis, stream)) or ()
    foreign = foreign_leases(leases, shards)
    if foreign:
        message = f"{table} has checkpoints of another stream, so these shards are never read: {_listed(foreign)}"
        delete = deployment.aws_command(f"dynamodb delete-table --table-name {table}")
        yield error("leases_foreign", message, remedy=f"{delete}, and then restart the consumer")
    yield from _check_owners(deployment, leases, shards)
    yield from _check_lags(deployment, stream, [lease for lease in leases if lease.shard not in foreign], shards)


def _check_owners(deployment: Deployment, leases: Sequence[Lease], shards: Sequence[StreamShard]) -> Iterator[Finding]:
    due, owned = due_shards(leases, shards), {lease.shard for lease in leases if lease.owner}
    if unread := sorted(due - owned):
        message = f"{len(unread):,} of {len(due):,} shards have no reader: {_listed(unread)}"
        remedy = f"check again in a minute, because shards change owners; then {read_consumer_logs(deployment)}"
        yield error("shard_unread", message, remedy=remedy)


def _check_lags(
    deployment: Deployment, stream: str, leases: Sequence[Lease], shards: Sequence[StreamShard]
) -> Iterator[Finding]:
    checked = due_shards(leases, shards) & {shard.id for shard in shards}
    lags = {lease.shard: _lag_seconds(deployment, stream, lease) for lease in leases if lease.shard in checked}
    if late := sorted(shard for shard, lag in lags.items() if lag > MAX_LAG_SECONDS):
        minutes = max(lags.values()) / 60
        message = f"the checkpoints of {len(late):,} shards are up to {minutes:,.0f} minutes late: {_listed(late)}"
        yield error("shard_late", message, remedy=read_consumer_logs(deployment))


def _lag_seconds(deployment: Deployment, stream: str, lease: Lease) -> float:
    """Return the age of the first record after a checkpoint; 0 if there is none."""
    position = _position(lease.checkpoint)
    if position is None:
        return 0.0
    kinesis = deployment.clients.kinesis
    iterator = kinesis.get_shard_iterator(StreamName=stream, ShardId=lease.shard, **position)["ShardIterator"]
    behind_millis = 0
    for _ in range(MAX_READS):
        page = kinesis.get_records(ShardIterator=iterator, Limit=1)
        if page["Records"]:
            return (deployment.now - page["Records"][0]["ApproximateArrivalTimestamp"]).total_seconds()
        behind_millis, iterator = page.get("MillisBehindLatest", 0), page.get("NextShardIterator", "")
        if not (behind_millis and iterator):
            break
    return behind_millis / 1_000


def _position(checkpoint: str) -> Any:
    """Return the position after a checkpoint. The library keeps that of LATEST and AT_TIMESTAMP to itself."""
    if checkpoint.isdecimal():
        return {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": checkpoint}
    return {"ShardIteratorType": checkpoint} if checkpoint == "TRIM_HORIZON" else None


def _listed(shards: Sequence[str]) -> str:
    return ", ".join(shards[:MAX_SHARD_NAMES]) + (", …" if len(shards) > MAX_SHARD_NAMES else "")
