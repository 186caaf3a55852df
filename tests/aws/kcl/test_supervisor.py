"""The supervisor and its workers: daemons restart when they end, and all end in order, or by force."""

from collections.abc import Callable, Iterable
from threading import Thread
from typing import Any

import pytest

from pipeline.aws.kcl import supervisor as supervisor_module
from pipeline.aws.kcl.health import DaemonState, ShardState
from pipeline.aws.kcl.health_monitor import HealthMonitor
from pipeline.aws.kcl.supervisor import LONGEST_PAUSE_SECONDS, STABLE_SECONDS, Supervisor, Worker, pause_seconds
from pipeline.errors import Unavailable, UsageError
from tests.support.fake_daemon import FakeDaemon
from tests.support.shard_health import a_line, a_shard

JOIN_SECONDS = 300.0
KILL_WARNING = "killing the daemons that still run; their unfinished records are read again"
# Captured from KCL 3.1.3.
HEARTBEAT = (
    b'{"sequenceNumber":0,"timestamp":1795511002629,"nanoseconds":629000000,"level":"INFO",'
    b'"threadName":"multi-lang-daemon-0000",'
    b'"loggerName":"software.amazon.kinesis.coordinator.DiagnosticEventLogger","context":{"name":"default"},"mdc": {},'
    b'"message":"Current thread pool executor state: ExecutorStateEvent(activeThreads=0)","throwable":null}\n'
)


@pytest.fixture(autouse=True)
def _short_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor_module, "SLACK_SECONDS", 0.0)
    monkeypatch.setattr(supervisor_module, "FIRST_PAUSE_SECONDS", 0.001)


def supervise(
    *daemons: FakeDaemon, action: Callable[[Supervisor], None], grace_seconds: float = JOIN_SECONDS
) -> tuple[bool, list[str]]:
    """Run daemons, and do something once all run. Return whether they ended in order, and the warnings."""
    warnings: list[str] = []
    options: dict[str, Any] = {"monitor": HealthMonitor(workers=len(daemons)), "show": list, "warn": warnings.append}
    workers = [Worker(number, start=daemons.__getitem__, max_restarts=0, **options) for number in range(len(daemons))]

    def wait_and_act(supervisor: Supervisor) -> None:
        for daemon in daemons:
            assert daemon.runs.wait(JOIN_SECONDS)
        action(supervisor)

    with Supervisor(workers, grace_seconds=grace_seconds, warn=warnings.append) as supervisor:
        thread = Thread(target=wait_and_act, args=(supervisor,))
        thread.start()
        try:
            return supervisor.run(), warnings
        finally:
            thread.join(JOIN_SECONDS)


class WorkerBench:
    """A worker, the daemons that it starts one after another, and what it shows and warns."""

    def __init__(self, *daemons: FakeDaemon, max_restarts: int | None = None, times: Iterable[float] = ()) -> None:
        self.monitor = HealthMonitor(workers=1)
        self.shown: list[bytes] = []
        self.warnings: list[str] = []
        remaining, clock = iter(daemons), iter(times)
        self.worker = Worker(
            0,
            start=lambda _: next(remaining),
            monitor=self.monitor,
            show=self.shown.append,
            warn=self.warnings.append,
            max_restarts=max_restarts,
            clock=lambda: next(clock, 0.0),
        )

    def run_until(self, last: FakeDaemon) -> None:
        """Run the worker until this daemon runs, then stop it."""
        thread = Thread(target=self.worker.run)
        thread.start()
        assert last.runs.wait(JOIN_SECONDS)
        self.worker.stop()
        thread.join(JOIN_SECONDS)
        assert not thread.is_alive()


def test_a_stop_ends_every_daemon_in_order() -> None:
    """No daemon is killed."""
    daemons = FakeDaemon(), FakeDaemon()
    assert supervise(*daemons, action=Supervisor.stop) == (True, [])
    assert not any(daemon.was_killed for daemon in daemons)


def test_a_second_stop_kills_the_daemons() -> None:
    """It does not wait for the grace to end."""

    def stop_twice(supervisor: Supervisor) -> None:
        supervisor.stop()
        supervisor.stop()

    daemon = FakeDaemon(ignores_stop=True)
    assert supervise(daemon, action=stop_twice) == (False, [KILL_WARNING])
    assert daemon.was_killed


def test_a_daemon_that_outlasts_its_grace_is_killed() -> None:
    """A warning explains that nothing is lost."""
    daemons = FakeDaemon(), FakeDaemon(ignores_stop=True)
    assert supervise(*daemons, action=Supervisor.stop, grace_seconds=0.05) == (False, [KILL_WARNING])
    assert daemons[1].was_killed


