"""Where the real daemon starts to read: at the start of the command, and never at another stream's checkpoints."""

import os
import signal
from pathlib import Path

from tests.acceptance.kcl.consumer import consuming
from tests.acceptance.kcl.feedback import feedback
from tests.acceptance.kcl.scenario import a_scenario
from tests.support.waiting import until

WAIT_SECONDS = 240


def test_latest_skips_nothing_while_a_daemon_is_down(tmp_path: Path) -> None:
    """What comes after the start of the command is read, though no daemon had a shard yet, and the first one died."""
    with (
        a_scenario(shards=1, checkpoint="AT_TIMESTAMP") as scenario,
        consuming(scenario.environment(), tmp_path / "log", "--from", "latest") as consumer,
    ):
        until(lambda: consumer.health() and consumer.daemons(), timeout_seconds=WAIT_SECONDS)
        scenario.put(feedback(10))
        os.kill(consumer.daemons()[0], signal.SIGKILL)
        until(consumer.restarts, timeout_seconds=WAIT_SECONDS)
        scenario.put(feedback(10))
        scenario.settle()


def test_a_recreated_stream_ends_the_consumer_with_the_reason(tmp_path: Path) -> None:
    """Its shards have the old ones' ids. The library would retry the old checkpoints for ever, and look healthy."""
    with a_scenario(shards=1) as scenario:
        with consuming(scenario.environment(), tmp_path / "first") as first:
            first.await_shards(1)
            scenario.put(feedback(1))
            scenario.settle()
            assert first.stop() == 0, first.log()
        scenario.recreate_stream()
        with consuming(scenario.environment(), tmp_path / "second") as second:
            assert second.process.wait(WAIT_SECONDS) == 2
        assert "has checkpoints of another stream" in second.log()
