"""Health of the KCL daemons and their shards: the record processors' reports, and what is served at `/health`.

Each record processor writes the health of its shard to standard error, one line of JSON per report. The daemon passes
these lines on to the process that started it, which collects them, and the daemon's heartbeats: see `health_monitor`.
No line contains an address or a payload.
"""

from datetime import datetime
from enum import StrEnum

import msgspec

# The KCL's main loop logs its state every 30 s, with or without a shard. Shards alone do not show whether a daemon
# works: one that cannot reach DynamoDB never gets a shard, and a spare one may have none for days.
# github.com/awslabs/amazon-kinesis-client: coordinator/DiagnosticEventLogger.java
HEARTBEAT_LOGGER = "software.amazon.kinesis.coordinator.DiagnosticEventLogger"
HEARTBEAT_LEVEL = "INFO"  # the same logger reports faults at higher levels

# A quotation mark inside a log message is escaped, so these match the fields only.
_HEARTBEAT_FIELDS = (f'"loggerName":"{HEARTBEAT_LOGGER}"'.encode(), f'"level":"{HEARTBEAT_LEVEL}"'.encode())


class ShardState(StrEnum):
    """State of a record processor."""

    INITIALIZED = "initialized"
    """It has its shard and has seen no record yet."""
    PROCESSING = "processing"
    WAITING = "waiting"
    """An outage stops a batch. The processor retries it."""
    LEASE_LOST = "lease_lost"
    """Another worker has the shard."""
    SHARD_ENDED = "shard_ended"
    """Every record of the shard is done. The shard was split or merged."""
    SHUTDOWN_REQUESTED = "shutdown_requested"
    """The worker is about to stop. What is done is checkpointed."""
    FAILED = "failed"
    """The process ends, because continuing would lose records."""
    RELEASED = "released"
    """The process ended with its daemon."""

    @property
    def has_ended(self) -> bool:
        """True if this worker reports nothing more about the shard, unless it is initialized again."""
        return self not in {self.INITIALIZED, self.PROCESSING, self.WAITING}


class ShardHealth(msgspec.Struct, frozen=True, kw_only=True):
    """A record processor's report about its shard.

    Its counts start at zero with its process. `HealthMonitor` adds up those of all processes, so that they only grow.

    Attributes:
        shard: The shard's id.
        state: State of the record processor.
        reported_at: Time of this report.
        millis_behind_latest: Age of the last record of the last batch, as Kinesis reports it. While a batch waits: age
            of its first record that is not done. None before the first batch.
        checkpointed_at: Time of the last checkpoint that was written; None before the first.
        records: Number of records that are done: stored, without facts, or in quarantine.
        poison: Number of payloads put into quarantine.
        errors: Number of batches stopped by an outage, refused checkpoints, and records with an internal error.
        process: Process id of the record processor.
    """

    shard: str
    state: ShardState
    reported_at: datetime
    millis_behind_latest: int | None = None
    checkpointed_at: datetime | None = None
    records: int = 0
    poison: int = 0
    errors: int = 0
    process: int = 0


class DaemonState(StrEnum):
    """State of a daemon."""

    RUNNING = "running"
    DOWN = "down"
    """It ended. Another one starts after a pause."""


class WorkerHealth(msgspec.Struct, frozen=True, kw_only=True):
    """Health of a worker: of its current daemon, and of the daemons before that.

    Attributes:
        worker: Its number on this host, from 0.
        state: State of the daemon.
        restarts: Number of times that a daemon was restarted.
        exit_code: Exit code of the last daemon that ended, negative for a signal; None if none ended.
        silent_seconds: Time since the last heartbeat or report.
        shards: The last report about each shard that the worker has had, with the counts of all record processors.
    """

    worker: int
    state: DaemonState
    restarts: int
    exit_code: int | None
    silent_seconds: float
    shards: list[ShardHealth]


class HealthOverview(msgspec.Struct, frozen=True, kw_only=True):
    """Health of all workers on this host.

    Attributes:
        healthy: True if there are no problems.
        problems: One sentence for each problem.
        unread: Shards of the stream that no worker on any host reads. A restart of this one does not help them.
        workers: Health of each worker.
    """

    healthy: bool
    problems: list[str]
    unread: list[str]
    workers: list[WorkerHealth]


def encode_health(health: ShardHealth) -> bytes:
    """Return a report as one line, without the newline."""
    return msgspec.json.encode(_Line(health))


def decode_health(line: bytes) -> ShardHealth | None:
    """Return the report in a line, or None for any other line: a log entry, a metric, anything else."""
    if not line.startswith(_LINE_START):
        return None
    try:
        return _LINE_DECODER.decode(line).health
    except msgspec.MsgspecError:
        return None


def is_heartbeat(line: bytes) -> bool:
    """Return True if a line of the daemon's log is a heartbeat."""
    return all(field in line for field in _HEARTBEAT_FIELDS)


class _Line(msgspec.Struct, frozen=True):
    health: ShardHealth


_LINE_START = b'{"health":'
_LINE_DECODER = msgspec.json.Decoder(_Line)
