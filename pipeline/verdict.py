"""A verdict says whether to send to an address, and names every reason that holds.

It does not depend on the clock: readers compare `until` with their own. Pure.
"""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

import msgspec


class Reason(StrEnum):
    """The reasons for which an address is suppressed, gravest first."""

    OPERATOR = "operator"
    COMPLAINT = "complaint"
    HARD = "hard"
    BLOCKED = "blocked"
    INFERRED = "inferred"
    LISTED = "listed"
    SOFT = "soft"
    FORWARDED = "forwarded"
    ECHO = "echo"
    OPT_OUT = "opt_out"


_GRAVITY = {reason: number for number, reason in enumerate(Reason)}


class ReasonHeld(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """A reason that holds.

    Attributes:
        reason: Its name.
        since: Time of the oldest kept evidence that nothing lifts; None if unknown.
        until: When it ends; None if it is permanent. A reader whose clock is past it ignores the reason.
        certain: False if the address is only one of several candidates, or is inferred from the mail's destination.
        exempt: The purposes whose mail may be sent in spite of it.
    """

    reason: Reason
    since: datetime | None = None
    until: datetime | None = None
    certain: bool = True
    exempt: tuple[str, ...] = ()

    def binds(self, moment: datetime, purpose: str | None) -> bool:
        """Return True if it forbids mail of `purpose` at `moment`."""
        return (self.until is None or moment < self.until) and purpose not in self.exempt


class Verdict(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Whether to send to an address.

    Attributes:
        reasons: Every reason that holds, the gravest first.
    """

    reasons: tuple[ReasonHeld, ...] = ()

    @property
    def suppressed(self) -> bool:
        """True if senders must not send, up to `until`."""
        return bool(self.reasons)

    @property
    def reason(self) -> Reason | None:
        """The gravest reason; None if clear."""
        return self.reasons[0].reason if self.reasons else None

    @property
    def since(self) -> datetime | None:
        """Since when the gravest reason holds; None if clear or unknown."""
        return self.reasons[0].since if self.reasons else None

    @property
    def until(self) -> datetime | None:
        """When the last reason ends; None if clear, or if one is permanent."""
        ends = [held.until for held in self.reasons if held.until]
        return max(ends) if ends and len(ends) == len(self.reasons) else None

    @property
    def certain(self) -> bool:
        """False if no reason is certain."""
        return not self.reasons or any(held.certain for held in self.reasons)

    def holds_at(self, moment: datetime, purpose: str | None = None) -> bool:
        """Return True if mail of `purpose` must not be sent at `moment`. None is mail without a declared purpose."""
        return any(held.binds(moment, purpose) for held in self.reasons)


CLEAR = Verdict()


def join_verdicts(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the verdict of several scopes together: every reason of each. So the stricter one wins."""
    held = dict.fromkeys(reason for verdict in verdicts for reason in verdict.reasons)
    return Verdict(reasons=tuple(sorted(held, key=lambda reason: _GRAVITY[reason.reason])))
