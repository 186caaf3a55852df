"""Read a batch of stream records: collect their facts by key, and quarantine their poison.

Pure except for the quarantine.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import TypeVar

import msgspec

from pipeline.decision import decode_arrived
from pipeline.errors import STOPS_BATCH, MailfoldError
from pipeline.event import FEEDBACK, Event, EventKind, NotAnEvent, Outcome, Poison
from pipeline.fact import Fact, facts, is_recognized
from pipeline.ports import Quarantine, Quarantined
from pipeline.standing import Evidence, FactKind, Key, Standing, fold

T = TypeVar("T")

# Of one payload. One with more, which only an attacker makes, is quarantined whole: to put a hundred thousand objects
# would take longer than a Lambda has, and again with each retry.
MAX_QUARANTINED = 100


class StreamRecord(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A payload as it arrived.

    Attributes:
        payload: Its bytes.
        position: Its position in the stream, which names it in the quarantine.
        arrived_at: When the stream received it, aware; None if unknown.
    """

    payload: bytes
    position: str
    arrived_at: datetime | None = None


class Counts(msgspec.Struct, kw_only=True):
    """Counts of what a batch contained and what was done with it.

    Attributes:
        events: Events by kind.
        unrecognized: Events of a type or sub-type that this version does not know. They are kept, and suppress nothing.
        ignored: Records that are not about a sent e-mail.
        quarantined: Payloads put into the quarantine.
        facts: Facts in the events.
        written: Items put, in all tables.
        unchanged: Items that already contained the facts.
    """

    events: Counter[str] = msgspec.field(default_factory=Counter)
    unrecognized: int = 0
    ignored: int = 0
    quarantined: int = 0
    facts: int = 0
    written: int = 0
    unchanged: int = 0

    def __add__(self, other: Counts) -> Counts:
        """Return the counts of two batches together."""
        return Counts(
            events=self.events + other.events,
            unrecognized=self.unrecognized + other.unrecognized,
            ignored=self.ignored + other.ignored,
            quarantined=self.quarantined + other.quarantined,
            facts=self.facts + other.facts,
            written=self.written + other.written,
            unchanged=self.unchanged + other.unchanged,
        )


class BatchReader:
    """Reads the records of a batch, and remembers which record each fact comes from.

    Attributes:
        end: Index of the first record that was not read.
    """

    def __init__(self, quarantine: Quarantine) -> None:
        self.end = 0
        self._quarantine = quarantine
        self._events: list[tuple[int, EventKind]] = []
        self._facts: list[tuple[int, Fact]] = []
        self._unrecognized: list[int] = []
        self._ignored: list[int] = []
        self._quarantined: list[int] = []

    def read(self, batch: Sequence[StreamRecord]) -> MailfoldError | None:
        """Read records until the quarantine fails; return that error, or None once all records are read."""
        for index, record in enumerate(batch):
            try:
                self._read_record(index, record)
            except STOPS_BATCH as error:
                self.end = index
                return error
        self.end = len(batch)
        return None

    def changes(self) -> dict[Key, Standing]:
        """Return the facts, joined by key."""
        return group_by_key(fact for _, fact in self._facts)

    def records_of(self, keys: Collection[Key]) -> list[tuple[int, Key]]:
        """Return the index of every record with a fact about one of the keys, with the key, in ascending order."""
        return [(index, fact.key) for index, fact in self._facts if fact.key in keys] if keys else []

    def put(self, index: int, record: StreamRecord, *, payload: bytes, reason: str) -> None:
        """Put a payload of a record into the quarantine.

        Raises:
            QuarantineUnavailable: The quarantine is throttled or unreachable. Or another error of `STOPS_BATCH`.
        """
        self._quarantine.put(Quarantined(payload=payload, reason=reason, position=record.position))
        self._quarantined.append(index)

    def counts(self, end: int) -> Counts:
        """Return the counts of the records before `end`."""
        return Counts(
            events=Counter(kind.value for index, kind in self._events if index < end),
            unrecognized=sum(index < end for index in self._unrecognized),
            ignored=sum(index < end for index in self._ignored),
            quarantined=sum(index < end for index in self._quarantined),
            facts=sum(index < end for index, _ in self._facts),
        )

    def _read_record(self, index: int, record: StreamRecord) -> None:
        outcomes = decode_arrived(record.payload, arrived_at=record.arrived_at)
        self._quarantine_faults(index, record, outcomes)
        for outcome in outcomes:
            if isinstance(outcome, Event):
                self._events.append((index, outcome.kind))
                if not is_recognized(outcome):
                    self._unrecognized.append(index)
                for fact in facts(outcome):
                    self._facts.append((index, fact))
            elif isinstance(outcome, NotAnEvent):
                self._ignored.append(index)

    def _quarantine_faults(self, index: int, record: StreamRecord, outcomes: Iterable[Outcome]) -> None:
        """Put what cannot be read of a record into the quarantine."""
        faults = [(outcome.raw, reason) for outcome in outcomes if (reason := quarantine_reason(outcome))]
        if len(faults) > MAX_QUARANTINED:
            faults = [(record.payload, f"{len(faults)} parts of it cannot be read; the first: {faults[0][1]}")]
        for payload, reason in faults:
            self.put(index, record, payload=payload, reason=reason)


def quarantine_reason(outcome: Outcome) -> str | None:
    """Return why a record must be quarantined; None if it need not be."""
    if isinstance(outcome, Poison):
        return outcome.why
    if isinstance(outcome, Event) and outcome.unusable_recipients and outcome.kind in FEEDBACK:
        return f"{outcome.kind}: {outcome.unusable_recipients} of its recipients have no usable address"
    return None


def in_parts(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield items in lists of `size`, the last of which may be shorter."""
    remaining = iter(items)
    while part := list(islice(remaining, size)):
        yield part


def group_by_key(facts: Iterable[Fact]) -> dict[Key, Standing]:
    """Return the standing of each key that the facts are about."""
    by_key: dict[Key, list[tuple[FactKind, Evidence]]] = {}
    for fact in facts:
        by_key.setdefault(fact.key, []).append((fact.kind, fact.evidence))
    return {key: fold(key_facts) for key, key_facts in by_key.items()}
