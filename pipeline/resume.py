"""Ingest files and objects so that what was ingested before is not ingested again.

An ingestion takes records in groups: the rows of a group go into the log under the group's name, then their facts into
the tables, and then the manifest says how far each source was ingested. The name derives from the records in the group.
So a group that was interrupted before its entry in the manifest replaces its rows when it is ingested again. A record
that is rejected, and of which other parts may be rows, is a group by itself, each time that it is tried.

Rows without any readable time lie at their arrival, and may be stored twice. Nothing else may, as long as the same
sources are given in the same order.
"""

from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256

import msgspec

from pipeline.batch import StreamRecord
from pipeline.errors import MailfoldError
from pipeline.ingest import IngestCounts, Ingestion, RejectedRecord
from pipeline.manifest import NOT_BEGUN, SourceProgress
from pipeline.ports import Manifest

NAME_LENGTH = 32  # hex digits of names in the log and in the manifest
_encode = msgspec.json.Encoder(order="deterministic").encode


class RecordSource(msgspec.Struct, frozen=True, kw_only=True):
    """A file, an object or a stream of records.

    Attributes:
        name: Its name, for people.
        id: Identifies its content. "": nothing does, so that it is ingested again.
        records: Yields its records, always in the same order. Raises `UnreadableSource`.
    """

    name: str
    id: str
    records: Callable[[], Iterator[StreamRecord]]


class UnreadableSource(MailfoldError):
    """A source cannot be read, or not to its end. Other sources can."""


class SourceIngestion:
    """Ingests sources, each from where an earlier ingestion stopped.

    A record that was rejected is tried again, because a newer decoder may read it.

    Args:
        ingestion: Receives the records.
        manifest: Says how far each source was ingested.
    """

    def __init__(self, *, ingestion: Ingestion, manifest: Manifest) -> None:
        self._ingestion, self._manifest = ingestion, manifest
        self._known = dict(manifest.load())
        self._group: dict[str, SourceProgress] = {}
        self._group_name = sha256()

    def is_done(self, source_id: str) -> bool:
        """Return True if every record of a source was ingested."""
        return self._progress(source_id).is_done

    def ingest(self, sources: Iterable[RecordSource], *, progress: Callable[[StreamRecord], None]) -> IngestCounts:
        """Ingest the sources in order; `progress` is called after each record.

        Raises:
            Unavailable: Log, table, quarantine or manifest is throttled or unreachable. Or another error of
                `STOPS_BATCH`. What was ingested before it stays; ingest again.
            ItemRejected: The table rejects an item permanently.
        """
        for source in sources:
            if self.is_done(source.id):
                self._ingestion.counts.ingested_before += 1
            elif source.id:
                self._read(source, progress)
            else:
                self._flush()  # a group has a name only if all of its sources have an id
                self._read(source, progress)
                self._flush()
        self._flush()
        return self._ingestion.counts

    def _read(self, source: RecordSource, progress: Callable[[StreamRecord], None]) -> None:
        before = self._progress(source.id)
        try:
            for number, record in enumerate(source.records(), 1):
                if before.lacks(number):
                    self._add(source, number, record, is_retry=number in before.rejected)
                progress(record)
            self._group[source.id] = self._progress(source.id).completed()
        except UnreadableSource as error:
            self._ingestion.counts.rejects.append(RejectedRecord(position=source.name, why=str(error)))

    def _add(self, source: RecordSource, number: int, record: StreamRecord, *, is_retry: bool) -> None:
        rejects = len(self._ingestion.counts.rejects)
        rows = self._ingestion.decode(record)
        is_rejected = len(self._ingestion.counts.rejects) > rejects
        self._group[source.id] = self._progress(source.id).after(number, is_rejected=is_rejected)
        record_name = f"{source.id} {number}\n".encode()
        if is_rejected or is_retry:
            self._ingestion.store(rows, name=sha256(record_name).hexdigest()[:NAME_LENGTH] if source.id else "")
        else:
            self._ingestion.hold(rows)
            self._group_name.update(record_name)
        if self._ingestion.is_full:
            self._flush()

    def _progress(self, source_id: str) -> SourceProgress:
        return self._group.get(source_id) or self._known.get(source_id) or NOT_BEGUN

    def _flush(self) -> None:
        """Store a group, and then its entry in the manifest."""
        if not self._group:
            return
        has_id = "" not in self._group
        self._ingestion.flush(name=self._group_name.hexdigest()[:NAME_LENGTH] if has_id else "")
        if has_id:
            self._manifest.save(sha256(_encode(self._group)).hexdigest()[:NAME_LENGTH], self._group)
            self._known |= self._group
        self._group, self._group_name = {}, sha256()
