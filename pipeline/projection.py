"""The projection: fold batches of stream records into the suppression table.

Lambda, the Kinesis Client Library, ingest and replay all end in `merge`, so replay equals live by construction.
`BatchProjector` raises no error of `errors.STOPS_BATCH`: its result contains the error and the first record that is
not done. Pure except for the ports.

A batch is acknowledged up to that record, `failed_at`. A record is done once its facts are in every table and its
poison is in the quarantine. Example: of records 0 to 4, records 1 and 3 name an address that the table cannot store
because of an outage:

    record       0       1        2       3        4
    facts        stored  pending  stored  pending  stored       failed_at = 1

Record 0 is acknowledged. Records 1 to 4 are delivered again, although 2 and 4 are stored. That is harmless, because a
join is idempotent: their items are found unchanged. Events, facts and quarantined payloads are counted for record 0
only, so that every record is counted once however often a batch stops.

Nor does a newer policy stop a batch: if an item was written under one, the projector reads the policy in force again,
and projects the rest of the batch under it.

An unexpected exception does not stop a batch. `BatchProjector` bisects the batch until it finds the record that raises
it, tries that record again, and quarantines it. To raise it would block the shard for days and correct nothing. But an
error of the process, such as a lack of memory, stops the batch like an outage: see `errors.process_errors_stop`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

import msgspec

from pipeline.batch import BatchReader, Counts, StreamRecord
from pipeline.errors import (
    STOPS_BATCH,
    Conflict,
    ItemRejected,
    MailfoldError,
    PolicyOutdated,
    ProcessFailed,
    StoreUnavailable,
    describe,
    process_errors_stop,
)
from pipeline.policy import Policy, verdict
from pipeline.ports import Item, Put, Quarantine, Quarantined, SuppressionStore
from pipeline.standing import NOTHING_KNOWN, Key, Standing, facts_hash, join

SAVE_ATTEMPTS = 5  # contention is two writers, live and replay; more than five conflicts in a row are an outage

Changes = Mapping[Key, Standing]


class BatchResult(msgspec.Struct, kw_only=True):
    """The result of projecting a batch.

    Attributes:
        counts: Events, facts and quarantined payloads of the records before `failed_at`, and all items written.
        internal_errors: Number of records quarantined for an unexpected exception, by `errors.describe`.
        cause: The error that stopped the batch; None if all records are done.
        failed_at: Index of the first record that is not done; None if all are.
    """

    counts: Counts = msgspec.field(default_factory=Counts)
    internal_errors: Counter[str] = msgspec.field(default_factory=Counter)
    cause: MailfoldError | None = None
    failed_at: int | None = None

    def append(self, part: BatchResult, *, start: int) -> None:
        """Add the result of the next part of the batch, which begins at index `start`."""
        self.counts += part.counts
        self.internal_errors += part.internal_errors
        self.cause = part.cause
        self.failed_at = None if part.failed_at is None else start + part.failed_at


class BatchProjector(msgspec.Struct, frozen=True, kw_only=True):
    """Projects batches into the suppression tables.

    Attributes:
        store: The suppression table that senders query.
        shadow_stores: Further tables that receive the same facts, such as one that is being rebuilt.
        quarantine: Receives what cannot be processed.
        policy: Decides the verdicts.
        shadow_policy: Decides the verdicts in `shadow_stores`; None: `policy` does. A rebuild under another policy
            fills its table under that one, and the table of the older policy stays usable until it is finished.
        read_again: Reads the tables and the policy in force, and returns their projector; None if they do not change.
            It may raise an error of `errors.STOPS_BATCH`.
    """

    store: SuppressionStore
    shadow_stores: Sequence[SuppressionStore] = ()
    quarantine: Quarantine
    policy: Policy
    shadow_policy: Policy | None = None
    read_again: Callable[[], BatchProjector] | None = None

    def project(self, batch: Sequence[StreamRecord]) -> BatchResult:
        """Project a batch up to the first error that stops it, in halves where an unexpected exception occurs."""
        result = self._project(batch)
        if isinstance(result.cause, PolicyOutdated) and result.failed_at is not None and self.read_again:
            with suppress(*STOPS_BATCH):
                projector = self.read_again()
                if projector.policy.version > self.policy.version:  # so this ends
                    result.append(projector.project(batch[result.failed_at :]), start=result.failed_at)
        return result

    def _project(self, batch: Sequence[StreamRecord]) -> BatchResult:
        result = BatchResult()
        parts = [(0, batch)]  # a stack: the next part is the last element
        while parts and result.cause is None:
            start, part = parts.pop()
            try:
                part_result = self._attempt(part)
            except Exception:  # noqa: BLE001 - an unexpected exception must not block the shard
                if len(part) > 1:
                    middle = len(part) // 2
                    parts += [(start + middle, part[middle:]), (start, part[:middle])]
                    continue
                part_result = self._attempt_again(part[0])
            result.append(part_result, start=start)
        return result

    def _attempt(self, part: Sequence[StreamRecord]) -> BatchResult:
        """Project a part. An error of the process stops it at its first record."""
        try:
            with process_errors_stop():
                return self._project_part(part)
        except ProcessFailed as cause:
            return BatchResult(cause=cause, failed_at=0)

    def _attempt_again(self, record: StreamRecord) -> BatchResult:
        """Project a record that raised an unexpected exception, and quarantine it if it raises another."""
        try:
            return self._attempt([record])
        except Exception as error:  # noqa: BLE001 - as above
            return self._quarantine_record(record, error)

    def _project_part(self, part: Sequence[StreamRecord]) -> BatchResult:
        """Read a part, merge its facts, and quarantine the records whose items a store rejects."""
        reader = BatchReader(self.quarantine)
        read_error = reader.read(part)
        merged = merge_into_stores(
            reader.changes(),
            stores=(self.store, *self.shadow_stores),
            policy=self.policy,
            shadow_policy=self.shadow_policy,
        )
        cause = merged.cause or read_error
        end = min((index for index, _ in reader.records_of(merged.pending)), default=reader.end)
        reasons = {index: merged.rejected[key] for index, key in reader.records_of(merged.rejected) if index < end}
        for index, reason in reasons.items():
            record = part[index]
            try:
                reader.put(index, record, payload=record.payload, reason=f"the store rejects its facts: {reason}")
            except STOPS_BATCH as error:
                cause, end = error, index
                break
        counts = reader.counts(end) + Counts(written=merged.written, unchanged=merged.unchanged)
        return BatchResult(counts=counts, cause=cause, failed_at=end if cause else None)

    def _quarantine_record(self, record: StreamRecord, error: Exception) -> BatchResult:
        """Quarantine a record that raised an unexpected exception."""
        reason = describe(error)
        try:
            with process_errors_stop():
                self.quarantine.put(Quarantined(payload=record.payload, reason=reason, position=record.position))
        except STOPS_BATCH as cause:
            return BatchResult(cause=cause, failed_at=0)
        return BatchResult(internal_errors=Counter({reason: 1}))


class MergeResult(msgspec.Struct, kw_only=True):
    """The result of merging changes into one store or several.

    Attributes:
        written: Items put.
        unchanged: Items that already contained the facts.
        rejected: Keys whose item a store will never accept, with the reason.
        pending: Keys that are not done; empty if no error stopped the merge.
        cause: The error that stopped the merge.
    """

    written: int = 0
    unchanged: int = 0
    rejected: dict[Key, str] = msgspec.field(default_factory=dict)
    pending: frozenset[Key] = frozenset()
    cause: MailfoldError | None = None


def merge_into_stores(
    changes: Changes, *, stores: Sequence[SuppressionStore], policy: Policy, shadow_policy: Policy | None = None
) -> MergeResult:
    """Merge changes into each of several stores, one after the other: the live one, then shadow stores.

    An error stops before the stores that follow, so then no key is done unless the failing store is the last.
    """
    total = MergeResult()
    for number, store in enumerate(stores, 1):
        merged = merge(changes, store=store, policy=policy if number == 1 else shadow_policy or policy)
        total.written += merged.written
        total.unchanged += merged.unchanged
        total.rejected |= merged.rejected
        if merged.cause:
            total.cause = merged.cause
            total.pending = merged.pending if number == len(stores) else frozenset(changes)
            break
    return total


def merge_fully(changes: Changes, *, store: SuppressionStore, policy: Policy) -> MergeResult:
    """Merge all changes into the store, or raise.

    Raises:
        StoreUnavailable: The table is throttled or unreachable. Or another error of `STOPS_BATCH`. What was merged
            before it stays; merging again is harmless.
        ItemRejected: The table rejects an item permanently.
    """
    merged = merge(changes, store=store, policy=policy)
    if merged.cause:
        raise merged.cause
    if merged.rejected:
        raise ItemRejected(f"the table rejects {len(merged.rejected)} items: {next(iter(merged.rejected.values()))}")
    return merged


def merge(changes: Changes, *, store: SuppressionStore, policy: Policy) -> MergeResult:
    """Merge changes into the store: load, join, save what changed, and on a conflict load and join again.

    An item of an older policy gets the verdict of `policy`, also if it has the facts already. No item is created
    without facts.

    The result states an error of the store that stopped the merge; it is not raised.
    """
    merged = MergeResult()
    pending = dict(changes)
    for _ in range(SAVE_ATTEMPTS):
        if pending and merged.cause is None:
            _merge_once(pending, merged, store=store, policy=policy)
    if pending and merged.cause is None:
        merged.cause = StoreUnavailable(f"{len(pending)} items changed during each of {SAVE_ATTEMPTS} attempts")
    merged.pending = frozenset(pending)
    return merged


def _merge_once(pending: dict[Key, Standing], merged: MergeResult, *, store: SuppressionStore, policy: Policy) -> None:
    """Load, join and save what is pending. Remove what is done."""
    puts = []
    try:
        loaded = store.load(tuple(pending))
    except STOPS_BATCH as error:
        merged.cause = error
        return
    for key, item in loaded.items():
        standing = join(item.standing, pending[key])
        if standing == item.standing and (item.policy_version >= policy.version or standing == NOTHING_KNOWN):
            merged.unchanged += 1
            del pending[key]
        elif item.policy_version > policy.version:
            merged.cause = PolicyOutdated(own_version=policy.version, table_version=item.policy_version)
        else:
            puts.append(Put(key=key, item=to_item(key, standing, policy), expected=item.facts_hash))
    _save(puts, pending, merged, store=store)


def _save(puts: Sequence[Put], pending: dict[Key, Standing], merged: MergeResult, *, store: SuppressionStore) -> None:
    """Save items. Remove what is saved, or rejected, from what is pending."""
    errors = store.save(puts) if puts else {}
    for put in puts:
        error = errors.get(put.key)
        if isinstance(error, STOPS_BATCH):
            merged.cause = merged.cause or error
        elif not isinstance(error, Conflict):
            del pending[put.key]
            if error:
                merged.rejected[put.key] = str(error)
            else:
                merged.written += 1


def to_item(key: Key, standing: Standing, policy: Policy) -> Item:
    """Return the item of a standing under a policy."""
    return Item(
        standing=standing,
        verdict=verdict(standing, policy, address=key.address),
        facts_hash=facts_hash(standing),
        policy_version=policy.version,
    )
