"""Health: the lines in which record processors report it, and what the monitor counts as a problem."""

from datetime import UTC, datetime
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.aws.kcl.health import DaemonState, ShardHealth, ShardState, decode_health, encode_health
from pipeline.aws.kcl.health_monitor import HealthMonitor
from tests.support.shard_health import a_shard

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
TIMES = st.datetimes(timezones=st.just(UTC))
COUNTS = st.integers(0, 2**53)
REPORTS = st.builds(
    ShardHealth,
    shard=st.text(),
    state=st.sampled_from(ShardState),
    reported_at=TIMES,
    millis_behind_latest=COUNTS | st.none(),
    checkpointed_at=TIMES | st.none(),
    records=COUNTS,
    poison=COUNTS,
    errors=COUNTS,
)


class Clock:
    """Seconds that only a test advances."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def monitor(clock: Clock) -> HealthMonitor:
    return HealthMonitor(workers=1, stalled_seconds=300, max_lag_millis=60_000, clock=clock)


@given(REPORTS)
def test_a_report_survives_its_line(report: ShardHealth) -> None:
    """Encoding and decoding return the same report. It is one line."""
    line = encode_health(report)
    assert b"\n" not in line
    assert decode_health(line) == report
    assert decode_health(line + b"\n") == report


def test_a_line_has_the_documented_form() -> None:
    """Field names are part of the interface."""
    line = encode_health(ShardHealth(shard="shardId-0", state=ShardState.PROCESSING, reported_at=NOON, records=3))
    assert line == (
        b'{"health":{"shard":"shardId-0","state":"processing","reported_at":"2026-03-01T12:00:00Z",'
        b'"millis_behind_latest":null,"checkpointed_at":null,"records":3,"poison":0,"errors":0,"process":0}}'
    )


@pytest.mark.parametrize(
    "line", [b"", b"\n", b"hello", b"{}", b'{"level":"INFO"}', b'{"health":', b'{"health":{"shard":"s"}}', b"\xff"]
)
def test_any_other_line_is_no_report(line: bytes) -> None:
    """Log entries, metrics and damaged lines decode to None."""
    assert decode_health(line) is None


def test_an_ended_shard_differs_from_one_that_is_read() -> None:
    """Three states mean that the shard is read on this worker."""
    assert {state for state in ShardState if not state.has_ended} == {
        ShardState.INITIALIZED,
        ShardState.PROCESSING,
        ShardState.WAITING,
    }


def test_a_worker_without_a_shard_is_healthy_while_its_daemon_works(monitor: HealthMonitor, clock: Clock) -> None:
    """There may be more workers than shards."""
    for clock.now in range(0, 10_000, 30):
        monitor.record_heartbeat(0)
        assert monitor.overview().healthy


def test_a_daemon_that_never_works_is_a_problem_despite_restarts(monitor: HealthMonitor, clock: Clock) -> None:
    """If DynamoDB does not answer, the daemon ends with code 0 after minutes, and runs again a second later."""
    for clock.now in (100, 200, 300):
        assert monitor.overview().healthy
        monitor.record_exit(0, exit_code=0)
        monitor.record_restart(0)
    clock.now = 301
    assert monitor.overview().problems == ["worker 0: no heartbeat from the daemon for 301 s; its log has the reason"]
    monitor.record_heartbeat(0)
    assert monitor.overview().healthy


def test_a_shard_that_completes_no_batch_is_a_problem(monitor: HealthMonitor, clock: Clock) -> None:
    """The limit is `stalled_seconds`. A heartbeat of the daemon does not help."""
    monitor.record_report(0, a_shard())
    clock.now = 300
    assert monitor.overview().healthy
    clock.now = 301
    monitor.record_heartbeat(0)
    assert monitor.overview().problems == ["worker 0: shardId-000000000000 has completed no batch for 301 s"]


def test_waiting_is_no_progress(monitor: HealthMonitor, clock: Clock) -> None:
    """A shard that keeps reporting an outage becomes a problem, until a batch is done."""
    monitor.record_report(0, a_shard())
    for clock.now in range(0, 400, 50):
        monitor.record_report(0, a_shard(ShardState.WAITING))
    assert not monitor.overview().healthy
    monitor.record_report(0, a_shard())
    assert monitor.overview().healthy


@pytest.mark.parametrize("state", [ShardState.LEASE_LOST, ShardState.SHARD_ENDED, ShardState.SHUTDOWN_REQUESTED])
def test_a_shard_that_has_ended_may_be_silent(monitor: HealthMonitor, clock: Clock, state: ShardState) -> None:
    """Neither its lag nor its silence is a problem of this worker."""
    monitor.record_report(0, a_shard(state, millis_behind_latest=100_000))
    clock.now = 1_000
    monitor.record_heartbeat(0)
    assert monitor.overview().healthy


def test_a_shard_that_is_too_far_behind_is_a_problem(monitor: HealthMonitor) -> None:
    """The limit is `max_lag_millis`."""
    monitor.record_report(0, a_shard(millis_behind_latest=60_000))
    assert monitor.overview().healthy
    monitor.record_report(0, a_shard(millis_behind_latest=60_001))
    assert monitor.overview().problems == ["worker 0: shardId-000000000000 is 60,001 ms behind the end of the stream"]


def test_a_daemon_that_ended_is_a_problem_until_it_restarts(monitor: HealthMonitor) -> None:
    """It reads none of its shards any more."""
    monitor.record_report(0, a_shard())
    monitor.record_exit(0, exit_code=1)
    assert monitor.overview().problems == ["worker 0: the daemon ended with exit code 1 and restarts soon"]
    assert [shard.state for shard in monitor.overview().workers[0].shards] == [ShardState.RELEASED]
    monitor.record_restart(0)
    [worker] = monitor.overview().workers
    assert (monitor.overview().healthy, worker.state, worker.restarts) == (True, DaemonState.RUNNING, 1)


@pytest.mark.parametrize("end", [ShardState.LEASE_LOST, ShardState.SHUTDOWN_REQUESTED, None])
def test_a_shard_that_is_assigned_again_and_again_is_no_progress(
    monitor: HealthMonitor, clock: Clock, end: ShardState | None
) -> None:
    """Only a finished batch is, after a lost lease or a restart alike. Time without the shard does not count."""
    for _ in range(3):
        monitor.record_report(0, a_shard(ShardState.INITIALIZED))
        clock.now += 100
        assert monitor.overview().healthy
        if end:
            monitor.record_report(0, a_shard(end))
        else:
            monitor.record_exit(0, exit_code=1)
            monitor.record_restart(0)
        clock.now += 50
        monitor.record_heartbeat(0)
    monitor.record_report(0, a_shard(ShardState.INITIALIZED))
    clock.now += 1
    assert [problem.partition(" for ")[0] for problem in monitor.overview().problems] == [
        "worker 0: shardId-000000000000 has completed no batch"
    ]
    monitor.record_report(0, a_shard())
    assert monitor.overview().healthy


def test_a_lease_without_a_record_processor_is_a_problem(monitor: HealthMonitor, clock: Clock) -> None:
    """The daemon renews it, so no other worker reads the shard. A restart of the daemon does not hide it."""
    owned = frozenset({"shardId-000000000000", "shardId-000000000001"})
    monitor.record_report(0, a_shard())
    for clock.now in range(0, 301, 60):
        monitor.record_report(0, a_shard())
        monitor.record_leases(0, owned)
        assert monitor.overview().healthy
    monitor.record_exit(0, exit_code=1)
    monitor.record_restart(0)
    clock.now = 301
    monitor.record_report(0, a_shard())
    monitor.record_leases(0, owned)
    problem = "worker 0: the daemon owns shardId-000000000001, but has not read it for 301 s"
    assert monitor.overview().problems == [problem]
    monitor.record_report(0, a_shard(shard="shardId-000000000001"))
    assert monitor.overview().healthy


def test_a_shard_that_no_worker_reads_is_shown_and_no_problem_of_this_host(monitor: HealthMonitor) -> None:
    """A probe that fails for it would restart consumers that read their own shards well."""
    monitor.record_unread(["shardId-000000000007"])
    assert (monitor.overview().unread, monitor.overview().healthy) == (["shardId-000000000007"], True)


def test_counts_add_up_over_record_processors_and_daemons(monitor: HealthMonitor) -> None:
    """They never decrease, whatever the order in which two processes report, and stay when the shard is lost."""
    first, second = (partial(a_shard, process=process) for process in (11, 12))
    counts: list[int] = []

    def report(shard: ShardHealth) -> None:
        monitor.record_report(0, shard)
        counts.append(monitor.overview().workers[0].shards[0].records)

    report(first(ShardState.INITIALIZED))
    report(first(records=100))
    report(second(ShardState.INITIALIZED))
    report(first(ShardState.LEASE_LOST, records=120))
    report(second(records=30))
    monitor.record_exit(0, exit_code=1)
    monitor.record_restart(0)
    report(a_shard(ShardState.INITIALIZED, process=13))
    report(a_shard(records=3, process=13))
    report(a_shard(ShardState.SHARD_ENDED, records=4, process=13))
    assert counts == [0, 100, 100, 120, 150, 150, 153, 154]


def test_a_record_processor_that_failed_is_a_problem(monitor: HealthMonitor) -> None:
    """Its daemon is about to end."""
    monitor.record_report(0, a_shard(ShardState.FAILED))
    assert monitor.overview().problems == [
        "worker 0: the record processor of shardId-000000000000 failed; the daemon is about to end"
    ]


def test_only_a_change_of_state_is_news(monitor: HealthMonitor) -> None:
    """The supervisor shows a report if this returns True."""
    assert monitor.record_report(0, a_shard(ShardState.INITIALIZED))
    assert not monitor.record_report(0, a_shard(ShardState.INITIALIZED, records=7))
    assert monitor.record_report(0, a_shard(ShardState.PROCESSING))
