"""Items of the suppression table for tests, made of payloads as the projection makes them."""

from collections.abc import Callable

from pipeline.address import Address
from pipeline.batch import group_by_key
from pipeline.decode import decode
from pipeline.event import Event
from pipeline.fact import facts
from pipeline.policy import Policy, SoftRule
from pipeline.ports import Item, Put, SuppressionStore
from pipeline.projection import to_item
from pipeline.standing import Key, Standing
from tests.support.builders import ADA

MakeStore = Callable[[], SuppressionStore]
"""Returns a new, empty table."""

KEY = Key(Address(ADA))
POLICY = Policy(version=2, soft=SoftRule(mails=1, window_seconds=3_600, expiry_seconds=86_400))


def an_item(*payloads: bytes, key: Key = KEY, policy: Policy = POLICY) -> Item:
    """Return the item of a key after some payloads."""
    return to_item(key, a_standing(*payloads, about=key), policy)


def a_standing(*payloads: bytes, about: Key = KEY) -> Standing:
    """Return the standing of a key after some payloads."""
    return group_by_key(
        fact
        for payload in payloads
        for outcome in decode(payload)
        if isinstance(outcome, Event)
        for fact in facts(outcome)
    )[about]


def save_item(store: SuppressionStore, item: Item, *, key: Key = KEY, expected: str = "") -> Item:
    """Save an item in a table, or raise the error, and return the item."""
    for error in store.save([Put(key=key, item=item, expected=expected)]).values():
        raise error
    return item


def all_items(store: SuppressionStore) -> dict[Key, Item]:
    """Return every item of a table by its key."""
    return dict(store.scan())
