"""Look up whether addresses are suppressed. Senders call this before they send.

Pure except for the store; the caller passes the time.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from pipeline.address import Address, canonical
from pipeline.ports import SuppressionStore
from pipeline.standing import NOTHING_KNOWN, Key, Standing
from pipeline.verdict import Verdict


class LookupResult(msgspec.Struct, frozen=True, kw_only=True):
    """What the table holds about one requested address.

    Attributes:
        requested: The address as the caller wrote it.
        address: Its canonical form; None if it is not an address, and then it cannot be mailed either.
        suppressed: True if it is suppressed at the requested time.
        verdict: The table's verdict; None if it is not an address.
        standing: All its facts.
    """

    requested: str
    address: Address | None
    suppressed: bool
    verdict: Verdict | None = None
    standing: Standing = NOTHING_KNOWN


def lookup(addresses: Sequence[str], *, store: SuppressionStore, now: datetime) -> list[LookupResult]:
    """Return a result for each address, in order. The store loads each distinct address once.

    Raises:
        StoreUnavailable: The table is throttled or unreachable.
        AccessDenied, NotFound: The table may not be read, or does not exist.
    """
    keys = {text: Key(address) for text in addresses if (address := canonical(text))}
    items = store.load(dict.fromkeys(keys.values()))
    results = []
    for text in addresses:
        if (key := keys.get(text)) is None:
            results.append(LookupResult(requested=text, address=None, suppressed=False))
            continue
        item = items[key]
        results.append(
            LookupResult(
                requested=text,
                address=key.address,
                suppressed=item.verdict.holds_at(now),
                verdict=item.verdict,
                standing=item.standing,
            )
        )
    return results
