"""Rebuild one address: its items get the facts of the log, and no others, in every scope.

A fact that only the table has disappears if its event is in the log, which states something else about the address.
If its event is not in the log, it may be on its way there, so it is *unlogged*: see `pipeline.rebuild`. Pure except for
the ports.
"""

from collections.abc import Callable, Mapping, Sequence

import msgspec

from pipeline.address import Address
from pipeline.batch import group_by_key
from pipeline.difference import Difference
from pipeline.errors import Conflict, MailfoldError, UsageError
from pipeline.policy import Policy
from pipeline.ports import Archive, ErasableStore, Item, Put
from pipeline.projection import to_item
from pipeline.rebuild_comparison import unlogged
from pipeline.standing import NOTHING_KNOWN, Key, Standing, kept_facts


class AddressRebuild(msgspec.Struct, frozen=True, kw_only=True):
    """What the log says about an address, and what a table has.

    Attributes:
        differences: The scopes of which both have different facts.
        items: The items of the table, by key.
        unlogged: Of the differences, those with a fact whose event is not in the log.
    """

    differences: Sequence[Difference]
    items: Mapping[Key, Item]
    unlogged: Sequence[Difference]

    @property
    def disappearing(self) -> int:
        """The number of facts that the table would lose."""
        return sum(len(difference.extra) for difference in self.differences)


def fold_address(
    address: Address,
    items: Mapping[Key, Item],
    archive: Archive,
    *,
    progress: Callable[[int], None] = lambda _: None,
) -> AddressRebuild:
    """Fold the log for one address, and compare it with the items of a table.

    Args:
        address: The address.
        items: All items of the address in the table, by key.
        archive: The log.
        progress: Called with the number of parts of the log that were read.

    Raises:
        ArchiveUnavailable: The log is throttled or unreachable.
        AccessDenied, NotFound: The log may not be read, or does not exist.
    """
    known = frozenset(evidence.event_id for item in items.values() for _, evidence in kept_facts(item.standing))
    logged, facts = frozenset[str](), []
    for number, scan in enumerate(archive.scan_events(known), 1):
        logged |= scan.ids
        facts += [fact for fact in scan.facts if fact.key.address == address]
        progress(number)
    standings = group_by_key(facts)
    differences = [
        Difference(key=key, log=standings.get(key, NOTHING_KNOWN), table=_standing(items, key))
        for key in sorted(standings.keys() | items.keys())
        if standings.get(key, NOTHING_KNOWN) != _standing(items, key)
    ]
    return AddressRebuild(differences=differences, items=items, unlogged=unlogged(differences, logged))


def put_address(rebuild: AddressRebuild, *, store: ErasableStore, policy: Policy) -> int:
    """Put the facts of the log into each item, and return how many items changed. An item without facts is deleted.

    Raises:
        UsageError: An item has changed since it was loaded, or is of a newer policy. Repeat the command.
        StoreUnavailable: The table is throttled or unreachable. Or another error of `STOPS_BATCH`.
    """
    puts = [
        Put(key=change.key, item=to_item(change.key, change.log, policy), expected=_hash(rebuild.items, change.key))
        for change in rebuild.differences
        if change.log != NOTHING_KNOWN
    ]
    errors: list[MailfoldError] = list(store.save(puts).values()) if puts else []
    for change in rebuild.differences:
        if change.log == NOTHING_KNOWN:
            try:
                store.delete(change.key, expected=_hash(rebuild.items, change.key))
            except Conflict as conflict:
                errors.append(conflict)
    if any(isinstance(error, Conflict) for error in errors):
        raise UsageError("an item of the address changed meanwhile: repeat the command")
    if errors:
        raise errors[0]
    return len(rebuild.differences)


def _standing(items: Mapping[Key, Item], key: Key) -> Standing:
    return items[key].standing if key in items else NOTHING_KNOWN


def _hash(items: Mapping[Key, Item], key: Key) -> str:
    return items[key].facts_hash if key in items else ""
