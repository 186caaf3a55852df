"""Leftovers go back through the pipeline once the decoder reads them: to the log, then to the stream, then marked."""

from collections.abc import Sequence

import pytest

from pipeline.batch import StreamRecord
from pipeline.errors import ArchiveUnavailable, StoreUnavailable
from pipeline.leftover import ForeignObject, Kept, Place
from pipeline.memory import MemoryLeftovers, MemoryQuarantine, MemoryStore
from pipeline.policy import DEFAULT_POLICY
from pipeline.projection import BatchProjector
from pipeline.redrive import GROUP_BYTES, LEFTOVERS_PER_GROUP, RedriveCounts, Redriver
from tests.support.builders import ADA, OCCURRED_AT, a_bounce, a_decision, a_send, in_lambda_sns
from tests.support.leftovers import a_leftover

POISON = b"no JSON"
RECEIVED = b'{"notificationType": "Received", "mail": {}}'
MAX_BYTES = 100_000


class Killed(BaseException):
    """The process ends here."""


class AnInlet:
    """An entrance of the pipeline that keeps what is put into it.

    Args:
        path: Notes the order of calls.
        name: Its name there.
        error: What the next call raises after it kept its records.
    """

    def __init__(self, path: list[str], name: str, error: BaseException | None = None) -> None:
        self.path, self.name, self.error = path, name, error
        self.kept: list[bytes] = []

    def put(self, records: Sequence[StreamRecord]) -> None:
        self.path.append(self.name)
        self.kept += [record.payload for record in records]
        if error := self.error:
            self.error = None
            raise error


class APipeline:
    """Log, stream, quarantine and one place with leftovers."""

    def __init__(
        self, *kept: Kept, log_error: BaseException | None = None, stream_error: BaseException | None = None
    ) -> None:
        self.path: list[str] = []
        self.log, self.stream = AnInlet(self.path, "log", log_error), AnInlet(self.path, "stream", stream_error)
        self.quarantine, self.place = MemoryQuarantine(), MemoryLeftovers(kept)

    def redrive(self, *, is_dry_run: bool = False) -> RedriveCounts:
        """Redrive all leftovers, in a process of its own."""
        redriver = Redriver(
            log=self.log,
            stream=self.stream,
            quarantine=self.quarantine,
            max_record_bytes=MAX_BYTES,
            now=OCCURRED_AT,
        )
        redriver.redrive(self.place.waiting(), place=self.place, is_dry_run=is_dry_run)
        return redriver.counts

    @property
    def waiting(self) -> list[str]:
        return [kept.id for kept in self.place.waiting()]

    @property
    def marked(self) -> list[str]:
        return [kept.id for kept in self.place.redriven()]

    def table(self) -> MemoryStore:
        """Return the table that the stream's records project into."""
        store = MemoryStore()
        projector = BatchProjector(store=store, quarantine=MemoryQuarantine(), policy=DEFAULT_POLICY)
        projector.project([StreamRecord(payload=payload, position="") for payload in self.stream.kept])
        return store


def test_feedback_goes_to_the_log_then_to_the_stream_and_is_marked() -> None:
    """A bounce reaches log and stream, in this order, and its leftover waits no more."""
    pipeline = APipeline(a_leftover(a_bounce(), name="one"))
    counts = pipeline.redrive()
    assert (pipeline.log.kept, pipeline.stream.kept) == ([a_bounce()], [a_bounce()])
    assert pipeline.path == ["log", "stream"]
    assert (pipeline.waiting, pipeline.marked) == ([], ["one"])
    assert (counts.leftovers, counts.records, counts.remaining) == (1, 1, 0)


def test_an_event_without_feedback_goes_to_the_log_alone() -> None:
    """A send belongs to the log, and can change no table."""
    pipeline = APipeline(a_leftover(a_send()))
    pipeline.redrive()
    assert (pipeline.log.kept, pipeline.stream.kept) == ([a_send()], [])