def test_one_worker_that_fails_stops_the_others_in_order() -> None:
    """Its error is raised once all have ended."""
    daemons = FakeDaemon(), FakeDaemon(exit_code=1)
    with pytest.raises(Unavailable, match="exit code 1"):
        supervise(*daemons, action=lambda _: None)
    assert not daemons[0].was_killed


def test_an_error_from_outside_stops_all_in_order() -> None:
    """It is raised once all daemons have ended."""
    daemons = FakeDaemon(), FakeDaemon()
    with pytest.raises(UsageError, match="another stream"):
        supervise(*daemons, action=lambda supervisor: supervisor.fail(UsageError("another stream")))
    assert not any(daemon.was_killed for daemon in daemons)


def test_a_daemon_that_ends_is_restarted() -> None:
    """Whatever its exit code is. Health counts the restarts."""
    last = FakeDaemon()
    bench = WorkerBench(FakeDaemon(exit_code=1), FakeDaemon(exit_code=0), last)
    bench.run_until(last)
    [worker] = bench.monitor.overview().workers
    assert (worker.state, worker.restarts, worker.exit_code) == (DaemonState.RUNNING, 2, 0)
    assert [warning.split(";")[0] for warning in bench.warnings] == [
        "daemon 0 ended with exit code 1",
        "daemon 0 ended with exit code 0",
    ]


def test_a_daemon_that_ends_too_often_in_a_row_fails_the_worker() -> None:
    """`max_restarts` limits the restarts, and health shows the daemon as down."""
    bench = WorkerBench(*(FakeDaemon(exit_code=1) for _ in range(3)), max_restarts=2)
    with pytest.raises(Unavailable, match="3 times in a row"):
        bench.worker.run()
    assert bench.monitor.overview().workers[0].state is DaemonState.DOWN


@pytest.mark.parametrize("sign", [a_line(a_shard()), HEARTBEAT], ids=["a report", "a heartbeat"])
def test_a_daemon_that_worked_for_long_starts_a_new_row(sign: bytes) -> None:
    """After `STABLE_SECONDS` of work, a failure counts as the first."""
    last = FakeDaemon()
    times = [0, 1, 1, 1 + STABLE_SECONDS]
    daemons = FakeDaemon(sign, exit_code=1), FakeDaemon(sign, exit_code=1), last
    bench = WorkerBench(*daemons, max_restarts=1, times=times)
    bench.run_until(last)
    assert len(bench.warnings) == 2


def test_a_daemon_that_ran_for_long_without_work_continues_the_row() -> None:
    """If DynamoDB does not answer, the library takes over five minutes to give up."""
    daemons = FakeDaemon(exit_code=0), FakeDaemon(b"an error\n", exit_code=0)
    bench = WorkerBench(*daemons, max_restarts=1, times=range(0, 10_000, int(STABLE_SECONDS)))
    with pytest.raises(Unavailable, match="2 times in a row"):
        bench.worker.run()


def test_a_heartbeat_is_recorded_and_not_shown() -> None:
    """A fault from the same logger is shown."""
    fault = HEARTBEAT.replace(b"INFO", b"ERROR")
    last = FakeDaemon(HEARTBEAT, fault)
    bench = WorkerBench(last)
    bench.run_until(last)
    assert bench.shown == [fault]


def test_a_report_is_recorded_and_shown_if_the_state_changed() -> None:
    """Any other line is shown unchanged."""
    first, same = a_shard(records=1), a_shard(records=2)
    changed = a_shard(ShardState.WAITING, records=2)
    last = FakeDaemon(a_line(first), b"{}\n", a_line(same), a_line(changed), b"no JSON\n")
    bench = WorkerBench(last)
    bench.run_until(last)
    assert bench.shown == [a_line(first), b"{}\n", a_line(changed), b"no JSON\n"]
    assert bench.monitor.overview().workers[0].shards == [changed]


def test_a_worker_that_is_stopped_first_starts_nothing() -> None:
    """`run` returns at once."""
    bench = WorkerBench()
    bench.worker.stop()
    bench.worker.run()
    assert bench.warnings == []


def test_a_stop_ends_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker does not wait for the next start."""
    monkeypatch.setattr(supervisor_module, "FIRST_PAUSE_SECONDS", 1_000.0)
    only = FakeDaemon(exit_code=1)
    WorkerBench(only).run_until(only)


def test_pauses_double_up_to_a_minute_and_vary() -> None:
    """A random part spreads the restarts of many daemons."""
    assert [pause_seconds(1_000) <= LONGEST_PAUSE_SECONDS for _ in range(100)] == [True] * 100
    assert 0.0005 <= pause_seconds(1) <= 0.001
    assert 0.004 <= pause_seconds(4) <= 0.008
    assert len({pause_seconds(4) for _ in range(100)}) > 1
