"""Health of the KCL daemons and their shards, as served at `/health`.

Each record processor writes the health of its shard to standard error, one line of JSON per report. The daemon passes
these lines on to the process that started it, which collects them, and the daemon's heartbeats, in a `HealthMonitor`.
Nothing here calls AWS, and no line contains an address or a payload.
"""

import time
from collections.abc import Callable, Iterator
from datetime import datetime
from enum import StrEnum
from threading import Lock

import msgspec

STALLED_SECONDS = 300.0  # longer than the KCL takes to start, or to move a shard to another worker
SILENT_SECONDS = 300.0  # likewise; a running daemon sends a heartbeat every 30 s

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

    @property
    def has_ended(self) -> bool:
        """True if this worker reports nothing more about the shard, unless it is initialized again."""
        return self in {self.LEASE_LOST, self.SHARD_ENDED, self.SHUTDOWN_REQUESTED, self.FAILED}


class ShardHealth(msgspec.Struct, frozen=True, kw_only=True):
    """A record processor's report about its shard. Counts start at zero with its process.

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
    """

    shard: str
    state: ShardState
    reported_at: datetime
    millis_behind_latest: int | None = None
    checkpointed_at: datetime | None = None
    records: int = 0
    poison: int = 0
    errors: int = 0


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
        shards: The last report about each shard that the current daemon has had.
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
        workers: Health of each worker.
    """

    healthy: bool
    problems: list[str]
    workers: list[WorkerHealth]


class HealthMonitor:
    """Collects the health of all workers. Safe to use from any thread."""

    def __init__(
        self,
        *,
        workers: int,
        stalled_seconds: float = STALLED_SECONDS,
        max_lag_millis: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start with no reports.

        Args:
            workers: Number of workers.
            stalled_seconds: A shard that completes no batch for longer than this is a problem.
            max_lag_millis: A shard that is further behind the end of the stream is a problem; None: no limit.
            clock: Monotonic seconds.
        """
        self._stalled_seconds, self._max_lag_millis = stalled_seconds, max_lag_millis
        self._clock, self._lock = clock, Lock()
        self._workers = [_Worker(clock()) for _ in range(workers)]

    def record_exit(self, worker: int, *, exit_code: int) -> None:
        """Record that a daemon ended, and its record processors with it."""
        with self._lock:
            state = self._workers[worker]
            state.daemon, state.exit_code = DaemonState.DOWN, exit_code
            state.shards.clear()
            state.progress_at_seconds.clear()

    def record_restart(self, worker: int) -> None:
        """Record that a daemon was restarted. Whether it works is known at its first heartbeat or report."""
        with self._lock:
            self._workers[worker].daemon = DaemonState.RUNNING
            self._workers[worker].restarts += 1

    def record_heartbeat(self, worker: int) -> None:
        """Record a heartbeat of a daemon."""
        with self._lock:
            self._workers[worker].active_at_seconds = self._clock()

    def record_report(self, worker: int, report: ShardHealth) -> bool:
        """Record a report about a shard, and return True if the shard's state changed."""
        with self._lock:
            state = self._workers[worker]
            previous = state.shards.get(report.shard)
            state.shards[report.shard] = report
            state.active_at_seconds = self._clock()
            if report.state is not ShardState.WAITING or previous is None:
                state.progress_at_seconds[report.shard] = self._clock()
            return previous is None or previous.state is not report.state

    def overview(self) -> HealthOverview:
        """Return the health of all workers at this moment."""
        with self._lock:
            problems = [problem for number in range(len(self._workers)) for problem in self._problems(number)]
            workers = [self._worker_health(number) for number in range(len(self._workers))]
        return HealthOverview(healthy=not problems, problems=problems, workers=workers)

    def _worker_health(self, number: int) -> WorkerHealth:
        state = self._workers[number]
        return WorkerHealth(
            worker=number,
            state=state.daemon,
            restarts=state.restarts,
            exit_code=state.exit_code,
            silent_seconds=self._clock() - state.active_at_seconds,
            shards=[state.shards[shard] for shard in sorted(state.shards)],
        )

    def _problems(self, number: int) -> Iterator[str]:
        state = self._workers[number]
        if state.daemon is DaemonState.DOWN:
            yield f"worker {number}: the daemon ended with exit code {state.exit_code} and restarts soon"
        silent_seconds = self._clock() - state.active_at_seconds
        if silent_seconds > SILENT_SECONDS:
            yield f"worker {number}: no heartbeat from the daemon for {silent_seconds:.0f} s; its log has the reason"
        for shard in state.shards.values():
            if shard.state is ShardState.FAILED:
                yield f"worker {number}: the record processor of {shard.shard} failed; the daemon is about to end"
            if not shard.state.has_ended:
                yield from self._shard_problems(number, shard)

    def _shard_problems(self, number: int, shard: ShardHealth) -> Iterator[str]:
        stalled_seconds = self._clock() - self._workers[number].progress_at_seconds[shard.shard]
        if stalled_seconds > self._stalled_seconds:
            yield f"worker {number}: {shard.shard} has completed no batch for {stalled_seconds:.0f} s"
        behind_millis = shard.millis_behind_latest or 0
        if self._max_lag_millis is not None and behind_millis > self._max_lag_millis:
            yield f"worker {number}: {shard.shard} is {behind_millis:,} ms behind the end of the stream"


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


class _Worker(msgspec.Struct):
    active_at_seconds: float
    daemon: DaemonState = DaemonState.RUNNING
    restarts: int = 0
    exit_code: int | None = None
    shards: dict[str, ShardHealth] = msgspec.field(default_factory=dict)
    progress_at_seconds: dict[str, float] = msgspec.field(default_factory=dict)
