"""Every port in memory, for tests and experiments. The contents are lost when the process ends.

Contracts: `pipeline.ports`.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from msgspec import structs

from pipeline.errors import STOPS_BATCH, Conflict, MailfoldError
from pipeline.leftover import Kept, Leftover
from pipeline.manifest import SourceProgress, furthest
from pipeline.ports import NO_ITEM, EventScan, FactScan, Item, Put, Quarantined
from pipeline.row import Row, event_time, row_facts
from pipeline.standing import Key


class MemoryStore:
    """A suppression table in memory."""

    def __init__(self) -> None:
        self._items: dict[Key, Item] = {}

    def load(self, keys: Iterable[Key]) -> Mapping[Key, Item]:
        """See `ports.SuppressionStore`."""
        return {key: self._items.get(key, NO_ITEM) for key in keys}

    def save(self, puts: Sequence[Put]) -> Mapping[Key, MailfoldError]:
        """See `ports.SuppressionStore`."""
        errors: dict[Key, MailfoldError] = {}
        for position, put in enumerate(puts):
            try:
                self.put(put)
            except STOPS_BATCH as outage:  # only a subclass raises one
                return errors | {untried.key: outage for untried in puts[position:]}
            except MailfoldError as error:
                errors[put.key] = error
        return errors

    def put(self, put: Put) -> None:
        """Put one item.

        Raises:
            Conflict: The stored item has another facts hash than expected, or a higher policy version.
        """
        stored = self._items.get(put.key, NO_ITEM)
        if stored.facts_hash != put.expected or stored.policy_version > put.item.policy_version:
            raise Conflict
        self._items[put.key] = put.item

    def delete(self, key: Key, *, expected: str) -> None:
        """See `ports.ErasableStore`."""
        if key in self._items and self._items[key].facts_hash != expected:
            raise Conflict
        self._items.pop(key, None)

    def scan(self) -> Iterator[tuple[Key, Item]]:
        """See `ports.SuppressionStore`."""
        yield from list(self._items.items())


class MemoryArchive:
    """An event log in memory."""

    def __init__(self) -> None:
        self._rows: dict[str, list[Row]] = {}

    def append(self, rows: Sequence[Row], *, name: str = "") -> None:
        """See `ports.Archive`."""
        self._rows[name] = [*(() if name else self._rows.get("", ())), *rows]

    def rows(self, *, since: datetime | None = None, until: datetime | None = None) -> Iterator[Sequence[Row]]:
        """See `ports.Archive`."""
        yield [
            row
            for rows in self._rows.values()
            for row in rows
            if (since is None or event_time(row) >= since) and (until is None or event_time(row) < until)
        ]

    def scan_facts(self, *, since: datetime | None = None, until: datetime | None = None) -> Iterator[FactScan]:
        """See `ports.Archive`."""
        for rows in self.rows(since=since, until=until):
            yield FactScan(rows=len(rows), facts=[fact for row in rows for fact in row_facts(row)])

    def scan_hours(self, *, since: datetime | None = None, until: datetime | None = None) -> Iterator[FactScan]:
        """See `ports.Archive`."""
        after = until and _hour(until) + timedelta(hours=1)
        return self.scan_facts(since=since and _hour(since), until=after)

    def scan_events(self, ids: frozenset[str], *, since: datetime | None = None) -> Iterator[EventScan]:
        """See `ports.Archive`."""
        for rows in self.rows(since=since and _hour(since)):
            facts = [fact for row in rows for fact in row_facts(row)]
            yield EventScan(ids=ids & {row.event_id for row in rows}, facts=facts)


class MemoryQuarantine:
    """A quarantine in memory."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, bytes], Quarantined] = {}

    @property
    def held(self) -> list[Quarantined]:
        """The payloads, in the order in which each was first put."""
        return list(self._held.values())

    def put(self, quarantined: Quarantined) -> None:
        """See `ports.Quarantine`."""
        self._held[quarantined.position, quarantined.payload] = quarantined


class MemoryLeftovers:
    """The leftovers of one place, in memory."""

    def __init__(self, kept: Iterable[Kept] = ()) -> None:
        self._kept = {item.id: item for item in kept}
        self._redriven: dict[str, Leftover] = {}

    def waiting(self, ids: Collection[str] = ()) -> Iterator[Kept]:
        """See `leftover.Leftovers`."""
        yield from [item for item in self._kept.values() if not ids or item.id in ids]

    def redriven(self, ids: Collection[str] = ()) -> Iterator[Kept]:
        """See `leftover.Leftovers`."""
        yield from [item for item in self._redriven.values() if not ids or item.id in ids]

    def mark(self, leftovers: Sequence[Leftover]) -> None:
        """See `leftover.Leftovers`."""
        for leftover in leftovers:
            self._redriven[leftover.id] = structs.replace(leftover, is_redriven=True)
            self._kept.pop(leftover.id, None)

    def release(self) -> None:
        """See `leftover.Leftovers`."""


class MemoryManifest:
    """A manifest in memory."""

    def __init__(self) -> None:
        self._entries: dict[str, Mapping[str, SourceProgress]] = {}

    def load(self) -> Mapping[str, SourceProgress]:
        """See `ports.Manifest`."""
        return furthest(self._entries.values())

    def save(self, name: str, progress: Mapping[str, SourceProgress]) -> None:
        """See `ports.Manifest`."""
        self._entries[name] = dict(progress)


def _hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)
