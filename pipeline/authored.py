"""Records that Mailfold's operators write, and not SES: decisions, and evidence that only a table had.

Either can release an address. So each counts only where its author puts it, and only if it is complete. Pure.
"""

import re

from pipeline.address import canonical
from pipeline.envelope import Fragment
from pipeline.event import DECISION_ENVELOPES, EventKind, Poison
from pipeline.evidence import DIAGNOSTIC_KEPT, MESSAGE_ID_KEPT, SPELLING_KEPT, SUB_TYPE_KEPT, truncate
from pipeline.standing import MAX_SCOPE, FactKind
from pipeline.timestamp import LAST_MS, parse_time
from pipeline.wire import Decision, TableEvidence

AUTHORED = (Decision, TableEvidence)
"""The details of the records that operators write."""

ACTIONS = frozenset({"suppress", "release"})
INCOMPLETE_DECISION = "decision: id, action, address, scope, decidedAt or atMs is missing or invalid"
INCOMPLETE_EVIDENCE = "evidence: a field is missing or invalid"

_EVENT_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)
_STATUS = re.compile(r"([245]\.\d{1,3}\.\d{1,3})?", re.ASCII)  # as `evidence.status_of` returns it


def authored_poison(details: Decision | TableEvidence, fragment: Fragment) -> Poison | None:
    """Return why an operator's record does not count; None if it does.

    Args:
        details: The record's object for its kind of event.
        fragment: The record, with its envelopes.
    """
    if isinstance(details, Decision):
        kind, why = EventKind.DECISION, "" if _is_complete(details) else INCOMPLETE_DECISION
    else:
        kind, why = EventKind.EVIDENCE, "" if _is_whole(details) else INCOMPLETE_EVIDENCE
    if fragment.is_member or not DECISION_ENVELOPES.issuperset(fragment.envelopes):
        # In an envelope, so that it stays poison when the quarantine or the log is decoded again.
        return Poison(why=f"{kind}: its author did not put it here", raw=b'{"Message":%b}' % fragment.raw)
    return Poison(why=why, raw=fragment.raw) if why else None


def _is_complete(decision: Decision) -> bool:
    return bool(
        decision.id
        and decision.action in ACTIONS
        and canonical(decision.address or "")
        and parse_time(decision.timestamp) is not None
        and len(decision.scope or "") <= MAX_SCOPE
        and 0 <= (decision.at_ms or 0) <= LAST_MS
    )


def _is_whole(evidence: TableEvidence) -> bool:
    """Return True if the evidence is a fact as a table keeps it: no text is longer, so an item stays small."""
    texts = (
        (evidence.message_id, MESSAGE_ID_KEPT),
        (evidence.sub_type, SUB_TYPE_KEPT),
        (evidence.diagnostic, DIAGNOSTIC_KEPT),
        (evidence.spelling, SPELLING_KEPT),
    )
    is_soft = evidence.fact == FactKind.SOFT  # 64 of them are kept, so they keep less
    return bool(
        evidence.address
        and canonical(evidence.address) == evidence.address
        and 0 < len(evidence.scope or "") <= MAX_SCOPE
        and evidence.fact in frozenset(FactKind)
        and evidence.at_ms is not None
        and 0 <= evidence.at_ms <= LAST_MS
        and _EVENT_ID.fullmatch(evidence.event_id or "")
        and _STATUS.fullmatch(evidence.status)
        and all(truncate(text, limit) == text for text, limit in texts)
        and not (is_soft and (evidence.diagnostic or evidence.spelling))
    )
