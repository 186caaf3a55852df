"""The drill proves the table equal to the log, or names every fact that only one of them has."""

from collections.abc import Iterator, Mapping
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from pipeline.adoption import evidence_records
from pipeline.digest import digest
from pipeline.drill import DrillResult, SettledDifference, Sides, drill
from pipeline.fact import Fact
from pipeline.memory import MemoryStore
from pipeline.policy import DEFAULT_POLICY
from pipeline.ports import SuppressionStore
from pipeline.reconcile import reconcile
from pipeline.replay import store_digest
from pipeline.standing import NOTHING_KNOWN, FactKind, Key
from pipeline.timestamp import to_ms
from tests.support.builders import BOB, OCCURRED_AT, a_bounce, a_complaint
from tests.support.facts import facts_of
from tests.support.memory_fold import MemoryFold
from tests.support.rows import rows_of
from tests.support.scenario import a_batch, project
from tests.support.strategies import feedback

BOUNCE, COMPLAINT = a_bounce(), a_complaint(feedback_id="complaint")
LATER = OCCURRED_AT + timedelta(days=9)


def a_table(*payloads: bytes) -> MemoryStore:
    store = MemoryStore()
    project(a_batch(*payloads), store=store)
    return store


def sides(log: MemoryFold, store: SuppressionStore, newest: MemoryFold) -> Iterator[Mapping[Key, Sides]]:
    """Yield what `comparison.all_sides` does, of a log, a table, and the newest hours of the log."""
    [whole], [late] = log.standings(), newest.standings()
    table = {key: item.standing for key, item in store.scan()}
    yield {
        key: Sides(*(side.get(key, NOTHING_KNOWN) for side in (whole, table, late))) for key in {*whole, *table, *late}
    }


def run(
    log: MemoryFold,
    store: SuppressionStore,
    *,
    newest: MemoryFold | None = None,
    visible_before_ms: int = to_ms(LATER),
    shown: list[SettledDifference] | None = None,
    now: SuppressionStore | None = None,
) -> DrillResult:
    """Drill; `now` is the table when an item is loaded again."""
    return drill(
        sides(log, store, newest or MemoryFold()),
        store=now or store,
        visible_before_ms=visible_before_ms,
        show=(shown if shown is not None else []).append,
    )


def a_log(*payloads: bytes) -> MemoryFold:
    return MemoryFold(rows_of(*payloads))


@given(payloads=st.lists(feedback, max_size=10))
def test_a_table_that_received_everything_is_proved(payloads: list[bytes]) -> None:
    """Both digests are those of the table, and nothing differs."""
    table = a_table(*payloads)

    result = run(a_log(*payloads), table)

    assert result.is_proved
    assert result.log_digest == result.table_digest == store_digest(table)
    assert (result.compared, result.in_flight) == (len(list(table.scan())), 0)


@given(log=st.lists(feedback, max_size=8), delivered=st.lists(feedback, max_size=8))
def test_healing_and_adopting_every_difference_proves_the_table(log: list[bytes], delivered: list[bytes]) -> None:
    """Whatever either side lost: afterwards the digests are equal, and a second drill finds nothing."""
    table, fold, shown = a_table(*delivered), a_log(*log), list[SettledDifference]()
    first = run(fold, table, shown=shown)
    adopted = [record.payload for found in shown for record in evidence_records(found.key, found.extra)]
    fold.append(rows_of(*adopted, arrived_at=LATER))
    reconcile(fold, store=table, policy=DEFAULT_POLICY, heal=True, since=None, until=None)

    second = run(fold, table)

    assert first.is_proved == (first.log_digest == first.table_digest) == (not shown)
    assert second.is_proved
    assert second.log_digest == second.table_digest == store_digest(table)


def test_a_difference_names_each_fact_that_only_one_side_has() -> None:
    """With kind, time and event, address by address."""
    shown: list[SettledDifference] = []
    hard, complaint = facts_of(BOUNCE)[0], facts_of(COMPLAINT)[0]
    other = facts_of(a_bounce(recipients=[BOB], feedback_id="bob"))[0]

    result = run(a_log(BOUNCE, a_bounce(recipients=[BOB], feedback_id="bob")), a_table(COMPLAINT), shown=shown)

    assert (result.missing, result.stale, result.extra, result.in_flight) == (1, 1, 1, 0)
    assert (result.missing_facts, result.extra_facts) == ({"hard": 2}, {"complaint": 1})
    assert not result.is_proved
    by_key = {found.key: found for found in shown}
    assert (by_key[hard.key].missing, by_key[hard.key].extra) == (_pairs(hard), _pairs(complaint))
    assert (by_key[other.key].missing, by_key[other.key].has_item) == (_pairs(other), False)


def test_a_fact_that_the_table_has_by_now_is_in_flight() -> None:
    """It arrived while the drill ran: the item is loaded again before a difference counts."""
    result = run(a_log(BOUNCE), a_table(), now=a_table(BOUNCE))

    assert (result.in_flight, result.is_proved) == (1, True)
    assert result.log_digest != result.table_digest


def test_a_fact_of_the_newest_hours_may_not_be_in_the_table_yet() -> None:
    """It arrived minutes ago, and a later reconciliation compares it."""
    result = run(a_log(BOUNCE), a_table(), newest=a_log(BOUNCE))

    assert (result.in_flight, result.is_proved) == (1, True)


def test_a_fact_that_reached_the_log_during_the_drill_is_not_lost_to_it() -> None:
    """The newest hours of the log are read last."""
    result = run(a_log(), a_table(BOUNCE), newest=a_log(BOUNCE))

    assert (result.extra, result.in_flight, result.is_proved) == (0, 0, True)
    assert (
        result.log_digest
        == result.table_digest
        == digest([(key, item.standing) for key, item in a_table(BOUNCE).scan()])
    )


def test_the_newest_hours_of_the_log_belong_to_it() -> None:
    """Of an address with another difference too."""
    shown: list[SettledDifference] = []
    run(a_log(), a_table(BOUNCE, COMPLAINT), newest=a_log(BOUNCE), shown=shown)

    assert [kind for kind, _ in shown[0].extra] == [FactKind.COMPLAINT]


def test_a_fact_of_the_last_days_may_not_be_visible_in_the_log_yet() -> None:
    """Firehose buffers, and tries for a day to deliver."""
    at_ms = facts_of(BOUNCE)[0].evidence.at_ms

    young = run(a_log(), a_table(BOUNCE), visible_before_ms=at_ms)
    old = run(a_log(), a_table(BOUNCE), visible_before_ms=at_ms + 1)

    assert (young.extra, young.in_flight, young.is_proved) == (0, 1, True)
    assert (old.extra, old.extra_facts, old.is_proved) == (1, {"hard": 1}, False)


def test_what_is_in_flight_hides_no_other_fact_of_the_same_address() -> None:
    """Each fact is judged by itself."""
    shown: list[SettledDifference] = []
    result = run(a_log(BOUNCE, COMPLAINT), a_table(), newest=a_log(COMPLAINT), shown=shown)

    assert (result.missing, result.in_flight) == (1, 0)
    assert [kind for kind, _ in shown[0].missing] == [FactKind.HARD]


def test_nothing_is_written() -> None:
    """A drill is safe on any table."""
    table = a_table(COMPLAINT)
    before = dict(table.scan())
    run(a_log(BOUNCE), table)

    assert dict(table.scan()) == before


def _pairs(fact: Fact) -> tuple[tuple[FactKind, object], ...]:
    return ((fact.kind, fact.evidence),)
