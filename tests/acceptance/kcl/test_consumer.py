"""The real daemon on one stream: each record is stored or in quarantine, whatever fails or ends.

The tests share a scenario, and consumers that follow one another. Each test works alone and in any order. The order of
the last tests saves time: the library waits two minutes for the lock of a leader that saw a split and then ended, and
a leader that was restarted takes as long to assign new shards. How a consumer starts without a lease table:
`test_policy`.
"""

import base64
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.kcl.consumer import START_SECONDS, Consumer
from tests.acceptance.kcl.feedback import feedback
from tests.acceptance.kcl.lease_table import SHARD_END
from tests.acceptance.kcl.process import children, is_running
from tests.acceptance.kcl.scenario import Scenario, a_scenario
from tests.support.waiting import until

WAIT_SECONDS = 120


def folders(consumer: Consumer) -> int:
    """Return the number of temporary folders of consumers, which follow one another in one place."""
    return len(list(consumer.folder.glob("mailfold-consume-*")))


class ConsumerSeries:
    """Consumers of a scenario, one after another."""

    def __init__(self, scenario: Scenario, folder: Path) -> None:
        self._scenario, self._folder = scenario, folder
        self._consumers: list[Consumer] = []

    def current(self) -> Consumer:
        """Return a consumer that reads every open shard. Starts one if none runs."""
        if not self._consumers or self._consumers[-1].process.poll() is not None:
            log = self._folder / f"{len(self._consumers)}.log"
            self._consumers.append(Consumer(self._scenario.environment(), log))
        consumer = self._consumers[-1]
        until(lambda: self._reads_all(consumer), timeout_seconds=START_SECONDS)
        assert self._reads_all(consumer), consumer.log()
        return consumer

    def close(self) -> None:
        """Kill the consumer that runs."""
        for consumer in self._consumers[-1:]:
            consumer.kill()

    def _reads_all(self, consumer: Consumer) -> bool:
        return self._scenario.open_shards() <= consumer.active_shards()


@pytest.fixture(scope="module")
def scenario() -> Iterator[Scenario]:
    with a_scenario(shards=2) as scenario:
        yield scenario


@pytest.fixture(scope="module")
def consumers(scenario: Scenario, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConsumerSeries]:
    series = ConsumerSeries(scenario, tmp_path_factory.mktemp("consumers"))
    yield series
    series.close()


@pytest.fixture
def consumer(consumers: ConsumerSeries) -> Consumer:
    return consumers.current()


def test_every_record_is_delivered_and_checkpointed(scenario: Scenario, consumer: Consumer) -> None:
    """The table equals the fold of all records, and each open shard has the checkpoint of a record."""
    scenario.put(feedback(50))
    scenario.settle()

    def checkpointed() -> bool:
        return all(scenario.checkpoints()[shard].isdigit() for shard in scenario.open_shards())

    until(checkpointed, timeout_seconds=WAIT_SECONDS)
    assert checkpointed(), consumer.log()


def test_health_describes_each_shard(scenario: Scenario, consumer: Consumer) -> None:
    """`/health` answers 200 with the records, the lag and the last checkpoint of each shard."""
    records = consumer.records()
    scenario.put(feedback(10))
    scenario.settle()

    def is_reported() -> bool:
        shards = [consumer.shards()[shard] for shard in consumer.active_shards()]
        is_idle = all(shard["millis_behind_latest"] == 0 and shard["checkpointed_at"] for shard in shards)
        return consumer.records() >= records + 20 and is_idle

    until(is_reported, timeout_seconds=WAIT_SECONDS)
    health = consumer.health()
    assert is_reported(), health
    assert (health["status"], health["healthy"], health["problems"]) == (200, True, [])


def test_poison_is_quarantined_with_its_bytes_and_stops_nothing(scenario: Scenario, consumer: Consumer) -> None:
    """The records around it are stored. Its document names stream and shard."""
    poison = b'{"eventType":"Bounce","mail":{}}'
    scenario.put([*feedback(5), poison, *feedback(5)])
    scenario.settle()
    until(scenario.quarantine, timeout_seconds=WAIT_SECONDS)
    [document] = scenario.quarantine()
    assert base64.b64decode(document["payload_base64"]) == poison
    assert document["position"].startswith(f"{scenario.stream} shardId-"), consumer.log()


