"""Ports that fail by a script: an outage, a denial, a conflict or no memory before a call, or an outage after it."""

from collections.abc import Iterable, Iterator, Mapping
from enum import Enum, auto
from itertools import repeat

from pipeline.errors import AccessDenied, Conflict, ItemRejected, QuarantineUnavailable, StoreUnavailable
from pipeline.memory import MemoryQuarantine, MemoryStore
from pipeline.ports import Item, Put, Quarantined
from pipeline.standing import Key


class Failure(Enum):
    """The failure of one call. A call that cannot conflict is throttled instead, or succeeds."""

    NONE = auto()
    OUTAGE_BEFORE = auto()
    OUTAGE_AFTER = auto()
    DENIED = auto()
    CONFLICT = auto()
    NO_MEMORY = auto()


class Script:
    """One failure per call, then none."""

    def __init__(self, failures: Iterable[Failure] = ()) -> None:
        self._failures: Iterator[Failure] = iter(failures)

    def next(self) -> Failure:
        """Return the failure of the next call."""
        return next(self._failures, Failure.NONE)


def permanent_outage() -> Script:
    """Return a script in which every call fails with an outage."""
    return Script(repeat(Failure.OUTAGE_BEFORE))


class FlakyStore(MemoryStore):
    """A table that follows a script, and rejects the items of some keys permanently."""

    def __init__(self, script: Script | None = None, *, rejected: Iterable[Key] = ()) -> None:
        super().__init__()
        self.script, self.rejected = script or Script(), frozenset(rejected)
        self.saves = 0

    def load(self, keys: Iterable[Key]) -> Mapping[Key, Item]:
        """Load, or fail."""
        match self.script.next():
            case Failure.OUTAGE_BEFORE | Failure.OUTAGE_AFTER:
                raise StoreUnavailable("the table is unavailable")
            case Failure.DENIED:
                raise AccessDenied("the table may not be read")
            case Failure.NO_MEMORY:
                raise MemoryError
        return super().load(keys)

    def put(self, put: Put) -> None:
        """Save, or fail before or after the item is saved."""
        failure = self.script.next()
        match failure:
            case Failure.OUTAGE_BEFORE:
                raise StoreUnavailable("the table is unavailable")
            case Failure.DENIED:
                raise AccessDenied("the table may not be written")
            case Failure.CONFLICT:
                raise Conflict
            case Failure.NO_MEMORY:
                raise MemoryError
        if put.key in self.rejected:
            raise ItemRejected("too large")
        super().put(put)
        self.saves += 1
        if failure is Failure.OUTAGE_AFTER:
            raise StoreUnavailable("the table did not answer")


class FlakyQuarantine(MemoryQuarantine):
    """A quarantine that follows a script."""

    def __init__(self, script: Script | None = None) -> None:
        super().__init__()
        self.script = script or Script()

    def put(self, quarantined: Quarantined) -> None:
        """Put, or fail before or after the payload is put."""
        failure = self.script.next()
        match failure:
            case Failure.OUTAGE_BEFORE | Failure.CONFLICT:
                raise QuarantineUnavailable("the quarantine is unavailable")
            case Failure.DENIED:
                raise AccessDenied("the quarantine may not be written")
            case Failure.NO_MEMORY:
                raise MemoryError
        super().put(quarantined)
        if failure is Failure.OUTAGE_AFTER:
            raise QuarantineUnavailable("the quarantine did not answer")
