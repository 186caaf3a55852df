"""Compare SES's suppression lists with the table, in both directions, each difference with its likely cause.

SES keeps its lists by itself: the account's, and those of tenants that have one. They are a third record of bounces and
complaints, beside log and table, and know less: no event, and only two reasons. Pure.
docs.aws.amazon.com/ses/latest/dg/sending-email-suppression-list.html
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from enum import StrEnum

import msgspec

from pipeline.account_list import ListEntry
from pipeline.address import Address, canonical
from pipeline.policy import Policy, verdict
from pipeline.pseudonym import is_pseudonym
from pipeline.standing import EVERY_SCOPE, NOTHING_KNOWN, Evidence, Key, Standing, kept_facts
from pipeline.timestamp import to_ms
from pipeline.verdict import Reason, join_verdicts

ListSides = tuple[Standing, ...]
"""What SES's list and the table have of a key: the entry as `to_standing` returns it, and the table's standing."""


class ListCause(StrEnum):
    """The likely cause of a difference."""

    UNEXPLAINED = "unexplained"
    RELEASED = "released"
    LIFTED = "lifted"
    NO_REASON = "no_reason"
    REMOVED = "removed"
    NOT_SPAM = "not_spam"
    DECISION = "decision"
    GLOBAL_LIST = "global_list"
    SOFT_RULE = "soft_rule"
    OWN_JUDGEMENT = "own_judgement"
    ERASED = "erased"


LISTED_CAUSES = {
    ListCause.UNEXPLAINED: "no event here explains it: it is older than this log, or was put there by hand; "
    "`mailfold import` imports it",
    ListCause.RELEASED: "an operator released it here, and not on SES's list",
    ListCause.LIFTED: "a not-spam report lifted the complaint here; SES keeps its entry on the account's list",
    ListCause.NO_REASON: "the policy does not suppress for what is known of it",
}
"""The causes of an entry of SES's list that is not suppressed here."""

SUPPRESSED_CAUSES = {
    ListCause.REMOVED: "it was taken off SES's list by hand, or the list was off for this reason; SES deletes all "
    "entries 90 days after an account is paused",
    ListCause.NOT_SPAM: "SES takes no complaint that a not-spam report followed",
    ListCause.DECISION: "an operator suppressed it here, and not on SES's list",
    ListCause.GLOBAL_LIST: "it is on SES's global list, which no customer can read",
    ListCause.SOFT_RULE: "the policy's rule for soft bounces, which SES does not have",
    ListCause.OWN_JUDGEMENT: "SES's list has no such reason: blocked, inferred, or one of several candidates",
    ListCause.ERASED: "the person was erased here, and a hash took the place of the address, which SES may list",
}
"""The causes of an address that is suppressed here and not on SES's list."""


class ListDifference(msgspec.Struct, frozen=True, kw_only=True):
    """An address about which SES's list and the table disagree.

    Attributes:
        key: The address, and the scope: `*` for the account's list, or a tenant.
        is_listed: True if it is on SES's list and not suppressed here; False if it is the other way round.
        cause: The likely cause.
        reason: SES's reason, or else the gravest of the table's, in lower case.
    """

    key: Key
    is_listed: bool
    cause: ListCause
    reason: str


def to_key(entry: ListEntry) -> Key | None:
    """Return the key of an entry; None if it is not an address."""
    address = canonical(entry.address)
    return Key(address, entry.scope) if address else None


def to_standing(entry: ListEntry) -> Standing:
    """Return an entry in the form of a fact, to be joined by key. Of several spellings the newest counts."""
    at_ms = max(0, to_ms(entry.updated_at))
    return Standing(echo=(Evidence(at_ms=at_ms, event_id="", sub_type=entry.reason.lower()),))


