"""Tests of `pipeline.resume`: an ingestion goes on where an earlier one stopped, and stores no row twice."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.batch import StreamRecord
from pipeline.errors import ArchiveUnavailable
from pipeline.ingest import IngestCounts, Ingestion
from pipeline.manifest import SourceProgress
from pipeline.memory import MemoryArchive, MemoryManifest, MemoryQuarantine, MemoryStore
from pipeline.policy import DEFAULT_POLICY
from pipeline.replay import store_digest
from pipeline.resume import RecordSource, SourceIngestion, UnreadableSource
from pipeline.row import Row
from tests.support.builders import a_bounce, a_send

ARRIVED_AT = datetime(2026, 3, 2, tzinfo=UTC)
BROKEN = b"{oops"
BROKEN_PART = b'{"eventType":"Bounce"}'


class Killed(BaseException):
    """The process ends."""


class Files:
    """Files, and a log, a table and a manifest that outlive an ingestion.

    Attributes:
        calls: Calls of log, table and manifest that succeed before the process ends. None: all.
    """

    def __init__(self) -> None:
        self.calls: int | None = None
        self.archive, self.store, self.quarantine = _Archive(self), MemoryStore(), MemoryQuarantine()
        self.manifest = _Manifest(self)
        self.read: list[str] = []

    def ingest(
        self,
        files: Mapping[str, Sequence[bytes]],
        progress: Callable[[StreamRecord], None] = lambda _: None,
    ) -> IngestCounts:
        ingestion = Ingestion(
            archive=self.archive,
            store=self.store,
            quarantine=self.quarantine,
            policy=DEFAULT_POLICY,
            arrived_at=ARRIVED_AT,
        )
        return SourceIngestion(ingestion=ingestion, manifest=self.manifest).ingest(
            (self.source(name, payloads) for name, payloads in files.items()), progress=progress
        )

    def source(self, name: str, payloads: Sequence[bytes]) -> RecordSource:
        def records() -> Iterator[StreamRecord]:
            self.read.append(name)
            for number, payload in enumerate(payloads, 1):
                if payload == b"cut off":
                    raise UnreadableSource("it is cut off")
                yield StreamRecord(payload=payload, position=f"{name}:{number}")

        return RecordSource(name=name, id="" if name == "-" else name, records=records)

    def call(self) -> None:
        if self.calls is not None:
            self.calls -= 1
            if self.calls < 0:
                raise Killed

    def rows(self) -> Counter[str]:
        return Counter(row.message_id or "" for rows in self.archive.rows() for row in rows)


class _Archive(MemoryArchive):
    """A log of which each call may be the last, before it or after it."""

    def __init__(self, files: Files) -> None:
        super().__init__()
        self._files = files

    def append(self, rows: Sequence[Row], *, name: str = "") -> None:
        self._files.call()
        super().append(rows, name=name)
        self._files.call()


class _Manifest(MemoryManifest):
    """A manifest of which each call may be the last, before it or after it."""

    def __init__(self, files: Files) -> None:
        super().__init__()
        self._files = files

    def save(self, name: str, progress: Mapping[str, SourceProgress]) -> None:
        self._files.call()
        super().save(name, progress)
        self._files.call()


def sends(*ids: str) -> list[bytes]:
    return [a_send(messageId=id_) for id_ in ids]


def test_a_file_that_was_ingested_is_not_read_again() -> None:
    """The result counts it."""
    files = Files()
    files.ingest({"a": sends("1", "2")})
    counts = files.ingest({"a": sends("1", "2"), "b": sends("3")})
    assert (counts.ingested_before, dict(counts.events)) == (1, {"send": 1})
    assert files.read == ["a", "b"]
    assert files.rows() == {"1": 1, "2": 1, "3": 1}


def test_a_stream_without_an_id_is_ingested_again() -> None:
    """Nothing says that it is the same; files before and after it are stored once."""
    files = Files()
    for _ in range(2):
        files.ingest({"a": sends("1"), "-": sends("2"), "b": sends("3")})
    assert files.rows() == {"1": 1, "2": 2, "3": 1}


def test_a_rejected_record_is_tried_again_and_named_again() -> None:
    """Those beside it are not."""
    files = Files()
    file = {"a": [*sends("1"), BROKEN, *sends("2")]}
    for _ in range(2):
        counts = files.ingest(file)
        assert [reject.position for reject in counts.rejects] == ["a:2"]
    assert files.rows() == {"1": 1, "2": 1}
    assert files.ingest({"a": [*sends("1"), a_bounce(messageId="new"), *sends("2")]}).events == {"bounce": 1}
    assert files.ingest(file).ingested_before == 1


def test_a_rejected_record_is_named_again_in_small_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is stored in between changes nothing."""
    monkeypatch.setattr("pipeline.ingest.ROWS_HELD", 1)
    files = Files()
    for _ in range(2):
        assert len(files.ingest({"a": [BROKEN, *sends("1", "2")]}).rejects) == 1
    assert files.rows() == {"1": 1, "2": 1}


