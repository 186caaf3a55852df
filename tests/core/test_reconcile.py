"""Reconciling a slice of the log leaves the table as if nothing had been lost, and counts what was."""

from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.address import Address
from pipeline.difference import Difference
from pipeline.errors import AccessDenied, PolicyOutdated, StoreUnavailable
from pipeline.policy import DEFAULT_POLICY
from pipeline.ports import SuppressionStore
from pipeline.reconcile import GRACE, KEYS_PER_LOOK, ReconcileResult, reconcile, settled_until
from pipeline.replay import store_digest
from pipeline.standing import Evidence, FactKind, Key
from tests.support.builders import ADA, BOB, OCCURRED_AT, a_bounce, a_complaint
from tests.support.flaky import Failure, FlakyStore, Script
from tests.support.items import all_items
from tests.support.memory_fold import MemoryFold
from tests.support.rows import rows_of
from tests.support.scenario import a_batch, project
from tests.support.strategies import feedback

HOUR = timedelta(hours=1)
BOUNCE, COMPLAINT = a_bounce(), a_complaint(feedback_id="complaint")


def a_table(*payloads: bytes, rejected: Iterable[Key] = ()) -> FlakyStore:
    """Return a table that received these payloads by the stream."""
    store = FlakyStore(rejected=rejected)
    project(a_batch(*payloads), store=store)
    return store


def run(
    log: list[bytes],
    store: SuppressionStore,
    *,
    heal: bool = True,
    shadow_stores: tuple[SuppressionStore, ...] = (),
    since: datetime | None = None,
    until: datetime | None = None,
    shown: list[Difference] | None = None,
) -> ReconcileResult:
    """Reconcile a table with the log of these payloads."""
    return reconcile(
        MemoryFold(rows_of(*log)),
        store=store,
        shadow_stores=shadow_stores,
        policy=DEFAULT_POLICY,
        heal=heal,
        since=since,
        until=until,
        show=(shown if shown is not None else []).append,
    )


@given(log=st.lists(feedback, max_size=10), kept=st.randoms(use_true_random=False))
def test_a_table_that_lost_deliveries_is_healed(log: list[bytes], kept: object) -> None:
    """Whatever was lost, the table then equals one that received everything, and a second run finds nothing."""
    delivered = [payload for payload in log if kept.random() < 0.5]  # type: ignore[attr-defined]  # a Random
    live, whole = a_table(*delivered), a_table(*log)

    first = run(log, live)
    again = run(log, live)

    assert all_items(live) == all_items(whole)
    assert store_digest(live) == store_digest(whole)
    assert first.healed == first.missing + first.stale
    assert (again.missing, again.stale, again.healed) == (0, 0, 0)


@given(log=st.lists(feedback, max_size=10), failures=st.lists(st.sampled_from(Failure), max_size=8))
def test_an_interrupted_reconciliation_is_finished_by_the_next(log: list[bytes], failures: list[Failure]) -> None:
    """What was healed before an outage, a denial, a conflict or a lack of memory stays."""
    live = a_table(*log[::2])
    live.script = Script(failures)
    for _ in failures:
        with suppress(StoreUnavailable, AccessDenied, MemoryError):
            run(log, live)
    run(log, live)

    assert all_items(live) == all_items(a_table(*log))


def test_missing_items_and_items_that_lack_facts_are_counted_apart() -> None:
    """With the kinds of the facts, and each address once."""
    shown: list[Difference] = []
    table = a_table(BOUNCE)

    found = run([BOUNCE, COMPLAINT, a_bounce(recipients=[BOB], feedback_id="bob")], table, shown=shown)

    assert (found.compared, found.missing, found.stale, found.healed) == (2, 1, 1, 2)
    assert found.facts == {"hard": 1, "complaint": 1}
    assert {str(difference.key.address) for difference in shown} == {ADA, BOB}
    assert [kind for difference in shown for kind, _ in difference.missing] == [FactKind.COMPLAINT, FactKind.HARD]


def test_without_heal_nothing_is_written() -> None:
    """It only counts."""
    table = a_table()

    found = run([BOUNCE], table, heal=False)

    assert (found.missing, found.healed, all_items(table)) == (1, 0, {})


