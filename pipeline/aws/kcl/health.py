"""How a shard fares, as its record processor says on standard error: a line of JSON for each time it says so.

Standard output belongs to the daemon, which passes standard error on: so whoever started the daemon reads there how
every shard fares. A line holds nothing about anybody.
"""

from datetime import datetime
from enum import StrEnum

import msgspec


class State(StrEnum):
    """Where a record processor is in its life."""

    INITIALIZED = "initialized"
    """It has its shard, and has seen no record yet."""
    PROCESSING = "processing"
    WAITING = "waiting"
    """An outage keeps a batch from being done; it is tried again."""
    LEASE_LOST = "lease_lost"
    """Another worker has the shard."""
    SHARD_ENDED = "shard_ended"
    """Every record of the shard is done; it was split or merged."""
    SHUTDOWN_REQUESTED = "shutdown_requested"
    """The worker is about to end; what is done is checkpointed."""
    FAILED = "failed"
    """It ends its process, since it could not go on without losing records."""

    @property
    def has_ended(self) -> bool:
        """Whether there is nothing more to come from this shard on this worker, unless it is initialized again."""
        return self in {State.LEASE_LOST, State.SHARD_ENDED, State.SHUTDOWN_REQUESTED, State.FAILED}


class ShardHealth(msgspec.Struct, frozen=True, kw_only=True):
    """What a record processor says of its shard. Counts are since its process began.

    Attributes:
        shard: The shard's id.
        state: Where it is in its life.
        said_at: When it said so.
        millis_behind_latest: How old the records were that the last batch ended with, as Kinesis says it; while one
            waits, how old its first record is that is not done. None: there was no batch yet.
        checkpointed_at: When a checkpoint last succeeded; None: never yet.
        records: Records that are done: stored, without facts, or in quarantine.
        poison: Payloads put into quarantine.
        errors: What went wrong: batches that an outage stopped, checkpoints that were refused, and records that
            tripped an error of ours.
    """

    shard: str
    state: State
    said_at: datetime
    millis_behind_latest: int | None = None
    checkpointed_at: datetime | None = None
    records: int = 0
    poison: int = 0
    errors: int = 0


class _Line(msgspec.Struct, frozen=True):
    health: ShardHealth


_DECODER = msgspec.json.Decoder(_Line)
_BEGINNING = b'{"health":'


def encode_health(health: ShardHealth) -> bytes:
    """Return a line that says it, without the newline."""
    return msgspec.json.encode(_Line(health))


def decode_health(line: bytes) -> ShardHealth | None:
    """Return what a line says; None: it is no such line, but a log entry, a metric or anything else."""
    if not line.startswith(_BEGINNING):
        return None
    try:
        return _DECODER.decode(line).health
    except msgspec.MsgspecError:
        return None