def test_what_the_log_has_goes_to_the_stream_alone() -> None:
    """A batch of the stream that Lambda discarded is in the log already."""
    pipeline = APipeline(a_leftover(a_bounce(), place=Place.LAMBDA, in_log=True))
    pipeline.redrive()
    assert (pipeline.log.kept, pipeline.stream.kept) == ([], [a_bounce()])


def test_what_the_decoder_rejects_is_not_sent_and_waits() -> None:
    """Poison would come back, so it stays where it is, counted with its reason."""
    pipeline = APipeline(a_leftover(POISON, name="one"))
    counts = pipeline.redrive()
    assert pipeline.path == []
    assert (pipeline.waiting, pipeline.marked) == (["one"], [])
    assert (counts.leftovers, dict(counts.rejected), counts.remaining) == (0, {"not a JSON document": 1}, 1)


@pytest.mark.parametrize("bounced", [["nowhere"], [ADA, "nowhere"]])
def test_a_bounce_without_a_usable_address_stays_rejected(bounced: list[str]) -> None:
    """An event that the projector quarantines again is not sent."""
    pipeline = APipeline(a_leftover(a_bounce(recipients=bounced, destination=[ADA])))
    assert pipeline.redrive().remaining == 1
    assert pipeline.path == []


def test_a_record_that_is_no_event_is_marked_and_not_sent() -> None:
    """The decoder now knows that it is not about a sent e-mail, so there is nothing to send."""
    pipeline = APipeline(a_leftover(RECEIVED))
    counts = pipeline.redrive()
    assert (pipeline.path, pipeline.waiting) == ([], [])
    assert (counts.leftovers, counts.records, counts.ignored, counts.remaining) == (1, 0, 1, 0)


@pytest.mark.parametrize("place", [Place.FIREHOSE, Place.LAMBDA])
def test_rejected_records_of_a_larger_object_move_to_the_quarantine(place: Place) -> None:
    """One poison record in an object does not keep its neighbours from the pipeline, and is not lost."""
    pipeline = APipeline(a_leftover(a_bounce(), POISON, name="one", place=place))
    counts = pipeline.redrive()
    assert (pipeline.stream.kept, pipeline.marked) == ([a_bounce()], ["one"])
    [moved] = pipeline.quarantine.held
    assert (moved.payload, moved.reason, moved.position) == (POISON, "not a JSON document", "one:1")
    assert (counts.records, counts.rejected.total(), counts.moved) == (1, 1, 1)


def test_an_object_with_rejected_records_alone_stays() -> None:
    """Nothing is moved while nothing of an object can be sent."""
    pipeline = APipeline(a_leftover(POISON, POISON, name="one", place=Place.FIREHOSE))
    assert pipeline.redrive().moved == 0
    assert (pipeline.waiting, pipeline.quarantine.held) == (["one"], [])


def test_a_record_that_is_too_large_waits_and_is_told() -> None:
    """Firehose would reject the whole call."""
    pipeline = APipeline(a_leftover(a_bounce(subject="x" * MAX_BYTES)))
    [reason] = pipeline.redrive().rejected
    assert reason.startswith("larger than 100,000 bytes")
    assert pipeline.path == []


def test_a_batch_with_expired_records_waits_and_is_told() -> None:
    """What the stream does not have any more cannot be redriven; the log has it."""
    pipeline = APipeline(a_leftover(a_bounce(), name="one", expired=2, place=Place.LAMBDA), a_leftover(name="two"))
    counts = pipeline.redrive()
    assert (pipeline.path, pipeline.waiting) == ([], ["one", "two"])
    assert (counts.expired, counts.remaining) == (2, 2)


