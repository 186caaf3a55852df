"""The loop: payloads in, facts joined into the suppression table.

Lambda, the Kinesis Client Library and replay all end in `merge`, so replay equals live by construction.
A batch is never acknowledged unless each of its records is stored or quarantined: `project` returns, or it raises
`BatchUnfinished` with the first record that is not done. Pure but for the ports that it is given.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from pipeline.decode import decode
from pipeline.errors import BatchUnfinished, Conflict, Outage, PolicyOutdated, Rejected, StoreUnavailable
from pipeline.event import FEEDBACK, Event, Poison
from pipeline.fact import Finding, findings
from pipeline.glance import glance
from pipeline.policy import Policy, verdict
from pipeline.ports import Item, Quarantine, Quarantined, SuppressionStore
from pipeline.standing import Evidence, Fact, Key, Standing, facts_hash, join, standing

SAVE_ATTEMPTS = 5  # contention is two writers, live and replay; more than five in a row is an outage

Changes = Mapping[Key, Standing]


class StreamRecord(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A payload with its place in the stream, by which the quarantine names it."""

    payload: bytes
    position: str


class Tally(msgspec.Struct, kw_only=True):
    """What became of a batch.

    Attributes:
        events: Events by kind.
        ignored: Records that are no sending event.
        quarantined: Payloads set aside.
        facts: Facts found.
        written: Items put.
        unchanged: Items that knew it all already.
    """

    events: Counter[str] = msgspec.field(default_factory=Counter)
    ignored: int = 0
    quarantined: int = 0
    facts: int = 0
    written: int = 0
    unchanged: int = 0


class Merged(msgspec.Struct, kw_only=True):
    """How far `merge` came.

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


def project(batch: Sequence[StreamRecord], *, store: SuppressionStore, quarantine: Quarantine, policy: Policy) -> Tally:
    """Fold a batch into the store, and set aside what cannot be read.

    Raises:
        BatchUnfinished: The store or the quarantine is away. All before `first` is done; doing it again is harmless.
    """
    gathering = _Gathering(quarantine)
    tally, outage, end = gathering.tally, None, len(batch)
    for index, record in enumerate(batch):
        try:
            gathering.read(index, record)
        except Outage as error:
            outage, end = error, index
            break
    merged = merge(gathering.changes(), store=store, policy=policy)
    tally.written, tally.unchanged = merged.written, merged.unchanged
    if merged.outage:
        first = min(gathering.sources[key][0] for key in merged.pending)
        raise BatchUnfinished(first=min(first, end), cause=merged.outage)
    for key, why in merged.rejected.items():
        for index in gathering.sources[key]:
            gathering.set_aside(index, batch[index], f"the store refuses its facts: {why}")
    if outage:
        raise BatchUnfinished(first=end, cause=outage)
    return tally


def merge(changes: Changes, *, store: SuppressionStore, policy: Policy) -> Merged:
    """Join changes into the store: load, join, put what is new; on a conflict load and join again, a few times.

    Raises nothing that the store may raise: the answer says how far it came.
    """
    merged = Merged()
    pending = dict(changes)
    try:
        for _ in range(SAVE_ATTEMPTS if pending else 0):
            for key, item in store.load(tuple(pending)).items():
                if _save(key, item, pending[key], merged, store=store, policy=policy):
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


def _save(key: Key, item: Item, change: Standing, merged: Merged, *, store: SuppressionStore, policy: Policy) -> bool:
    """Bring one item up to date; return whether the key is done."""
    known = join(item.standing, change)
    if known == item.standing and item.policy_version >= policy.version:
        merged.unchanged += 1
        return True
    if item.policy_version > policy.version:
        raise PolicyOutdated(ours=policy.version, theirs=item.policy_version)
    try:
        store.save(key, item_of(key, known, policy), expected=item.facts_hash)
    except Conflict:
        return False
    except Rejected as error:
        merged.rejected[key] = str(error)
    else:
        merged.written += 1
    return True


def item_of(key: Key, known: Standing, policy: Policy) -> Item:
    """Return the item that the table holds for a standing under a policy."""
    return Item(
        standing=known,
        verdict=verdict(known, policy, address=key.address),
        facts_hash=facts_hash(known),
        policy_version=policy.version,
    )


def gather(found: Iterable[Finding]) -> dict[Key, Standing]:
    """Return facts as changes: one standing for each key."""
    by_key: dict[Key, list[tuple[Fact, Evidence]]] = {}
    for finding in found:
        by_key.setdefault(finding.key, []).append((finding.fact, finding.evidence))
    return {key: standing(facts) for key, facts in by_key.items()}


class _Gathering:
    """What a batch holds: facts, and which record each key's came from."""

    def __init__(self, quarantine: Quarantine) -> None:
        self.tally = Tally()
        self.sources: dict[Key, list[int]] = {}
        self._found: list[Finding] = []
        self._quarantine = quarantine

    def read(self, index: int, record: StreamRecord) -> None:
        if kind := glance(record.payload):
            self.tally.events[kind] += 1
            return
        for outcome in decode(record.payload):
            if isinstance(outcome, Event):
                self._note(index, record, outcome)
            elif isinstance(outcome, Poison):
                self._put_aside(Quarantined(payload=outcome.raw, reason=outcome.why, position=record.position))
            else:
                self.tally.ignored += 1

    def changes(self) -> Changes:
        return gather(self._found)

    def set_aside(self, index: int, record: StreamRecord, why: str) -> None:
        try:
            self._put_aside(Quarantined(payload=record.payload, reason=why, position=record.position))
        except Outage as error:
            raise BatchUnfinished(first=index, cause=error) from error

    def _note(self, index: int, record: StreamRecord, event: Event) -> None:
        self.tally.events[event.kind] += 1
        if event.unusable and event.kind in FEEDBACK:
            why = f"{event.kind}: {event.unusable} of its recipients have no usable address"
            self._put_aside(Quarantined(payload=event.raw, reason=why, position=record.position))
        for finding in findings(event):
            self.tally.facts += 1
            self.sources.setdefault(finding.key, []).append(index)
            self._found.append(finding)

    def _put_aside(self, quarantined: Quarantined) -> None:
        self._quarantine.put(quarantined)
        self.tally.quarantined += 1
