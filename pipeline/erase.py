"""Erase a person from a table: facts move to the key under the hash, and what others' facts say of the person goes.

The facts of the log that were rewritten are joined into each item, so that table and log agree afterwards. Pure except
for the store.
"""

from collections.abc import Mapping

import msgspec

from pipeline.erasure import Erasure, Source
from pipeline.errors import Conflict, PolicyOutdated, StoreUnavailable
from pipeline.policy import Policy
from pipeline.ports import NO_ITEM, ErasableStore, Item, Put
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


class TableEraser:
    """Erases a person from a table.

    Args:
        erasure: The person.
        store: The table.
        policy: Decides the verdicts.
        log: The facts of the rows that were rewritten.
    """

    def __init__(self, erasure: Erasure, *, store: ErasableStore, policy: Policy, log: ErasedLog) -> None:
        self._erasure, self._store, self._policy = erasure, store, policy
        self._facts, self._sources = log.facts, frozenset(log.sources)

    def find(self) -> list[Key]:
        """Return the keys whose item names the person, or has a fact of a rewritten row. Reads the whole table.

        Raises:
            StoreUnavailable: The table is throttled or unreachable. Or another error of `STOPS_BATCH`.
        """
        return [key for key, item in self._store.scan() if self._erased(key, item) != (key, item.standing)]

    def erase(self) -> ErasedItems:
        """Erase the person. Safe to repeat, beside live traffic too.

        Raises:
            StoreUnavailable: The table is throttled or unreachable. Or another error of `STOPS_BATCH`. Erase again.
            ItemRejected: The table rejects an item permanently.
        """
        erased = ErasedItems()
        for key in self.find():
            self._erase_item(key)
            erased.moved += key.address == self._erasure.address
            erased.changed += key.address != self._erasure.address
        return erased

    def _erased(self, key: Key, item: Item) -> tuple[Key, Standing]:
        """Return the key and the standing that take the place of an item's."""
        standing = self._erasure.standing(key, item.standing, rewritten=self._sources)
        return self._erasure.key_of(key), standing

    def _erase_item(self, key: Key) -> None:
        """Rewrite one item. If it changes meanwhile, load it again."""
        for _ in range(SAVE_ATTEMPTS):
            item = self._store.load([key])[key]
            if item == NO_ITEM:
                return
            new_key, standing = self._erased(key, item)
            try:
                self._put(key, item, new_key, join(standing, self._facts.get(new_key, NOTHING_KNOWN)))
            except Conflict:
                continue
            return
        raise StoreUnavailable(f"an item changed during each of {SAVE_ATTEMPTS} attempts to erase it")

    def _put(self, key: Key, item: Item, new_key: Key, standing: Standing) -> None:
        """Put a standing in place of an item: by a join under another key, and else whole, because texts disappear."""
        if new_key != key:
            merge_fully({new_key: standing}, store=self._store, policy=self._policy)
            self._store.delete(key, expected=item.facts_hash)
            return
        if item.policy_version > self._policy.version:
            raise PolicyOutdated(own_version=self._policy.version, table_version=item.policy_version)
        put = Put(key=key, item=to_item(key, standing, self._policy), expected=item.facts_hash)
        if error := self._store.save([put]).get(key):
            raise error


def add_facts(log: ErasedLog, changes: Mapping[Key, Standing]) -> None:
    """Join facts of rewritten rows to those of an erasure."""
    for key, standing in changes.items():
        log.facts[key] = join(log.facts.get(key, NOTHING_KNOWN), standing)
