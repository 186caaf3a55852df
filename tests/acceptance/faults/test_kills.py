"""The record processor's process is killed at random moments, over and over, while records keep coming."""

import signal
import time
from collections.abc import Iterator
from random import Random

import pytest

from pipeline.aws.settings import CHECKPOINT_SECONDS
from tests.support.builders import a_bounce, a_complaint
from tests.support.processor_cloud import Cloud, moto_process
from tests.support.record_processor_client import Disconnected, RecordProcessorClient, records

BATCH = 20
LONGEST_LIFE_SECONDS = 0.3  # of a batch, which takes about a third of it
BATCHES_IN_A_LIFE = 3
KILLS, SOAK_KILLS = 8, 1_000
SOAK_SECONDS = 3_600


class Shard:
    """A shard's records, and its checkpoint: the number of records that are acknowledged.

    Attributes:
        people: Whose feedback was put, in order.
        checkpoint: Number of acknowledged records.
    """

    def __init__(self) -> None:
        self.people: list[str] = []
        self.checkpoint = 0

    def batch(self) -> list[bytes]:
        """Put new records, and return those after the checkpoint."""
        for _ in range(BATCH // 2):
            self.people.append(f"person{len(self.people)}@example.com")
        return [feedback(person) for person in self.people[self.checkpoint :][:BATCH]]


def feedback(person: str) -> bytes:
    """Return a person's bounce or complaint."""
    make = a_bounce if person < "person5" else a_complaint
    return make(recipients=[person], feedback_id=person, messageId=person)


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    """Yield a table and a bucket in a process of their own."""
    with moto_process() as url:
        cloud = Cloud(url)
        cloud.create_table()
        yield cloud


def live_and_die(shard: Shard, cloud: Cloud, chance: Random) -> None:
    """Run a process for some batches, and kill it at a random moment of the last one."""
    with RecordProcessorClient({**cloud.environment, CHECKPOINT_SECONDS: "0"}) as process:
        process.initialize()
        for _ in range(chance.randrange(BATCHES_IN_A_LIFE)):
            work(shard, process)
        batch = shard.batch()
        process.send({"action": "processRecords", "records": records(*batch), "millisBehindLatest": 0})
        time.sleep(chance.uniform(0, LONGEST_LIFE_SECONDS))  # no event marks a random moment
        process.signal(signal.SIGKILL)
        if checkpoint_requested(process):
            shard.checkpoint += len(batch)


def work(shard: Shard, process: RecordProcessorClient) -> None:
    """Let a process handle one batch, and keep its checkpoint."""
    batch = shard.batch()
    reaction = process.process(records(*batch))
    assert reaction.acknowledged == "processRecords"
    assert len(reaction.checkpoints) == 1
    shard.checkpoint += len(batch)


def checkpoint_requested(process: RecordProcessorClient) -> bool:
    """Return whether a killed process had requested a checkpoint. The daemon writes it all the same."""
    try:
        while process.receive()["action"] != "checkpoint":
            pass
    except Disconnected:
        return False
    return True


def kill(times: int, cloud: Cloud, *, seed: int) -> None:
    """Kill so many processes, let one finish, and compare the table with all that was put."""
    shard, chance = Shard(), Random(seed)  # noqa: S311 - a simulation
    for _ in range(times):
        live_and_die(shard, cloud, chance)
    with RecordProcessorClient({**cloud.environment, CHECKPOINT_SECONDS: "0"}) as process:
        process.initialize()
        while shard.checkpoint < len(shard.people):
            work(shard, process)
        assert process.close() == 0
    assert cloud.suppressed() == set(shard.people)
    assert cloud.quarantined() == {}


@pytest.mark.slow
def test_killed_processes_lose_nothing(cloud: Cloud) -> None:
    """The table suppresses all people whose feedback was put, and no record is blamed."""
    kill(KILLS, cloud, seed=1)


@pytest.mark.soak
@pytest.mark.timeout(SOAK_SECONDS)
def test_a_thousand_killed_processes_lose_nothing(cloud: Cloud) -> None:
    """The same, much longer."""
    kill(SOAK_KILLS, cloud, seed=2)
