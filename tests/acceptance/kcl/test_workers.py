"""Workers that share the shards of a stream, and what becomes of those of one that dies."""

import os
import signal
from pathlib import Path

from tests.acceptance.kcl.consumer import Consumer, consuming
from tests.acceptance.kcl.load import under_load
from tests.acceptance.kcl.scenario import a_world
from tests.support.waiting import until

SHARE_SECONDS = 120
SILENT_SECONDS = 5  # what has no shard is silent for longer, but not for good


def test_two_workers_share_the_shards_and_one_that_dies_loses_nothing(tmp_path: Path) -> None:
    with a_world(shards=4) as world, consuming(world.environment(), tmp_path / "log", "--workers", "2") as consumer:
        with under_load(world):
            until(lambda: _both_work(consumer), timeout_seconds=SHARE_SECONDS)
            assert _both_work(consumer), consumer.health()
            os.kill(consumer.daemons()[0], signal.SIGKILL)
            until(lambda: _restarts(consumer) == 1, timeout_seconds=20)
            assert _restarts(consumer) == 1
        world.settle(timeout_seconds=90)
        assert consumer.stop() == 0


def _both_work(consumer: Consumer) -> bool:
    """Tell whether each has a shard whose records it has stored."""
    workers = consumer.health().get("workers", [])
    return len(workers) == 2 and all(any(shard["records"] for shard in each["shards"]) for each in workers)


def _restarts(consumer: Consumer) -> int:
    return sum(worker["restarts"] for worker in consumer.health().get("workers", []))


def test_a_daemon_to_spare_gives_signs_of_life(tmp_path: Path) -> None:
    """It has no shard of which anything could be told, and one that never gets to work has none either."""
    with a_world(shards=1) as world, consuming(world.environment(), tmp_path / "log", "--workers", "2") as consumer:
        consumer.await_shards(1)
        until(lambda: _silent_seconds(consumer) > SILENT_SECONDS, timeout_seconds=60)
        until(lambda: _silent_seconds(consumer) < SILENT_SECONDS, timeout_seconds=60)
        assert _silent_seconds(consumer) < SILENT_SECONDS, consumer.health()
        assert "DiagnosticEventLogger" not in consumer.log()


def _silent_seconds(consumer: Consumer) -> float:
    """Return for how long the one that is silent longest has been so."""
    return max((float(worker["silent_seconds"]) for worker in consumer.health().get("workers", [])), default=0.0)
