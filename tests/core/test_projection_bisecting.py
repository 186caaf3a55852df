"""Tests of `BatchProjector`: a record that raises an unexpected exception is found by bisecting and quarantined."""

import pytest

from pipeline import batch
from pipeline.decode import decode
from pipeline.errors import AccessDenied, QuarantineUnavailable, describe
from pipeline.event import Outcome
from pipeline.memory import MemoryQuarantine, MemoryStore
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
    assert [held.position for held in quarantine.held] == ["1"]
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
