"""The loop: payloads in, facts joined into the suppression table.

Lambda, the Kinesis Client Library and replay all end in `merge`, so replay equals live by construction.
A batch is never acknowledged unless each of its records is stored or quarantined: `project` returns, or it raises
`BatchUnfinished` with the first record that is not done. Pure but for the ports that it is given.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum, auto
from functools import partial

import msgspec

from pipeline.errors import BatchUnfinished, Conflict, Outage, PolicyOutdated, Rejected, StoreUnavailable
from pipeline.gathering import Gathering, StreamRecord, Tally
from pipeline.policy import Policy, verdict
from pipeline.ports import Item, Quarantine, SuppressionStore
from pipeline.standing import Key, Standing, facts_hash, join

SAVE_ATTEMPTS = 5  # contention is two writers, live and replay; more than five in a row is an outage

Changes = Mapping[Key, Standing]


class Saved(Enum):
    """What became of one item, where nothing went wrong with it."""

    WRITTEN = auto()
    UNCHANGED = auto()
    CONFLICT = auto()


Loaded = tuple[Key, Item]
Outcome = tuple[Key, Saved | Rejected | Outage]
Each = Callable[[Callable[[Loaded], Outcome], Iterable[Loaded]], Iterable[Outcome]]
"""Applies a function to each of many, as `map` does one after the other, and a pool of threads several at once."""


class Merged(msgspec.Struct, kw_only=True):
    """How far `merge` came, in one store or in several.

    Attributes:
        written: Items put.
        unchanged: Items that knew it all already.
        rejected: Keys that the store will never take, with its reason.
        pending: Keys that are not done, if an outage stopped it.
        outage: What stopped it.
    """

    written: int = 0
    unchanged: int = 0
    rejected: dict[Key, str] = msgspec.field(default_factory=dict)
    pending: Sequence[Key] = ()
    outage: Outage | None = None


def project(
    batch: Sequence[StreamRecord],
    *,
    store: SuppressionStore,
    also: Sequence[SuppressionStore] = (),
    quarantine: Quarantine,
    policy: Policy,
    each: Each = map,
) -> Tally:
    """Fold a batch into the store, and set aside what cannot be read.

    Args:
        batch: Payloads, each with its place in the stream.
        store: The suppression table that senders ask.
        also: Further ones that are to have the same facts. A record is done once every one of them has its facts.
        quarantine: Where poison is set aside.
        policy: What gives the verdicts.
        each: How items are saved: `map`, or a pool's, if the stores can be called from its threads.

    Raises:
        BatchUnfinished: A store or the quarantine is away. All before `first` is done; doing it again is harmless.
    """
    gathering = Gathering(quarantine)
    outage = gathering.read(batch)
    tally, sources = gathering.tally, gathering.sources
    merged = merge_each(gathering.changes(), stores=(store, *also), policy=policy, each=each)
    tally.written, tally.unchanged = merged.written, merged.unchanged
    end = min((sources[key][0] for key in merged.pending), default=gathering.end)
    refused = {index: why for key, why in merged.rejected.items() for index in sources[key] if index < end}
    for index in sorted(refused):
        gathering.set_aside(index, batch[index], f"the store refuses its facts: {refused[index]}")
    if cause := merged.outage or outage:
        raise BatchUnfinished(first=end, cause=cause)
    return tally


def merge(changes: Changes, *, store: SuppressionStore, policy: Policy, each: Each = map) -> Merged:
    """Join changes into the store: load, join, put what is new; on a conflict load and join again, a few times.

    Raises nothing that the store may raise: the answer says how far it came.
    """
    merged = Merged()
    pending = dict(changes)
    try:
        for _ in range(SAVE_ATTEMPTS if pending else 0):
            items = store.load(tuple(pending)).items()
            for key, outcome in each(partial(_save, changes=changes, store=store, policy=policy), items):
                if _note(key, outcome, merged):
                    del pending[key]
            if not pending:
                return merged
        if pending:
            merged.outage = StoreUnavailable(
                f"{len(pending)} items changed under every one of {SAVE_ATTEMPTS} attempts"
            )
    except Outage as error:
        merged.outage = error
    merged.pending = tuple(pending)
    return merged


def merge_each(changes: Changes, *, stores: Sequence[SuppressionStore], policy: Policy, each: Each = map) -> Merged:
    """Join changes into each of several stores, one after the other, as `merge` does into one.

    An outage leaves the stores that come after it alone, so that not even the keys that are done elsewhere are done.
    """
    total = Merged()
    for number, store in enumerate(stores, 1):
        merged = merge(changes, store=store, policy=policy, each=each)
        total.written += merged.written
        total.unchanged += merged.unchanged
        total.rejected |= merged.rejected
        if merged.outage:
            total.outage = merged.outage
            total.pending = merged.pending if number == len(stores) else tuple(changes)
            break
    return total


def merge_fully(changes: Changes, *, store: SuppressionStore, policy: Policy) -> Merged:
    """Join changes into the store, all of them.

    Raises:
        Outage: The store is away. What was joined so far stays; doing it again is harmless.
        Rejected: The store refuses an item for good.
    """
    merged = merge(changes, store=store, policy=policy)
    if merged.outage:
        raise merged.outage
    if merged.rejected:
        raise Rejected(f"the table refuses {len(merged.rejected)} items: {next(iter(merged.rejected.values()))}")
    return merged


def _save(loaded: Loaded, *, changes: Changes, store: SuppressionStore, policy: Policy) -> Outcome:
    """Bring one item up to date; return what became of it. May run in any thread."""
    key, item = loaded
    known = join(item.standing, changes[key])
    if known == item.standing and item.policy_version >= policy.version:
        return key, Saved.UNCHANGED
    if item.policy_version > policy.version:
        return key, PolicyOutdated(ours=policy.version, theirs=item.policy_version)
    try:
        store.save(key, item_of(key, known, policy), expected=item.facts_hash)
    except Conflict:
        return key, Saved.CONFLICT
    except (Rejected, Outage) as error:
        return key, error
    return key, Saved.WRITTEN


def _note(key: Key, outcome: Saved | Rejected | Outage, merged: Merged) -> bool:
    """Count an outcome; return whether the key is done.

    Raises:
        Outage: That is the outcome.
    """
    match outcome:
        case Saved.WRITTEN:
            merged.written += 1
        case Saved.UNCHANGED:
            merged.unchanged += 1
        case Rejected():
            merged.rejected[key] = str(outcome)
        case Outage():
            raise outcome
    return outcome is not Saved.CONFLICT


def item_of(key: Key, known: Standing, policy: Policy) -> Item:
    """Return the item that the table holds for a standing under a policy."""
    return Item(
        standing=known,
        verdict=verdict(known, policy, address=key.address),
        facts_hash=facts_hash(known),
        policy_version=policy.version,
    )