def test_a_table_with_more_than_the_slice_lacks_nothing() -> None:
    """A slice is a part of what the table knows."""
    found = run([BOUNCE], a_table(BOUNCE, COMPLAINT))

    assert (found.compared, found.missing, found.stale, found.healed) == (1, 0, 0, 0)


def test_tables_that_are_rebuilt_are_healed_too() -> None:
    """They receive the same feed, which lost the same events; the live table alone is counted."""
    live, shadow, current = a_table(), a_table(BOUNCE), a_table(BOUNCE, COMPLAINT)

    found = run([BOUNCE, COMPLAINT], live, shadow_stores=(shadow, current))

    assert all_items(live) == all_items(shadow) == all_items(current)
    assert (found.missing, found.stale, found.healed, found.shadow_healed) == (1, 0, 1, 1)


def test_an_item_that_the_table_rejects_stops_no_other() -> None:
    """It is counted, because it is never healed."""
    table = a_table(rejected=[Key(Address(BOB))])

    found = run([BOUNCE, a_bounce(recipients=[BOB], feedback_id="bob")], table)

    assert (found.missing, found.healed, found.rejected) == (2, 1, 1)
    assert [str(key.address) for key in all_items(table)] == [ADA]


def test_only_the_hours_of_the_slice_are_compared() -> None:
    """Both bounds are hours of the log."""
    log = [
        a_bounce(recipients=[f"{number}@example.com"], feedback_id=str(number), at=OCCURRED_AT + number * HOUR)
        for number in range(3)
    ]
    fold = MemoryFold([row for n, p in enumerate(log) for row in rows_of(p, arrived_at=OCCURRED_AT + n * HOUR)])
    shown: list[Difference] = []
    reconcile(
        fold,
        store=a_table(),
        policy=DEFAULT_POLICY,
        heal=False,
        since=OCCURRED_AT + HOUR,
        until=OCCURRED_AT + HOUR,
        show=shown.append,
    )

    assert [difference.key.address for difference in shown] == ["1@example.com"]


def test_many_addresses_are_loaded_a_thousand_at_a_time() -> None:
    """So that the items in memory are few, and progress is shown."""
    log = [a_bounce(recipients=[f"{n}@example.com"], feedback_id=str(n)) for n in range(KEYS_PER_LOOK + 1)]
    compared: list[int] = []
    reconcile(
        MemoryFold(rows_of(*log)),
        store=a_table(),
        policy=DEFAULT_POLICY,
        heal=True,
        since=None,
        until=None,
        progress=lambda result: compared.append(result.compared),
    )

    assert compared == [KEYS_PER_LOOK, KEYS_PER_LOOK + 1]


@pytest.mark.parametrize(
    ("minute", "last_hour"), [(0, 10), (29, 10), (30, 11), (59, 11)], ids=["full hour", "29", "30", "59"]
)
def test_a_fact_that_arrived_within_the_grace_is_not_compared(minute: int, last_hour: int) -> None:
    """The last hour ended at least thirty minutes ago, so a daily metric counts nothing that is on its way."""
    now = datetime(2026, 3, 1, 12, minute, tzinfo=UTC)
    until = settled_until(now)

    assert until == datetime(2026, 3, 1, last_hour, tzinfo=UTC)
    assert now - (until + HOUR) >= GRACE


def test_without_a_grace_the_log_is_read_to_its_end() -> None:
    """For a person who knows that nothing is on its way."""
    assert settled_until(OCCURRED_AT, timedelta(0)) is None


def test_a_newer_policy_in_the_table_stops_the_reconciliation() -> None:
    """Healing under an older policy would restore old verdicts."""
    table = FlakyStore()
    project(a_batch(COMPLAINT), store=table, policy=msgspec.structs.replace(DEFAULT_POLICY, version=2))

    with pytest.raises(PolicyOutdated):
        run([BOUNCE], table)


def test_a_difference_names_the_fact_and_its_event() -> None:
    """With its time, for a person who looks for the cause."""
    shown: list[Difference] = []
    run([BOUNCE], a_table(), shown=shown)
    [(kind, evidence)] = shown[0].missing

    assert (kind, type(evidence), len(evidence.event_id)) == (FactKind.HARD, Evidence, 32)
