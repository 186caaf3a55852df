"""Look up whether addresses are suppressed. Senders call this before they send.

Facts lie in scopes: `*` is about all mail, the scope of an SES tenant about that tenant's mail. A look-up reads both
and joins their verdicts, so the stricter one wins. What is known about a person who was erased lies under a pseudonym,
which only the key of erasures yields. Pure except for the store; the caller passes the time.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from functools import reduce

import msgspec

from pipeline.address import Address, canonical
from pipeline.ports import Item, SuppressionStore
from pipeline.pseudonym import pseudonym
from pipeline.standing import EVERY_SCOPE, Key, Standing, join
from pipeline.verdict import CLEAR, Reason, ReasonHeld, Verdict, join_verdicts


class LookupStatus(StrEnum):
    """The answer to a sender. There is no other answer that permits sending than `CLEAR`."""

    CLEAR = "clear"
    SUPPRESSED = "suppressed"
    NOT_AN_ADDRESS = "not_an_address"


class LookupResult(msgspec.Struct, frozen=True, kw_only=True):
    """What the table holds about one requested address.

    Attributes:
        requested: The address as the caller wrote it.
        address: Its canonical form; None if the text is not one address.
        status: Whether to send at the requested time, for the requested purpose.
        is_exempt: True if only the purpose makes it clear: other mail must not be sent.
        purpose: The purpose of the mail; None if it has none.
        verdict: The verdict of all scopes together; clear if the text is not one address.
        verdicts: The verdict of each scope that was read.
        standings: The facts of each scope that was read.
    """

    requested: str
    address: Address | None
    status: LookupStatus
    is_exempt: bool = False
    purpose: str | None = None
    verdict: Verdict = CLEAR
    verdicts: Mapping[str, Verdict] = msgspec.field(default_factory=dict)
    standings: Mapping[str, Standing] = msgspec.field(default_factory=dict)

    @property
    def binding(self) -> Verdict:
        """The verdict on mail of the purpose: the reasons from which it is not exempt."""
        return Verdict(reasons=tuple(held for held in self.verdict.reasons if self.purpose not in held.exempt))

    @property
    def scoped_reasons(self) -> list[tuple[str, ReasonHeld]]:
        """Every reason that holds, the gravest first, with its scope."""
        scoped = [(scope, held) for scope, verdict in self.verdicts.items() for held in verdict.reasons]
        return sorted(scoped, key=lambda item: _GRAVEST_FIRST.index(item[1].reason))


_GRAVEST_FIRST = tuple(Reason)


def lookup(
    addresses: Sequence[str],
    *,
    store: SuppressionStore,
    now: datetime,
    scope: str = EVERY_SCOPE,
    purpose: str | None = None,
    erasure_key: bytes | None = None,
) -> list[LookupResult]:
    """Return a result for each address, in order. The store loads each distinct key once.

    Args:
        addresses: The addresses, in any spelling.
        store: The suppression table.
        now: The time to answer for, aware.
        scope: The sender's scope, such as the name of its SES tenant; `*` is read in any case.
        purpose: The purpose of the mail, such as `essential`; None if it has none. A purpose that no reason exempts is
            bound by every reason, so that a misspelled one never sends more.
        erasure_key: The secret key of erasures, with which a person who was erased is found; None if there is none.

    Raises:
        StoreUnavailable: The table is throttled or unreachable.
        AccessDenied, NotFound: The table may not be read, or does not exist.
    """
    scopes = tuple(dict.fromkeys((EVERY_SCOPE, scope)))
    keys = {
        text: {name: [Key(form, name) for form in address_forms(address, erasure_key)] for name in scopes}
        for text in addresses
        if (address := canonical(text))
    }
    items = store.load(dict.fromkeys(key for by_scope in keys.values() for some in by_scope.values() for key in some))
    return [_result(text, keys.get(text, {}), items, now, purpose) for text in addresses]


def address_forms(address: Address, erasure_key: bytes | None) -> list[Address]:
    """Return the addresses under which facts may lie: its own, and the pseudonym of a person who was erased."""
    return [address, pseudonym(address, key=erasure_key)] if erasure_key else [address]


def _result(
    text: str, keys: Mapping[str, Sequence[Key]], items: Mapping[Key, Item], now: datetime, purpose: str | None
) -> LookupResult:
    if not keys:
        return LookupResult(requested=text, address=None, status=LookupStatus.NOT_AN_ADDRESS, purpose=purpose)
    verdicts = {scope: join_verdicts(items[key].verdict for key in some) for scope, some in keys.items()}
    verdict = join_verdicts(verdicts.values())
    is_suppressed = verdict.holds_at(now, purpose)
    return LookupResult(
        requested=text,
        address=keys[EVERY_SCOPE][0].address,
        status=LookupStatus.SUPPRESSED if is_suppressed else LookupStatus.CLEAR,
        is_exempt=not is_suppressed and verdict.holds_at(now),
        purpose=purpose,
        verdict=verdict,
        verdicts=verdicts,
        standings={scope: reduce(join, (items[key].standing for key in some)) for scope, some in keys.items()},
    )
