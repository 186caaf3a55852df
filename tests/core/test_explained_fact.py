"""Tests of `pipeline.explained_fact`: what a fact does agrees with the policy's verdict on the whole standing."""

from datetime import datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.address import Address
from pipeline.explained_fact import FactEffect, FactState, fact_effect
from pipeline.fact import Fact
from pipeline.policy import DEFAULT_POLICY, Policy, Rule, SoftRule, verdict
from pipeline.standing import MAILS_KEPT, Evidence, FactKind, Key, Standing, fold, kept_facts
from pipeline.timestamp import from_ms
from pipeline.verdict import Reason
from tests.support.builders import ADA
from tests.support.strategies import Facts, facts

KEY = Key(Address(ADA))
SECOND_MS = 1_000
MOMENT = from_ms(5 * SECOND_MS)
POLICIES = (
    DEFAULT_POLICY,
    Policy(not_spam=False, hard=None, listed=Rule(expiry_seconds=1), echo=Rule(), opt_out=Rule(expiry_seconds=1)),
    Policy(
        complaint=Rule(expiry_seconds=1), forwarded=Rule(), soft=SoftRule(mails=2, window_seconds=1, expiry_seconds=1)
    ),
)
REASONS = {FactKind.SUPPRESS: Reason.OPERATOR, FactKind.UNCERTAIN_COMPLAINT: Reason.COMPLAINT}
SPANS = (0, 1, 3, 1_500)


def a_fact(kind: FactKind, at_ms: int, event_id: str = "e", **evidence: str) -> Fact:
    return Fact(KEY, kind, Evidence(at_ms=at_ms, event_id=event_id, **evidence))


def standing_of(*known: Fact) -> Standing:
    return fold((fact.kind, fact.evidence) for fact in known)


def effect(fact: Fact, *known: Fact, policy: Policy = DEFAULT_POLICY, moment: datetime = MOMENT) -> FactEffect:
    """Return what a fact does beside others that are known."""
    return fact_effect(fact, standings={fact.key: standing_of(fact, *known)}, policy=policy, moment=moment)


def effects(standing: Standing, policy: Policy, moment: datetime) -> list[FactEffect]:
    """Return what each fact of a standing does."""
    kept = [Fact(KEY, kind, evidence) for kind, evidence in kept_facts(standing)]
    return [fact_effect(fact, standings={KEY: standing}, policy=policy, moment=moment) for fact in kept]


@given(known=facts, policy=st.sampled_from(POLICIES), span_ms=st.sampled_from(SPANS))
def test_the_facts_that_suppress_are_those_of_the_verdict(known: Facts, policy: Policy, span_ms: int) -> None:
    """At any moment, a reason binds mail without a purpose if, and only if, a fact of its kind suppresses."""
    standing, moment = fold(known), from_ms(span_ms)
    binding = {
        held.reason for held in verdict(standing, policy, address=KEY.address).reasons if held.binds(moment, None)
    }
    suppressing = [one.fact.kind for one in effects(standing, policy, moment) if one.state is FactState.SUPPRESSES]
    assert {REASONS.get(kind) or Reason(kind.value) for kind in suppressing} == binding


@given(known=facts, policy=st.sampled_from(POLICIES))
def test_what_is_lifted_or_has_no_rule_does_not_change_the_verdict(known: Facts, policy: Policy) -> None:
    """Without these facts the verdict is the same."""
    standing = fold(known)
    idle = {FactState.LIFTED, FactState.NO_RULE}
    others = standing_of(*(one.fact for one in effects(standing, policy, from_ms(0)) if one.state not in idle))
    assert verdict(others, policy, address=KEY.address) == verdict(standing, policy, address=KEY.address)


@given(known=facts, policy=st.sampled_from(POLICIES))
def test_every_fact_that_was_folded_is_in_the_table(known: Facts, policy: Policy) -> None:
    """A fact that the bounds of a standing have dropped is not called missing."""
    standing = fold(known)
    for kind, evidence in known:
        fact = Fact(KEY, kind, evidence)
        effect = fact_effect(fact, standings={KEY: standing}, policy=policy, moment=from_ms(0))
        assert effect.state is not FactState.MISSING


def test_a_release_lifts_what_is_not_later_and_a_suppress_of_its_time_holds() -> None:
    """The fact names the release that lifts it."""
    release = a_fact(FactKind.RELEASE, 2, "release")
    assert effect(release).state is FactState.LIFTS
    bounce = effect(a_fact(FactKind.HARD, 2), release)
    assert (bounce.state, bounce.lifted_by, bounce.is_lifted_by_report) == (FactState.LIFTED, release.evidence, False)
    assert effect(a_fact(FactKind.HARD, 3), release).state is FactState.SUPPRESSES
    assert effect(a_fact(FactKind.SUPPRESS, 1), release).state is FactState.LIFTED
    assert effect(a_fact(FactKind.SUPPRESS, 2), release).state is FactState.SUPPRESSES


