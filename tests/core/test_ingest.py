"""Existing events go into the log first, then into the table."""

from datetime import UTC, datetime

import pytest

from pipeline.batch import StreamRecord
from pipeline.errors import ArchiveUnavailable, ItemRejected, StoreUnavailable
from pipeline.ingest import IngestCounts, Ingestion
from pipeline.memory import MemoryArchive, MemoryQuarantine, MemoryStore
from pipeline.policy import DEFAULT_POLICY
from pipeline.ports import Item
from pipeline.replay import replay, store_digest
from pipeline.standing import Key
from tests.support.builders import a_bounce, a_send

ARRIVED_AT = datetime(2026, 3, 1, tzinfo=UTC)


class World:
    def __init__(self) -> None:
        self.archive, self.store, self.quarantine = MemoryArchive(), MemoryStore(), MemoryQuarantine()

    def ingest(self, *payloads: bytes) -> IngestCounts:
        records = [StreamRecord(payload=payload, position=f"f:{n}") for n, payload in enumerate(payloads, 1)]
        return self.ingestion().ingest(records, progress=lambda _: None)

    def ingestion(self) -> Ingestion:
        return Ingestion(
            archive=self.archive,
            store=self.store,
            quarantine=self.quarantine,
            policy=DEFAULT_POLICY,
            arrived_at=ARRIVED_AT,
        )

    def rows(self) -> int:
        return sum(len(rows) for rows in self.archive.rows())


def test_events_are_kept_counted_and_folded() -> None:
    world = World()
    done = world.ingest(a_send(), a_bounce(), b"[]")
    assert (dict(done.events), done.ignored, done.facts, done.written) == ({"send": 1, "bounce": 1}, 1, 1, 1)
    assert world.rows() == 2


def test_a_reject_is_named_and_kept_and_does_not_stop_the_rest() -> None:
    world = World()
    done = world.ingest(b"{oops", a_bounce())
    assert [reject.position for reject in done.rejects] == ["f:1"]
    assert [held.payload for held in world.quarantine.held] == [b"{oops"]
    assert done.written == 1


def test_taking_the_same_in_again_changes_no_fact() -> None:
    world = World()
    world.ingest(a_bounce())
    before = store_digest(world.store)
    assert world.ingest(a_bounce()).unchanged == 1
    assert store_digest(world.store) == before


def test_what_was_taken_in_is_what_a_replay_of_the_log_gives() -> None:
    world = World()
    world.ingest(a_bounce(), a_send())
    rebuilt = MemoryStore()
    replay(world.archive, store=rebuilt, policy=DEFAULT_POLICY)
    assert store_digest(rebuilt) == store_digest(world.store)


def test_more_than_is_held_at_once_is_taken_in_lots(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.ingest.ROWS_HELD", 2)
    world = World()
    world.ingest(*[a_send()] * 5)
    assert world.rows() == 5


def test_nothing_reaches_the_table_that_the_log_did_not_take(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()

    def refuse(_: object) -> None:
        raise ArchiveUnavailable

    monkeypatch.setattr(world.archive, "append", refuse)
    with pytest.raises(ArchiveUnavailable):
        world.ingest(a_bounce())
    assert list(world.store.scan()) == []


@pytest.mark.parametrize("error", [StoreUnavailable("away"), ItemRejected("too large")])
def test_a_table_that_does_not_take_it_is_told(error: Exception) -> None:
    world = World()

    class Store(MemoryStore):
        def save(self, key: Key, item: Item, *, expected: str) -> None:
            raise error

    world.store = Store()
    with pytest.raises(type(error)):
        world.ingest(a_bounce())
    assert world.rows() == 1


def test_where_there_is_nothing_to_take_in_neither_log_nor_table_is_asked() -> None:
    world = World()
    assert world.ingest() == IngestCounts()
    assert (world.rows(), list(world.store.scan())) == (0, [])


def test_a_table_that_is_being_rebuilt_gets_the_same_facts_and_is_not_counted() -> None:
    world, rebuilt = World(), MemoryStore()
    ingestion = Ingestion(
        archive=world.archive,
        store=world.store,
        shadow_stores=[rebuilt],
        quarantine=world.quarantine,
        policy=DEFAULT_POLICY,
        arrived_at=ARRIVED_AT,
    )
    done = ingestion.ingest([StreamRecord(payload=a_bounce(), position="f:1")], progress=lambda _: None)
    assert store_digest(rebuilt) == store_digest(world.store) != store_digest(MemoryStore())
    assert (done.facts, done.written) == (1, 1)
