"""Undo the decisions of one request: select the addresses that need the opposite decision. Pure.

A release lifts every fact that is not later. So an address is left alone where the opposite decision would do more than
to take back the one of the request.
"""

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum

import msgspec

from pipeline.decode import decode
from pipeline.event import Event
from pipeline.fact import Fact, facts
from pipeline.policy import Policy, verdict
from pipeline.ports import Item
from pipeline.standing import FactKind, Key, Standing
from pipeline.wire import Decision

OPPOSITES = {FactKind.SUPPRESS: FactKind.RELEASE, FactKind.RELEASE: FactKind.SUPPRESS}


class Undoing(StrEnum):
    """Whether a decision is undone, or why not."""

    UNDONE = "undone"
    MISSING = "the table does not show it yet"
    DECIDED_AGAIN = "it was decided again since"
    NO_EFFECT = "it changed nothing: the address would be as it is without it"


class PastDecisions(msgspec.Struct, frozen=True, kw_only=True):
    """The decisions of a request, as the log has them.

    Attributes:
        facts: The fact of each decision; of copies, the greatest.
        size: The number of decisions that the request made.
    """

    facts: Mapping[Key, Fact]
    size: int


def read_decisions(records: Iterable[bytes]) -> PastDecisions:
    """Return the decisions of a request from their records."""
    found: dict[Key, Fact] = {}
    size = 0
    for event in _decisions(records):
        size = max(size, getattr(event.details, "batch_size", None) or 0)
        for fact in facts(event):
            found[fact.key] = max(fact, found.get(fact.key, fact), key=lambda copy: copy.evidence)
    return PastDecisions(facts=found, size=size)


def to_undo(fact: Fact, item: Item, policy: Policy) -> Undoing:
    """Return whether a decision is to be undone.

    Args:
        fact: The decision's fact.
        item: What the table holds about its address and scope.
        policy: Decides the verdict without the decision.
    """
    standing, kind = item.standing, fact.kind
    if fact.evidence.event_id not in {evidence.event_id for evidence in getattr(standing, kind)}:
        newest = getattr(standing, kind)
        is_replaced = bool(newest) and newest[0] > fact.evidence
        return Undoing.DECIDED_AGAIN if is_replaced else Undoing.MISSING
    opposite = getattr(standing, OPPOSITES[kind])
    if opposite and opposite[0].at_ms > fact.evidence.at_ms:
        return Undoing.DECIDED_AGAIN
    without = msgspec.structs.replace(standing, **{kind: ()})
    if _is_suppressed(without, policy, fact.key) == _is_suppressed(standing, policy, fact.key):
        return Undoing.NO_EFFECT
    return Undoing.UNDONE


def _is_suppressed(standing: Standing, policy: Policy, key: Key) -> bool:
    return verdict(standing, policy, address=key.address).suppressed


def _decisions(records: Iterable[bytes]) -> Iterator[Event]:
    outcomes = (outcome for record in records for outcome in decode(record))
    return (outcome for outcome in outcomes if isinstance(outcome, Event) and isinstance(outcome.details, Decision))