def test_an_outage_of_the_table_delays_records_and_loses_none(scenario: Scenario, consumer: Consumer) -> None:
    """The record processors wait it out. Neither they nor their daemon restart."""
    restarts = consumer.restarts()

    def is_waiting() -> bool:
        return any(shard["state"] == "waiting" for shard in consumer.shards().values())

    scenario.outage.begin()
    scenario.put(feedback(10))
    scenario.outage.await_refusals(5, timeout_seconds=WAIT_SECONDS)
    until(is_waiting, timeout_seconds=WAIT_SECONDS)
    assert is_waiting(), consumer.log()
    scenario.outage.end()
    scenario.settle()
    assert consumer.restarts() == restarts


def test_its_output_is_lines_of_json(consumer: Consumer) -> None:
    """A log service can parse each line of the consumer, its daemon and their record processors."""
    assert [line for line in consumer.log().splitlines() if not line.startswith("{")] == []


def test_an_orderly_end_leaves_nothing_to_read_twice(
    scenario: Scenario, consumer: Consumer, consumers: ConsumerSeries
) -> None:
    """The next consumer reads what came later, and nothing else."""
    scenario.put(feedback(20))
    scenario.settle()
    assert consumer.stop() == 0, consumer.log()
    scenario.put(feedback(20))
    successor = consumers.current()
    scenario.settle()
    until(lambda: successor.records() >= 40, timeout_seconds=WAIT_SECONDS)
    assert successor.records() == 40


def test_nothing_outlives_a_killed_consumer_and_the_next_continues(
    scenario: Scenario, consumer: Consumer, consumers: ConsumerSeries
) -> None:
    """The daemon and its record processors end with their supervisor, in whatever way that ends."""
    scenario.put(feedback(20))
    processes = 2 + len(scenario.open_shards())  # itself, the daemon, and a record processor for each shard
    until(lambda: len(consumer.family()) == processes, timeout_seconds=WAIT_SECONDS)
    family = consumer.family()
    assert len(family) == processes
    consumer.process.kill()
    consumer.process.wait()
    until(lambda: not any(map(is_running, family)), timeout_seconds=WAIT_SECONDS)
    assert not any(map(is_running, family))
    scenario.put(feedback(20))
    assert folders(consumer) == 1
    successor = consumers.current()
    scenario.settle()
    assert folders(successor) == 1, "that of the killed one is removed"


def test_a_split_shard_is_read_to_its_end_then_its_children(scenario: Scenario, consumer: Consumer) -> None:
    """No record before or after the split is lost. The parent is checkpointed at its end."""
    parent = min(scenario.open_shards())
    scenario.put(feedback(20))
    scenario.split(parent)
    scenario.put(feedback(40))
    scenario.settle()
    until(lambda: scenario.checkpoints()[parent] == SHARD_END, timeout_seconds=WAIT_SECONDS)
    assert scenario.checkpoints()[parent] == SHARD_END
    assert consumer.shards()[parent]["state"] == "shard_ended"
    assert len(scenario.open_shards()) >= 3
    assert scenario.open_shards() <= consumer.active_shards()


def test_a_record_processor_that_dies_is_replaced(scenario: Scenario, consumer: Consumer) -> None:
    """Its daemon ends with it, and the supervisor starts another one, which loses nothing."""
    restarts, records = consumer.restarts(), consumer.records()
    [daemon] = consumer.daemons()
    os.kill(children(daemon)[0], signal.SIGKILL)
    scenario.put(feedback(20))
    scenario.settle()
    until(lambda: consumer.restarts() > restarts, timeout_seconds=WAIT_SECONDS)
    assert consumer.restarts() == restarts + 1, consumer.log()
    until(lambda: consumer.records() >= records + 40, timeout_seconds=WAIT_SECONDS)
    assert consumer.records() >= records + 40, "the counts of all record processors add up"
