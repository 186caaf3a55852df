"""Where the verdict is given: what the known facts mean for sending.

A policy is data: versioned, hashed, and applied by one function free of the clock. Readers compare `until` with
their own clock. Pure.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import sha256
from typing import Annotated

import msgspec

from pipeline.address import Address, is_simulator
from pipeline.document import NOT_JSON
from pipeline.errors import UsageError
from pipeline.standing import MAILS_KEPT, Evidence, Standing
from pipeline.timestamp import from_ms, to_ms

Positive = Annotated[int, msgspec.Meta(ge=1, le=2**31)]
Seconds = Annotated[int, msgspec.Meta(ge=1, le=100 * 366 * 86_400)]  # a century: longer is "for good"
_LAST_MS = to_ms(datetime.max.replace(tzinfo=UTC))


class SoftRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Suppress for a while once several mails in a row bounced softly.

    Attributes:
        mails: How many mails.
        window_seconds: All of them were sent within this time.
        expiry_seconds: How long after the newest such mail the suppression lasts.
    """

    mails: Annotated[int, msgspec.Meta(ge=1, le=MAILS_KEPT)]
    window_seconds: Seconds
    expiry_seconds: Seconds


class Policy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What suppresses. See schemas/policy.json for the JSON form.

    Attributes:
        version: Goes up with every change; a table never goes back to a lower one.
        hard: Whether a hard bounce suppresses, for good.
        complaint: Whether a complaint suppresses, for good.
        uncertain_complaint: Whether it also does so when SES names several candidates.
        soft: The rule for soft bounces; None: they never suppress.
    """

    version: Positive = 1
    hard: bool = True
    complaint: bool = True
    uncertain_complaint: bool = True
    soft: SoftRule | None = None


DEFAULT_POLICY = Policy()


class Reason(StrEnum):
    """Why an address is suppressed, gravest first."""

    OPERATOR = "operator"
    COMPLAINT = "complaint"
    HARD = "hard"
    SOFT = "soft"


class Verdict(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Whether to send to an address.

    Attributes:
        suppressed: True: do not send; False: nothing stands against it.
        reason: The gravest reason; None when clear.
        since: The oldest kept evidence of that reason that no release lifted; None when clear or unknown.
        until: When it ends; None: for good. A reader whose clock is past it may send.
        certain: False when all that is known is that this address was among several candidates.
        evidence: Ids of the events that this rests on, oldest first.
    """

    suppressed: bool
    reason: Reason | None = None
    since: datetime | None = None
    until: datetime | None = None
    certain: bool = True
    evidence: tuple[str, ...] = ()

    def holds_at(self, moment: datetime) -> bool:
        """Tell whether the address is suppressed at a moment."""
        return self.suppressed and (self.until is None or moment < self.until)


CLEAR = Verdict(suppressed=False)


def verdict(standing: Standing, policy: Policy, *, address: Address) -> Verdict:
    """Return what `policy` makes of what is known about `address`."""
    if is_simulator(address):
        return CLEAR
    return next(_reasons(standing, policy), CLEAR)


def parse_policy(document: bytes) -> Policy:
    """Read a policy from JSON.

    Raises:
        UsageError: It is not JSON, or not a policy.
    """
    try:
        return msgspec.json.decode(document, type=Policy)
    except NOT_JSON as error:
        raise UsageError(f"not a policy: {error}") from error


def policy_hash(policy: Policy) -> str:
    """Return the SHA-256 of a policy's canonical JSON in hex."""
    return sha256(msgspec.json.encode(policy, order="sorted")).hexdigest()


def _reasons(standing: Standing, policy: Policy) -> Iterator[Verdict]:
    """Give a verdict for every reason that holds, gravest first."""
    if decided := _unlifted_decisions(standing):
        yield _suppressed(Reason.OPERATOR, decided)
    certain = _unlifted(standing.complaint, standing)
    uncertain = _unlifted(standing.uncertain_complaint, standing) if policy.uncertain_complaint else ()
    if policy.complaint and (certain or uncertain):
        yield _suppressed(Reason.COMPLAINT, sorted({*certain, *uncertain}), certain=bool(certain))
    if policy.hard and (hard := _unlifted(standing.hard, standing)):
        yield _suppressed(Reason.HARD, hard)
    soft = _unlifted(standing.soft, standing)
    if policy.soft and (triggers := list(_triggers(soft, policy.soft))):
        until_ms = triggers[-1].at_ms + 1_000 * policy.soft.expiry_seconds
        yield _suppressed(Reason.SOFT, soft, until=from_ms(min(until_ms, _LAST_MS)))


def _unlifted(evidence: Sequence[Evidence], standing: Standing) -> Sequence[Evidence]:
    if not standing.release:
        return evidence
    return [e for e in evidence if not any(e.at_ms <= r.at_ms or e.event_id in r.lifts for r in standing.release)]


def _unlifted_decisions(standing: Standing) -> list[Evidence]:
    """An operator's suppress and release at the same time: suppress wins."""
    return [
        e for e in standing.suppress if not any(e.at_ms < r.at_ms or e.event_id in r.lifts for r in standing.release)
    ]


def _triggers(soft: Sequence[Evidence], rule: SoftRule) -> Iterator[Evidence]:
    """Give the mails that, with those before them, make the number within the window."""
    for oldest, newest in zip(soft, soft[rule.mails - 1 :], strict=False):
        if newest.at_ms - oldest.at_ms <= 1_000 * rule.window_seconds:
            yield newest


def _suppressed(
    reason: Reason, evidence: Sequence[Evidence], *, certain: bool = True, until: datetime | None = None
) -> Verdict:
    return Verdict(
        suppressed=True,
        reason=reason,
        since=from_ms(evidence[0].at_ms) if evidence[0].at_ms else None,
        until=until,
        certain=certain,
        evidence=tuple(dict.fromkeys(e.event_id for e in evidence)),
    )
