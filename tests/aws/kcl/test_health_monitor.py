"""What a probe is told: how daemons and shards fare, and what of it is a problem."""

import pytest

from pipeline.aws.kcl.health import DaemonState, HealthMonitor, State
from pipeline.aws.kcl.server import metrics_page
from tests.support.shard_health import SAID_AT, a_shard


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def condition(clock: Clock) -> HealthMonitor:
    return HealthMonitor(workers=1, stalled_seconds=300, max_lag_millis=60_000, clock=clock)


def test_a_worker_without_a_shard_is_healthy_as_long_as_its_daemon_works(
    condition: HealthMonitor, clock: Clock
) -> None:
    """There may be more workers than shards."""
    for clock.now in range(0, 10_000, 30):
        condition.works(0)
        assert condition.overview().healthy


def test_a_daemon_that_never_gets_to_work_is_a_problem_however_often_it_is_started(
    condition: HealthMonitor, clock: Clock
) -> None:
    """Without a way to DynamoDB it ends with code 0 after some minutes, and is there again a second later."""
    for clock.now in (100, 200, 300):
        assert condition.overview().healthy
        condition.ended(0, exit_code=0)
        condition.restarted(0)
    clock.now = 301
    silence = "worker 0: its daemon has not been at work for 301 s, and its log says why"
    assert condition.overview().problems == [silence]
    condition.works(0)
    assert condition.overview().healthy


def test_a_shard_without_a_batch_that_is_done_for_too_long_is_a_problem(condition: HealthMonitor, clock: Clock) -> None:
    condition.heard(0, a_shard())
    clock.now = 300
    assert condition.overview().healthy
    clock.now = 301
    condition.works(0)
    assert condition.overview().problems == ["worker 0: shardId-000000000000 has had no batch done for 301 s"]


def test_to_wait_is_no_progress(condition: HealthMonitor, clock: Clock) -> None:
    condition.heard(0, a_shard())
    for clock.now in range(0, 400, 50):
        condition.heard(0, a_shard(State.WAITING))
    assert not condition.overview().healthy
    condition.heard(0, a_shard())
    assert condition.overview().healthy


@pytest.mark.parametrize("state", [State.LEASE_LOST, State.SHARD_ENDED, State.SHUTDOWN_REQUESTED])
def test_a_shard_that_is_done_with_may_be_silent(condition: HealthMonitor, clock: Clock, state: State) -> None:
    condition.heard(0, a_shard(state, millis_behind_latest=100_000))
    clock.now = 1_000
    condition.works(0)
    assert condition.overview().healthy


def test_a_shard_that_is_too_far_behind_is_a_problem(condition: HealthMonitor) -> None:
    condition.heard(0, a_shard(millis_behind_latest=60_000))
    assert condition.overview().healthy
    condition.heard(0, a_shard(millis_behind_latest=60_001))
    assert condition.overview().problems == ["worker 0: shardId-000000000000 is 60,001 ms behind the end of the stream"]


def test_a_daemon_that_ended_is_a_problem_until_another_runs(condition: HealthMonitor) -> None:
    condition.heard(0, a_shard())
    condition.ended(0, exit_code=1)
    assert condition.overview().problems == ["worker 0: its daemon ended with exit code 1, and is started again soon"]
    assert condition.overview().workers[0].shards == []
    condition.restarted(0)
    [worker] = condition.overview().workers
    assert (condition.overview().healthy, worker.state, worker.restarts) == (True, DaemonState.RUNNING, 1)


def test_a_record_processor_that_failed_is_a_problem(condition: HealthMonitor) -> None:
    condition.heard(0, a_shard(State.FAILED))
    assert not condition.overview().healthy


def test_only_another_state_is_news(condition: HealthMonitor) -> None:
    assert condition.heard(0, a_shard(State.INITIALIZED))
    assert not condition.heard(0, a_shard(State.INITIALIZED, records=7))
    assert condition.heard(0, a_shard(State.PROCESSING))


def test_prometheus_is_told_of_each_worker_and_each_shard_that_it_has(condition: HealthMonitor) -> None:
    condition.heard(0, a_shard(records=7, poison=1, errors=2, millis_behind_latest=12, checkpointed_at=SAID_AT))
    condition.heard(0, a_shard(State.SHARD_ENDED, shard="shardId-000000000001", records=5))
    lines = [line for line in metrics_page(condition.overview()).splitlines() if not line.startswith("#")]
    assert lines == [
        'mailfold_consumer_up{worker="0"} 1.0',
        'mailfold_consumer_restarts_total{worker="0"} 0.0',
        'mailfold_consumer_lag_milliseconds{worker="0",shard="shardId-000000000000"} 12.0',
        'mailfold_consumer_checkpoint_timestamp_seconds{worker="0",shard="shardId-000000000000"} 1772359200.0',
        'mailfold_consumer_records_total{worker="0",shard="shardId-000000000000"} 7.0',
        'mailfold_consumer_poison_total{worker="0",shard="shardId-000000000000"} 1.0',
        'mailfold_consumer_errors_total{worker="0",shard="shardId-000000000000"} 2.0',
    ]


def test_what_is_not_known_yet_is_no_metric(condition: HealthMonitor) -> None:
    condition.heard(0, a_shard(State.INITIALIZED))
    assert "lag" not in "".join(line for line in metrics_page(condition.overview()).splitlines() if line[0] != "#")
