"""Monitor of the health of all workers on this host, and what counts as a problem.

Only a finished batch is progress: a shard that is assigned again and again is not read. Nothing here calls AWS.
"""

import time
from collections.abc import Callable, Iterator
from threading import Lock

import msgspec

from pipeline.aws.kcl.health import DaemonState, HealthOverview, ShardHealth, ShardState, WorkerHealth

STALLED_SECONDS = 300.0  # longer than the KCL takes to start, or to move a shard to another worker
SILENT_SECONDS = 300.0  # likewise; a running daemon sends a heartbeat every 30 s


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
        self._unread: list[str] = []

    def record_exit(self, worker: int, *, exit_code: int) -> None:
        """Record that a daemon ended, and its record processors with it."""
        with self._lock:
            state = self._workers[worker]
            state.daemon, state.exit_code = DaemonState.DOWN, exit_code
            for shard in state.shards.values():
                if shard.report.state is not ShardState.SHARD_ENDED:
                    shard.update(msgspec.structs.replace(shard.report, state=ShardState.RELEASED), self._clock())
                shard.earlier, shard.reports = shard.total(), {}

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
            state, now_seconds = self._workers[worker], self._clock()
            state.active_at_seconds = now_seconds
            shard = state.shards.get(report.shard)
            if shard is None:
                state.shards[report.shard] = _Shard(report, {report.process: report}, progress_at_seconds=now_seconds)
                return True
            previous = shard.report.state
            shard.update(report, now_seconds)
            return previous is not report.state

    def record_leases(self, worker: int, shards: frozenset[str]) -> None:
        """Record which shards a worker should read, because it owns their leases."""
        with self._lock:
            state, now_seconds = self._workers[worker], self._clock()
            since_seconds = state.unread_since_seconds
            state.unread_since_seconds = {
                shard: since_seconds.get(shard, now_seconds) for shard in sorted(shards) if not state.reads(shard)
            }

    def record_unread(self, shards: list[str]) -> None:
        """Record which shards of the stream no worker on any host reads."""
        with self._lock:
            self._unread = shards

    def overview(self) -> HealthOverview:
        """Return the health of all workers at this moment."""
        with self._lock:
            problems = [problem for number in range(len(self._workers)) for problem in self._problems(number)]
            workers = [self._worker_health(number) for number in range(len(self._workers))]
            unread = self._unread
        return HealthOverview(healthy=not problems, problems=problems, unread=unread, workers=workers)

    def _worker_health(self, number: int) -> WorkerHealth:
        state = self._workers[number]
        return WorkerHealth(
            worker=number,
            state=state.daemon,
            restarts=state.restarts,
            exit_code=state.exit_code,
            silent_seconds=self._clock() - state.active_at_seconds,
            shards=[state.shards[shard].total() for shard in sorted(state.shards)],
        )

    def _problems(self, number: int) -> Iterator[str]:
        state = self._workers[number]
        if state.daemon is DaemonState.DOWN:
            yield f"worker {number}: the daemon ended with exit code {state.exit_code} and restarts soon"
        silent_seconds = self._clock() - state.active_at_seconds
        if silent_seconds > SILENT_SECONDS:
            yield f"worker {number}: no heartbeat from the daemon for {silent_seconds:.0f} s; its log has the reason"
        for name, shard in state.shards.items():
            if shard.report.state is ShardState.FAILED:
                yield f"worker {number}: the record processor of {name} failed; the daemon is about to end"
            if shard.is_read:
                yield from self._shard_problems(number, shard)
        for name, since_seconds in state.unread_since_seconds.items():
            unread_seconds = self._clock() - since_seconds
            if unread_seconds > self._stalled_seconds and not state.reads(name):
                yield f"worker {number}: the daemon owns {name}, but has not read it for {unread_seconds:.0f} s"

    def _shard_problems(self, number: int, shard: "_Shard") -> Iterator[str]:
        stalled_seconds = self._clock() - shard.progress_at_seconds
        if stalled_seconds > self._stalled_seconds:
            yield f"worker {number}: {shard.report.shard} has completed no batch for {stalled_seconds:.0f} s"
        behind_millis = shard.report.millis_behind_latest or 0
        if self._max_lag_millis is not None and behind_millis > self._max_lag_millis:
            yield f"worker {number}: {shard.report.shard} is {behind_millis:,} ms behind the end of the stream"


class _Shard(msgspec.Struct):
    """A shard that a worker has had.

    Attributes:
        report: The last report.
        reports: The last report of each process of the current daemon. Its processes may report in any order.
        earlier: The counts of earlier daemons.
        progress_at_seconds: Time of the last finished batch, or of the first report before. Times without the shard are
            left out, so that a shard that is assigned again and again without a finished batch is found.
        ended_at_seconds: When the worker lost the shard, if it has not got it back.
    """

    report: ShardHealth
    reports: dict[int, ShardHealth]
    progress_at_seconds: float
    earlier: ShardHealth | None = None
    ended_at_seconds: float | None = None

    @property
    def is_read(self) -> bool:
        """True if a record processor has the shard."""
        return not self.report.state.has_ended

    def update(self, report: ShardHealth, now_seconds: float) -> None:
        """Record a further report."""
        self.report = self.reports[report.process] = report
        if report.state.has_ended:
            self.ended_at_seconds = now_seconds if self.ended_at_seconds is None else self.ended_at_seconds
        elif self.ended_at_seconds is not None:
            self.progress_at_seconds += now_seconds - self.ended_at_seconds
            self.ended_at_seconds = None
        if report.state is ShardState.PROCESSING:
            self.progress_at_seconds = now_seconds

    def total(self) -> ShardHealth:
        """Return the last report with the counts of all processes."""
        counted = [*self.reports.values(), *filter(None, [self.earlier])]
        return msgspec.structs.replace(
            self.report,
            records=sum(report.records for report in counted),
            poison=sum(report.poison for report in counted),
            errors=sum(report.errors for report in counted),
        )


class _Worker(msgspec.Struct):
    active_at_seconds: float
    daemon: DaemonState = DaemonState.RUNNING
    restarts: int = 0
    exit_code: int | None = None
    shards: dict[str, _Shard] = msgspec.field(default_factory=dict)
    unread_since_seconds: dict[str, float] = msgspec.field(default_factory=dict)

    def reads(self, shard: str) -> bool:
        """Return True if one of its record processors has the shard."""
        return shard in self.shards and self.shards[shard].is_read
