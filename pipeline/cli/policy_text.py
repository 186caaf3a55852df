"""A policy and what it changes, as lines for people and as JSON."""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import msgspec

from pipeline.aws.published_policy import PolicyInForce, PolicySource
from pipeline.cli.output import counted
from pipeline.policy import Policy, Rule, SoftRule
from pipeline.policy_check import policy_changes, policy_hash
from pipeline.policy_difference import OTHER_NAMES, ChangeCounts, ChangeKind, PolicyDifference, VerdictChange
from pipeline.standing import EVERY_SCOPE
from pipeline.timestamp import format_time
from pipeline.verdict import Verdict

_UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))
_HEADINGS = {
    ChangeKind.SUPPRESSED: "become suppressed",
    ChangeKind.CLEAR: "become clear",
    ChangeKind.OTHERWISE: "stay suppressed, for other reasons, until another time or with other exempt purposes",
}


def policy_lines(policy: Policy) -> Iterator[str]:
    """Yield each rule of a policy as a line."""
    for name in Policy.__struct_fields__[1:]:  # the first is the version
        yield f"  {name:<20} {rule_text(getattr(policy, name))}"
    yield f"  {'operator':<20} the later of suppress and release wins, under every policy"


def rule_text(rule: Rule | SoftRule | bool | int | None) -> str:
    """Return the value of a policy's field in plain words."""
    match rule:
        case None:
            return "does not suppress"
        case True:
            return "lifts complaints that are not later"
        case False:
            return "lifts nothing"
        case int():
            return str(rule)
        case SoftRule():
            return f"{_soft_text(rule)}{_exempt_text(rule)}"
    if rule.expiry_seconds is None:
        return f"suppresses permanently{_exempt_text(rule)}"
    return f"suppresses for {duration(rule.expiry_seconds)} after the newest{_exempt_text(rule)}"


def duration(seconds: int) -> str:
    """Return a time in the largest unit that divides it."""
    size, unit = next((size, unit) for size, unit in _UNITS if seconds % size == 0)
    return counted(seconds // size, unit)


def _soft_text(rule: SoftRule) -> str:
    wrong = rule.mails_of_wrong_address
    fewer = f", or {wrong} to a wrong address," if wrong else ""
    mails, window = counted(rule.mails, "mail"), duration(rule.window_seconds)
    return f"{mails}{fewer} within {window}: suppresses for {duration(rule.expiry_seconds)} after the newest"


def _exempt_text(rule: Rule | SoftRule) -> str:
    return f", except {' and '.join(rule.exempt)} mail" if rule.exempt else ""


def source_text(found: PolicyInForce) -> str:
    """Return where the policy in force comes from, and since when."""
    match found.source:
        case PolicySource.PARAMETER if found.changed_at:
            return f"published in the parameter {found.parameter}, last written {format_time(found.changed_at)}"
        case PolicySource.TEMPLATE:
            return "from the parameter Policy of the stack's template"
        case PolicySource.ENVIRONMENT:
            return "from the environment variable MAILFOLD_POLICY"
    return "the default, because no other one is published"


def policy_change_lines(before: Policy, after: Policy) -> Iterator[str]:
    """Yield each field of which two policies have different values as a line."""
    for name, (old, new) in policy_changes(before, after).items():
        yield f"  {name:<20} {rule_text(old)} -> {rule_text(new)}"


def policy_json(policy: Policy) -> dict[str, Any]:
    """Return a policy with its hash as JSON."""
    return {"version": policy.version, "hash": policy_hash(policy), "policy": msgspec.to_builtins(policy)}


def difference_lines(difference: PolicyDifference, *, top: int, with_addresses: bool) -> Iterator[str]:
    """Yield what another policy changes, with the `top` providers and scopes of each kind."""
    for kind, counts in difference.changes.items():
        yield f"{counts.total:,} {_HEADINGS[kind]}"
        if counts.total:
            yield f"  by reason    {_names(counts.reasons, len(counts.reasons))}"
            yield f"  by provider  {_names(counts.providers, top)}"
            yield f"  by scope     {_names(counts.scopes, top)}"
        for change in counts.examples if with_addresses else ():
            scope = "" if change.key.scope == EVERY_SCOPE else f" in {change.key.scope}"
            yield f"  {change.key.address}{scope}: {_answer(change.before)} -> {_answer(change.after)}"
    yield f"{difference.unchanged:,} stay as they are (addresses, in each scope of which a fact is known)"


def difference_json(difference: PolicyDifference, *, top: int, with_addresses: bool) -> dict[str, Any]:
    """Return what another policy changes as JSON, with the `top` providers and scopes of each kind."""
    return {
        "unchanged": difference.unchanged,
        "changes": {kind: _counts_json(counts, top, with_addresses) for kind, counts in difference.changes.items()},
    }


def change_json(change: VerdictChange) -> dict[str, Any]:
    """Return the change of one address and scope as JSON."""
    return {
        "address": change.key.address,
        "scope": change.key.scope,
        "change": change.kind,
        "before": _reasons_json(change.before),
        "after": _reasons_json(change.after),
    }


def _counts_json(counts: ChangeCounts, top: int, with_addresses: bool) -> dict[str, Any]:
    return {
        "total": counts.total,
        "reasons": dict(counts.reasons.most_common()),
        "providers": dict(_top(counts.providers, top)),
        "scopes": dict(_top(counts.scopes, top)),
        "examples": [change_json(change) for change in counts.examples] if with_addresses else [],
    }


def _reasons_json(verdict: Verdict) -> list[Mapping[str, Any]]:
    return [
        {
            "reason": held.reason,
            "since": _time(held.since),
            "until": _time(held.until),
            "certain": held.certain,
            "exempt": held.exempt,
        }
        for held in verdict.reasons
    ]


def _time(moment: datetime | None) -> str | None:
    return format_time(moment) if moment else None


def _names(counter: Counter[str], top: int) -> str:
    """Return the most frequent names with their numbers, and the number of the rest."""
    shown = [f"{name} {number:,}" for name, number in _top(counter, top)]
    rest = counter.total() - sum(number for _, number in _top(counter, top))
    return ", ".join([*shown, *([f"others {rest:,}"] if rest else [])])


def _top(counter: Counter[str], top: int) -> list[tuple[str, int]]:
    """Return the most frequent names. What was counted without a name is not among them."""
    return Counter({name: number for name, number in counter.items() if name != OTHER_NAMES}).most_common(top)


def _answer(verdict: Verdict) -> str:
    if not verdict.reasons:
        return "clear"
    return "; ".join(
        f"{held.reason}"
        + (f" until {format_time(held.until)}" if held.until else "")
        + (f" except {' and '.join(held.exempt)} mail" if held.exempt else "")
        for held in verdict.reasons
    )
