"""Take in events that exist already: into the log first, then from its rows into the table.

Pure but for its ports. Taking in the same payloads twice keeps their rows twice and changes nothing else: event ids
come from content, so the table stays the same, and SQL counts distinct ids.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

import msgspec

from pipeline.batch import StreamRecord, group_by_key, quarantine_reason
from pipeline.decode import decode
from pipeline.event import Event, NotAnEvent
from pipeline.policy import Policy
from pipeline.ports import Archive, Quarantine, Quarantined, SuppressionStore
from pipeline.projection import merge_fully
from pipeline.row import Row, row_facts, to_row

ROWS_HELD = 20_000  # about 40 MB of raw text, and a Parquet file of 4 MB
BYTES_HELD = 64 * 1_024 * 1_024  # of raw text, if records are larger than usual


class RejectedRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A payload, or a part of one, that was set aside.

    Attributes:
        position: Where it was, as given.
        why: What is wrong with it.
    """

    position: str
    why: str


class IngestCounts(msgspec.Struct, kw_only=True):
    """What was taken in.

    Attributes:
        events: Events by kind.
        ignored: Records that are no sending event.
        rejects: What was set aside.
        facts: Facts found.
        written: Items of the table put.
        unchanged: Items that knew it all already.
    """

    events: Counter[str] = msgspec.field(default_factory=Counter)
    ignored: int = 0
    rejects: list[RejectedRecord] = msgspec.field(default_factory=list)
    facts: int = 0
    written: int = 0
    unchanged: int = 0


class Ingestion:
    """Takes payloads into log, table and quarantine.

    Args:
        archive: The log.
        store: The suppression table that senders ask; what is counted is what was done there.
        shadow_stores: Further ones that are to have the same facts: those that are being rebuilt.
        quarantine: Where poison is set aside.
        policy: What gives the verdicts.
        arrived_at: The moment, aware.
    """

    def __init__(
        self,
        *,
        archive: Archive,
        store: SuppressionStore,
        shadow_stores: Sequence[SuppressionStore] = (),
        quarantine: Quarantine,
        policy: Policy,
        arrived_at: datetime,
    ) -> None:
        self.done = IngestCounts()
        self._archive, self._store, self._shadow_stores, self._quarantine = archive, store, shadow_stores, quarantine
        self._policy, self._arrived_at = policy, arrived_at
        self._rows: list[Row] = []
        self._held_bytes = 0

    def ingest(self, records: Iterable[StreamRecord], *, progress: Callable[[StreamRecord], None]) -> IngestCounts:
        """Take in all records; `progress` is called after each.

        Raises:
            Unavailable: Log, table or quarantine is away. What was taken in so far stays; run it again.
            ItemRejected: The table refuses an item for good.
        """
        for record in records:
            self._read(record)
            if len(self._rows) >= ROWS_HELD or self._held_bytes >= BYTES_HELD:
                self._flush()
            progress(record)
        self._flush()
        return self.done

    def _read(self, record: StreamRecord) -> None:
        for outcome in decode(record.payload):
            if why := quarantine_reason(outcome):
                self._quarantine.put(Quarantined(payload=outcome.raw, reason=why, position=record.position))
                self.done.rejects.append(RejectedRecord(position=record.position, why=why))
            if isinstance(outcome, Event):
                self.done.events[outcome.kind.value] += 1
                self._rows.append(to_row(outcome, arrived_at=self._arrived_at))
                self._held_bytes += len(outcome.raw)
            elif isinstance(outcome, NotAnEvent):
                self.done.ignored += 1

    def _flush(self) -> None:
        """The log first: it is the truth, and the table can be made from it at any time."""
        if not self._rows:
            return
        self._archive.append(self._rows)
        found = [finding for row_ in self._rows for finding in row_facts(row_)]
        changes = group_by_key(found)
        for other in self._shadow_stores:
            merge_fully(changes, store=other, policy=self._policy)
        merged = merge_fully(changes, store=self._store, policy=self._policy)
        self.done.facts += len(found)
        self.done.written += merged.written
        self.done.unchanged += merged.unchanged
        self._rows, self._held_bytes = [], 0
