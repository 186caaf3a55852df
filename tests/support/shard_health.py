"""How a shard fares, for tests."""

from datetime import UTC, datetime
from typing import Any

from pipeline.aws.kcl.health import ShardHealth, State, encode_health

SAID_AT = datetime(2026, 3, 1, 10, 0, 0, tzinfo=UTC)


def a_shard(state: State = State.PROCESSING, *, shard: str = "shardId-000000000000", **fields: Any) -> ShardHealth:
    """Return how a shard fares."""
    return ShardHealth(shard=shard, state=state, said_at=SAID_AT, **fields)


def a_line(health: ShardHealth) -> bytes:
    """Return the line that says so."""
    return encode_health(health) + b"\n"
