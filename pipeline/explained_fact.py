"""What each fact about an address does to its verdict: it suppresses, is lifted, has ended, or never suppresses.

The policy decides that for a whole standing. Here its verdict is asked kind by kind, so that both never differ. Pure.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

import msgspec

from pipeline.address import is_simulator
from pipeline.fact import Fact
from pipeline.policy import Policy, lifting_evidence, verdict
from pipeline.standing import Evidence, FactKind, Key, Standing, fold, join


class FactState(StrEnum):
    """What a fact does to the verdict."""

    SUPPRESSES = "suppresses"
    ENDED = "ended"  # it suppressed, until a time that is over
    LIFTED = "lifted"  # by a release, or by a report that a mail is no spam
    LIFTS = "lifts"  # it is a release or such a report
    REPLACED = "replaced"  # a newer fact of its kind counts in its place
    BELOW_RULE = "below_rule"  # too few soft bounces for the policy's rule
    NO_RULE = "no_rule"  # the policy has no rule for its kind
    MISSING = "missing"  # the table does not have it
    OTHER_SCOPE = "other_scope"  # it counts for mail of another scope
    SIMULATOR = "simulator"  # addresses of SES's mailbox simulator are never suppressed


NOTHING_LIFTS = Evidence(at_ms=-1, event_id="")


class FactEffect(msgspec.Struct, frozen=True, kw_only=True):
    """What one fact does.

    Attributes:
        fact: The fact.
        state: What it does.
        until: When the suppression ends or ended; None if it is permanent or there is none.
        exempt: The purposes whose mail may be sent in spite of it.
        certain: False if it may be about another address.
        lifted_by: What lifts it, if anything does.
        is_lifted_by_report: True if that is a report that a mail is no spam, and not a release.
    """

    fact: Fact
    state: FactState
    until: datetime | None = None
    exempt: tuple[str, ...] = ()
    certain: bool = True
    lifted_by: Evidence = NOTHING_LIFTS
    is_lifted_by_report: bool = False


def fact_effect(fact: Fact, *, standings: Mapping[Key, Standing], policy: Policy, moment: datetime) -> FactEffect:
    """Return what a fact does.

    Args:
        fact: The fact.
        standings: What is known by each address and scope that counts.
        policy: The policy.
        moment: The time to answer for, aware.
    """
    standing = standings.get(fact.key)
    if standing is None:
        return FactEffect(fact=fact, state=FactState.OTHER_SCOPE)
    if join(standing, fold([(fact.kind, fact.evidence)])) != standing:
        return FactEffect(fact=fact, state=FactState.MISSING)
    if is_simulator(fact.key.address):
        return FactEffect(fact=fact, state=FactState.SIMULATOR)
    if not _has_rule(fact.kind, policy):
        return FactEffect(fact=fact, state=FactState.NO_RULE)
    if lifted_by := _lifted_by(fact, standing, policy):
        by_report = lifted_by not in standing.release
        return FactEffect(fact=fact, state=FactState.LIFTED, lifted_by=lifted_by, is_lifted_by_report=by_report)
    if _is_replaced(fact, standing):
        return FactEffect(fact=fact, state=FactState.REPLACED)
    if fact.kind in {FactKind.RELEASE, FactKind.NOT_SPAM}:
        return FactEffect(fact=fact, state=FactState.LIFTS)
    return _suppressing(fact, standing, policy, moment)


def _has_rule(kind: FactKind, policy: Policy) -> bool:
    """Return True if the policy lets facts of a kind count. Decisions always do."""
    return kind in {FactKind.SUPPRESS, FactKind.RELEASE} or bool(getattr(policy, kind))


def _lifted_by(fact: Fact, standing: Standing, policy: Policy) -> Evidence | None:
    """Return what lifts a fact. A release lifts what is not later, but a suppress of the same time holds."""
    if fact.kind in {FactKind.RELEASE, FactKind.NOT_SPAM}:
        return None
    lifting = lifting_evidence(standing, policy, fact.kind)
    first_held_ms = fact.evidence.at_ms + (fact.kind is FactKind.SUPPRESS)
    return lifting if lifting and first_held_ms <= lifting.at_ms else None


def _is_replaced(fact: Fact, standing: Standing) -> bool:
    """Return True if a standing has a newer fact in place of this one. Of most kinds it keeps the newest only.

    Of bounces and complaints it keeps the oldest and some newest ones, which suppress for those between as well.
    """
    kept = getattr(standing, fact.kind)
    return fact.evidence not in kept and (fact.kind is FactKind.SOFT or len(kept) == 1)


def _suppressing(fact: Fact, standing: Standing, policy: Policy, moment: datetime) -> FactEffect:
    # With the release, because soft bounces that it lifts do not count for the rule.
    alone = Standing(**{fact.kind: getattr(standing, fact.kind)}, release=standing.release)
    reasons = verdict(alone, policy, address=fact.key.address).reasons
    if not reasons:
        return FactEffect(fact=fact, state=FactState.BELOW_RULE)
    [held] = reasons
    is_over = not held.binds(moment, None)
    state = FactState.ENDED if is_over else FactState.SUPPRESSES
    return FactEffect(fact=fact, state=state, until=held.until, exempt=held.exempt, certain=held.certain)
