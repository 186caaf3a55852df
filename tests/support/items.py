"""Items for tests, made of records as the projection makes them, and a look into a table."""

from collections.abc import Callable

from pipeline.address import Address
from pipeline.batch import group_by_key
from pipeline.decode import decode
from pipeline.event import Event
from pipeline.fact import facts
from pipeline.policy import Policy, SoftRule
from pipeline.ports import Item, SuppressionStore
from pipeline.projection import to_item
from pipeline.standing import Key, Standing
from tests.support.builders import ADA

MakeStore = Callable[[], SuppressionStore]
"""Makes an empty table."""

KEY = Key(Address(ADA))
POLICY = Policy(version=2, soft=SoftRule(mails=1, window_seconds=3_600, expiry_seconds=86_400))


def a_standing(*payloads: bytes, about: Key = KEY) -> Standing:
    return group_by_key(
        finding
        for payload in payloads
        for outcome in decode(payload)
        if isinstance(outcome, Event)
        for finding in facts(outcome)
    )[about]


def an_item(*payloads: bytes, key: Key = KEY, policy: Policy = POLICY) -> Item:
    return to_item(key, a_standing(*payloads, about=key), policy)


def saved(store: SuppressionStore, item: Item, *, key: Key = KEY, expected: str = "") -> Item:
    store.save(key, item, expected=expected)
    return item


def everything(store: SuppressionStore) -> dict[Key, Item]:
    return dict(store.scan())