def list_differences(
    parts: Iterable[Mapping[Key, ListSides]],
    *,
    policy: Policy,
    own_lists: Collection[str],
    now: datetime,
    settled_before_ms: int,
) -> Iterator[ListDifference]:
    """Yield the differences.

    Args:
        parts: The sides of every key; all keys of an address are in one part.
        policy: Decides what is suppressed here.
        own_lists: The tenants that have a list of their own. All others use the account's.
        now: The time to compare for, aware.
        settled_before_ms: An entry, or a fact, that is not older than this is left out: the other side may not have it.
    """
    for part in parts:
        by_address: dict[Address, dict[str, ListSides]] = {}
        for key, sides in part.items():
            by_address.setdefault(key.address, {})[key.scope] = sides
        for address, scopes in by_address.items():
            compared = _Address(address, scopes, policy=policy, own_lists=own_lists, now=now)
            if compared.newest_ms < settled_before_ms:
                yield from compared.differences()


class _Address:
    """One address, in all of its scopes."""

    def __init__(
        self,
        address: Address,
        scopes: Mapping[str, ListSides],
        *,
        policy: Policy,
        own_lists: Collection[str],
        now: datetime,
    ) -> None:
        self._address, self._policy, self._own_lists, self._now = address, policy, own_lists, now
        self._entries = {scope: entry.echo[0] for scope, (entry, _) in scopes.items() if entry.echo}
        self._standings = {scope: known for scope, (_, known) in scopes.items() if known != NOTHING_KNOWN}
        facts = (evidence for known in self._standings.values() for _, evidence in kept_facts(known))
        self.newest_ms = max(evidence.at_ms for evidence in (*facts, *self._entries.values()))

    def differences(self) -> Iterator[ListDifference]:
        for scope, entry in self._entries.items():
            if not self._reasons(scope, EVERY_SCOPE):
                cause = self._listed_cause(scope, entry)
                yield ListDifference(key=Key(self._address, scope), is_listed=True, cause=cause, reason=entry.sub_type)
        for scope, known in self._standings.items():
            reasons = self._reasons(scope)
            owner = scope if scope in self._own_lists else EVERY_SCOPE
            if reasons and owner not in self._entries:
                cause = ListCause.ERASED if is_pseudonym(self._address) else _suppressed_cause(reasons, known)
                key = Key(self._address, scope)
                yield ListDifference(key=key, is_listed=False, cause=cause, reason=reasons[0].value)

    def _reasons(self, *scopes: str) -> list[Reason]:
        """Return what suppresses it now in these scopes together, the gravest first."""
        joined = join_verdicts(
            verdict(self._standings.get(scope, NOTHING_KNOWN), self._policy, address=self._address) for scope in scopes
        )
        return [held.reason for held in joined.reasons if held.binds(self._now, None)]

    def _listed_cause(self, scope: str, entry: Evidence) -> ListCause:
        known = [self._standings.get(name, NOTHING_KNOWN) for name in dict.fromkeys((scope, EVERY_SCOPE))]
        if any(standing.release and standing.release[0].at_ms > entry.at_ms for standing in known):
            return ListCause.RELEASED
        if any(standing.not_spam for standing in known):
            return ListCause.LIFTED
        return ListCause.UNEXPLAINED if all(standing == NOTHING_KNOWN for standing in known) else ListCause.NO_REASON


def _suppressed_cause(reasons: list[Reason], known: Standing) -> ListCause:
    """Return why SES's list has no entry. The reasons that SES has too come first."""
    if Reason.COMPLAINT in reasons and known.complaint:
        return ListCause.NOT_SPAM if known.not_spam else ListCause.REMOVED
    for reason, cause in (
        (Reason.HARD, ListCause.REMOVED),
        (Reason.OPERATOR, ListCause.DECISION),
        (Reason.LISTED, ListCause.GLOBAL_LIST),
        (Reason.SOFT, ListCause.SOFT_RULE),
    ):
        if reason in reasons:
            return cause
    return ListCause.OWN_JUDGEMENT
