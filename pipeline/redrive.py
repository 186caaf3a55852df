"""Send leftovers back through the pipeline, by the same path as live traffic, once the decoder reads them. Pure.

The log comes first, then the feedback stream: the table can be rebuilt from the log at any time. Identity comes from an
event's content, so a record that is sent twice changes neither table nor fold. A leftover is marked after it was sent;
a process that ends in between sends it again.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from pipeline.batch import StreamRecord, quarantine_reason
from pipeline.decision import decode_arrived
from pipeline.event import FEEDBACK, Event
from pipeline.leftover import ForeignObject, Kept, Leftover, Leftovers, Place
from pipeline.ports import Quarantine, Quarantined

LEFTOVERS_PER_GROUP = 100  # sent by the same calls; a process that ends in between sends so many again
GROUP_BYTES = 16 * 1_024 * 1_024
SPLITTABLE = frozenset({Place.FIREHOSE, Place.LAMBDA})
"""Places whose leftovers hold several records. What is still rejected of one moves to the quarantine."""


class Inlet(Protocol):
    """An entrance of the pipeline: the delivery stream of the log, or the feedback stream."""

    def put(self, records: Sequence[StreamRecord]) -> object:
        """Put all records.

        Raises:
            Unavailable: It is throttled or unreachable. Some records may have been put; safe to try again.
            AccessDenied, NotFound: It may not be written, or does not exist.
        """
        ...


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """What redriving a record would do.

    Attributes:
        record: The record.
        rejected: Why it would fail again; None if it would not.
        has_event: True if an event is in it, which belongs to the log.
        has_feedback: True if an event is in it that can change the table.
    """

    record: StreamRecord
    rejected: str | None
    has_event: bool
    has_feedback: bool


class RedriveCounts(msgspec.Struct, kw_only=True):
    """Counts of a redrive.

    Attributes:
        leftovers: Leftovers that were redriven and marked, or would be.
        records: Records in them that were sent.
        ignored: Records in them that are not about a sent e-mail, and were not sent.
        rejected: Records that the decoder still rejects, or that are too large to be sent, by reason.
        moved: Those among them that were moved to the quarantine, because others beside them were sent.
        expired: Records of the feedback stream that it does not retain any more.
        redriven_before: Leftovers that were asked for and had been redriven.
        foreign: Objects and messages that are no leftovers.
    """

    leftovers: int = 0
    records: int = 0
    ignored: int = 0
    rejected: Counter[str] = msgspec.field(default_factory=Counter)
    moved: int = 0
    expired: int = 0
    redriven_before: int = 0
    foreign: list[ForeignObject] = msgspec.field(default_factory=list)

    @property
    def remaining(self) -> int:
        """Number of records and objects that could not be redriven."""
        return self.rejected.total() + self.expired + len(self.foreign)


class Redriver:
    """Redrives leftovers.

    Args:
        log: The delivery stream of the event log.
        stream: The feedback stream.
        quarantine: Receives the rejected records of a leftover whose others are sent.
        max_record_bytes: The largest record that both take.
        now: When redriven records arrive, aware.

    Attributes:
        counts: Counts of what was done so far.
    """

    def __init__(
        self, *, log: Inlet, stream: Inlet, quarantine: Quarantine, max_record_bytes: int, now: datetime
    ) -> None:
        self.counts = RedriveCounts()
        self._log, self._stream, self._quarantine = log, stream, quarantine
        self._max_record_bytes, self._now = max_record_bytes, now

    def redrive(
        self,
        kept: Iterable[Kept],
        *,
        place: Leftovers,
        is_dry_run: bool = False,
        progress: Callable[[RedriveCounts], None] = lambda _: None,
    ) -> None:
        """Redrive leftovers of a place.

        Args:
            kept: The leftovers, as `place` yields them.
            place: Marks them.
            is_dry_run: True to count only.
            progress: Called after each group.

        Raises:
            Unavailable: A service is throttled or unreachable. Or another error of `STOPS_BATCH`. What was redriven
                before it is marked; redrive again.
        """
        for group in _groups(self._known(kept)):
            self._redrive(group, place, is_dry_run=is_dry_run)
            progress(self.counts)

    def judge(self, record: StreamRecord) -> Judgement:
        """Return what redriving a record would do, by decoding it today."""
        outcomes = decode_arrived(record.payload, arrived_at=self._now)
        events = [outcome for outcome in outcomes if isinstance(outcome, Event)]
        rejected = next((reason for outcome in outcomes if (reason := quarantine_reason(outcome))), None)
        if events and len(record.payload) > self._max_record_bytes:
            rejected = rejected or f"larger than {self._max_record_bytes:,} bytes, the limit of Firehose: ingest it"
        return Judgement(
            record=record,
            rejected=rejected,
            has_event=bool(events),
            has_feedback=any(event.kind in FEEDBACK for event in events),
        )

    def _known(self, kept: Iterable[Kept]) -> Iterable[Leftover]:
        for item in kept:
            if isinstance(item, ForeignObject):
                self.counts.foreign.append(item)
            else:
                yield item

    def _redrive(self, group: Sequence[Leftover], place: Leftovers, *, is_dry_run: bool) -> None:
        judged = [(leftover, [self.judge(record) for record in leftover.records]) for leftover in group]
        ready = [(leftover, judgements) for leftover, judgements in judged if _is_ready(leftover, judgements)]
        if not is_dry_run:
            self._send(ready)
            self._move_rejected(ready)
            place.mark([leftover for leftover, _ in ready])
        for leftover, judgements in judged:
            self._count(leftover, judgements)

    def _send(self, ready: Sequence[tuple[Leftover, Sequence[Judgement]]]) -> None:
        accepted = [(leftover, judged) for leftover, all_of in ready for judged in all_of if judged.rejected is None]
        to_log = [judged.record for leftover, judged in accepted if judged.has_event and not leftover.in_log]
        if to_log:
            self._log.put(to_log)
        to_stream = [judged.record for _, judged in accepted if judged.has_feedback]
        if to_stream:
            self._stream.put(to_stream)

    def _move_rejected(self, ready: Sequence[tuple[Leftover, Sequence[Judgement]]]) -> None:
        for _, judgements in ready:
            for judged in judgements:
                if judged.rejected is not None:
                    record = judged.record
                    quarantined = Quarantined(payload=record.payload, reason=judged.rejected, position=record.position)
                    self._quarantine.put(quarantined)

    def _count(self, leftover: Leftover, judgements: Sequence[Judgement]) -> None:
        rejected = [judged.rejected for judged in judgements if judged.rejected is not None]
        self.counts.rejected.update(rejected)
        self.counts.expired += leftover.expired
        if _is_ready(leftover, judgements):
            sent = sum(judged.has_event and judged.rejected is None for judged in judgements)
            self.counts.leftovers += 1
            self.counts.records += sent
            self.counts.ignored += len(judgements) - len(rejected) - sent
            self.counts.moved += len(rejected)


def _is_ready(leftover: Leftover, judgements: Sequence[Judgement]) -> bool:
    """Return True if a leftover can be marked once its accepted records are sent."""
    if leftover.expired or not judgements:
        return False
    accepted = sum(judged.rejected is None for judged in judgements)
    return accepted == len(judgements) or (accepted > 0 and leftover.place in SPLITTABLE)


def _groups(leftovers: Iterable[Leftover]) -> Iterable[Sequence[Leftover]]:
    """Yield leftovers in groups that are sent together."""
    group: list[Leftover] = []
    for leftover in leftovers:
        group.append(leftover)
        if len(group) == LEFTOVERS_PER_GROUP or sum(held.size_bytes for held in group) >= GROUP_BYTES:
            yield group
            group = []
    if group:
        yield group
