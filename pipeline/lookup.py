"""Ask whether to send: what senders call before they mail.

Pure but for the store that it is given, and the moment, which the caller brings.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from pipeline.address import Address, canonical
from pipeline.policy import Verdict
from pipeline.ports import SuppressionStore
from pipeline.standing import NOTHING_KNOWN, Key, Standing


class LookupResult(msgspec.Struct, frozen=True, kw_only=True):
    """What is known about one address that was asked for.

    Attributes:
        asked: The address as asked.
        address: Its key; None if it is no address, and then it cannot be mailed either.
        suppressed: Whether it is suppressed at the moment asked for.
        verdict: The table's verdict; None if it is no address.
        standing: All the facts.
    """

    asked: str
    address: Address | None
    suppressed: bool
    verdict: Verdict | None = None
    standing: Standing = NOTHING_KNOWN


def lookup(addresses: Sequence[str], *, store: SuppressionStore, now: datetime) -> list[LookupResult]:
    """Answer for each address, in the order asked; the store is asked once for each distinct one.

    Raises:
        StoreUnavailable: The table is throttled or unreachable.
    """
    keys = {asked: Key(address) for asked in addresses if (address := canonical(asked))}
    items = store.load(dict.fromkeys(keys.values()))
    answers = []
    for asked in addresses:
        if (key := keys.get(asked)) is None:
            answers.append(LookupResult(asked=asked, address=None, suppressed=False))
            continue
        item = items[key]
        answers.append(
            LookupResult(
                asked=asked,
                address=key.address,
                suppressed=item.verdict.holds_at(now),
                verdict=item.verdict,
                standing=item.standing,
            )
        )
    return answers
