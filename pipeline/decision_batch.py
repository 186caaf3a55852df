"""A request to decide about addresses: its id, its author and its reason, and the decision about each address.

The id of a request is a UUID of version 7 (RFC 9562), whose first 48 bits are the milliseconds of its time. So a
request that is repeated with its id decides at the same time about the same addresses, and each of its decisions is the
same event: a repetition lifts nothing that happened since. Pure.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256

import msgspec

from pipeline.address import bare, canonical
from pipeline.decision import OWN_TOLERANCE, clock_ms, make_decision, newest_evidence
from pipeline.errors import UsageError
from pipeline.policy import Policy, verdict
from pipeline.ports import Item
from pipeline.pseudonym import DOMAIN
from pipeline.standing import Evidence, FactKind, Key, Standing, join, kept_facts
from pipeline.timestamp import LAST_MS, from_ms, to_ms
from pipeline.verdict import CLEAR, Verdict, join_verdicts

MAX_REASON = 1_000  # characters
MAX_AUTHOR = 256
_AT_PSEUDONYMS = f"@{DOMAIN}"  # which no list of SES has
_RANDOM_BITS = 74
_REQUEST_ID = re.compile(r"[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15}", re.ASCII)


class DecisionBatch(msgspec.Struct, frozen=True, kw_only=True):
    """What the decisions of one request have in common.

    Attributes:
        id: The id of the request; see `new_request_id`.
        author: Who decides.
        reason: Why.
    """

    id: str
    author: str
    reason: str

    @property
    def decided_at(self) -> datetime:
        """The wall time of the request, which its id contains."""
        return from_ms(int(self.id[:12], 16))


class PlannedDecision(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A decision about an address, with the verdicts before and after it.

    Attributes:
        key: The address and the scope.
        action: `SUPPRESS` or `RELEASE`.
        event_id: The id of its event.
        spelling: The address as the event has it.
        at_ms: The time from which it counts.
        shown: The evidence dated ahead that makes `at_ms` later than the request; empty if there is none.
        before: The verdict of `*` and the scope that the author is shown.
        after: The same with this decision.
        spellings: Every spelling of the address that is known, because SES's lists distinguish them.
    """

    key: Key
    action: FactKind
    event_id: str
    spelling: str
    at_ms: int
    shown: Standing = Standing()
    before: Verdict = CLEAR
    after: Verdict = CLEAR
    spellings: tuple[str, ...] = ()


def request_time(*, now: datetime, newest: Evidence | None) -> datetime:
    """Return the time of a new request: now, or just after the newest evidence shown if that is seconds ahead.

    Clocks differ by so much. Evidence that is dated further ahead moves the decision about its own address alone; see
    `plan_decision`.
    """
    after_shown = from_ms(min(clock_ms(now, newest), LAST_MS))
    return after_shown if after_shown - now <= OWN_TOLERANCE else now


def new_request_id(moment: datetime, *, random_bits: int) -> str:
    """Return a new id of a request: a UUID of version 7, as 32 hex digits.

    Args:
        moment: The request's time, aware.
        random_bits: 74 random bits.
    """
    high, low = divmod(random_bits % 2**_RANDOM_BITS, 2**62)
    return f"{to_ms(moment):012x}7{high:03x}{0x8 << 60 | low:016x}"


def parse_request_id(text: str) -> str:
    """Return the id of a request as 32 hex digits in lower case.

    Raises:
        UsageError: It is not a UUID of version 7.
    """
    plain = text.strip().replace("-", "").lower()
    if not _REQUEST_ID.fullmatch(plain) or int(plain[:12], 16) > LAST_MS:
        raise UsageError(
            f"not the id of a request: {text[:64]!r}; use the id that the first attempt printed, or a UUID of version 7"
        )
    return plain


