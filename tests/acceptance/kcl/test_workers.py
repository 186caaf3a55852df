"""Two daemons of one consumer share the shards, and one that dies is restarted."""

import os
import signal
from pathlib import Path

from tests.acceptance.kcl.consumer import Consumer, consuming
from tests.acceptance.kcl.feedback import under_load
from tests.acceptance.kcl.scenario import a_scenario
from tests.support.waiting import until

SHARE_SECONDS = 300
RESTART_SECONDS = 120


def test_two_workers_share_the_shards_and_a_killed_one_restarts(tmp_path: Path) -> None:
    """Both store records. After SIGKILL, health shows the restart and the exit code, and no record is lost."""
    with (
        a_scenario(shards=2) as scenario,
        consuming(scenario.environment(), tmp_path / "log", "--workers", "2") as consumer,
    ):
        with under_load(scenario.put):
            until(lambda: _both_work(consumer), timeout_seconds=SHARE_SECONDS)
            assert _both_work(consumer), consumer.health()
            os.kill(consumer.daemons()[0], signal.SIGKILL)
            until(consumer.restarts, timeout_seconds=RESTART_SECONDS)
            [restarted] = [worker for worker in consumer.workers() if worker["restarts"]]
            assert (restarted["restarts"], restarted["exit_code"]) == (1, -signal.SIGKILL)
        scenario.settle()
        assert consumer.health()["status"] == 200, consumer.health()
        assert consumer.stop() == 0, consumer.log()


def _both_work(consumer: Consumer) -> bool:
    """Return True if each worker has stored records of a shard."""
    workers = consumer.workers()
    return len(workers) == 2 and all(any(shard["records"] for shard in worker["shards"]) for worker in workers)
