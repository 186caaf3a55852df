"""The steps of a rebuild, the fold into its table, and the comparison of log, new table and live table."""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.address import Address
from pipeline.batch import group_by_key
from pipeline.digest import digest
from pipeline.errors import UsageError
from pipeline.fact import facts
from pipeline.memory import MemoryStore
from pipeline.policy import DEFAULT_POLICY
from pipeline.projection import merge_fully
from pipeline.rebuild import (
    ALLOWED_STEPS,
    KEYS_PER_MERGE,
    NEXT_STEP,
    FoldResult,
    Rebuild,
    RebuildCommand,
    RebuildStep,
    check_allowed,
    fold_into,
    new_table_name,
)
from pipeline.rebuild_comparison import Witnesses, compare_tables, event_ids, look_again, unlogged
from pipeline.standing import NOTHING_KNOWN, Key, Standing, join
from tests.support.builders import ADA, BOB, OCCURRED_AT, a_bounce, a_complaint
from tests.support.scenario import an_event
from tests.support.strategies import standings

KEY = Key(Address(ADA))
HARD, COMPLAINT = (group_by_key(facts(an_event(payload)))[KEY] for payload in (a_bounce(), a_complaint()))


def a_rebuild(step: RebuildStep) -> Rebuild:
    return Rebuild(
        id="1", holder="ann", begun_at=OCCURRED_AT, held_until=OCCURRED_AT, old_table="old", new_table="new", step=step
    )


class AFold:
    """A fold of these standings, in one part."""

    def __init__(self, found: Mapping[Key, Standing]) -> None:
        self._found = found

    def standings(
        self, *, since: datetime | None = None, until: datetime | None = None
    ) -> Iterator[Mapping[Key, Standing]]:
        """See `ports.LogFold`."""
        assert since is until is None
        yield self._found


@pytest.mark.parametrize("step", RebuildStep)
def test_at_every_step_there_is_a_way_on_and_a_way_out(step: RebuildStep) -> None:
    """No crash leaves a rebuild that nothing can end."""
    possible = {command for command, steps in ALLOWED_STEPS.items() if step in steps}
    assert possible & {RebuildCommand.CANCEL, RebuildCommand.FINISH, RebuildCommand.ROLLBACK}
    assert step not in NEXT_STEP or RebuildCommand.RESUME in possible
    for command in RebuildCommand:
        if command in possible:
            check_allowed(a_rebuild(step), command)
        else:
            with pytest.raises(UsageError, match=f"--{command} is not possible: ann rebuilds old into new since 2026"):
                check_allowed(a_rebuild(step), command)


def test_a_new_table_has_a_name_that_the_roles_allow() -> None:
    """And does not grow with every rebuild."""
    assert new_table_name("any", OCCURRED_AT, stack="mail")[1] == "mail-suppression-20260301t120002-0000"
    _, first = new_table_name("suppression", OCCURRED_AT, stack=None)
    assert first == new_table_name(first, OCCURRED_AT, stack=None)[1] == "suppression-20260301t120002-0000"


def test_a_fold_writes_each_address_once_and_nothing_when_it_is_repeated() -> None:
    """Many parts are merged at a time, each of a bounded number of addresses."""
    found = {Key(Address(f"{number}@example.com")): HARD for number in range(KEYS_PER_MERGE + 1)}
    store, shown = MemoryStore(), list[int]()

    def progress(so_far: FoldResult) -> None:
        shown.append(so_far.folded)

    first = fold_into(AFold(found), store=store, policy=DEFAULT_POLICY, progress=progress)
    again = fold_into(AFold(found), store=store, policy=DEFAULT_POLICY)

    assert (first.written, first.unchanged, shown) == (len(found), 0, [KEYS_PER_MERGE, len(found)])
    assert (again.written, again.unchanged) == (0, len(found))


three = st.builds(Witnesses, standings, standings, standings)


@given(witnesses=three)
def test_a_comparison_says_what_each_side_lacks(witnesses: Witnesses) -> None:
    """For any facts: nothing is lacking exactly if a join adds nothing."""
    comparison = compare_tables([{KEY: witnesses}])
    comparison.count_gone()

    assert comparison.is_proved == (join(witnesses.new, witnesses.log) == witnesses.new)
    assert bool(comparison.disappearing) == (join(witnesses.new, witnesses.live) != witnesses.new)
    assert bool(comparison.appearing) == (join(witnesses.live, witnesses.new) != witnesses.live)
    assert comparison.log_digest == digest([(KEY, witnesses.log)])
    assert (comparison.new_digest == comparison.live_digest) == (witnesses.new == witnesses.live)


def test_facts_that_the_log_does_not_show_yet_are_no_difference() -> None:
    """They came from live traffic, into both tables."""
    comparison = compare_tables([{KEY: Witnesses(NOTHING_KNOWN, HARD, HARD)}])
    assert (comparison.is_proved, comparison.ahead, comparison.gone, comparison.appearing) == (True, 1, {}, Counter())


def test_a_second_look_finds_only_what_is_still_different() -> None:
    """A projector writes the live table first, and then the new one."""
    new, live = MemoryStore(), MemoryStore()
    bob = Key(Address(BOB))
    merge_fully({KEY: HARD, bob: HARD}, store=live, policy=DEFAULT_POLICY)
    merge_fully({KEY: HARD, bob: COMPLAINT}, store=new, policy=DEFAULT_POLICY)

    found = look_again([KEY, bob], new=new, live=live)

    assert list(found) == [bob]
    assert [kind for kind, _ in found[bob].extra] == ["hard"]


def test_a_fact_is_unlogged_if_its_event_is_not_in_the_log() -> None:
    """One whose event is there is corrected."""
    comparison = compare_tables([{KEY: Witnesses(NOTHING_KNOWN, NOTHING_KNOWN, HARD)}])
    gone = list(comparison.gone.values())

    assert unlogged(gone, frozenset()) == gone
    assert unlogged(gone, event_ids(gone)) == []
