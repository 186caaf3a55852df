"""What the core asks of the world, as contracts.

Each has an implementation in memory (`pipeline.memory`) and others in `pipeline.aws`; one contract suite per port runs
against all of them.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from pipeline.fact import Fact
from pipeline.policy import CLEAR, Verdict
from pipeline.row import Row
from pipeline.standing import NOTHING_KNOWN, Key, Standing


class Item(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What the suppression table holds about one key.

    Attributes:
        standing: The facts: the truth.
        verdict: What the policy made of them, for readers in any language.
        facts_hash: `standing.facts_hash` of the facts, which is the item's version too; "" if there is no item yet.
        policy_version: The policy that gave the verdict; 0 if there is no item yet.
    """

    standing: Standing = NOTHING_KNOWN
    verdict: Verdict = CLEAR
    facts_hash: str = ""
    policy_version: int = 0


NO_ITEM = Item()


class SuppressionStore(Protocol):
    """The suppression table, by (address, scope)."""

    def load(self, keys: Iterable[Key]) -> Mapping[Key, Item]:
        """Return the item of every key asked for, as it is now (strongly consistent), any number of keys.

        A key never written has `NO_ITEM`, so that callers need no special case.

        Raises:
            StoreUnavailable: Throttled or unreachable; safe to try again.
        """
        ...

    def save(self, key: Key, item: Item, *, expected: str) -> None:
        """Put the item, if the one stored still has `expected` as its facts hash and no higher policy version.

        Raises:
            Conflict: It has another facts hash, or a higher policy version. Nothing was written.
            StoreUnavailable: Throttled or unreachable. Whether it was written is unknown; trying again is safe.
            ItemRejected: The store will never take this item. Nothing was written.
        """
        ...

    def scan(self) -> Iterator[tuple[Key, Item]]:
        """Give every item once, in any order; writers meanwhile may or may not be seen.

        Raises:
            StoreUnavailable: Throttled or unreachable.
        """
        ...


class FactScan(msgspec.Struct, frozen=True, kw_only=True):
    """One lot of what `Archive.findings` found.

    Attributes:
        rows: How many rows were passed, with facts or without.
        findings: The facts in them.
    """

    rows: int
    findings: Sequence[Fact]


class Archive(Protocol):
    """The log: one row per record, kept for ever, by time of arrival."""

    def append(self, rows: Sequence[Row]) -> None:
        """Keep the rows. Once this returns they are durable. The same rows again may be kept again: folds do not mind.

        Raises:
            ArchiveUnavailable: Throttled or unreachable. Some rows may have been kept; trying again is safe.
            UsageError: What no second try mends: there is no such log, or no access to it.
        """
        ...

    def rows(self, *, since: datetime | None = None, until: datetime | None = None) -> Iterator[Sequence[Row]]:
        """Give all rows that arrived from `since` up to, not including, `until`, in any order, in handy lots.

        Raises:
            ArchiveUnavailable: Throttled or unreachable.
        """
        ...

    def findings(self, *, since: datetime | None = None, until: datetime | None = None) -> Iterator[FactScan]:
        """Give the facts in those rows, without reading more of them than is needed.

        Rows of another decoder version are decoded again from their raw text.

        Raises:
            ArchiveUnavailable: Throttled or unreachable.
        """
        ...


class Quarantined(msgspec.Struct, frozen=True, kw_only=True):
    """A payload set aside until somebody has looked.

    Attributes:
        payload: Its exact bytes.
        reason: What is wrong with it; holds none of it.
        position: Where it was: stream, shard and sequence number, or file and line.
    """

    payload: bytes
    reason: str
    position: str


class Quarantine(Protocol):
    """Where payloads wait that nobody could read."""

    def put(self, quarantined: Quarantined) -> None:
        """Keep it. The same payload from the same position again replaces itself.

        Raises:
            QuarantineUnavailable: Throttled or unreachable; trying again is safe.
        """
        ...
