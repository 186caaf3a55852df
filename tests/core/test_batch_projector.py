"""What nobody foresaw is found by halving, set aside and passed."""

from typing import Any

import pytest

from pipeline import projection
from pipeline.batch import Counts, StreamRecord
from pipeline.errors import PartialBatchFailure, QuarantineUnavailable, StoreUnavailable, describe
from pipeline.memory import MemoryQuarantine, MemoryStore
from pipeline.policy import DEFAULT_POLICY
from pipeline.ports import Quarantine
from pipeline.projection import BatchProjector, project
from tests.support.builders import ADA, BOB, a_bounce
from tests.support.flaky import Mishap, Script, UnsteadyQuarantine

BROKEN = b"broken"


@pytest.fixture(autouse=True)
def _tripping(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let any batch with a broken record in it trip over an error of ours."""

    def trip(batch: list[StreamRecord], **ports: Any) -> Counts:
        if any(record.payload == BROKEN for record in batch):
            raise ZeroDivisionError(ADA)
        return project(batch, **ports)

    monkeypatch.setattr(projection, "project", trip)


def batch(*payloads: bytes) -> list[StreamRecord]:
    return [StreamRecord(payload=payload, position=str(number)) for number, payload in enumerate(payloads)]


def a_projector(store: MemoryStore, quarantine: Quarantine) -> BatchProjector:
    return BatchProjector(store=store, quarantine=quarantine, policy=DEFAULT_POLICY)


def test_the_record_that_trips_an_error_of_ours_is_set_aside_and_its_siblings_are_stored() -> None:
    store, quarantine = MemoryStore(), MemoryQuarantine()
    done = a_projector(store, quarantine).project(batch(a_bounce(), BROKEN, a_bounce(recipients=[BOB])))
    assert [held.position for held in quarantine.held] == ["1"]
    assert {key.address for key, _ in store.scan()} == {ADA, BOB}
    assert (done.internal_errors.total(), done.failed_at, done.cause) == (1, None, None)


def test_the_reason_holds_nothing_of_the_error_but_its_type_and_place() -> None:
    quarantine = MemoryQuarantine()
    a_projector(MemoryStore(), quarantine).project(batch(BROKEN))
    [held] = quarantine.held
    assert "ZeroDivisionError in test_batch_projector.py" in held.reason
    assert ADA not in held.reason


def test_a_quarantine_that_is_away_stops_at_that_record() -> None:
    quarantine = UnsteadyQuarantine(Script([Mishap.OUTAGE_BEFORE]))
    done = a_projector(MemoryStore(), quarantine).project(batch(a_bounce(), BROKEN, a_bounce(recipients=[BOB])))
    assert (done.failed_at, type(done.cause)) == (1, QuarantineUnavailable)


def test_an_outage_within_a_part_is_counted_from_the_start_of_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(part: list[StreamRecord], **_: Any) -> Counts:
        if part[0].position == "0" and len(part) > 1:
            raise ZeroDivisionError
        if part[0].position == "0":
            return Counts()
        raise PartialBatchFailure(failed_at=1, cause=StoreUnavailable("away"))

    monkeypatch.setattr(projection, "project", stop)
    done = a_projector(MemoryStore(), MemoryQuarantine()).project(batch(BROKEN, a_bounce(), a_bounce()))
    assert done.failed_at == 2


def test_an_error_that_was_never_raised_is_named_all_the_same() -> None:
    assert describe(KeyError(ADA)) == "internal error, KeyError"
