"""Apply a policy to a standing: the verdict says whether to send to an address.

A policy is data, with a version. The verdict does not depend on the clock: readers compare `until` with
their own. Pure.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import msgspec

from pipeline.address import Address, is_simulator
from pipeline.document import NOT_JSON
from pipeline.errors import UsageError
from pipeline.standing import MAILS_KEPT, Evidence, Standing
from pipeline.timestamp import from_ms, to_ms

Positive = Annotated[int, msgspec.Meta(ge=1, le=2**31)]
Seconds = Annotated[int, msgspec.Meta(ge=1, le=100 * 366 * 86_400)]  # a century: longer is permanent
_LAST_MS = to_ms(datetime.max.replace(tzinfo=UTC))


class SoftRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Suppress for a limited time after several mails in a row bounced softly.

    Attributes:
        mails: Number of mails.
        window_seconds: The time within which all of them were sent.
        expiry_seconds: The time that the suppression lasts after the newest of them.
    """

    mails: Annotated[int, msgspec.Meta(ge=1, le=MAILS_KEPT)]
    window_seconds: Seconds
    expiry_seconds: Seconds


class Policy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The facts that suppress an address. See schemas/policy.json for the JSON form.

    Attributes:
        version: Increased with every change; a table never returns to a lower one.
        hard: True if a hard bounce suppresses permanently.
        complaint: True if a complaint suppresses permanently.
        uncertain_complaint: True if a complaint with several candidates suppresses all of them.
        soft: The rule for soft bounces; None if they never suppress.
    """

    version: Positive = 1
    hard: bool = True
    complaint: bool = True
    uncertain_complaint: bool = True
    soft: SoftRule | None = None


DEFAULT_POLICY = Policy()


class Reason(StrEnum):
    """The reasons for which an address is suppressed, gravest first."""

    OPERATOR = "operator"
    COMPLAINT = "complaint"
    HARD = "hard"
    SOFT = "soft"


class Verdict(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Whether to send to an address.

    Attributes:
        suppressed: True if senders must not send.
        reason: The gravest reason; None if clear.
        since: Time of the oldest kept evidence of that reason that no release lifts; None if clear or unknown.
        until: When the suppression ends; None if it is permanent. A reader whose clock is past it may send.
        certain: False if the address is only one of several candidates for a complaint.
        evidence: Ids of the events behind the verdict, oldest first.
    """

    suppressed: bool
    reason: Reason | None = None
    since: datetime | None = None
    until: datetime | None = None
    certain: bool = True
    evidence: tuple[str, ...] = ()

    def holds_at(self, moment: datetime) -> bool:
        """Return True if the address is suppressed at `moment`."""
        return self.suppressed and (self.until is None or moment < self.until)


CLEAR = Verdict(suppressed=False)


def verdict(standing: Standing, policy: Policy, *, address: Address) -> Verdict:
    """Return the verdict of `policy` on the standing of `address`."""
    if is_simulator(address):
        return CLEAR
    return next(_verdicts(standing, policy), CLEAR)


def parse_policy(document: bytes) -> Policy:
    """Parse a policy from JSON.

    Raises:
        UsageError: It is not JSON, or not a policy.
    """
    try:
        return msgspec.json.decode(document, type=Policy)
    except NOT_JSON as error:
        raise UsageError(f"not a policy: {error}") from error


def _verdicts(standing: Standing, policy: Policy) -> Iterator[Verdict]:
    """Yield a verdict for every reason that holds, gravest first."""
    if decisions := _unlifted_decisions(standing):
        yield _suppressed(Reason.OPERATOR, decisions)
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
    """Return the decisions to suppress that no later release lifts. At equal times, suppress wins."""
    return [
        e for e in standing.suppress if not any(e.at_ms < r.at_ms or e.event_id in r.lifts for r in standing.release)
    ]


def _triggers(soft: Sequence[Evidence], rule: SoftRule) -> Iterator[Evidence]:
    """Yield the mails that, together with those before them, reach the number of mails within the window."""
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
