"""A model of the suppression list that shares no code with it: unbounded, and written from the rules for users.

It works on plain tuples, keeps everything, and decides by looking at all of it.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from pipeline.fact import Fact

Statement = tuple[str, int, str, str, str]
"""Kind, time in milliseconds, event, mail and status of a fact."""

SUPPRESSING = {"hard", "blocked", "inferred", "listed", "complaint", "uncertain_complaint"}
LISTED_MS = 14 * 86_400_000


def statements(facts: Iterable[Fact]) -> dict[tuple[str, str], set[Statement]]:
    """Return every statement about each address and scope."""
    known: dict[tuple[str, str], set[Statement]] = {}
    for fact in facts:
        evidence = fact.evidence
        key = (str(fact.key.address), fact.key.scope)
        known.setdefault(key, set()).add(
            (fact.kind.value, evidence.at_ms, evidence.event_id, evidence.message_id, evidence.status)
        )
    return known


def is_suppressed(known: Iterable[Statement], *, now_ms: int, soft: Mapping[str, Any] | None = None) -> bool:
    """Return True if mail must not be sent at a time, by the default rules and, if given, a rule for soft bounces."""
    known = list(known)
    released_ms = max((at for kind, at, *_ in known if kind == "release"), default=-1)
    forgiven_ms = max([released_ms, *(at for kind, at, *_ in known if kind == "not_spam")])
    for kind, at_ms, *_ in known:
        if kind == "suppress" and at_ms >= released_ms:
            return True
        lifted_ms = forgiven_ms if "complaint" in kind else released_ms
        if kind in SUPPRESSING and at_ms > lifted_ms and (kind != "listed" or now_ms < at_ms + LISTED_MS):
            return True
    mails: dict[str, int] = {}
    for kind, at_ms, event_id, message_id, _ in known:
        if kind == "soft":
            name = message_id or event_id
            mails[name] = max(mails.get(name, 0), at_ms)
    times = sorted(at_ms for at_ms in mails.values() if at_ms > released_ms)
    return soft is not None and any(now_ms < end_ms for end_ms in _soft_ends_ms(times, soft))


def _soft_ends_ms(times: list[int], soft: Mapping[str, Any]) -> list[int]:
    """Return when each suppression by the soft rule ends: windows are tried from every mail on."""
    ends = []
    for first in times:
        inside = [at_ms for at_ms in times if first <= at_ms <= first + 1_000 * soft["window_seconds"]]
        if len(inside) >= soft["mails"]:
            ends.append(inside[-1] + 1_000 * soft["expiry_seconds"])
    return ends
