"""A part of a consumer is killed at random moments, twenty times, while records keep coming."""

import os
import random
import signal
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests.acceptance.kcl.consumer import Consumer, consuming
from tests.acceptance.kcl.feedback import under_load
from tests.acceptance.kcl.process import children
from tests.acceptance.kcl.scenario import Scenario, a_scenario
from tests.support.waiting import until

KILLS = 20
LONGEST_LIFE_SECONDS = 14.0  # from a daemon's start to the middle of its work
START_SECONDS = 300.0


class Victim:
    """A consumer. When it is killed itself, the next one replaces it, as with an orchestrator."""

    def __init__(self, scenario: Scenario, log: Path, resources: ExitStack) -> None:
        self._chance = random.Random(20)  # noqa: S311 - no secret
        self._scenario, self._log, self._resources = scenario, log, resources
        self.consumer = self._next()

    def live(self) -> None:
        """Let it run for a random time, once there is a daemon."""
        until(lambda: bool(self.consumer.daemons()), timeout_seconds=START_SECONDS)
        time.sleep(self._chance.uniform(0, LONGEST_LIFE_SECONDS))  # no event marks a random moment

    def kill_below(self) -> None:
        """Kill a daemon or a record processor."""
        daemons = self.consumer.daemons()
        processors = [child for daemon in daemons for child in children(daemon)]
        with suppress(IndexError, ProcessLookupError):  # it has ended
            os.kill(self._chance.choice(daemons + processors[:1]), signal.SIGKILL)

    def kill(self) -> None:
        """Kill the consumer itself."""
        self.consumer.process.kill()
        self.consumer.process.wait()
        self.consumer = self._next()

    def _next(self) -> Consumer:
        return self._resources.enter_context(consuming(self._scenario.environment(), self._log))


@pytest.mark.long
@pytest.mark.timeout(1_200)
def test_a_consumer_killed_twenty_times_under_load_loses_nothing(tmp_path: Path) -> None:
    """Supervisor, daemons and record processors are killed in turn. At the end the table holds every fact."""
    with ExitStack() as resources:
        scenario = resources.enter_context(a_scenario(shards=2))
        victim = Victim(scenario, tmp_path / "log", resources)
        victim.consumer.await_shards(2)
        with under_load(scenario.put):
            for number in range(KILLS):
                victim.live()
                if number % 4 == 3:
                    victim.kill()
                else:
                    victim.kill_below()
        scenario.settle()
        assert victim.consumer.stop() == 0
