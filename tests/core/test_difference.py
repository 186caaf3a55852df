"""The difference of log and table names every fact that only one of them has."""

from hypothesis import given

from pipeline.address import Address
from pipeline.difference import Difference, differences
from pipeline.standing import NOTHING_KNOWN, Evidence, FactKind, Key, Standing, fold, join
from tests.support.strategies import standings

KEY = Key(Address("ann@example.com"))
OLD, NEW = Evidence(at_ms=1, event_id="old"), Evidence(at_ms=2, event_id="new")


def a_difference(log: Standing, table: Standing) -> Difference:
    return Difference(key=KEY, log=log, table=table)


def test_equal_standings_are_no_difference() -> None:
    """The pairs of other keys are."""
    other = Key(Address("bob@example.com"))
    standing = Standing(hard=(OLD,))

    found = list(differences([{KEY: (standing, standing)}, {other: (standing, NOTHING_KNOWN)}]))

    assert found == [Difference(key=other, log=standing, table=NOTHING_KNOWN)]


def test_a_fact_that_only_the_log_has_is_missing() -> None:
    """It heals the table."""
    found = a_difference(Standing(hard=(OLD, NEW)), Standing(hard=(OLD,)))

    assert (found.missing, found.extra) == (((FactKind.HARD, NEW),), ())
    assert found.healed == Standing(hard=(OLD, NEW))


def test_a_fact_that_only_the_table_has_is_extra() -> None:
    """It was lost before the log."""
    found = a_difference(Standing(hard=(OLD,)), Standing(hard=(OLD,), complaint=(NEW,)))

    assert (found.missing, found.extra) == ((), ((FactKind.COMPLAINT, NEW),))


@given(log=standings, table=standings)
def test_missing_and_extra_facts_explain_the_difference(log: Standing, table: Standing) -> None:
    """Joined to the side that lacks them, they give what both have together."""
    found = a_difference(log, table)

    assert join(table, fold(found.missing)) == join(log, fold(found.extra)) == found.healed
