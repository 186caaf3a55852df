"""What another policy would change: who would become suppressed or clear, by reason, provider and scope.

Verdicts are compared as look-up joins them: those of a scope with those of `*`, at one moment, because reasons expire.
Pure.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from enum import StrEnum

import msgspec

from pipeline.address import Address
from pipeline.policy import Policy, verdict
from pipeline.standing import EVERY_SCOPE, Key, Standing
from pipeline.verdict import CLEAR, Verdict, join_verdicts

NAMES_COUNTED = 100_000  # of providers, and of scopes: about 10 MB each
OTHER_NAMES = ""  # what is counted beyond them; a large provider is among the first
EXAMPLES = 5


class ChangeKind(StrEnum):
    """How an answer of look-up changes."""

    SUPPRESSED = "suppressed"
    CLEAR = "clear"
    OTHERWISE = "otherwise"


class VerdictChange(msgspec.Struct, frozen=True, kw_only=True):
    """An address and scope whose answer changes.

    Attributes:
        key: The address and the sender's scope; `*` for a sender without a scope, or of which no fact is known.
        kind: It becomes suppressed or clear, or stays suppressed otherwise.
        before: The reasons that hold at the moment under the one policy.
        after: Those under the other.
    """

    key: Key
    kind: ChangeKind
    before: Verdict
    after: Verdict

    @property
    def reason(self) -> str:
        """The gravest reason: the new one, or of an address that becomes clear the old one, or both if they differ."""
        before, after = self.before.reason, self.after.reason
        names = dict.fromkeys(str(reason) for reason in (before, after) if reason)
        return " -> ".join(names)

    @property
    def provider(self) -> str:
        """The domain of the address."""
        return self.key.address.rpartition("@")[2]


class ChangeCounts(msgspec.Struct, kw_only=True):
    """The changes of one kind.

    Attributes:
        total: Addresses and scopes.
        reasons: Their number by `VerdictChange.reason`.
        providers: By the domain of the address; "" for those beyond `NAMES_COUNTED`.
        scopes: By the sender's scope; the same.
        examples: Some of them.
    """

    total: int = 0
    reasons: Counter[str] = msgspec.field(default_factory=Counter)
    providers: Counter[str] = msgspec.field(default_factory=Counter)
    scopes: Counter[str] = msgspec.field(default_factory=Counter)
    examples: list[VerdictChange] = []

    def add(self, change: VerdictChange) -> None:
        """Count a change."""
        self.total += 1
        self.reasons[change.reason] += 1
        _count(self.providers, change.provider)
        _count(self.scopes, change.key.scope)
        if len(self.examples) < EXAMPLES:
            self.examples.append(change)


class PolicyDifference(msgspec.Struct, kw_only=True):
    """What another policy would change.

    Attributes:
        unchanged: Addresses and scopes with facts, whose answer stays as it is.
        changes: The others, by the kind of the change.
    """

    unchanged: int = 0
    changes: dict[ChangeKind, ChangeCounts] = msgspec.field(
        default_factory=lambda: {kind: ChangeCounts() for kind in ChangeKind}
    )


def compare_policies(
    standings: Iterable[Mapping[Key, Standing]],
    *,
    before: Policy,
    after: Policy,
    moment: datetime,
    on_change: Callable[[VerdictChange], None] = lambda _: None,
) -> PolicyDifference:
    """Return what changes for all addresses and scopes if `after` replaces `before`.

    Args:
        standings: The facts, in parts: each has all scopes of its addresses.
        before: The policy in force.
        after: The other one.
        moment: The time to answer for, aware: a reason that has ended by then does not count.
        on_change: Called with each change.
    """
    difference = PolicyDifference()
    for part in standings:
        old, new = _answers(part, before, moment), _answers(part, after, moment)
        for key in part:
            if old[key] == new[key]:
                difference.unchanged += 1
                continue
            change = VerdictChange(key=key, kind=_kind(old[key], new[key]), before=old[key], after=new[key])
            difference.changes[change.kind].add(change)
            on_change(change)
    return difference


def _answers(standings: Mapping[Key, Standing], policy: Policy, moment: datetime) -> dict[Key, Verdict]:
    """Return what look-up answers for each key: every reason that holds at the moment, of `*` and of the scope."""
    own = {key: _holding(verdict(standing, policy, address=key.address), moment) for key, standing in standings.items()}
    return {
        key: held if key.scope == EVERY_SCOPE else join_verdicts((own.get(_everywhere(key.address), CLEAR), held))
        for key, held in own.items()
    }


def _holding(held: Verdict, moment: datetime) -> Verdict:
    return Verdict(reasons=tuple(reason for reason in held.reasons if reason.binds(moment, None)))


def _everywhere(address: Address) -> Key:
    return Key(address, EVERY_SCOPE)


def _kind(before: Verdict, after: Verdict) -> ChangeKind:
    if before.suppressed and after.suppressed:
        return ChangeKind.OTHERWISE
    return ChangeKind.SUPPRESSED if after.suppressed else ChangeKind.CLEAR


def _count(counter: Counter[str], name: str) -> None:
    counter[name if name in counter or len(counter) < NAMES_COUNTED else OTHER_NAMES] += 1
