"""Select the addresses whose only reason is a permanent bounce of a given window, to release them after an incident.

A provider that answers all mail with permanent bounces for an hour suppresses everyone there. What an address bounced
with before or after, a complaint, an operator's decision, and any other reason that holds stay: then the address is not
selected. Bounces lie in the scope `*`, so only that is looked at. Pure.
"""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from fnmatch import fnmatchcase

import msgspec

from pipeline.address import domain
from pipeline.ports import Item
from pipeline.standing import EVERY_SCOPE, NEWEST_KEPT, Evidence, FactKind, Key, Standing
from pipeline.timestamp import to_ms
from pipeline.verdict import Reason

BOUNCES = (FactKind.HARD, FactKind.BLOCKED, FactKind.INFERRED, FactKind.FORWARDED)
"""The permanent bounces. The reason of each has its name."""


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """Which bounces were false.

    Attributes:
        since: From this time on, aware.
        until: Up to this time, not included.
        domain: The domain of their recipients, canonical.
        status: A pattern of their status, such as `5.7.*`; `*` for any.
    """

    since: datetime
    until: datetime
    domain: str
    status: str = "*"

    def contains(self, evidence: Evidence) -> bool:
        """Return True if a bounce is one of the window."""
        is_within = to_ms(self.since) <= evidence.at_ms < to_ms(self.until)
        return is_within and fnmatchcase(evidence.status, self.status)


class RevertChoice(StrEnum):
    """Whether an address is released, or why not."""

    RELEASED = "released"
    OTHER_REASON = "another reason holds"  # `Selected.reasons` names it
    OTHER_BOUNCE = "it bounced outside of the window, or with another status"
    FORGOTTEN = "it bounced more often than the table remembers"


class Selected(msgspec.Struct, frozen=True, kw_only=True):
    """An address with a bounce in the window.

    Attributes:
        selection: Whether it is released.
        at_ms: The time of its newest bounce. A release from then on lifts nothing later.
        reasons: The other reasons that hold.
    """

    selection: RevertChoice
    at_ms: int
    reasons: tuple[Reason, ...] = ()


def select(key: Key, item: Item, window: Window, *, now: datetime) -> Selected | None:
    """Return whether an address is to be released; None if no bounce of the window suppresses it.

    Args:
        key: The address and scope.
        item: What the table holds about it.
        window: Which bounces were false.
        now: The time for which reasons are considered: those that have ended do not count.
    """
    if key.scope != EVERY_SCOPE or domain(key.address) != window.domain:
        return None
    running = [held.reason for held in item.verdict.reasons if held.until is None or held.until > now]
    kinds = [kind for kind in BOUNCES if Reason(kind) in running]
    bounces = [evidence for kind in kinds for evidence in _unlifted(item.standing, kind)]
    if not any(map(window.contains, bounces)):
        return None
    at_ms = max(evidence.at_ms for evidence in bounces)
    if others := tuple(reason for reason in running if reason not in map(Reason, kinds)):
        return Selected(selection=RevertChoice.OTHER_REASON, at_ms=at_ms, reasons=others)
    if not all(map(window.contains, bounces)):
        return Selected(selection=RevertChoice.OTHER_BOUNCE, at_ms=at_ms)
    if any(_forgets(item.standing, kind, window) for kind in kinds):
        return Selected(selection=RevertChoice.FORGOTTEN, at_ms=at_ms)
    return Selected(selection=RevertChoice.RELEASED, at_ms=at_ms)


def _unlifted(standing: Standing, kind: FactKind) -> list[Evidence]:
    """Return the bounces of a kind that no release lifts, in ascending order."""
    return [evidence for evidence in getattr(standing, kind) if evidence.at_ms > _released_ms(standing)]


def _released_ms(standing: Standing) -> int:
    return standing.release[0].at_ms if standing.release else -1


def _forgets(standing: Standing, kind: FactKind, window: Window) -> bool:
    """Return True if bounces that are not kept may be none of the window.

    They lie between the oldest and the newest ones that are kept. Their status is unknown, and if the oldest one is
    lifted already, they may lie between the release and the window.
    """
    kept: Iterable[Evidence] = getattr(standing, kind)
    oldest, *newest = kept
    if len(newest) < NEWEST_KEPT:
        return False
    earliest_ms = max(oldest.at_ms, _released_ms(standing) + 1)
    return window.status != "*" or earliest_ms < to_ms(window.since)
