"""How a consumer ends, in good ways and bad, and that the next one goes on where it was."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.kcl.consumer import Consumer, consuming
from tests.acceptance.kcl.feedback import feedback
from tests.acceptance.kcl.process import children, lives
from tests.acceptance.kcl.scenario import World, a_world
from tests.support.waiting import until

SETTLE_SECONDS = 60


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with a_world(shards=2) as world:
        yield world


def test_a_consumer_that_is_asked_to_end_does_so_and_the_next_reads_nothing_twice(world: World, tmp_path: Path) -> None:
    world.put(feedback(20))
    with consuming(world.environment(), tmp_path / "log") as consumer:
        consumer.await_shards(2)
        world.settle(timeout_seconds=SETTLE_SECONDS)
        assert consumer.stop() == 0, consumer.log()
    world.put(feedback(20))
    with consuming(world.environment(), tmp_path / "log of the next") as consumer:
        consumer.await_shards(2)
        world.settle(timeout_seconds=SETTLE_SECONDS)
        until(lambda: _records(consumer) >= 40, timeout_seconds=20)
        assert _records(consumer) == 40


def test_nothing_of_a_consumer_outlives_it_and_the_next_goes_on(world: World, tmp_path: Path) -> None:
    with consuming(world.environment(), tmp_path / "log") as consumer:
        consumer.await_shards(2)
        world.put(feedback(20))
        family = _family(consumer)
        assert len(family) == 4  # itself, the daemon, and a record processor for each shard
        consumer.process.kill()
        consumer.process.wait()
        until(lambda: not any(map(lives, family)), timeout_seconds=60)
        assert not any(map(lives, family))
    world.put(feedback(20))
    with consuming(world.environment(), tmp_path / "log of the next") as consumer:
        world.settle(timeout_seconds=90)


def test_whatever_dies_below_a_consumer_is_started_again(world: World, tmp_path: Path) -> None:
    with consuming(world.environment(), tmp_path / "log") as consumer:
        consumer.await_shards(2)
        world.put(feedback(20))
        [daemon] = consumer.daemons()
        os.kill(daemon, signal.SIGKILL)
        until(lambda: consumer.health().get("status") == 503, timeout_seconds=10)
        assert consumer.health().get("problems")
        world.put(feedback(20))
        world.settle(timeout_seconds=60)
        health = consumer.health()
        assert (health["status"], health["workers"][0]["restarts"], health["workers"][0]["exit_code"]) == (200, 1, -9)
        [daemon] = consumer.daemons()
        os.kill(children(daemon)[0], signal.SIGKILL)  # a record processor, which takes its daemon along
        world.put(feedback(20))
        world.settle(timeout_seconds=90)
        assert consumer.health()["workers"][0]["restarts"] == 2


def _records(consumer: Consumer) -> int:
    return sum(int(shard["records"]) for shard in consumer.shards().values())


def _family(consumer: Consumer) -> list[int]:
    daemons = consumer.daemons()
    return [consumer.process.pid, *daemons, *(child for daemon in daemons for child in children(daemon))]
