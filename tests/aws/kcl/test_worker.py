"""A daemon is started again when it ends, after ever longer pauses, and never after it was told to stop."""

from collections.abc import Iterable
from threading import Thread

import pytest

from pipeline.aws.kcl import supervisor as worker_module
from pipeline.aws.kcl.health import DaemonState, HealthMonitor, State
from pipeline.aws.kcl.supervisor import CALM_SECONDS, LONGEST_PAUSE_SECONDS, Worker, pause
from pipeline.errors import Unavailable
from tests.support.fake_daemon import FakeDaemon
from tests.support.shard_health import a_line, a_shard

JOIN_SECONDS = 20.0
# As the library was seen to log it.
HEARTBEAT = (
    b'{"sequenceNumber":0,"timestamp":1795511002629,"nanoseconds":629000000,"level":"INFO",'
    b'"threadName":"multi-lang-daemon-0000",'
    b'"loggerName":"software.amazon.kinesis.coordinator.DiagnosticEventLogger","context":{"name":"default"},"mdc": {},'
    b'"message":"Current thread pool executor state: ExecutorStateEvent(activeThreads=0)","throwable":null}\n'
)


class Bench:
    """A worker with the daemons that it starts, one after the other, and what it made known."""

    def __init__(self, *daemons: FakeDaemon, restarts: int | None = None, times: Iterable[float] = ()) -> None:
        self.condition = HealthMonitor(workers=1)
        self.shown: list[bytes] = []
        self.warnings: list[str] = []
        waiting, clock = iter(daemons), iter(times)
        self.worker = Worker(
            0,
            start=lambda _: next(waiting),
            condition=self.condition,
            show=self.shown.append,
            warn=self.warnings.append,
            restarts=restarts,
            clock=lambda: next(clock, 0.0),
        )

    def run_until(self, last: FakeDaemon) -> None:
        """Run it until that daemon runs, and stop it then."""
        thread = Thread(target=self.worker.run)
        thread.start()
        assert last.runs.wait(JOIN_SECONDS)
        self.worker.stop()
        thread.join(JOIN_SECONDS)
        assert not thread.is_alive()


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_module, "FIRST_PAUSE_SECONDS", 0.001)


def test_a_daemon_that_ends_is_started_again() -> None:
    last = FakeDaemon()
    bench = Bench(FakeDaemon(exit_code=1), FakeDaemon(exit_code=0), last)
    bench.run_until(last)
    [known] = bench.condition.overview().workers
    assert (known.state, known.restarts, known.exit_code) == (DaemonState.RUNNING, 2, 0)
    assert [warning.split(";")[0] for warning in bench.warnings] == [
        "daemon 0 ended with exit code 1",
        "daemon 0 ended with exit code 0",
    ]


def test_a_daemon_that_ends_too_often_in_a_row_is_given_up() -> None:
    bench = Bench(*(FakeDaemon(exit_code=1) for _ in range(3)), restarts=2)
    with pytest.raises(Unavailable, match="3 times in a row"):
        bench.worker.run()
    assert bench.condition.overview().workers[0].state is DaemonState.DOWN


@pytest.mark.parametrize("sign", [a_line(a_shard()), HEARTBEAT], ids=["a shard", "a heartbeat"])
def test_a_daemon_that_worked_for_long_is_no_failure_in_a_row(sign: bytes) -> None:
    last = FakeDaemon()
    times = [0, 1, 1, 1 + CALM_SECONDS]
    bench = Bench(FakeDaemon(sign, exit_code=1), FakeDaemon(sign, exit_code=1), last, restarts=1, times=times)
    bench.run_until(last)
    assert len(bench.warnings) == 2


def test_a_daemon_that_ran_for_long_and_never_got_to_work_is_one() -> None:
    """Where nobody answers at DynamoDB's address, the library takes over five minutes to give up."""
    daemons = FakeDaemon(exit_code=0), FakeDaemon(b"an error\n", exit_code=0)
    bench = Bench(*daemons, restarts=1, times=range(0, 10_000, int(CALM_SECONDS)))
    with pytest.raises(Unavailable, match="2 times in a row"):
        bench.worker.run()


def test_a_sign_of_life_is_taken_in_and_not_shown_and_a_fault_of_the_same_name_is() -> None:
    fault = HEARTBEAT.replace(b"INFO", b"ERROR")
    last = FakeDaemon(HEARTBEAT, fault)
    bench = Bench(last)
    bench.run_until(last)
    assert bench.shown == [fault]


def test_a_worker_that_was_told_to_stop_starts_nothing() -> None:
    bench = Bench()
    bench.worker.stop()
    bench.worker.run()
    assert bench.warnings == []


def test_a_pause_is_cut_short_by_a_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_module, "FIRST_PAUSE_SECONDS", 1_000.0)
    only = FakeDaemon(exit_code=1)
    Bench(only).run_until(only)


def test_how_a_shard_fares_is_taken_in_and_shown_only_where_its_state_is_news() -> None:
    first, same = a_shard(records=1), a_shard(records=2)
    then = a_shard(State.WAITING, records=2)
    last = FakeDaemon(a_line(first), b"{}\n", a_line(same), a_line(then), b"no JSON\n")
    bench = Bench(last)
    bench.run_until(last)
    assert bench.shown == [a_line(first), b"{}\n", a_line(then), b"no JSON\n"]
    assert bench.condition.overview().workers[0].shards == [then]


def test_pauses_grow_to_a_minute_and_differ() -> None:
    assert [pause(1_000) <= LONGEST_PAUSE_SECONDS for _ in range(100)] == [True] * 100
    assert 0.0005 <= pause(1) <= 0.001
    assert 0.004 <= pause(4) <= 0.008
    assert len({pause(4) for _ in range(100)}) > 1
