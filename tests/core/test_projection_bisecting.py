"""Tests of `BatchProjector`: a record that raises an unexpected exception is found by bisecting and quarantined."""

import errno
import os
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from threading import Thread

import pytest

from pipeline import batch
from pipeline.decode import decode
from pipeline.errors import AccessDenied, ProcessFailed, QuarantineUnavailable, describe
from pipeline.event import Outcome
from pipeline.memory import MemoryQuarantine, MemoryStore
from pipeline.ports import Item
from pipeline.standing import Key
from tests.support.builders import ADA, BOB, a_bounce, a_send
from tests.support.flaky import Failure, FlakyQuarantine, FlakyStore, Script
from tests.support.scenario import a_batch, project

BROKEN = b"broken"


@pytest.fixture(autouse=True)
def _broken_decoder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the decoder raise for one payload, as an error in its code would."""

    def decode_or_raise(payload: bytes, **_: object) -> list[Outcome]:
        if payload == BROKEN:
            raise ZeroDivisionError(ADA)
        return decode(payload)

    monkeypatch.setattr(batch, "decode_arrived", decode_or_raise)


def test_a_record_that_raises_is_quarantined() -> None:
    """The records before and after it are stored."""
    store, quarantine = MemoryStore(), MemoryQuarantine()
    records = a_batch(a_bounce(), BROKEN, a_bounce(recipients=[BOB]))
    result = project(records, store=store, quarantine=quarantine)
    assert [(held.position, held.payload) for held in quarantine.held] == [("1", BROKEN)]
    assert {key.address for key, _ in store.scan()} == {ADA, BOB}
    assert (result.internal_errors.total(), result.failed_at, result.cause) == (1, None, None)
    assert (result.counts.events, result.counts.written) == ({"bounce": 2}, 2)


def test_the_reason_names_type_and_line_of_the_error() -> None:
    """The text of the error may quote an address, so it is omitted."""
    quarantine = MemoryQuarantine()
    project(a_batch(BROKEN), store=MemoryStore(), quarantine=quarantine)
    [held] = quarantine.held
    assert "ZeroDivisionError in test_projection_bisecting.py" in held.reason
    assert ADA not in held.reason


@pytest.mark.parametrize(
    ("failure", "error"), [(Failure.OUTAGE_BEFORE, QuarantineUnavailable), (Failure.DENIED, AccessDenied)]
)
def test_a_failing_quarantine_stops_at_that_record(failure: Failure, error: type[Exception]) -> None:
    """The record is not acknowledged until it is quarantined."""
    records = a_batch(a_bounce(), BROKEN, a_bounce(recipients=[BOB]))
    result = project(records, store=MemoryStore(), quarantine=FlakyQuarantine(Script([failure])))
    assert (result.failed_at, type(result.cause)) == (1, error)
    assert result.counts.events == {"bounce": 1}


def test_a_stop_within_a_part_is_indexed_in_the_batch() -> None:
    """The index of a half is translated to the index of the whole batch, and the counts before it are kept."""
    records = a_batch(BROKEN, a_send(), a_send(), a_bounce())
    result = project(records, store=FlakyStore(Script([Failure.OUTAGE_BEFORE])))
    assert (result.failed_at, result.internal_errors.total(), result.counts.events) == (3, 1, {"send": 2})


def test_an_error_without_a_traceback_is_described() -> None:
    """Its type is named without a line."""
    assert describe(KeyError(ADA)) == "internal error, KeyError"


def _start_a_thread_twice() -> None:
    """Raise the RuntimeError of a thread that cannot start."""
    thread = Thread()
    thread.start()
    thread.start()


def _use_a_closed_pool() -> None:
    pool = ThreadPoolExecutor()
    pool.shutdown()
    pool.submit(print)


def _raise(error: Exception) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


class FailingOnce(MemoryStore):
    """A table whose first load raises an unexpected exception."""

    def __init__(self, fail: Callable[[], None]) -> None:
        super().__init__()
        self._failures = [fail]

    def load(self, keys: Iterable[Key]) -> Mapping[Key, Item]:
        if self._failures:
            self._failures.pop()()
        return super().load(keys)


PROCESS_ERRORS = [
    pytest.param(_raise(MemoryError()), id="no memory"),
    pytest.param(_raise(ImportError()), id="a module that is being replaced"),
    pytest.param(_raise(OSError(24, "too many open files")), id="no file"),
    pytest.param(_start_a_thread_twice, id="no thread"),
    pytest.param(_use_a_closed_pool, id="no pool"),
]
RECORD_ERRORS = [
    pytest.param(_raise(RuntimeError()), id="a RuntimeError"),
    pytest.param(_raise(RecursionError()), id="a RecursionError"),
    pytest.param(_raise(ZeroDivisionError()), id="another error"),
]


@pytest.mark.parametrize("fail", PROCESS_ERRORS)
@pytest.mark.parametrize("records", [1, 50])
def test_an_error_of_the_process_blames_no_record(fail: Callable[[], None], records: int) -> None:
    """It stops the batch at its first record, and the next attempt stores all of them."""
    store, quarantine = FailingOnce(fail), MemoryQuarantine()
    batch = a_batch(*(a_bounce(recipients=[f"person.{number}@example.com"]) for number in range(records)))
    stopped = project(batch, store=store, quarantine=quarantine)
    assert (type(stopped.cause), stopped.failed_at) == (ProcessFailed, 0)
    assert project(batch, store=store, quarantine=quarantine).counts.written == records
    assert list(quarantine.held) == []


@pytest.mark.parametrize("fail", RECORD_ERRORS)
def test_a_lone_record_is_tried_again_before_it_is_quarantined(fail: Callable[[], None]) -> None:
    """An error that does not repeat is not the record's."""
    store, quarantine = FailingOnce(fail), MemoryQuarantine()
    result = project(a_batch(a_bounce()), store=store, quarantine=quarantine)
    assert (result.cause, result.internal_errors.total(), result.counts.written) == (None, 0, 1)
    assert list(quarantine.held) == []


def test_an_error_of_the_process_in_the_quarantine_stops_at_that_record() -> None:
    """A record that raises is not acknowledged until it is quarantined."""
    quarantine = FlakyQuarantine(Script([Failure.NO_MEMORY]))
    result = project(
        a_batch(a_bounce(), BROKEN, a_bounce(recipients=[BOB])), store=MemoryStore(), quarantine=quarantine
    )
    assert (result.failed_at, type(result.cause)) == (1, ProcessFailed)


def test_an_error_of_the_process_is_named_without_its_text() -> None:
    """The text may quote an address."""
    result = project(a_batch(a_bounce()), store=FailingOnce(_raise(OSError(ADA))))
    assert str(result.cause).startswith(
        "the process failed, not a record: internal error, OSError in test_projection_bi"
    )
    assert ADA not in str(result.cause)


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("/full/file", ": No space left on device: /full/file"),
        (f"/full/{ADA}", ": No space left on device"),
        (None, ""),
    ],
)
def test_an_error_of_the_operating_system_has_its_reason(file: str | None, said: str) -> None:
    """An operator can correct a full disk. A file that is named after an address is left out."""
    error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), file) if file else OSError(f"of {ADA}")
    assert describe(error) == f"internal error, OSError{said}"
