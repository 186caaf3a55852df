"""Ports that fail when they are told to: an outage or a conflict before a call, or an outage after it was done."""

from collections.abc import Iterable, Iterator, Mapping
from enum import Enum, auto
from itertools import repeat

from pipeline.errors import Conflict, ItemRejected, QuarantineUnavailable, StoreUnavailable
from pipeline.memory import MemoryQuarantine, MemoryStore
from pipeline.ports import Item, Quarantined
from pipeline.standing import Key


class Mishap(Enum):
    """What becomes of one call."""

    NONE = auto()
    OUTAGE_BEFORE = auto()
    OUTAGE_AFTER = auto()
    CONFLICT = auto()


class Script:
    """One mishap per call, then none for ever."""

    def __init__(self, mishaps: Iterable[Mishap] = ()) -> None:
        self._mishaps: Iterator[Mishap] = iter(mishaps)

    def next(self) -> Mishap:
        """Return what becomes of the next call."""
        return next(self._mishaps, Mishap.NONE)


def away() -> Script:
    """Return a script of outages without end."""
    return Script(repeat(Mishap.OUTAGE_BEFORE))


class UnsteadyStore(MemoryStore):
    """A table that follows a script, and refuses the items of some keys for good."""

    def __init__(self, script: Script | None = None, *, refused: Iterable[Key] = ()) -> None:
        super().__init__()
        self.script, self.refused = script or Script(), frozenset(refused)
        self.saves = 0

    def load(self, keys: Iterable[Key]) -> Mapping[Key, Item]:
        """Load, or be away."""
        if self.script.next() in {Mishap.OUTAGE_BEFORE, Mishap.OUTAGE_AFTER}:
            raise StoreUnavailable("away")
        return super().load(keys)

    def save(self, key: Key, item: Item, *, expected: str) -> None:
        """Save, or not, or save and be away before it is known."""
        mishap = self.script.next()
        if mishap is Mishap.OUTAGE_BEFORE:
            raise StoreUnavailable("away")
        if mishap is Mishap.CONFLICT:
            raise Conflict
        if key in self.refused:
            raise ItemRejected("too large")
        super().save(key, item, expected=expected)
        self.saves += 1
        if mishap is Mishap.OUTAGE_AFTER:
            raise StoreUnavailable("gone before it answered")


class UnsteadyQuarantine(MemoryQuarantine):
    """A quarantine that follows a script."""

    def __init__(self, script: Script | None = None) -> None:
        super().__init__()
        self.script = script or Script()

    def put(self, quarantined: Quarantined) -> None:
        """Put, or not, or put and be away before it is known."""
        mishap = self.script.next()
        if mishap in {Mishap.OUTAGE_BEFORE, Mishap.CONFLICT}:
            raise QuarantineUnavailable("away")
        super().put(quarantined)
        if mishap is Mishap.OUTAGE_AFTER:
            raise QuarantineUnavailable("gone before it answered")
