"""Of several tables each gets all facts, and a record is done once every one of them has its facts."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.address import Address
from pipeline.batch import Counts, StreamRecord
from pipeline.errors import PartialBatchFailure
from pipeline.memory import MemoryQuarantine, MemoryStore
from pipeline.policy import DEFAULT_POLICY
from pipeline.ports import Quarantine
from pipeline.projection import BatchProjector, project
from pipeline.standing import Key
from tests.support.builders import ADA, BOB, a_bounce, a_send
from tests.support.flaky import Mishap, Script, UnsteadyStore
from tests.support.strategies import records

OF_ADA, OF_BOB = a_bounce(), a_bounce(recipients=[BOB])
AWAY = [Mishap.OUTAGE_BEFORE]
AWAY_AT_SECOND_SAVE = [Mishap.NONE, Mishap.NONE, Mishap.OUTAGE_BEFORE]

mishaps = st.lists(st.sampled_from(Mishap), max_size=12)


def batch(*payloads: bytes) -> list[StreamRecord]:
    return [StreamRecord(payload=payload, position=str(number)) for number, payload in enumerate(payloads)]


def run(*payloads: bytes, tables: Sequence[MemoryStore], quarantine: Quarantine | None = None) -> Counts:
    live, *shadow_stores = tables
    held = MemoryQuarantine() if quarantine is None else quarantine
    return project(batch(*payloads), store=live, shadow_stores=shadow_stores, quarantine=held, policy=DEFAULT_POLICY)


def addresses(store: MemoryStore) -> set[str]:
    return {key.address for key, _ in store.scan()}


def test_every_table_gets_the_facts_and_an_event_counts_once() -> None:
    tables, quarantine = [MemoryStore(), MemoryStore(), MemoryStore()], MemoryQuarantine()
    tally = run(OF_ADA, b"{oops", OF_BOB, a_send(), tables=tables, quarantine=quarantine)

    assert dict(tables[0].scan()) == dict(tables[1].scan()) == dict(tables[2].scan())
    assert addresses(tables[0]) == {ADA, BOB}
    assert (tally.events, tally.facts, tally.quarantined) == ({"bounce": 2, "send": 1}, 2, 1)
    assert (tally.written, len(quarantine.held)) == (6, 1)


@pytest.mark.parametrize(
    ("scripts", "first"),
    [
        (([], AWAY), 1),
        (([], AWAY_AT_SECOND_SAVE), 2),
        ((AWAY, []), 1),
        ((AWAY_AT_SECOND_SAVE, []), 1),  # Bob's is done in no table, and Ada's not in the second
    ],
)
def test_an_outage_of_any_table_names_the_first_record_that_not_all_of_them_have(
    scripts: tuple[list[Mishap], list[Mishap]], first: int
) -> None:
    tables = [UnsteadyStore(Script(script)) for script in scripts]
    with pytest.raises(PartialBatchFailure) as stopped:
        run(a_send(), OF_ADA, OF_BOB, tables=tables)
    assert stopped.value.failed_at == first


def test_an_outage_leaves_the_tables_after_it_alone() -> None:
    """A table that is away has taken its time already."""
    tables = [UnsteadyStore(Script(AWAY)), MemoryStore()]
    with pytest.raises(PartialBatchFailure):
        run(OF_ADA, tables=tables)
    assert addresses(tables[1]) == set()


def test_what_only_one_table_refuses_is_set_aside_once() -> None:
    refusing, quarantine = UnsteadyStore(refused=[Key(Address(ADA))]), MemoryQuarantine()
    tables = [MemoryStore(), refusing, refusing]
    tally = run(OF_ADA, OF_BOB, tables=tables, quarantine=quarantine)

    assert [held.payload for held in quarantine.held] == [OF_ADA]
    assert tally.quarantined == 1
    assert (addresses(tables[0]), addresses(refusing)) == ({ADA, BOB}, {BOB})


def test_a_projector_writes_to_all_its_tables() -> None:
    live, other = MemoryStore(), MemoryStore()
    projector = BatchProjector(store=live, shadow_stores=[other], quarantine=MemoryQuarantine(), policy=DEFAULT_POLICY)
    assert projector.project(batch(OF_ADA)).failed_at is None
    assert dict(live.scan()) == dict(other.scan()) != {}


@given(st.lists(records, max_size=6), mishaps, mishaps)
def test_through_any_outages_all_tables_end_up_as_one_that_was_alone(
    payloads: list[bytes], of_live: list[Mishap], of_other: list[Mishap]
) -> None:
    tables, alone = [UnsteadyStore(Script(of_live)), UnsteadyStore(Script(of_other))], MemoryStore()
    rest = payloads
    while rest:
        try:
            run(*rest, tables=tables)
            rest = []
        except PartialBatchFailure as stopped:
            rest = rest[stopped.failed_at :]

    if payloads:
        run(*payloads, tables=[alone])
    assert dict(tables[0].scan()) == dict(tables[1].scan()) == dict(alone.scan())
