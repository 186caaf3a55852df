"""Erase a person from a table: facts move to the key under the hash, and what others' facts say of the person goes.

The facts of the log that were rewritten are joined into each item, so that table and log agree afterwards. Pure except
for the store.
"""

from collections.abc import Mapping

import msgspec

from pipeline.erasure import Erasure, Source
from pipeline.errors import Conflict, PolicyOutdated, StoreUnavailable
from pipeline.policy import Policy
from pipeline.ports import NO_ITEM, ErasableStore, Put
from pipeline.projection import SAVE_ATTEMPTS, merge_fully, to_item
from pipeline.standing import NOTHING_KNOWN, Key, Standing, join


class ErasedLog(msgspec.Struct, kw_only=True):
    """The facts of the rows that this erasure, or an interrupted one before it, rewrote, as they are now.

    Attributes:
        sources: The source of each fact.
        facts: The facts by key.
    """

    sources: set[Source] = msgspec.field(default_factory=set)
    facts: dict[Key, Standing] = msgspec.field(default_factory=dict)


class ErasedItems(msgspec.Struct, kw_only=True):
    """Counts of an erasure from a table.

    Attributes:
        moved: Items of the person that now lie under the hash.
        changed: Items of other people that named the person.
    """

    moved: int = 0
    changed: int = 0


def find_items(erasure: Erasure, *, store: ErasableStore, log: ErasedLog) -> list[Key]:
    """Return the keys whose item names the person, or contains a fact of a rewritten row. Reads the whole table.

    Raises:
        StoreUnavailable: The table is throttled or unreachable. Or another error of `STOPS_BATCH`.
    """
    sources = frozenset(log.sources)
    return [
        key
        for key, item in store.scan()
        if erasure.key_of(key) != key or erasure.standing(key, item.standing, rewritten=sources) != item.standing
    ]


def erase_items(erasure: Erasure, *, store: ErasableStore, policy: Policy, log: ErasedLog) -> ErasedItems:
    """Erase a person from a table. Safe to repeat, beside live traffic too.

    Raises:
        StoreUnavailable: The table is throttled or unreachable. Or another error of `STOPS_BATCH`. Erase again.
        ItemRejected: The table rejects an item permanently.
    """
    erased = ErasedItems()
    for key in find_items(erasure, store=store, log=log):
        _erase_item(key, erasure, store, policy, log)
        erased.moved += key.address == erasure.address
        erased.changed += key.address != erasure.address
    return erased


def _erase_item(key: Key, erasure: Erasure, store: ErasableStore, policy: Policy, log: ErasedLog) -> None:
    """Rewrite one item. If it changes meanwhile, load it again."""
    for _ in range(SAVE_ATTEMPTS):
        item, new_key = store.load([key])[key], erasure.key_of(key)
        if item == NO_ITEM:
            return
        standing = erasure.standing(key, item.standing, rewritten=frozenset(log.sources))
        standing = join(standing, log.facts.get(new_key, NOTHING_KNOWN))
        try:
            if new_key == key:
                _replace(
                    Put(key=key, item=to_item(key, standing, policy), expected=item.facts_hash),
                    store,
                    item.policy_version,
                )
            else:
                merge_fully({new_key: standing}, store=store, policy=policy)
                store.delete(key, expected=item.facts_hash)
        except Conflict:
            continue
        return
    raise StoreUnavailable(f"an item changed during each of {SAVE_ATTEMPTS} attempts to erase it")


def _replace(put: Put, store: ErasableStore, table_version: int) -> None:
    if table_version > put.item.policy_version:
        raise PolicyOutdated(own_version=put.item.policy_version, table_version=table_version)
    if error := store.save([put]).get(put.key):
        raise error


def add_facts(log: ErasedLog, changes: Mapping[Key, Standing]) -> None:
    """Join facts of rewritten rows to those of an erasure."""
    for key, standing in changes.items():
        log.facts[key] = join(log.facts.get(key, NOTHING_KNOWN), standing)