def test_progress_counts_every_record_that_is_read() -> None:
    """Also one that is stored already."""
    files = Files()
    seen: list[StreamRecord] = []
    files.ingest({"a": [*sends("1"), b"cut off"]})
    files.ingest({"a": sends("1", "2")}, progress=seen.append)
    assert len(seen) == 2


def test_a_file_that_is_cut_off_is_ingested_to_there_once() -> None:
    """It is named each time, and read on when it is whole."""
    files = Files()
    for _ in range(2):
        counts = files.ingest({"a": [*sends("1"), b"cut off"]})
        assert [(reject.position, reject.why) for reject in counts.rejects] == [("a", "it is cut off")]
    files.ingest({"a": sends("1", "2")})
    assert files.rows() == {"1": 1, "2": 1}


def test_a_failure_that_is_no_file_s_own_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was stored before it stays."""
    files = Files()

    def fail(_: object, *, name: str) -> None:
        raise ArchiveUnavailable(name)

    monkeypatch.setattr(files.archive, "append", fail)
    with pytest.raises(ArchiveUnavailable):
        files.ingest({"a": sends("1")})
    assert files.manifest.load() == {}


def batch_of(*payloads: bytes) -> bytes:
    return b"[" + b",".join(payloads) + b"]"


def test_the_good_parts_of_a_rejected_record_are_stored_once() -> None:
    """However often it is tried, and whether it can be read in the end or not."""
    files = Files()
    file = {"a": [*sends("1"), batch_of(*sends("2"), BROKEN_PART, *sends("3")), *sends("4")]}
    for _ in range(3):
        files.ingest(file)
    files.ingest({"a": [*sends("1"), batch_of(*sends("2", "5", "3")), *sends("4")]})
    assert files.rows() == dict.fromkeys("12345", 1)


_forms = st.sampled_from(["event", "batch", "part", "poison"])


@given(
    sources=st.lists(
        st.lists(st.sampled_from(["event", "batch", "part", "poison"]), max_size=7), min_size=1, max_size=6
    ),
    room=st.integers(1, 6),
    kills=st.lists(st.integers(0, 9), max_size=4),
)
def test_an_ingestion_that_ends_anywhere_stores_no_row_twice(
    sources: list[list[str]], room: int, kills: list[int]
) -> None:
    """Whenever processes end, the last one leaves every row once, and the table equal."""
    ids = [f"{source}.{number}" for source, forms in enumerate(sources) for number, _ in enumerate(forms)]
    records = map(a_record, ids, chain.from_iterable(sources))
    given_files = {f"file-{number}": [next(records) for _ in forms] for number, forms in enumerate(sources)}
    files, whole = Files(), Files()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipeline.ingest.ROWS_HELD", room)
        for calls in kills:
            files.calls = calls
            with suppress(Killed):
                files.ingest(given_files)
        files.calls = None
        files.ingest(given_files)
        files.ingest(given_files)
    whole.ingest(given_files)
    assert files.rows() == whole.rows()
    assert set(files.rows().values()) <= {1}
    assert store_digest(files.store) == store_digest(whole.store)
    done = sum({"part", "poison"}.isdisjoint(forms) for forms in sources)
    assert files.ingest(given_files).ingested_before == done


def a_record(name: str, form: str) -> bytes:
    """Return an event, a batch of two, such a batch with a part that cannot be read, or nothing else."""
    one, two = (a_bounce(recipients=(f"{n}@example.com",), messageId=n, feedback_id=n) for n in (name, f"{name}-2"))
    return {"event": one, "batch": batch_of(one, two), "part": batch_of(one, BROKEN_PART, two), "poison": BROKEN}[form]
