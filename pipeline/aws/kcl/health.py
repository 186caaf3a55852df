"""How the daemons and their shards fare, and whether that is well: what a probe is answered.

What is known comes from the lines that record processors write (`health`), and the daemon (`heartbeat`); nothing here
asks AWS.

The daemon's sign of life: a line that the Kinesis Client Library logs while its main loop runs, with a shard or not.

A daemon that cannot begin, since it has no way to DynamoDB or may not use it, runs on for minutes, ends, and is started
again; one to spare has no shard for days. Of shards, both say nothing. The loop itself has its state logged every 30 s.
github.com/awslabs/amazon-kinesis-client/blob/master/amazon-kinesis-client/src/main/java/software/amazon/kinesis/coordinator/DiagnosticEventLogger.java

How a shard fares, as its record processor says on standard error: a line of JSON for each time it says so.

Standard output belongs to the daemon, which passes standard error on: so whoever started the daemon reads there how
every shard fares. A line holds nothing about anybody.
"""

import time
from collections.abc import Callable, Iterator
from datetime import datetime
from enum import StrEnum
from threading import Lock

import msgspec

LOGGER = "software.amazon.kinesis.coordinator.DiagnosticEventLogger"
LEVEL = "INFO"  # what it logs above that is a fault

_MARKS = (f'"loggerName":"{LOGGER}"'.encode(), f'"level":"{LEVEL}"'.encode())  # in a message, a quote is escaped


def is_heartbeat(line: bytes) -> bool:
    """Return whether a line of the daemon's is its sign of life, and nothing that is meant to be read."""
    return all(mark in line for mark in _MARKS)


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


STALLED_SECONDS = 300.0  # longer than the KCL takes to start, or to give a shard to another worker
SILENT_SECONDS = 300.0  # the same; and once it works, it says so twice a minute


class DaemonState(StrEnum):
    """Whether a daemon runs."""

    RUNNING = "running"
    DOWN = "down"
    """It ended; another one is started after a pause."""


class WorkerHealth(msgspec.Struct, frozen=True, kw_only=True):
    """How a daemon fares.

    Attributes:
        worker: Its number on this host, from 0.
        state: Whether it runs.
        restarts: How often another one had to be started.
        exit_code: How the last one ended, negative for a signal; None: none did yet.
        silent_seconds: For how long none has given a sign of life.
        shards: Each shard that it had since it was started, as its record processor said last.
    """

    worker: int
    state: DaemonState
    restarts: int
    exit_code: int | None
    silent_seconds: float
    shards: list[ShardHealth]


class HealthOverview(msgspec.Struct, frozen=True, kw_only=True):
    """How everything fares.

    Attributes:
        healthy: Whether there are no problems.
        problems: What is wrong, in sentences.
        workers: Each daemon of this host.
    """

    healthy: bool
    problems: list[str]
    workers: list[WorkerHealth]


class _Worker(msgspec.Struct):
    worked_at_s: float
    state: DaemonState = DaemonState.RUNNING
    restarts: int = 0
    exit_code: int | None = None
    shards: dict[str, ShardHealth] = msgspec.field(default_factory=dict)
    progress: dict[str, float] = msgspec.field(default_factory=dict)


class HealthMonitor:
    """What is known of every daemon at this moment; any thread may tell it something, or ask."""

    def __init__(
        self,
        *,
        workers: int,
        stalled_seconds: float = STALLED_SECONDS,
        max_lag_millis: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Know nothing yet.

        Args:
            workers: How many daemons there are.
            stalled_seconds: How long a shard may go without a batch that is done.
            max_lag_millis: How far a shard may be behind the end of the stream; None: as far as it may come.
            clock: Seconds that only go up.
        """
        self._stalled_seconds, self._max_lag_millis = stalled_seconds, max_lag_millis
        self._clock, self._lock = clock, Lock()
        self._workers = [_Worker(clock()) for _ in range(workers)]

    def ended(self, worker: int, *, exit_code: int) -> None:
        """Note that a daemon ended, and with it all of its record processors."""
        with self._lock:
            known = self._workers[worker]
            known.state, known.exit_code = DaemonState.DOWN, exit_code
            known.shards.clear()
            known.progress.clear()

    def restarted(self, worker: int) -> None:
        """Note that another daemon was started in its place. That is not to say that it works: see `works`."""
        with self._lock:
            self._workers[worker].state = DaemonState.RUNNING
            self._workers[worker].restarts += 1

    def works(self, worker: int) -> None:
        """Note that a daemon gave its sign of life."""
        with self._lock:
            self._workers[worker].worked_at_s = self._clock()

    def heard(self, worker: int, health: ShardHealth) -> bool:
        """Note what a record processor said, and return whether its shard's state is another than before."""
        with self._lock:
            known = self._workers[worker]
            before = known.shards.get(health.shard)
            known.shards[health.shard] = health
            known.worked_at_s = self._clock()
            if health.state is not State.WAITING or before is None:
                known.progress[health.shard] = self._clock()
            return before is None or before.state is not health.state

    def overview(self) -> HealthOverview:
        """Return how everything fares."""
        with self._lock:
            problems = [problem for number in range(len(self._workers)) for problem in self._problems(number)]
            workers = [
                WorkerHealth(
                    worker=number,
                    state=known.state,
                    restarts=known.restarts,
                    exit_code=known.exit_code,
                    silent_seconds=self._clock() - known.worked_at_s,
                    shards=[known.shards[shard] for shard in sorted(known.shards)],
                )
                for number, known in enumerate(self._workers)
            ]
        return HealthOverview(healthy=not problems, problems=problems, workers=workers)

    def _problems(self, number: int) -> Iterator[str]:
        known = self._workers[number]
        if known.state is DaemonState.DOWN:
            yield f"worker {number}: its daemon ended with exit code {known.exit_code}, and is started again soon"
        silent_seconds = self._clock() - known.worked_at_s
        if silent_seconds > SILENT_SECONDS:
            yield f"worker {number}: its daemon has not been at work for {silent_seconds:.0f} s, and its log says why"
        for shard in known.shards.values():
            if shard.state is State.FAILED:
                yield f"worker {number}: the record processor of {shard.shard} failed, and its daemon is about to end"
            if not shard.state.has_ended:
                yield from self._problems_of_shard(number, shard)

    def _problems_of_shard(self, number: int, shard: ShardHealth) -> Iterator[str]:
        still_seconds = self._clock() - self._workers[number].progress[shard.shard]
        if still_seconds > self._stalled_seconds:
            yield f"worker {number}: {shard.shard} has had no batch done for {still_seconds:.0f} s"
        behind_millis = shard.millis_behind_latest or 0
        if self._max_lag_millis is not None and behind_millis > self._max_lag_millis:
            yield f"worker {number}: {shard.shard} is {behind_millis:,} ms behind the end of the stream"
