"""The log through the projection again: healing, rebuilding, and proving a table."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from pipeline.address import Address
from pipeline.decode import DECODER_VERSION, decode
from pipeline.errors import ItemRejected, StoreUnavailable
from pipeline.event import Event
from pipeline.memory import MemoryArchive, MemoryStore
from pipeline.policy import DEFAULT_POLICY
from pipeline.replay import ReplayResult, replay, store_digest
from pipeline.row import Row, to_row
from pipeline.standing import Key
from tests.support.builders import ADA, BOB, a_bounce, a_complaint, a_send
from tests.support.flaky import Mishap, Script, UnsteadyStore

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ADA_KEY, BOB_KEY = Key(Address(ADA)), Key(Address(BOB))


def a_row(payload: bytes, *, arrived_at: datetime = NOON) -> Row:
    [event] = decode(payload)
    assert isinstance(event, Event)
    return to_row(event, arrived_at=arrived_at)


def an_archive(*rows: Row) -> MemoryArchive:
    archive = MemoryArchive()
    archive.append(rows)
    return archive


def test_a_replay_counts_rows_and_facts_and_what_it_wrote() -> None:
    archive = an_archive(a_row(a_send()), a_row(a_bounce()), a_row(a_bounce(recipients=[BOB])))
    store = MemoryStore()
    assert ReplayResult(rows=3, facts=2, written=2) == replay(archive, store=store, policy=DEFAULT_POLICY)
    assert ReplayResult(rows=3, facts=2, unchanged=2) == replay(archive, store=store, policy=DEFAULT_POLICY)


def test_only_what_arrived_in_time_is_replayed() -> None:
    """From `since` up to, not including, `until`."""
    hours = [NOON + timedelta(hours=hour) for hour in range(4)]
    archive = an_archive(
        *(a_row(a_bounce(recipients=[f"{n}@example.com"]), arrived_at=at) for n, at in enumerate(hours))
    )
    store = MemoryStore()
    replay(archive, store=store, policy=DEFAULT_POLICY, since=hours[1], until=hours[3])
    assert [key.address for key, _ in store.scan()] == ["1@example.com", "2@example.com"]


def test_what_is_held_in_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.replay.FACTS_HELD", 1)
    rows = [a_row(a_bounce()), a_row(a_bounce(recipients=[BOB])), a_row(a_complaint())]

    class OneByOne(MemoryArchive):
        """A log that gives one row at a time."""

        def rows(self, *, since: datetime | None = None, until: datetime | None = None) -> Iterator[Sequence[Row]]:
            """Give every row as a lot."""
            for lot in super().rows(since=since, until=until):
                yield from ([row_] for row_ in lot)

    archive = OneByOne()
    archive.append(rows)
    saves: list[int] = []
    store = UnsteadyStore()
    done = replay(archive, store=store, policy=DEFAULT_POLICY, progress=lambda done: saves.append(done.written))
    assert (done.written, done.unchanged) == (3, 0)
    assert saves == [1, 2, 3, 3]
    assert len(dict(store.scan())[ADA_KEY].standing.complaint) == 1


def test_rows_of_another_decoder_are_decoded_again() -> None:
    old = msgspec.structs.replace(a_row(a_bounce()), decoder_version=DECODER_VERSION - 1, facts=())
    store, fresh = MemoryStore(), MemoryStore()
    replay(an_archive(old), store=store, policy=DEFAULT_POLICY)
    replay(an_archive(a_row(a_bounce())), store=fresh, policy=DEFAULT_POLICY)
    assert list(fresh.scan()) == list(store.scan())


def test_a_row_that_the_newer_decoder_cannot_read_has_no_facts() -> None:
    old = msgspec.structs.replace(a_row(a_bounce()), decoder_version=DECODER_VERSION - 1, raw="{oops")
    assert replay(an_archive(old), store=MemoryStore(), policy=DEFAULT_POLICY).facts == 0


def test_the_digest_tells_whether_a_table_lacks_anything() -> None:
    archive, store = an_archive(a_row(a_bounce()), a_row(a_complaint())), MemoryStore()
    replay(an_archive(a_row(a_bounce())), store=store, policy=DEFAULT_POLICY)
    lacking = store_digest(store)
    replay(archive, store=store, policy=DEFAULT_POLICY)
    rebuilt = MemoryStore()
    replay(archive, store=rebuilt, policy=DEFAULT_POLICY)
    assert lacking != store_digest(store) == store_digest(rebuilt)


def test_an_outage_stops_a_replay_and_what_was_joined_stays() -> None:
    archive = an_archive(a_row(a_bounce()), a_row(a_bounce(recipients=[BOB])))
    store = UnsteadyStore(Script([Mishap.NONE, Mishap.NONE, Mishap.OUTAGE_BEFORE]))
    with pytest.raises(StoreUnavailable):
        replay(archive, store=store, policy=DEFAULT_POLICY)
    assert [key for key, _ in store.scan()] == [ADA_KEY]


def test_a_refused_item_stops_a_replay() -> None:
    with pytest.raises(ItemRejected):
        replay(an_archive(a_row(a_bounce())), store=UnsteadyStore(refused=[ADA_KEY]), policy=DEFAULT_POLICY)
