"""Laws of `pipeline.standing`: facts join in any order and any number of times with the same result."""

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
    fold,
    join,
    kept_facts,
)
from tests.support.strategies import Facts, facts, standings, varied_evidence

NEWEST_ONLY = {
    *(FactKind.LISTED, FactKind.NOT_SPAM, FactKind.ECHO, FactKind.OPT_OUT),
    *(FactKind.SUPPRESS, FactKind.RELEASE),
}


@pytest.fixture(scope="module", params=[(NEWEST_KEPT, MAILS_KEPT), (2, 2)], ids=["as they are", "narrow"], autouse=True)
def bounds(request: pytest.FixtureRequest) -> Iterator[None]:
    """Every law holds for any bounds; small examples reach narrow ones."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipeline.standing.NEWEST_KEPT", request.param[0])
        patch.setattr("pipeline.standing.MAILS_KEPT", request.param[1])
        yield


@given(standings, standings, standings)
def test_join_is_associative(a: Standing, b: Standing, c: Standing) -> None:
    """How joins are grouped does not matter."""
    assert join(join(a, b), c) == join(a, join(b, c))


@given(standings, standings)
def test_join_is_commutative(left: Standing, right: Standing) -> None:
    """Which side comes first does not matter, byte for byte."""
    assert facts_json(join(left, right)) == facts_json(join(right, left))


@given(standings, standings)
def test_join_is_idempotent(left: Standing, right: Standing) -> None:
    """Joining a standing again changes nothing."""
    both = join(left, right)
    assert both == join(both, both) == join(both, left) == join(both, right)


@given(standings)
def test_nothing_known_changes_nothing(standing: Standing) -> None:
    """The empty standing is the identity of `join`."""
    assert standing == join(standing, NOTHING_KNOWN) == join(NOTHING_KNOWN, standing)


@given(facts, st.randoms())
def test_fold_ignores_order_and_repeats(some_facts: Facts, random: Random) -> None:
    """Joining shuffled and repeated facts one by one equals folding them together."""
    shuffled = random.sample(some_facts, len(some_facts)) + some_facts[:3]
    one_by_one = reduce(join, (fold([fact]) for fact in shuffled), NOTHING_KNOWN)
    assert facts_json(fold(some_facts)) == facts_json(one_by_one)


@given(facts, st.integers(0, 25))
def test_fold_of_two_parts_equals_fold_of_all(some_facts: Facts, cut: int) -> None:
    """Facts may be folded in separate batches and joined."""
    assert fold(some_facts) == join(fold(some_facts[:cut]), fold(some_facts[cut:]))


@given(st.lists(st.tuples(st.sampled_from(FactKind), varied_evidence), min_size=1, max_size=300))
@example([(FactKind.SOFT, Evidence(at_ms=n, event_id=str(n), message_id=str(n))) for n in range(100)])
@example([(FactKind.HARD, Evidence(at_ms=n, event_id=str(n))) for n in range(100)])
def test_kept_facts_are_bounded_distinct_and_ascending(some_facts: Facts) -> None:
    """No kind of fact keeps more evidence than its bound."""
    standing = fold(some_facts)
    for fact_kind in FactKind:
        kept = getattr(standing, fact_kind)
        assert len(kept) <= {FactKind.SOFT: MAILS_KEPT}.get(fact_kind, NEWEST_KEPT + 1)
        assert all(earlier < later for earlier, later in pairwise(kept))
    assert all(len(getattr(standing, kind)) <= 1 for kind in NEWEST_ONLY)


@given(facts)
def test_the_oldest_and_the_newest_evidence_are_kept(some_facts: Facts) -> None:
    """This holds for all kinds of facts that suppress for good. Of copies, the greatest counts."""
    standing = fold(some_facts)
    for fact_kind in set(FactKind) - NEWEST_ONLY - {FactKind.SOFT}:
        of_kind = [evidence for kind, evidence in some_facts if kind is fact_kind]
        if of_kind:
            oldest = min((evidence.at_ms, evidence.event_id) for evidence in of_kind)
            copies = [evidence for evidence in of_kind if (evidence.at_ms, evidence.event_id) == oldest]
            assert (max(copies), max(of_kind)) == (getattr(standing, fact_kind)[0], getattr(standing, fact_kind)[-1])


@given(facts)
def test_of_some_kinds_only_the_newest_is_kept(some_facts: Facts) -> None:
    """Of several facts of such a kind, only the greatest is kept."""
    standing = fold(some_facts)
    for fact_kind in NEWEST_ONLY:
        evidence_of_kind = [evidence for kind, evidence in some_facts if kind is fact_kind]
        assert getattr(standing, fact_kind) == ((max(evidence_of_kind),) if evidence_of_kind else ())


@given(facts)
def test_one_soft_bounce_is_kept_for_each_mail(some_facts: Facts) -> None:
    """Several bounces of one mail count as one."""
    standing = fold(some_facts)
    mails = [evidence.message_id or evidence.event_id for evidence in standing.soft]
    assert len(mails) == len(set(mails))


@given(facts)
def test_a_standing_contains_only_the_facts_folded(some_facts: Facts) -> None:
    """A fold never invents a fact."""
    assert set(kept_facts(fold(some_facts))) <= set(some_facts)


@given(standings, standings)
def test_facts_hash_is_equal_exactly_when_the_facts_are(left: Standing, right: Standing) -> None:
    """The hash is the version of an item, so it must identify the facts."""
    assert (facts_hash(left) == facts_hash(right)) == (left == right)


@given(facts)
def test_of_copies_of_an_event_the_greatest_is_kept(some_facts: Facts) -> None:
    """Copies by other envelopes may differ in a text; a standing has one of each time and event."""
    for fact_kind in FactKind:
        kept = getattr(fold(some_facts), fact_kind)
        identities = [(evidence.at_ms, evidence.event_id) for evidence in kept]
        assert len(set(identities)) == len(identities) or fact_kind is FactKind.SOFT
        for evidence in kept:
            copies = [
                copy
                for kind, copy in some_facts
                if kind is fact_kind and (copy.at_ms, copy.event_id) == (evidence.at_ms, evidence.event_id)
            ]
            assert fact_kind is FactKind.SOFT or evidence == max(copies)


def test_the_hash_of_nothing_is_empty() -> None:
    """An item that does not exist has this hash."""
    assert facts_hash(NOTHING_KNOWN) == ""


def test_the_greater_copy_of_a_soft_bounce_is_kept() -> None:
    """The order in which two copies of an event arrive does not matter."""
    lesser = (FactKind.SOFT, Evidence(at_ms=1, event_id="e", message_id="m"))
    greater = (FactKind.SOFT, Evidence(at_ms=1, event_id="e", message_id="m", status="4.2.2"))
    assert (greater[1],) == fold([lesser, greater]).soft == fold([greater, lesser]).soft


def test_soft_bounces_without_a_mail_count_separately() -> None:
    """The event id replaces the missing message id."""
    standing = fold([(FactKind.SOFT, Evidence(at_ms=n, event_id=f"e{n}")) for n in range(2)])
    assert [evidence.event_id for evidence in standing.soft] == ["e0", "e1"]
