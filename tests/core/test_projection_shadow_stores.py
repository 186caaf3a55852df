"""Tests of `BatchProjector` with several tables: a record is done once every table has its facts."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.address import Address
from pipeline.memory import MemoryQuarantine, MemoryStore
from pipeline.ports import Quarantine
from pipeline.projection import BatchResult
from pipeline.standing import Key
from tests.support.builders import ADA, BOB, a_bounce, a_send
from tests.support.flaky import Failure, FlakyStore, Script
from tests.support.scenario import a_batch, project
from tests.support.strategies import records

OF_ADA, OF_BOB = a_bounce(), a_bounce(recipients=[BOB])
OUTAGE = [Failure.OUTAGE_BEFORE]
OUTAGE_AT_SECOND_SAVE = [Failure.NONE, Failure.NONE, Failure.OUTAGE_BEFORE]
DENIED_AT_SECOND_SAVE = [Failure.NONE, Failure.NONE, Failure.DENIED]

failures = st.lists(st.sampled_from(Failure), max_size=12)


def run(*payloads: bytes, tables: Sequence[MemoryStore], quarantine: Quarantine | None = None) -> BatchResult:
    live, *shadow_stores = tables
    return project(a_batch(*payloads), store=live, shadow_stores=shadow_stores, quarantine=quarantine)


def addresses(store: MemoryStore) -> set[str]:
    return {key.address for key, _ in store.scan()}


def test_every_table_receives_the_facts() -> None:
    """Items are counted for each table, events once, and so are the items that already have the facts."""
    tables, quarantine = [MemoryStore(), MemoryStore(), MemoryStore()], MemoryQuarantine()
    counts = run(OF_ADA, b"{oops", OF_BOB, a_send(), tables=tables, quarantine=quarantine).counts

    assert dict(tables[0].scan()) == dict(tables[1].scan()) == dict(tables[2].scan())
    assert addresses(tables[0]) == {ADA, BOB}
    assert (counts.events, counts.facts, counts.quarantined) == ({"bounce": 2, "send": 1}, 2, 1)
    assert (counts.written, counts.unchanged, len(quarantine.held)) == (6, 0, 1)
    again = run(OF_ADA, OF_BOB, tables=tables).counts
    assert (again.written, again.unchanged) == (0, 6)


@pytest.mark.parametrize(
    ("scripts", "failed_at"),
    [
        (([], OUTAGE), 1),
        (([], OUTAGE_AT_SECOND_SAVE), 2),
        (([], DENIED_AT_SECOND_SAVE), 2),
        ((OUTAGE, []), 1),
        ((OUTAGE_AT_SECOND_SAVE, []), 1),  # Bob's facts are in no table, and Ada's are not in the second
        ((DENIED_AT_SECOND_SAVE, []), 1),
    ],
)
def test_a_failing_table_stops_at_the_first_pending_record(
    scripts: tuple[list[Failure], list[Failure]], failed_at: int
) -> None:
    """A record is done only once all tables have its facts."""
    tables = [FlakyStore(Script(script)) for script in scripts]
    assert run(a_send(), OF_ADA, OF_BOB, tables=tables).failed_at == failed_at


def test_an_outage_stops_before_the_tables_that_follow() -> None:
    """The failing table has used up the time of the batch."""
    tables = [FlakyStore(Script(OUTAGE)), MemoryStore()]
    assert run(OF_ADA, tables=tables).failed_at == 0
    assert addresses(tables[1]) == set()


@pytest.mark.parametrize("position", [0, 1])
def test_a_record_that_one_table_rejects_is_quarantined(position: int) -> None:
    """Whichever table it is; the other has its facts."""
    tables, quarantine = [MemoryStore(), MemoryStore()], MemoryQuarantine()
    tables[position] = FlakyStore(rejected=[Key(Address(ADA))])
    run(OF_ADA, tables=tables, quarantine=quarantine)
    [held] = quarantine.held
    assert (held.reason, addresses(tables[1 - position])) == ("the store rejects its facts: too large", {ADA})


def test_a_rejected_record_with_a_pending_fact_is_not_quarantined_yet() -> None:
    """It is delivered again, and quarantined once its other facts are stored."""
    store, quarantine = FlakyStore(Script(OUTAGE_AT_SECOND_SAVE), rejected=[Key(Address(ADA))]), MemoryQuarantine()
    of_both = a_bounce(recipients=[ADA, BOB])
    assert run(of_both, tables=[store], quarantine=quarantine).failed_at == 0
    assert quarantine.held == []
    assert run(of_both, tables=[store], quarantine=quarantine).failed_at is None
    assert (len(quarantine.held), addresses(store)) == (1, {BOB})


def test_a_record_that_several_tables_reject_is_quarantined_once() -> None:
    """One rejection is enough, and the other tables keep the facts."""
    rejecting, quarantine = FlakyStore(rejected=[Key(Address(ADA))]), MemoryQuarantine()
    tables = [MemoryStore(), rejecting, rejecting]
    counts = run(OF_ADA, OF_BOB, tables=tables, quarantine=quarantine).counts

    assert [held.payload for held in quarantine.held] == [OF_ADA]
    assert counts.quarantined == 1
    assert (addresses(tables[0]), addresses(rejecting)) == ({ADA, BOB}, {BOB})


@given(st.lists(records, max_size=6), failures, failures)
def test_all_tables_are_equal_after_any_failures(
    payloads: list[bytes], of_live: list[Failure], of_shadow: list[Failure]
) -> None:
    """Both tables equal one that received the records without a failure."""
    tables, single = [FlakyStore(Script(of_live)), FlakyStore(Script(of_shadow))], MemoryStore()
    first = 0
    while (failed_at := run(*payloads[first:], tables=tables).failed_at) is not None:
        first += failed_at

    run(*payloads, tables=[single])
    assert dict(tables[0].scan()) == dict(tables[1].scan()) == dict(single.scan())
