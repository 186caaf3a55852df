"""Builders of a shard's health."""

from datetime import UTC, datetime
from typing import Any

from pipeline.aws.kcl.health import ShardHealth, ShardState, encode_health

REPORTED_AT = datetime(2026, 3, 1, 10, 0, 0, tzinfo=UTC)


def a_shard(
    state: ShardState = ShardState.PROCESSING, *, shard: str = "shardId-000000000000", **fields: Any
) -> ShardHealth:
    """Return a report about a shard."""
    return ShardHealth(shard=shard, state=state, reported_at=REPORTED_AT, **fields)


def a_line(health: ShardHealth) -> bytes:
    """Return a report as a line."""
    return encode_health(health) + b"\n"
