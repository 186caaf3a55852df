"""The projection as every consumer of a stream runs it: what nobody foresaw is found, set aside and passed.

`projection.project` knows outages, conflicts, poison and what the store refuses. Anything else that stops it is an
error of ours in some record: halving the batch finds that record, which is quarantined with its bytes like any poison.
Raising would hold up its shard for days and heal nothing. Pure but for its ports.

The loop: payloads in, facts joined into the suppression table.

Lambda, the Kinesis Client Library and replay all end in `merge`, so replay equals live by construction.
A batch is never acknowledged unless each of its records is stored or quarantined: `project` returns, or it raises
`PartialBatchFailure` with the first record that is not done. Pure but for the ports that it is given.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum, auto
from functools import partial

import msgspec

from pipeline.batch import BatchReader, Counts, StreamRecord
from pipeline.errors import (
    STOPS_BATCH,
    Conflict,
    ItemRejected,
    MailfoldError,
    PartialBatchFailure,
    PolicyOutdated,
    StoreUnavailable,
    describe,
)
from pipeline.policy import Policy, verdict
from pipeline.ports import Item, Quarantine, Quarantined, SuppressionStore
from pipeline.standing import Key, Standing, facts_hash, join

SAVE_ATTEMPTS = 5  # contention is two writers, live and replay; more than five in a row is an outage

Changes = Mapping[Key, Standing]


class SaveStatus(Enum):
    """What became of one item, where nothing went wrong with it."""

    WRITTEN = auto()
    UNCHANGED = auto()
    CONFLICT = auto()


Loaded = tuple[Key, Item]
SaveOutcome = tuple[Key, SaveStatus | ItemRejected | MailfoldError]
MapFunction = Callable[[Callable[[Loaded], SaveOutcome], Iterable[Loaded]], Iterable[SaveOutcome]]
"""Applies a function to each of many, as `map` does one after the other, and a pool of threads several at once."""


class MergeResult(msgspec.Struct, kw_only=True):
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
    outage: MailfoldError | None = None


def project(
    batch: Sequence[StreamRecord],
    *,
    store: SuppressionStore,
    shadow_stores: Sequence[SuppressionStore] = (),
    quarantine: Quarantine,
    policy: Policy,
    each: MapFunction = map,
) -> Counts:
    """Fold a batch into the store, and set aside what cannot be read.

    Args:
        batch: Payloads, each with its place in the stream.
        store: The suppression table that senders ask.
        shadow_stores: Further tables that get the same facts. A record is done once each of them has its facts.
        quarantine: Where poison is set aside.
        policy: What gives the verdicts.
        each: How items are saved: `map`, or a pool's, if the stores can be called from its threads.

    Raises:
        PartialBatchFailure: A store or the quarantine is away. All before `first` is done; doing it again is harmless.
    """
    gathering = BatchReader(quarantine)
    outage = gathering.read(batch)
    tally, sources = gathering.tally, gathering.sources
    merged = merge_into_stores(gathering.changes(), stores=(store, *shadow_stores), policy=policy, each=each)
    tally.written, tally.unchanged = merged.written, merged.unchanged
    end = min((sources[key][0] for key in merged.pending), default=gathering.end)
    refused = {index: why for key, why in merged.rejected.items() for index in sources[key] if index < end}
    for index in sorted(refused):
        gathering.set_aside(index, batch[index], f"the store refuses its facts: {refused[index]}")
    if cause := merged.outage or outage:
        raise PartialBatchFailure(failed_at=end, cause=cause)
    return tally


def merge(changes: Changes, *, store: SuppressionStore, policy: Policy, each: MapFunction = map) -> MergeResult:
    """Join changes into the store: load, join, put what is new; on a conflict load and join again, a few times.

    Raises nothing that the store may raise: the answer says how far it came.
    """
    merged = MergeResult()
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
    except STOPS_BATCH as error:
        merged.outage = error
    merged.pending = tuple(pending)
    return merged


def merge_into_stores(
    changes: Changes, *, stores: Sequence[SuppressionStore], policy: Policy, each: MapFunction = map
) -> MergeResult:
    """Join changes into each of several stores, one after the other, as `merge` does into one.

    An outage leaves the stores that come after it alone, so that not even the keys that are done elsewhere are done.
    """
    total = MergeResult()
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


def merge_fully(changes: Changes, *, store: SuppressionStore, policy: Policy) -> MergeResult:
    """Join changes into the store, all of them.

    Raises:
        Unavailable: The store is away. What was joined so far stays; doing it again is harmless.
        ItemRejected: The store refuses an item for good.
    """
    merged = merge(changes, store=store, policy=policy)
    if merged.outage:
        raise merged.outage
    if merged.rejected:
        raise ItemRejected(f"the table refuses {len(merged.rejected)} items: {next(iter(merged.rejected.values()))}")
    return merged


def _save(loaded: Loaded, *, changes: Changes, store: SuppressionStore, policy: Policy) -> SaveOutcome:
    """Bring one item up to date; return what became of it. May run in any thread."""
    key, item = loaded
    known = join(item.standing, changes[key])
    if known == item.standing and item.policy_version >= policy.version:
        return key, SaveStatus.UNCHANGED
    if item.policy_version > policy.version:
        return key, PolicyOutdated(own_version=policy.version, table_version=item.policy_version)
    try:
        store.save(key, to_item(key, known, policy), expected=item.facts_hash)
    except Conflict:
        return key, SaveStatus.CONFLICT
    except (ItemRejected, *STOPS_BATCH) as error:
        return key, error
    return key, SaveStatus.WRITTEN


def _note(key: Key, outcome: SaveStatus | ItemRejected | MailfoldError, merged: MergeResult) -> bool:
    """Count an outcome; return whether the key is done.

    Raises:
        Unavailable: That is the outcome.
    """
    match outcome:
        case SaveStatus.WRITTEN:
            merged.written += 1
        case SaveStatus.UNCHANGED:
            merged.unchanged += 1
        case ItemRejected():
            merged.rejected[key] = str(outcome)
        case MailfoldError():
            raise outcome
    return outcome is not SaveStatus.CONFLICT


def to_item(key: Key, known: Standing, policy: Policy) -> Item:
    """Return the item that the table holds for a standing under a policy."""
    return Item(
        standing=known,
        verdict=verdict(known, policy, address=key.address),
        facts_hash=facts_hash(known),
        policy_version=policy.version,
    )


class BatchResult(msgspec.Struct, kw_only=True):
    """What became of a batch.

    Attributes:
        counts: Counts of all parts of the batch that are done.
        internal_errors: Number of records quarantined for an unexpected exception, by `errors.describe`.
        cause: What stopped the batch; None if nothing did.
        failed_at: Index of the first record that is not done; None if all are.
    """

    counts: Counts = msgspec.field(default_factory=Counts)
    internal_errors: Counter[str] = msgspec.field(default_factory=Counter)
    cause: MailfoldError | None = None
    failed_at: int | None = None


class BatchProjector(msgspec.Struct, frozen=True, kw_only=True):
    """The projection with what it works on.

    Attributes:
        store: The suppression table that senders ask.
        shadow_stores: Further ones that get the same facts; see `projection.project`.
        quarantine: Where poison is set aside.
        policy: What gives the verdicts.
        each: How items are saved; see `projection.project`.
    """

    store: SuppressionStore
    shadow_stores: Sequence[SuppressionStore] = ()
    quarantine: Quarantine
    policy: Policy
    each: MapFunction = map

    def project(self, batch: Sequence[StreamRecord]) -> BatchResult:
        """Project a batch up to the first outage, in ever smaller parts where an error of ours stops one."""
        done = BatchResult()
        parts = [(0, len(batch))]
        while parts:
            start, end = parts.pop()
            try:
                whole = self._project_part(batch[start:end], done)
            except STOPS_BATCH as outage:
                done.cause = outage
                done.failed_at = start + (outage.failed_at if isinstance(outage, PartialBatchFailure) else 0)
                break
            if not whole:
                middle = (start + end) // 2
                parts += [(middle, end), (start, middle)]
        return done

    def _project_part(self, part: Sequence[StreamRecord], done: BatchResult) -> bool:
        """Project a part, or set its only record aside; return whether it is done, or else to be halved."""
        try:
            done.counts += project(
                part,
                store=self.store,
                shadow_stores=self.shadow_stores,
                quarantine=self.quarantine,
                policy=self.policy,
                each=self.each,
            )
        except STOPS_BATCH:
            raise
        except Exception as error:  # noqa: BLE001 - poison of a kind that nobody foresaw must not block its shard
            if len(part) > 1:
                return False
            why = describe(error)
            self.quarantine.put(Quarantined(payload=part[0].payload, reason=why, position=part[0].position))
            done.internal_errors[why] += 1
        return True
