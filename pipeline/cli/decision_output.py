"""What the commands that decide about addresses print: the plan, the question and the result."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from pipeline.cli.decision_options import DecisionOptions
from pipeline.cli.output import FEW, counted, first_few
from pipeline.decision_batch import DecisionBatch, PlannedDecision
from pipeline.standing import EVERY_SCOPE, FactKind, Key
from pipeline.timestamp import format_time, from_ms
from pipeline.verdict import Reason, Verdict


class LeftAlone(msgspec.Struct, frozen=True, kw_only=True):
    """An address about which nothing is decided.

    Attributes:
        key: The address and the scope.
        why: Why not.
    """

    key: Key
    why: str


class SesChanges(msgspec.Struct, frozen=True, kw_only=True):
    """What was done with entries of SES's list, by the decision's event id.

    Attributes:
        done: By spelling, what was done.
        failures: Why nothing was done, or not all.
    """

    done: dict[str, Mapping[str, str]] = msgspec.field(default_factory=dict)
    failures: dict[str, str] = msgspec.field(default_factory=dict)


def plan_lines(
    decisions: Sequence[PlannedDecision], left_alone: Sequence[LeftAlone], *, now: datetime
) -> Iterator[str]:
    """Yield what is about to be decided: some addresses with their verdicts before and after, and counts of many."""
    texts = [f"  {_name(planned.key)}: {_change(planned, now)}" for planned in decisions[: FEW + 1]]
    for action in FactKind.SUPPRESS, FactKind.RELEASE:
        chosen = [planned for planned in decisions if planned.action is action]
        if chosen:
            yield f"{action}: {_addresses(len(chosen))}"
    yield from texts[: FEW + 1] if len(decisions) <= FEW + 1 else texts[:FEW]
    if len(decisions) > FEW + 1:
        yield f"  and {len(decisions) - FEW:,} more, in all:"
        for change, number in Counter(_change(planned, now) for planned in decisions).most_common():
            yield f"  {number:>10,} {change}"
    for why, number in Counter(left.why for left in left_alone).most_common():
        yield f"left as {'it is' if number == 1 else 'they are'}: {_addresses(number)}: {why}"
        yield from first_few([f"  {_name(left.key)}" for left in left_alone if left.why == why])
    if not (decisions or left_alone):
        yield "no address is concerned"


def question(decisions: Sequence[PlannedDecision]) -> str:
    """Return what a person is asked to confirm, as a sentence without its end; "" if nothing needs a question.

    A question is asked about many addresses, and about a complaint that is lifted: that person asked for no more mail.
    """
    lifted = sum(_lifts_complaint(planned) for planned in decisions)
    if lifted:
        return f"This lifts the complaint of {_addresses(lifted)} of {len(decisions):,}"
    return f"This decides about {_addresses(len(decisions))}" if len(decisions) > FEW else ""


def outcome_lines(
    batch: DecisionBatch,
    decisions: Sequence[PlannedDecision],
    *,
    shown: frozenset[str] | None,
    changes: SesChanges,
    options: str,
) -> Iterator[str]:
    """Yield what was decided, and how to take it back; `options` select the stack, if there is one."""
    is_shown = shown is not None and len(shown) == len(decisions)
    yield f"{counted(len(decisions), 'decision')} by {batch.author}{', and the table agrees' if is_shown else ''}"
    for action, number in Counter(action for done in changes.done.values() for action in done.values()).most_common():
        yield f"SES's list: {counted(number, 'spelling')} {action}"
    yield f"to take it back: {' '.join(filter(None, ('mailfold undo', batch.id, '--reason …', options)))}"


def decision_json(
    batch: DecisionBatch,
    planned: PlannedDecision,
    options: DecisionOptions,
    *,
    shown: frozenset[str] | None,
    changes: SesChanges,
    now: datetime,
) -> dict[str, Any]:
    """Return a decision as the JSON object that the commands print with `--json`."""
    return {
        "address": planned.key.address,
        "scope": planned.key.scope,
        "action": planned.action,
        "event_id": planned.event_id,
        "batch": batch.id,
        "at": format_time(from_ms(planned.at_ms)),
        "decided_at": format_time(batch.decided_at),
        "author": batch.author,
        "reason": batch.reason,
        "before": _verdict_json(planned.before, now),
        "after": _verdict_json(planned.after, now),
        "published": not options.dry_run,
        "in_table": None if shown is None else planned.event_id in shown,
        "ses": changes.done.get(planned.event_id),
    }


def left_json(left: LeftAlone) -> dict[str, Any]:
    """Return an address about which nothing is decided as the JSON object that the commands print with `--json`."""
    return {"address": left.key.address, "scope": left.key.scope, "action": None, "why": left.why}


def _verdict_json(verdict: Verdict, now: datetime) -> dict[str, Any]:
    reasons = running_reasons(verdict, now)
    return {"suppressed": bool(reasons), "reasons": reasons}


def running_reasons(verdict: Verdict, now: datetime) -> list[Reason]:
    """Return the reasons that hold and have not ended."""
    return [held.reason for held in verdict.reasons if held.until is None or held.until > now]


def _lifts_complaint(planned: PlannedDecision) -> bool:
    before, after = ({held.reason for held in verdict.reasons} for verdict in (planned.before, planned.after))
    return Reason.COMPLAINT in before - after


def _change(planned: PlannedDecision, now: datetime) -> str:
    before, after = _state(planned.before, now), _state(planned.after, now)
    return f"{before}, and stays so" if before == after else f"{before}, then {after}"


def _state(verdict: Verdict, now: datetime) -> str:
    reasons = running_reasons(verdict, now)
    return f"suppressed ({', '.join(reasons)})" if reasons else "clear"


def _name(key: Key) -> str:
    return key.address if key.scope == EVERY_SCOPE else f"{key.address} in {key.scope}"


def _addresses(number: int) -> str:
    return counted(number, "address", "addresses")
