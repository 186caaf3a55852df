"""Monitor of the leases: which shards no worker reads, and whether a worker reads those that it owns.

Record processors report only the shards that they have. So a shard without a record processor is found in the lease
table alone. Workers of all hosts share the table, and each host's monitor sees all shards.
"""

import sys
import time
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from threading import Event, Thread
from typing import Self

from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from pipeline.aws.clients import Clients
from pipeline.aws.errors import translated
from pipeline.aws.kcl.health_monitor import HealthMonitor
from pipeline.aws.leases import Lease, due_shards, foreign_leases, read_leases, read_shards
from pipeline.aws.settings import NAMESPACE
from pipeline.errors import MailfoldError, UsageError, describe

INTERVAL_SECONDS = 60.0  # much longer than an owner takes to renew a lease, and CloudWatch keeps one value a minute


class LeaseMonitor:
    """Compares leases, stream and record processors once a minute, in its own thread. A context manager.

    No error stops it or the daemons, except checkpoints of another stream.
    """

    def __init__(
        self,
        clients: Clients,
        *,
        stream: str,
        table: str,
        worker_names: Sequence[str],
        health: HealthMonitor,
        service: str,
        fail: Callable[[Exception], None],
        warn: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start nothing yet.

        Args:
            clients: Clients of the stream's account and region.
            stream: The stream's name.
            table: The lease table's name.
            worker_names: The names of this host's workers, in the order of their numbers.
            health: Receives the shards that each worker owns, and those that no worker reads.
            service: Dimension of the metric.
            fail: Receives a `UsageError` if the leases are those of another stream.
            warn: Receives a message if the leases cannot be read.
            clock: Monotonic seconds.
        """
        self._clients, self._stream, self._table = clients, stream, table
        self._worker_names, self._health = worker_names, health
        self._metrics = EphemeralMetrics(namespace=NAMESPACE, service=service)
        self._fail, self._warn, self._clock = fail, warn, clock
        self._counters: dict[str, int] = {}
        self._unread_since_seconds: dict[str, float] = {}
        self._stopping = Event()

    def __enter__(self) -> Self:
        """Start the thread. The process does not wait for it."""
        Thread(target=self._run, name="leases", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Request the end of the thread."""
        self._stopping.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                with translated(f"comparing the leases in {self._table} with the shards of {self._stream}"):
                    self.check()
            except UsageError as error:
                self._fail(error)
            except Exception as error:  # noqa: BLE001 - an entry point: the thread must go on
                self._warn(str(error) if isinstance(error, MailfoldError) else describe(error))
            self._stopping.wait(INTERVAL_SECONDS)

    def check(self) -> None:
        """Read leases and shards, and report what is not read.

        Raises:
            UsageError: The leases have checkpoints of another stream. Its records would be retried for ever.
        """
        leases = read_leases(self._clients.dynamodb, self._table)
        shards = read_shards(self._clients.kinesis, self._stream)
        if foreign := foreign_leases(leases, shards):
            raise UsageError(
                f"the lease table {self._table} has checkpoints of another stream, which had the name {self._stream}, "
                f"so {len(foreign):,} shards can never be read: {foreign[0]}, … Set --application to a new name"
            )
        due = due_shards(leases, shards)
        for number, name in enumerate(self._worker_names):
            owned = frozenset(lease.shard for lease in leases if lease.owner == name and lease.shard in due)
            self._health.record_leases(number, owned)
        self._report_unread(due - self._renewed(leases))

    def _renewed(self, leases: Sequence[Lease]) -> set[str]:
        """Return the shards whose owner has renewed the lease since the last check."""
        previous, self._counters = self._counters, {lease.shard: lease.counter for lease in leases}
        return {lease.shard for lease in leases if lease.owner and previous.get(lease.shard) != lease.counter}

    def _report_unread(self, unread: set[str]) -> None:
        """Publish the time for which a shard has been without a reader as its lag, which an alarm watches."""
        now_seconds = self._clock()
        self._unread_since_seconds = {shard: self._unread_since_seconds.get(shard, now_seconds) for shard in unread}
        self._health.record_unread(sorted(unread))
        if unread:
            lag_seconds = now_seconds - min(self._unread_since_seconds.values())
            self._metrics.add_metric("MillisBehindLatest", MetricUnit.Milliseconds, lag_seconds * 1_000)
            with redirect_stdout(sys.stderr):  # powertools prints the line
                self._metrics.flush_metrics()
