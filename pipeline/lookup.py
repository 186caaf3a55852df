"""Look up whether addresses are suppressed. Senders call this before they send.

Facts lie in scopes: `*` is about all mail, the scope of an SES tenant about that tenant's mail. A look-up reads both
and joins their verdicts, so the stricter one wins. Pure except for the store; the caller passes the time.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum

import msgspec

from pipeline.address import Address, canonical
from pipeline.ports import Item, SuppressionStore
from pipeline.standing import EVERY_SCOPE, Key, Standing
from pipeline.verdict import CLEAR, Verdict, join_verdicts


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
        verdict: The verdict of all scopes together; clear if the text is not one address.
        standings: The facts of each scope that was read.
    """

    requested: str
    address: Address | None
    status: LookupStatus
    verdict: Verdict = CLEAR
    standings: Mapping[str, Standing] = msgspec.field(default_factory=dict)


def lookup(
    addresses: Sequence[str],
    *,
    store: SuppressionStore,
    now: datetime,
    scope: str = EVERY_SCOPE,
    purpose: str | None = None,
) -> list[LookupResult]:
    """Return a result for each address, in order. The store loads each distinct key once.

    Args:
        addresses: The addresses, in any spelling.
        store: The suppression table.
        now: The time to answer for, aware.
        scope: The sender's scope, such as the name of its SES tenant; `*` is read in any case.
        purpose: The purpose of the mail, such as `essential`; None if it has none that a policy exempts.

    Raises:
        StoreUnavailable: The table is throttled or unreachable.
        AccessDenied, NotFound: The table may not be read, or does not exist.
    """
    scopes = tuple(dict.fromkeys((EVERY_SCOPE, scope)))
    keys = {text: [Key(address, name) for name in scopes] for text in addresses if (address := canonical(text))}
    items = store.load(dict.fromkeys(key for keys_of_one in keys.values() for key in keys_of_one))
    return [_result(text, keys.get(text, ()), items, now, purpose) for text in addresses]


def _result(
    text: str, keys: Sequence[Key], items: Mapping[Key, Item], now: datetime, purpose: str | None
) -> LookupResult:
    if not keys:
        return LookupResult(requested=text, address=None, status=LookupStatus.NOT_AN_ADDRESS)
    verdict = join_verdicts(items[key].verdict for key in keys)
    return LookupResult(
        requested=text,
        address=keys[0].address,
        status=LookupStatus.SUPPRESSED if verdict.holds_at(now, purpose) else LookupStatus.CLEAR,
        verdict=verdict,
        standings={key.scope: items[key].standing for key in keys},
    )
