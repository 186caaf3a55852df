"""Operators' decisions: make one with a hybrid logical clock, and set aside one that is dated ahead.

A release lifts every fact that is not later, and a suppress holds against every release that is earlier. So a decision
must be later than all that its author was shown, whatever the clocks of authors and mailbox providers say. Pure.
Kulkarni, Demirbas et al., "Logical Physical Clocks", 2014: cse.buffalo.edu/tech-reports/2014-04.pdf
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec

from pipeline.address import Address
from pipeline.authored import ACTIONS
from pipeline.decode import decode
from pipeline.event import Event, Outcome, Poison
from pipeline.evidence import decision_ms
from pipeline.standing import EVERY_SCOPE, Evidence, FactKind, Standing, kept_facts
from pipeline.timestamp import format_time, to_ms
from pipeline.wire import Decision, TableEvidence

AHEAD_TOLERANCE = timedelta(minutes=5)  # of a decision before its arrival; transports and clocks differ by less
OWN_TOLERANCE = timedelta(seconds=5)  # a Date header is in whole seconds, and its response takes time


def make_decision(
    *,
    decision_id: str,
    action: FactKind,
    address: Address | str,
    scope: str = EVERY_SCOPE,
    decided_at: datetime,
    shown: Iterable[Standing] = (),
    at_ms: int | None = None,
    author: str,
    reason: str,
    batch: str | None = None,
    batch_size: int | None = None,
) -> bytes:
    """Return a decision as JSON. The same arguments make the same event.

    Args:
        decision_id: Identifies it; a repetition with the same id is the same event.
        action: `SUPPRESS` or `RELEASE`.
        address: The address.
        scope: The scope; `*` for all mail.
        decided_at: The author's wall time, aware; see `wall_time`.
        shown: Everything that is known about the address and was shown to the author.
        at_ms: The time from which it counts, where that is not the author's clock: a release lifts nothing later.
        author: Who decides.
        reason: Why.
        batch: The id of the request, which it shares with the request's other decisions; None if there is none.
        batch_size: The number of decisions of that request.
    """
    newest = newest_evidence(shown)
    details: dict[str, object] = {
        "id": decision_id,
        "action": action,
        "address": address,
        "scope": scope,
        "atMs": clock_ms(decided_at, newest) if at_ms is None else at_ms,
        "decidedAt": format_time(decided_at),
        "author": author,
        "reason": reason,
    }
    if newest:
        details["after"] = {"eventId": newest.event_id, "atMs": newest.at_ms}
    if batch:
        details |= {"batch": batch, "batchSize": batch_size}
    return msgspec.json.encode({"eventType": "Decision", "decision": details})


def newest_evidence(standings: Iterable[Standing]) -> Evidence | None:
    """Return the newest evidence in some standings; None if they contain no facts."""
    return max((evidence for standing in standings for _, evidence in kept_facts(standing)), default=None)


def clock_ms(decided_at: datetime, newest: Evidence | None) -> int:
    """Return the hybrid logical clock of a decision: its wall time, but later than the newest evidence shown."""
    return max(0, to_ms(decided_at), newest.at_ms + 1 if newest else 0)


def wall_time(*, own: datetime, service: datetime) -> datetime:
    """Return this machine's time, or the service's (its `Date` header) if they differ by more than five seconds.

    A decision of an author whose clock is minutes ahead would lift the bounces of those minutes.
    """
    return own if abs(own - service) <= OWN_TOLERANCE else service


def decode_arrived(payload: bytes, *, arrived_at: datetime | None) -> list[Outcome]:
    """Decode a payload where it arrives, and set aside decisions that are dated ahead of their arrival.

    Such a decision would lift facts of the future. It is poison, unless it names the evidence that explains its time.
    Evidence of a decision is one too.

    Args:
        payload: See `decode`.
        arrived_at: When it arrived, aware; None if unknown, and then nothing is set aside.
    """
    outcomes = decode(payload)
    return [_check(outcome, arrived_at) for outcome in outcomes] if arrived_at else outcomes


def _check(outcome: Outcome, arrived_at: datetime) -> Outcome:
    details = outcome.details if isinstance(outcome, Event) else None
    if isinstance(details, Decision):
        at_ms, shown = decision_ms(details), details.after
        is_explained = shown is not None and shown.at_ms is not None and at_ms <= shown.at_ms + 1
    elif isinstance(details, TableEvidence) and details.fact in ACTIONS:
        at_ms, is_explained = details.at_ms or 0, False
    else:
        return outcome
    if is_explained or at_ms <= to_ms(arrived_at + AHEAD_TOLERANCE):
        return outcome
    return Poison(why="decision: its time is ahead of its arrival, and no evidence explains it", raw=outcome.raw)