def decision_id(request_id: str, action: FactKind, key: Key) -> str:
    """Return the id of a request's decision: the same for the same request, action, address and scope."""
    return sha256(msgspec.json.encode([request_id, action, key.address, key.scope])).hexdigest()[:32]


def plan_decision(
    batch: DecisionBatch,
    action: FactKind,
    key: Key,
    *,
    spelling: str,
    items: Mapping[str, Item],
    policy: Policy,
    now: datetime,
    at_ms: int | None = None,
    requested: str = "",
) -> PlannedDecision:
    """Return a decision, with the verdicts before and after it.

    It counts from the request's time. Evidence that is dated after `now` was dated ahead when the request was made too:
    then the decision counts from just after that. Evidence between the two is taken to have arrived since, and a
    repeated request leaves it alone. Of copies with different times, the fold keeps the greatest.

    Args:
        batch: The request.
        action: `SUPPRESS` or `RELEASE`.
        key: The address and the scope.
        spelling: The address as the event has it.
        items: What the table holds about the address, by scope: `*` and the key's own.
        policy: Decides the verdict after it.
        now: The time of this attempt, aware.
        at_ms: The time from which it counts, where that is another.
        requested: The address as it was requested, if the event has the pseudonym of an erased person.
    """
    own = items[key.scope].standing
    ahead = newest_evidence([own])
    is_ahead = ahead is not None and ahead.at_ms > to_ms(max(now, batch.decided_at))
    shown = own if is_ahead and at_ms is None else Standing()
    counts_from_ms = clock_ms(batch.decided_at, newest_evidence([shown])) if at_ms is None else at_ms
    event_id = decision_id(batch.id, action, key)
    evidence = Evidence(at_ms=counts_from_ms, event_id=event_id)
    decided = join(own, Standing(**{action: (evidence,)}))
    verdicts = {scope: item.verdict for scope, item in items.items()}
    return PlannedDecision(
        key=key,
        action=action,
        event_id=event_id,
        spelling=spelling,
        at_ms=counts_from_ms,
        shown=shown,
        before=join_verdicts(verdicts.values()),
        after=join_verdicts((verdicts | {key.scope: verdict(decided, policy, address=key.address)}).values()),
        spellings=_spellings(requested or spelling, items),
    )


def to_payload(batch: DecisionBatch, planned: PlannedDecision, *, batch_size: int) -> bytes:
    """Return a planned decision as JSON. The same request and the same evidence dated ahead make the same bytes."""
    return make_decision(
        decision_id=planned.event_id,
        action=planned.action,
        address=planned.spelling,
        scope=planned.key.scope,
        decided_at=batch.decided_at,
        shown=[planned.shown],
        at_ms=planned.at_ms,
        author=batch.author,
        reason=batch.reason,
        batch=batch.id,
        batch_size=batch_size,
    )


def is_in_standing(planned: PlannedDecision, standing: Standing) -> bool:
    """Return True if a table's facts contain the decision, or a later one of the same kind that replaced it."""
    newest = getattr(standing, planned.action)
    return bool(newest) and newest[0].at_ms >= planned.at_ms


def check_texts(*, author: str, reason: str) -> None:
    """Check what a person writes into a decision.

    Raises:
        UsageError: The reason is empty, or a text is too long.
    """
    if not reason.strip():
        raise UsageError("no reason: say with --reason why, for those who ask later")
    if len(reason) > MAX_REASON or len(author) > MAX_AUTHOR:
        raise UsageError(
            f"too long: a reason has at most {MAX_REASON:,} characters, the name of its author at most {MAX_AUTHOR}"
        )


def _spellings(spelling: str, items: Mapping[str, Item]) -> tuple[str, ...]:
    evidence = (evidence for item in items.values() for _, evidence in kept_facts(item.standing))
    known = (bare(spelling), *(item.spelling for item in evidence), canonical(spelling) or "")
    return tuple(dict.fromkeys(text for text in known if text and not text.endswith(_AT_PSEUDONYMS)))
