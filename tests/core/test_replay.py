"""Tests of `pipeline.replay`: the log is folded into a table again."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import pytest

from pipeline.address import Address
from pipeline.decode import DECODER_VERSION
from pipeline.errors import AccessDenied, ItemRejected, StoreUnavailable
from pipeline.memory import MemoryArchive, MemoryStore
from pipeline.policy import DEFAULT_POLICY
from pipeline.replay import ReplayResult, replay, store_digest
from pipeline.row import Row
from pipeline.standing import Key
from tests.support.builders import ADA, BOB, a_bounce, a_complaint, a_send
from tests.support.flaky import Failure, FlakyStore, Script
from tests.support.rows import ARRIVED_AT, a_row

ADA_KEY, BOB_KEY = Key(Address(ADA)), Key(Address(BOB))


def an_archive(*rows: Row) -> MemoryArchive:
    archive = MemoryArchive()
    archive.append(rows)
    return archive


def test_a_replay_counts_rows_facts_and_items() -> None:
    """The second replay finds every item unchanged."""
    archive = an_archive(a_row(a_send()), a_row(a_bounce()), a_row(a_bounce(recipients=[BOB])))
    store = MemoryStore()
    assert ReplayResult(rows=3, facts=2, written=2) == replay(archive, store=store, policy=DEFAULT_POLICY)
    assert ReplayResult(rows=3, facts=2, unchanged=2) == replay(archive, store=store, policy=DEFAULT_POLICY)


def test_a_replay_is_bounded_by_event_time() -> None:
    """`since` is inclusive, and `until` is exclusive."""
    hours = [ARRIVED_AT + timedelta(hours=hour) for hour in range(4)]
    archive = an_archive(
        *(
            a_row(a_bounce(recipients=[f"{n}@example.com"]), occurred_at=at, arrived_at=hours[-1])
            for n, at in enumerate(hours)
        )
    )
    store = MemoryStore()
    replay(archive, store=store, policy=DEFAULT_POLICY, since=hours[1], until=hours[3])
    assert [key.address for key, _ in store.scan()] == ["1@example.com", "2@example.com"]


def test_the_facts_in_memory_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Facts are merged whenever enough are held."""
    monkeypatch.setattr("pipeline.replay.FACTS_HELD", 1)
    rows = [a_row(a_bounce()), a_row(a_bounce(recipients=[BOB])), a_row(a_complaint())]

    class OneByOne(MemoryArchive):
        """A log that is read one row at a time."""

        def rows(self, *, since: datetime | None = None, until: datetime | None = None) -> Iterator[Sequence[Row]]:
            """Yield one row at a time."""
            for rows in super().rows(since=since, until=until):
                yield from ([row] for row in rows)

    archive = OneByOne()
    archive.append(rows)
    written: list[int] = []
    store = FlakyStore()
    result = replay(archive, store=store, policy=DEFAULT_POLICY, progress=lambda result: written.append(result.written))
    assert (result.written, result.unchanged) == (3, 0)
    assert written == [1, 2, 3, 3]
    assert replay(archive, store=store, policy=DEFAULT_POLICY).unchanged == 3
    assert len(dict(store.scan())[ADA_KEY].standing.complaint) == 1


def test_rows_of_another_decoder_are_decoded_again() -> None:
    """The facts come from the raw text, and the table is the same as from current rows."""
    old = a_row(a_bounce(), decoder_version=DECODER_VERSION - 1, facts=())
    store, fresh = MemoryStore(), MemoryStore()
    replay(an_archive(old), store=store, policy=DEFAULT_POLICY)
    replay(an_archive(a_row(a_bounce())), store=fresh, policy=DEFAULT_POLICY)
    assert list(fresh.scan()) == list(store.scan())


def test_a_row_that_the_newer_decoder_cannot_read_has_no_facts() -> None:
    """A row whose raw text is poison now yields nothing and stops nothing."""
    old = a_row(a_bounce(), decoder_version=DECODER_VERSION - 1, raw="{oops")
    assert replay(an_archive(old), store=MemoryStore(), policy=DEFAULT_POLICY).facts == 0


def test_the_digest_shows_whether_a_table_lacks_facts() -> None:
    """It differs while a fact is missing and is equal after the repair."""
    archive, store = an_archive(a_row(a_bounce()), a_row(a_complaint())), MemoryStore()
    replay(an_archive(a_row(a_bounce())), store=store, policy=DEFAULT_POLICY)
    lacking = store_digest(store)
    replay(archive, store=store, policy=DEFAULT_POLICY)
    rebuilt = MemoryStore()
    replay(archive, store=rebuilt, policy=DEFAULT_POLICY)
    assert lacking != store_digest(store) == store_digest(rebuilt)


@pytest.mark.parametrize(
    ("failure", "error"), [(Failure.OUTAGE_BEFORE, StoreUnavailable), (Failure.DENIED, AccessDenied)]
)
def test_an_error_stops_a_replay_and_merged_items_stay(failure: Failure, error: type[Exception]) -> None:
    """An outage and a denial are raised, and the item before it is in the table."""
    archive = an_archive(a_row(a_bounce()), a_row(a_bounce(recipients=[BOB])))
    store = FlakyStore(Script([Failure.NONE, Failure.NONE, failure]))
    with pytest.raises(error):
        replay(archive, store=store, policy=DEFAULT_POLICY)
    assert [key for key, _ in store.scan()] == [ADA_KEY]


def test_a_rejected_item_stops_a_replay() -> None:
    """A replay has no quarantine, so the rejection is raised."""
    with pytest.raises(ItemRejected):
        replay(an_archive(a_row(a_bounce())), store=FlakyStore(rejected=[ADA_KEY]), policy=DEFAULT_POLICY)
