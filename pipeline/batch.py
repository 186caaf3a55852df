"""Read a batch: its facts gathered by address, its poison set aside.

Pure but for the quarantine that it is given.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from pipeline.decode import decode
from pipeline.errors import STOPS_BATCH, MailfoldError, PartialBatchFailure
from pipeline.event import FEEDBACK, Event, NotAnEvent, Outcome, Poison
from pipeline.fact import Fact, facts
from pipeline.ports import Quarantine, Quarantined
from pipeline.standing import Evidence, FactKind, Key, Standing, standing


class StreamRecord(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A payload with its place in the stream, by which the quarantine names it."""

    payload: bytes
    position: str


class Counts(msgspec.Struct, kw_only=True):
    """What became of a batch.

    Attributes:
        events: Events by kind.
        ignored: Records that are no sending event.
        quarantined: Payloads set aside.
        facts: Facts found.
        written: Items put, in all tables.
        unchanged: Items that knew it all already.
    """

    events: Counter[str] = msgspec.field(default_factory=Counter)
    ignored: int = 0
    quarantined: int = 0
    facts: int = 0
    written: int = 0
    unchanged: int = 0

    def __add__(self, other: Counts) -> Counts:
        """Return the counts of two batches together."""
        return Counts(
            events=self.events + other.events,
            ignored=self.ignored + other.ignored,
            quarantined=self.quarantined + other.quarantined,
            facts=self.facts + other.facts,
            written=self.written + other.written,
            unchanged=self.unchanged + other.unchanged,
        )


def group_by_key(found: Iterable[Fact]) -> dict[Key, Standing]:
    """Return facts as changes: one standing for each key."""
    by_key: dict[Key, list[tuple[FactKind, Evidence]]] = {}
    for finding in found:
        by_key.setdefault(finding.key, []).append((finding.fact, finding.evidence))
    return {key: standing(facts) for key, facts in by_key.items()}


def quarantine_reason(outcome: Outcome) -> str | None:
    """Return why a record must be kept until somebody has looked; None: it is in order."""
    if isinstance(outcome, Poison):
        return outcome.why
    if isinstance(outcome, Event) and outcome.unusable and outcome.kind in FEEDBACK:
        return f"{outcome.kind}: {outcome.unusable} of its recipients have no usable address"
    return None


class BatchReader:
    """What a batch holds.

    Attributes:
        tally: What was found so far.
        sources: By key, the indexes of the records that say something about it, ascending.
        end: Index of the first record that was not read.
    """

    def __init__(self, quarantine: Quarantine) -> None:
        self.tally = Counts()
        self.sources: dict[Key, list[int]] = {}
        self.end = 0
        self._found: list[Fact] = []
        self._quarantine = quarantine

    def read(self, batch: Sequence[StreamRecord]) -> MailfoldError | None:
        """Read records until the quarantine is unavailable; return that error, if there is one."""
        for index, record in enumerate(batch):
            try:
                self._read(index, record)
            except STOPS_BATCH as error:
                self.end = index
                return error
        self.end = len(batch)
        return None

    def changes(self) -> dict[Key, Standing]:
        """Return the facts, joined by key."""
        return group_by_key(self._found)

    def set_aside(self, index: int, record: StreamRecord, why: str) -> None:
        """Put a whole record into the quarantine.

        Raises:
            PartialBatchFailure: The quarantine is away.
        """
        try:
            self._put(record.payload, why, record)
        except STOPS_BATCH as error:
            raise PartialBatchFailure(failed_at=index, cause=error) from error

    def _read(self, index: int, record: StreamRecord) -> None:
        for outcome in decode(record.payload):
            if why := quarantine_reason(outcome):
                self._put(outcome.raw, why, record)
            if isinstance(outcome, Event):
                self._note(index, outcome)
            elif isinstance(outcome, NotAnEvent):
                self.tally.ignored += 1

    def _note(self, index: int, event: Event) -> None:
        self.tally.events[event.kind] += 1
        for finding in facts(event):
            self.tally.facts += 1
            self.sources.setdefault(finding.key, []).append(index)
            self._found.append(finding)

    def _put(self, payload: bytes, why: str, record: StreamRecord) -> None:
        self._quarantine.put(Quarantined(payload=payload, reason=why, position=record.position))
        self.tally.quarantined += 1
