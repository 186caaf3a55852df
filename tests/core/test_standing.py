"""Facts join: in any order, any number of times, with the same result."""

from collections.abc import Iterator
from functools import reduce
from itertools import pairwise
from random import Random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.standing import (
    MAILS_KEPT,
    NEWEST_KEPT,
    NOTHING_KNOWN,
    Evidence,
    FactKind,
    Standing,
    facts_hash,
    facts_json,
    join,
    kept_facts,
    standing,
)
from tests.support.strategies import Facts, facts, standings, varied_evidence


@pytest.fixture(scope="module", params=[(NEWEST_KEPT, MAILS_KEPT), (2, 2)], ids=["as they are", "narrow"], autouse=True)
def bounds(request: pytest.FixtureRequest) -> Iterator[None]:
    """Every law holds whatever the bounds are; narrow ones are reached by small examples."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipeline.standing.NEWEST_KEPT", request.param[0])
        patch.setattr("pipeline.standing.MAILS_KEPT", request.param[1])
        yield


@given(standings, standings, standings)
def test_join_is_associative(one: Standing, two: Standing, three: Standing) -> None:
    assert join(join(one, two), three) == join(one, join(two, three))


@given(standings, standings)
def test_join_is_commutative(one: Standing, other: Standing) -> None:
    assert facts_json(join(one, other)) == facts_json(join(other, one))


@given(standings, standings)
def test_join_is_idempotent(one: Standing, other: Standing) -> None:
    both = join(one, other)
    assert both == join(both, both) == join(both, one) == join(both, other)


@given(standings)
def test_nothing_known_changes_nothing(known: Standing) -> None:
    assert known == join(known, NOTHING_KNOWN) == join(NOTHING_KNOWN, known)


@given(facts, st.randoms())
def test_folding_one_by_one_in_any_order_equals_joining_at_once(found: Facts, random: Random) -> None:
    shuffled = random.sample(found, len(found)) + found[:3]
    one_by_one = reduce(join, (standing([fact]) for fact in shuffled), NOTHING_KNOWN)
    assert facts_json(standing(found)) == facts_json(one_by_one)


@given(facts, st.integers(0, 25))
def test_folding_in_two_lots_equals_joining_at_once(found: Facts, cut: int) -> None:
    assert standing(found) == join(standing(found[:cut]), standing(found[cut:]))


@given(st.lists(st.tuples(st.sampled_from(FactKind), varied_evidence), min_size=1, max_size=300))
@example([(FactKind.SOFT, Evidence(at_ms=n, event_id=str(n), message_id=str(n))) for n in range(100)])
@example([(FactKind.HARD, Evidence(at_ms=n, event_id=str(n))) for n in range(100)])
def test_what_is_kept_is_bounded_distinct_and_ascending(found: Facts) -> None:
    known = standing(found)
    for fact in FactKind:
        kept = getattr(known, fact)
        assert len(kept) <= {FactKind.SOFT: MAILS_KEPT}.get(fact, NEWEST_KEPT + 1)
        assert all(earlier < later for earlier, later in pairwise(kept))
    assert all(len(newest) <= 1 for newest in (known.echo, known.opt_out, known.suppress, known.release))


@given(facts)
def test_the_oldest_and_the_newest_of_what_suppresses_is_never_lost(found: Facts) -> None:
    known = standing(found)
    for fact in (FactKind.HARD, FactKind.COMPLAINT, FactKind.UNCERTAIN_COMPLAINT):
        given_evidence = [evidence for kind, evidence in found if kind is fact]
        if given_evidence:
            assert (min(given_evidence), max(given_evidence)) == (getattr(known, fact)[0], getattr(known, fact)[-1])


@given(facts)
def test_the_newest_decision_of_each_kind_is_kept(found: Facts) -> None:
    known = standing(found)
    for fact in (FactKind.SUPPRESS, FactKind.RELEASE):
        given_evidence = [evidence for kind, evidence in found if kind is fact]
        assert getattr(known, fact) == ((max(given_evidence),) if given_evidence else ())


@given(facts)
def test_one_soft_bounce_is_kept_for_each_mail(found: Facts) -> None:
    known = standing(found)
    mails = [evidence.message_id or evidence.event_id for evidence in known.soft]
    assert len(mails) == len(set(mails))


@given(facts)
def test_a_standing_holds_nothing_but_what_was_found(found: Facts) -> None:
    assert set(kept_facts(standing(found))) <= set(found)


@given(standings, standings)
def test_facts_hash_is_equal_exactly_when_the_facts_are(one: Standing, other: Standing) -> None:
    assert (facts_hash(one) == facts_hash(other)) == (one == other)


def test_the_hash_of_nothing_is_empty() -> None:
    assert facts_hash(NOTHING_KNOWN) == ""


def test_of_two_copies_of_one_soft_bounce_the_greater_is_kept_in_either_order() -> None:
    lesser = (FactKind.SOFT, Evidence(at_ms=1, event_id="e", message_id="m"))
    greater = (FactKind.SOFT, Evidence(at_ms=1, event_id="e", message_id="m", status="4.2.2"))
    assert (greater[1],) == standing([lesser, greater]).soft == standing([greater, lesser]).soft


def test_soft_bounces_without_a_mail_are_mails_of_their_own() -> None:
    known = standing([(FactKind.SOFT, Evidence(at_ms=n, event_id=f"e{n}")) for n in range(2)])
    assert [evidence.event_id for evidence in known.soft] == ["e0", "e1"]
