"""What one consumer makes of a stream, by the real daemon: each record is stored or in quarantine, whatever happens.

It begins without a lease table, as every application does for the first time.
"""

import base64
from collections.abc import Iterator

import pytest

from tests.acceptance.kcl.consumer import Consumer, consuming
from tests.acceptance.kcl.feedback import feedback
from tests.acceptance.kcl.scenario import World, a_world
from tests.support.waiting import until

SETTLE_SECONDS = 60


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with a_world(shards=2, seeded=False) as world:
        yield world


@pytest.fixture(scope="module")
def consumer(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Consumer]:
    with consuming(world.environment(), tmp_path_factory.mktemp("consumer") / "log") as consumer:
        consumer.await_shards(2)
        yield consumer


def test_every_record_is_delivered_and_its_checkpoint_written(world: World, consumer: Consumer) -> None:
    world.put(feedback(50))
    world.settle(timeout_seconds=SETTLE_SECONDS)
    until(lambda: all(found.isdigit() for found in world.checkpoints().values()), timeout_seconds=20)
    assert all(found.isdigit() for found in world.checkpoints().values())


def test_the_health_endpoint_tells_of_each_shard(world: World, consumer: Consumer) -> None:
    before = sum(shard["records"] for shard in consumer.shards().values())
    world.put(feedback(10))
    world.settle(timeout_seconds=SETTLE_SECONDS)

    def told() -> bool:
        shards = consumer.shards().values()
        return sum(shard["records"] for shard in shards) >= before + 20 and not any(
            shard["millis_behind_latest"] for shard in shards
        )

    until(told, timeout_seconds=20)
    health = consumer.health()
    assert told(), health
    assert (health["status"], health["healthy"], health["problems"]) == (200, True, [])
    assert all(shard["checkpointed_at"] for shard in consumer.shards().values())


def test_a_poison_record_is_set_aside_with_its_bytes_and_stops_nobody(world: World, consumer: Consumer) -> None:
    poison = b'{"eventType":"Bounce","mail":{}}'
    world.put([*feedback(5), poison, *feedback(5)])
    world.settle(timeout_seconds=SETTLE_SECONDS)
    until(lambda: any(world.quarantine()), timeout_seconds=20)
    [kept] = world.quarantine()
    assert base64.b64decode(kept["payload_base64"]) == poison
    assert kept["position"].startswith(f"{world.stream} shardId-")


def test_an_outage_of_the_table_delays_and_loses_nothing(world: World, consumer: Consumer) -> None:
    world.outage.begin()
    world.put(feedback(10))
    world.outage.await_refusals(5, timeout_seconds=30)
    until(lambda: any(shard["state"] == "waiting" for shard in consumer.shards().values()), timeout_seconds=90)
    assert any(shard["state"] == "waiting" for shard in consumer.shards().values()), consumer.log()
    world.outage.end()
    world.settle(timeout_seconds=90)
    assert consumer.health()["workers"][0]["restarts"] == 0


def test_a_split_shard_is_read_to_its_end_and_then_its_children(world: World, consumer: Consumer) -> None:
    world.put(feedback(20))
    world.split("shardId-000000000000")
    world.put(feedback(40))
    world.settle(timeout_seconds=SETTLE_SECONDS)
    assert world.checkpoints()["shardId-000000000000"] == "SHARD_END"
    assert consumer.shards()["shardId-000000000000"]["state"] == "shard_ended"
    assert len(consumer.shards()) == 4


def test_nothing_is_written_but_lines_of_json(consumer: Consumer) -> None:
    assert [line for line in consumer.log().splitlines() if not line.startswith("{")] == []
