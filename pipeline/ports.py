"""The ports of the core: protocols whose docstrings are contracts for every implementation.

`pipeline.memory` implements each port in memory, `pipeline.aws` on AWS. One contract suite per port, under
tests/contract, runs against all implementations.

Every method may raise, or `SuppressionStore.save` return, errors of `errors.STOPS_BATCH`. A caller that gets one
acknowledges nothing from that record on.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from pipeline.errors import MailfoldError
from pipeline.fact import Fact
from pipeline.manifest import SourceProgress
from pipeline.row import Row
from pipeline.standing import NOTHING_KNOWN, Key, Standing
from pipeline.verdict import CLEAR, Verdict


class Item(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An item of the suppression table.

    Attributes:
        standing: The facts, from which everything else derives.
        verdict: The policy's verdict on them, for readers in any language.
        facts_hash: `standing.facts_hash` of the facts, also the version of the item; "" if there is no item yet.
        policy_version: The version of the policy behind the verdict; 0 if there is no item yet.
    """

    standing: Standing = NOTHING_KNOWN
    verdict: Verdict = CLEAR
    facts_hash: str = ""
    policy_version: int = 0


NO_ITEM = Item()


class Put(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A conditional put of an item.

    Attributes:
        key: The item's key.
        item: The item.
        expected: The facts hash that the stored item must still have; "" if there must be none.
    """

    key: Key
    item: Item
    expected: str


class SuppressionStore(Protocol):
    """The suppression table, by address and scope."""

    def load(self, keys: Iterable[Key]) -> Mapping[Key, Item]:
        """Return the item of every key, strongly consistent. The number of keys is not limited.

        A key without an item has `NO_ITEM`, so that callers need no special case.

        Raises:
            StoreUnavailable: The table is throttled or unreachable; safe to try again.
            AccessDenied, NotFound: The table may not be read, or does not exist.
        """
        ...

    def save(self, puts: Sequence[Put]) -> Mapping[Key, MailfoldError]:
        """Put each item if the stored one has the expected facts hash, and no higher policy version.

        Each put succeeds or fails alone. Only after an outage may puts fail that were not tried.

        Args:
            puts: The puts, each of another key.

        Returns:
            The error of each put that failed:

            - Conflict: The stored item has another facts hash, or a higher policy version. Nothing was written.
            - ItemRejected: The store will never accept this item. Nothing was written.
            - StoreUnavailable: The table is throttled or unreachable. The item may have been written.
            - AccessDenied, NotFound: The table may not be written, or does not exist. Nothing was written.
        """
        ...

    def scan(self) -> Iterator[tuple[Key, Item]]:
        """Yield every item once, in any order. Concurrent writes may or may not be seen.

        Raises:
            StoreUnavailable: The table is throttled or unreachable.
            AccessDenied, NotFound: The table may not be read, or does not exist.
        """
        ...


class ErasableStore(SuppressionStore, Protocol):
    """A suppression table whose items can be deleted. No projection needs it, and none may do it."""

    def delete(self, key: Key, *, expected: str) -> None:
        """Delete an item: to erase a person, or when an address is rebuilt and the log has no fact of it.

        To forget a fact in another way would break the fold.

        Args:
            key: The item's key.
            expected: The facts hash that it must still have. If there is no item, nothing is done.

        Raises:
            Conflict: The item has another facts hash.
            StoreUnavailable: The table is throttled or unreachable. The item may have been deleted; safe to try again.
            AccessDenied, NotFound: The table may not be written, or does not exist.
        """
        ...


class FactScan(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the result of `Archive.scan_facts`.

    Attributes:
        rows: Number of rows that were read, with facts or without.
        facts: The facts in them.
    """

    rows: int
    facts: Sequence[Fact]


class EventScan(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the result of `Archive.scan_events`.

    Attributes:
        ids: Those of the wanted events that were found.
        facts: All facts of the rows.
    """

    ids: frozenset[str]
    facts: Sequence[Fact]


class Archive(Protocol):
    """The event log: one row per record, kept for ever.

    It is selected by `row.event_time`, and not by arrival, because history may be ingested long after it happened.
    """

    def append(self, rows: Sequence[Row], *, name: str = "") -> None:
        """Store the rows durably.

        Args:
            rows: The rows.
            name: Rows that are appended again under the same name replace those before. "": they may be stored again,
                which folds tolerate.

        Raises:
            ArchiveUnavailable: The log is throttled or unreachable. Some rows may have been stored; safe to try again.
            AccessDenied, NotFound: The log may not be written, or does not exist.
        """
        ...

    def rows(self, *, since: datetime | None = None, until: datetime | None = None) -> Iterator[Sequence[Row]]:
        """Yield all rows with an event time from `since` up to, not including, `until`, in any order, many at a time.

        Raises:
            ArchiveUnavailable: The log is throttled or unreachable.
            AccessDenied, NotFound: The log may not be read, or does not exist.
        """
        ...

    def scan_facts(self, *, since: datetime | None = None, until: datetime | None = None) -> Iterator[FactScan]:
        """Yield the facts in those rows, and read no more of the rows than that needs.

        Rows of another decoder version are decoded again from their raw text.

        Raises:
            ArchiveUnavailable: The log is throttled or unreachable.
            AccessDenied, NotFound: The log may not be read, or does not exist.
        """
        ...

    def scan_hours(self, *, since: datetime | None = None, until: datetime | None = None) -> Iterator[FactScan]:
        """Yield the facts in all rows that lie in the hours from that of `since` to that of `until`, both included.

        A row lies in the hour of its arrival; one that was appended, in the hour of its event. So all that arrived
        from `since` on is read, whatever its time, but for what was ingested, which is in the tables already.

        Raises:
            ArchiveUnavailable: The log is throttled or unreachable.
            AccessDenied, NotFound: The log may not be read, or does not exist.
        """
        ...

    def scan_events(self, ids: frozenset[str], *, since: datetime | None = None) -> Iterator[EventScan]:
        """Yield which of these events are in the log, and the facts in all rows, from the hour of `since` on.

        Both are of the same rows: if an event is found, its facts are among those that this call yields.

        Raises:
            ArchiveUnavailable: The log is throttled or unreachable.
            AccessDenied, NotFound: The log may not be read, or does not exist.
        """
        ...


class LogFold(Protocol):
    """The fold of the event log: the standing of each address and scope, as a table that lacks nothing has it."""

    def standings(
        self, *, since: datetime | None = None, until: datetime | None = None
    ) -> Iterator[Mapping[Key, Standing]]:
        """Yield the standing of every key, many at a time and in any order, but each key once.

        All scopes of an address are in the same part.

        Args:
            since: Fold only the hours of the log from that of `since` on; see `Archive.scan_hours`.
            until: Fold only the hours up to that of `until`, included.

        Raises:
            ArchiveUnavailable: The log is throttled or unreachable.
            AccessDenied, NotFound: The log may not be read, or does not exist.
        """
        ...


class Quarantined(msgspec.Struct, frozen=True, kw_only=True):
    """A payload in quarantine.

    Attributes:
        payload: Its exact bytes.
        reason: What is wrong with it; contains nothing of the payload.
        position: Where it was read: stream, shard and sequence number, or file and line.
    """

    payload: bytes
    reason: str
    position: str


class Quarantine(Protocol):
    """The store of payloads that cannot be processed."""

    def put(self, quarantined: Quarantined) -> None:
        """Store it. The same payload from the same position replaces itself.

        Raises:
            QuarantineUnavailable: The quarantine is throttled or unreachable; safe to try again.
            AccessDenied, NotFound: The quarantine may not be written, or does not exist.
        """
        ...


class Manifest(Protocol):
    """What was ingested of each source, by the source's id."""

    def load(self) -> Mapping[str, SourceProgress]:
        """Return the furthest progress of every source.

        Raises:
            ArchiveUnavailable: The manifest is throttled or unreachable.
            InvalidInput: An entry is not the manifest's.
            AccessDenied, NotFound: The manifest may not be read, or its bucket does not exist.
        """
        ...

    def save(self, name: str, progress: Mapping[str, SourceProgress]) -> None:
        """Store the progress of some sources as the entry `name`. An entry of the same name is replaced.

        Raises:
            ArchiveUnavailable: The manifest is throttled or unreachable; safe to try again.
            AccessDenied, NotFound: The manifest may not be written, or its bucket does not exist.
        """
        ...