def test_a_foreign_object_is_named_and_passed_over() -> None:
    """It is neither sent nor marked, and stops nothing."""
    foreign = ForeignObject(id="quarantine/readme.txt", why="it is not a quarantine object")
    pipeline = APipeline(foreign, a_leftover(a_bounce()))
    counts = pipeline.redrive()
    assert (counts.foreign, counts.leftovers, counts.remaining) == ([foreign], 1, 1)
    assert pipeline.waiting == [foreign.id]


def test_redriving_twice_sends_nothing_again() -> None:
    """The mark prevents the second send."""
    pipeline = APipeline(a_leftover(a_bounce()))
    pipeline.redrive()
    counts = pipeline.redrive()
    assert (counts.leftovers, counts.records) == (0, 0)
    assert len(pipeline.log.kept) == len(pipeline.stream.kept) == 1


@pytest.mark.parametrize("killed_at", ["log", "stream"])
def test_a_process_that_ends_before_the_mark_is_repeated_without_effect(killed_at: str) -> None:
    """The record is sent twice, and the table is that of one."""
    once = APipeline(a_leftover(a_bounce()))
    once.redrive()
    killed = APipeline(a_leftover(a_bounce()), **{f"{killed_at}_error": Killed()})
    with pytest.raises(Killed):
        killed.redrive()
    assert killed.marked == []
    killed.redrive()
    assert len(killed.log.kept) == 2
    assert list(killed.table().scan()) == list(once.table().scan()) != []


@pytest.mark.parametrize(
    ("inlet", "error"), [("log", ArchiveUnavailable("busy")), ("stream", StoreUnavailable("busy"))]
)
def test_an_outage_marks_nothing(inlet: str, error: Exception) -> None:
    """What may not have arrived waits for the next redrive."""
    pipeline = APipeline(a_leftover(a_bounce(), name="one"), **{f"{inlet}_error": error})
    with pytest.raises(type(error)):
        pipeline.redrive()
    assert (pipeline.waiting, pipeline.marked) == (["one"], [])


def test_a_dry_run_counts_and_changes_nothing() -> None:
    """Its counts are those of the redrive after it."""
    kept = [a_leftover(a_bounce(), POISON, name="one", place=Place.FIREHOSE), a_leftover(POISON, name="two")]
    pipeline = APipeline(*kept)
    counts = pipeline.redrive(is_dry_run=True)
    assert (pipeline.path, pipeline.waiting, pipeline.quarantine.held) == ([], ["one", "two"], [])
    assert counts == pipeline.redrive()


def test_many_leftovers_share_calls_and_progress_is_reported() -> None:
    """A call of Firehose takes many records, and each group reports the counts so far."""
    number = 2 * LEFTOVERS_PER_GROUP + 50
    pipeline = APipeline(*(a_leftover(a_bounce(feedback_id=str(n)), name=str(n)) for n in range(number)))
    redriver = Redriver(
        log=pipeline.log,
        stream=pipeline.stream,
        quarantine=pipeline.quarantine,
        max_record_bytes=MAX_BYTES,
        now=OCCURRED_AT,
    )
    seen: list[int] = []
    redriver.redrive(
        pipeline.place.waiting(), place=pipeline.place, progress=lambda counts: seen.append(counts.leftovers)
    )
    assert seen == [100, 200, 250]
    assert pipeline.path == ["log", "stream"] * 3
    assert len(pipeline.marked) == number


def test_large_leftovers_are_sent_in_smaller_groups() -> None:
    """A group is limited by its bytes too, so that memory is."""
    large = [a_leftover(a_bounce(), name=str(number), size_bytes=GROUP_BYTES) for number in range(2)]
    pipeline = APipeline(*large)
    pipeline.redrive()
    assert pipeline.path == ["log", "stream"] * 2


def test_a_decision_that_came_as_a_message_stays_rejected() -> None:
    """A stranger's decision in a notification is no decision when it is redriven either."""
    pipeline = APipeline(a_leftover(in_lambda_sns(a_decision(action="release"))))
    assert pipeline.redrive().remaining == 1
    assert pipeline.path == []