def test_a_report_that_a_mail_is_no_spam_lifts_complaints_alone() -> None:
    """It does so only if the policy says so."""
    report, complaint = a_fact(FactKind.NOT_SPAM, 2, "report"), a_fact(FactKind.COMPLAINT, 1)
    lifted = effect(complaint, report)
    assert (lifted.state, lifted.lifted_by, lifted.is_lifted_by_report) == (FactState.LIFTED, report.evidence, True)
    assert effect(a_fact(FactKind.HARD, 1), report).state is FactState.SUPPRESSES
    ignoring = Policy(not_spam=False)
    assert effect(complaint, report, policy=ignoring).state is FactState.SUPPRESSES
    assert effect(report, complaint, policy=ignoring).state is FactState.NO_RULE
    assert effect(report, complaint).state is FactState.LIFTS


def test_an_entry_of_the_global_list_ends() -> None:
    """It suppresses until the policy's time is over, and a newer one takes its place."""
    policy = Policy(listed=Rule(expiry_seconds=1, exempt=("essential",)))
    older, newer = a_fact(FactKind.LISTED, SECOND_MS, "older"), a_fact(FactKind.LISTED, 2 * SECOND_MS, "newer")
    assert effect(older, newer, policy=policy).state is FactState.REPLACED
    held = effect(newer, older, policy=policy, moment=from_ms(3 * SECOND_MS - 1))
    assert (held.state, held.until, held.exempt) == (FactState.SUPPRESSES, from_ms(3 * SECOND_MS), ("essential",))
    assert effect(newer, older, policy=policy, moment=from_ms(3 * SECOND_MS)).state is FactState.ENDED


def test_a_soft_bounce_suppresses_once_the_rule_is_reached() -> None:
    """Without a rule it never does; below its number it does not yet; a later bounce of the same mail replaces it."""
    policy = Policy(soft=SoftRule(mails=2, window_seconds=60, expiry_seconds=60))
    first, second = (a_fact(FactKind.SOFT, n, f"e{n}", message_id=f"m{n}") for n in (1, 2))
    assert effect(first).state is FactState.NO_RULE
    assert effect(first, policy=policy).state is FactState.BELOW_RULE
    assert effect(first, second, policy=policy).state is FactState.SUPPRESSES
    again = a_fact(FactKind.SOFT, 3, "e3", message_id="m1")
    assert effect(first, again, policy=policy).state is FactState.REPLACED
    many = [a_fact(FactKind.SOFT, n, f"e{n}", message_id=f"m{n}") for n in range(2, MAILS_KEPT + 2)]
    assert effect(first, *many, policy=policy).state is FactState.REPLACED


def test_a_soft_bounce_that_was_lifted_does_not_count_for_the_rule() -> None:
    """After a release, the rule is reached by later mails alone."""
    policy = Policy(soft=SoftRule(mails=2, window_seconds=60, expiry_seconds=60))
    first, second, third = (a_fact(FactKind.SOFT, n, f"e{n}", message_id=f"m{n}") for n in (1, 2, 3))
    release = a_fact(FactKind.RELEASE, 1, "release")
    assert effect(second, first, release, policy=policy).state is FactState.BELOW_RULE
    assert effect(third, first, second, release, policy=policy).state is FactState.SUPPRESSES


def test_a_bounce_between_the_oldest_and_the_newest_suppresses_too() -> None:
    """A standing does not keep it, but keeps older and newer ones for which the same rule holds."""
    bounces = [a_fact(FactKind.HARD, n, f"e{n}") for n in range(1, 15)]
    assert bounces[2].evidence not in standing_of(*bounces).hard
    assert effect(bounces[2], *bounces).state is FactState.SUPPRESSES


def test_a_fact_that_the_table_lacks_is_missing() -> None:
    """It does not count, whatever its kind."""
    table = {KEY: standing_of(a_fact(FactKind.HARD, 1, "known"))}
    for kind in FactKind:
        found = fact_effect(a_fact(kind, 2), standings=table, policy=DEFAULT_POLICY, moment=from_ms(0))
        assert found.state is FactState.MISSING


def test_a_fact_of_another_scope_counts_there_alone() -> None:
    """It is not about the mail that was asked for."""
    complaint = msgspec.structs.replace(a_fact(FactKind.COMPLAINT, 1), key=Key(KEY.address, "acme"))
    found = fact_effect(complaint, standings={KEY: Standing()}, policy=DEFAULT_POLICY, moment=from_ms(0))
    assert found.state is FactState.OTHER_SCOPE


@pytest.mark.parametrize("kind", [FactKind.HARD, FactKind.SUPPRESS])
def test_nothing_suppresses_an_address_of_the_simulator(kind: FactKind) -> None:
    """Its facts are kept, and have no effect."""
    fact = msgspec.structs.replace(a_fact(kind, 1), key=Key(Address("bounce@simulator.amazonses.com")))
    assert effect(fact).state is FactState.SIMULATOR
