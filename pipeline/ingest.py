"""Ingest existing events: append them to the log first, then merge the facts of those rows into the table.

Pure except for the ports. Ingesting a payload twice stores its row twice and changes nothing else: event ids come from
the content, so the table stays the same, and SQL counts distinct ids.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

import msgspec

from pipeline.batch import Counts, StreamRecord, group_by_key, quarantine_reason
from pipeline.decision import decode_arrived
from pipeline.event import Event, NotAnEvent
from pipeline.fact import is_recognized
from pipeline.policy import Policy
from pipeline.ports import Archive, Quarantine, Quarantined, SuppressionStore
from pipeline.projection import merge_fully
from pipeline.row import Row, row_facts, to_row

ROWS_HELD = 20_000  # about 40 MB of raw text, and a Parquet file of 4 MB
BYTES_HELD = 64 * 1_024 * 1_024  # of raw text, if records are larger than usual


class RejectedRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A payload, or a part of one, that was quarantined.

    Attributes:
        position: Where it was read, as the caller named it.
        why: What is wrong with it.
    """

    position: str
    why: str


class IngestCounts(Counts, kw_only=True):
    """Counts of an ingestion.

    Attributes:
        rejects: The records that were quarantined, and the sources that could not be read.
        ingested_before: Number of sources that an earlier ingestion took in whole.
    """

    rejects: list[RejectedRecord] = msgspec.field(default_factory=list)
    ingested_before: int = 0


class Ingestion:
    """Ingests payloads into log, table and quarantine.

    Args:
        archive: The log.
        store: The suppression table that senders query; the counts are of this table.
        shadow_stores: Further tables that receive the same facts, such as one that is being rebuilt.
        quarantine: Receives what cannot be decoded.
        policy: Decides the verdicts.
        shadow_policy: Decides those in the shadow stores; None: `policy` does.
        arrived_at: The time of arrival for all rows, aware.

    Attributes:
        counts: Counts of what was read so far.
        stored_rows: Number of rows that are in the log, with their facts in the tables.
    """

    def __init__(
        self,
        *,
        archive: Archive,
        store: SuppressionStore,
        shadow_stores: Sequence[SuppressionStore] = (),
        quarantine: Quarantine,
        policy: Policy,
        shadow_policy: Policy | None = None,
        arrived_at: datetime,
    ) -> None:
        self.counts, self.stored_rows = IngestCounts(), 0
        self._archive, self._store, self._shadow_stores, self._quarantine = archive, store, shadow_stores, quarantine
        self._policy, self._shadow_policy, self._arrived_at = policy, shadow_policy or policy, arrived_at
        self._rows: list[Row] = []
        self._held_bytes = 0

    def ingest(self, records: Iterable[StreamRecord], *, progress: Callable[[StreamRecord], None]) -> IngestCounts:
        """Ingest all records; `progress` is called after each.

        Raises:
            Unavailable: Log, table or quarantine is throttled or unreachable. Or another error of `STOPS_BATCH`. What
                was ingested before it stays; ingest again.
            ItemRejected: The table rejects an item permanently.
        """
        for record in records:
            self.add(record)
            if self.is_full:
                self.flush()
            progress(record)
        self.flush()
        return self.counts

    def add(self, record: StreamRecord) -> None:
        """Decode a record and hold its rows; `flush` stores them. Raises as `ingest` does."""
        self.hold(self.decode(record))

    def decode(self, record: StreamRecord) -> list[Row]:
        """Return the rows of a record, and quarantine what has none. Raises as `ingest` does."""
        rows = []
        for outcome in decode_arrived(record.payload, arrived_at=self._arrived_at):
            if reason := quarantine_reason(outcome):
                self._quarantine.put(Quarantined(payload=outcome.raw, reason=reason, position=record.position))
                self.counts.rejects.append(RejectedRecord(position=record.position, why=reason))
                self.counts.quarantined += 1
            if isinstance(outcome, Event):
                self.counts.events[outcome.kind.value] += 1
                self.counts.unrecognized += not is_recognized(outcome)
                rows.append(to_row(outcome, arrived_at=self._arrived_at))
            elif isinstance(outcome, NotAnEvent):
                self.counts.ignored += 1
        return rows

    def hold(self, rows: Iterable[Row]) -> None:
        """Hold rows; `flush` stores them."""
        for row in rows:
            self._rows.append(row)
            self._held_bytes += len(row.raw)

    @property
    def is_full(self) -> bool:
        """True if so many rows are held that they should be stored."""
        return len(self._rows) >= ROWS_HELD or self._held_bytes >= BYTES_HELD

    def flush(self, *, name: str = "") -> None:
        """Store the held rows; see `store`."""
        self.store(self._rows, name=name)
        self._rows, self._held_bytes = [], 0

    def store(self, rows: Sequence[Row], *, name: str = "") -> None:
        """Append rows to the log, and then merge their facts into the tables. Raises as `ingest` does.

        Rows under the same name replace those in the log. The log comes first, because the tables can be rebuilt from
        it at any time.
        """
        if not rows:
            return
        self._archive.append(rows, name=name)
        facts = [fact for row in rows for fact in row_facts(row)]
        changes = group_by_key(facts)
        for shadow_store in self._shadow_stores:
            merge_fully(changes, store=shadow_store, policy=self._shadow_policy)
        merged = merge_fully(changes, store=self._store, policy=self._policy)
        self.stored_rows += len(rows)
        self.counts.facts += len(facts)
        self.counts.written += merged.written
        self.counts.unchanged += merged.unchanged
