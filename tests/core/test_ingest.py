"""Tests of `pipeline.ingest`: existing events go into the log first, then into the table."""

from datetime import UTC, datetime

import pytest

from pipeline.errors import (
    AccessDenied,
    ArchiveUnavailable,
    ItemRejected,
    NotFound,
    QuarantineUnavailable,
    StoreUnavailable,
)
from pipeline.ingest import IngestCounts, Ingestion
from pipeline.memory import MemoryArchive, MemoryQuarantine, MemoryStore
from pipeline.policy import DEFAULT_POLICY
from pipeline.ports import Put
from pipeline.replay import replay, store_digest
from tests.support.builders import a_bounce, a_send
from tests.support.flaky import Failure, FlakyQuarantine, Script
from tests.support.scenario import a_batch

ARRIVED_AT = datetime(2026, 3, 1, tzinfo=UTC)


class Scenario:
    """An empty log, table and quarantine."""

    def __init__(self) -> None:
        self.archive, self.store, self.quarantine = MemoryArchive(), MemoryStore(), MemoryQuarantine()

    def ingest(self, *payloads: bytes) -> IngestCounts:
        return self.ingestion().ingest(a_batch(*payloads), progress=lambda _: None)

    def ingestion(self) -> Ingestion:
        return Ingestion(
            archive=self.archive,
            store=self.store,
            quarantine=self.quarantine,
            policy=DEFAULT_POLICY,
            arrived_at=ARRIVED_AT,
        )

    def rows(self) -> int:
        return sum(len(rows) for rows in self.archive.rows())


def test_events_are_archived_counted_and_folded() -> None:
    """Every event has a row, and feedback has an item too."""
    scenario = Scenario()
    counts = scenario.ingest(a_send(), a_bounce(), b"[]")
    assert (dict(counts.events), counts.ignored, counts.facts, counts.written) == ({"send": 1, "bounce": 1}, 1, 1, 1)
    assert scenario.rows() == 2


def test_poison_is_quarantined_and_stops_nothing() -> None:
    """The result names its position, and the events after it are ingested."""
    scenario = Scenario()
    counts = scenario.ingest(b"{oops", a_bounce())
    assert [reject.position for reject in counts.rejects] == ["0"]
    assert [held.payload for held in scenario.quarantine.held] == [b"{oops"]
    assert counts.written == 1


def test_ingesting_again_changes_no_fact() -> None:
    """The table's digest is the same after the second time."""
    scenario = Scenario()
    scenario.ingest(a_bounce())
    before = store_digest(scenario.store)
    assert scenario.ingest(a_bounce()).unchanged == 1
    assert store_digest(scenario.store) == before


def test_replay_of_the_ingested_log_rebuilds_the_table() -> None:
    """A table built from the archived rows has the same digest."""
    scenario = Scenario()
    scenario.ingest(a_bounce(), a_send())
    rebuilt = MemoryStore()
    replay(scenario.archive, store=rebuilt, policy=DEFAULT_POLICY)
    assert store_digest(rebuilt) == store_digest(scenario.store)


def test_rows_are_flushed_before_too_many_are_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """With room for two rows, all five are archived."""
    monkeypatch.setattr("pipeline.ingest.ROWS_HELD", 2)
    scenario = Scenario()
    ingestion = scenario.ingestion()
    for record in a_batch(*[a_send()] * 5):
        ingestion.add(record)
        if ingestion.is_full:
            ingestion.flush()
    assert (scenario.rows(), ingestion.stored_rows) == (4, 4)  # an interrupt here loses the fifth alone
    ingestion.flush()
    assert (scenario.rows(), ingestion.stored_rows) == (5, 5)


@pytest.mark.parametrize("error", [ArchiveUnavailable("throttled"), AccessDenied("denied"), NotFound("no bucket")])
def test_the_table_gets_nothing_that_the_log_did_not_store(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log comes first, so an outage of the log leaves the table empty."""
    scenario = Scenario()

    def fail(_: object, *, name: str) -> None:
        raise error

    monkeypatch.setattr(scenario.archive, "append", fail)
    with pytest.raises(type(error)):
        scenario.ingest(a_bounce())
    assert list(scenario.store.scan()) == []


@pytest.mark.parametrize("error", [StoreUnavailable("throttled"), AccessDenied("denied"), ItemRejected("too large")])
def test_an_error_of_the_table_is_raised_after_archiving(error: Exception) -> None:
    """The rows are in the log, from which the table can be repaired."""
    scenario = Scenario()

    class Store(MemoryStore):
        def put(self, put: Put) -> None:
            raise error

    scenario.store = Store()
    with pytest.raises(type(error)):
        scenario.ingest(a_bounce())
    assert scenario.rows() == 1


def test_ingesting_nothing_writes_nothing() -> None:
    """Neither the log nor the table is called."""
    scenario = Scenario()
    assert scenario.ingest() == IngestCounts()
    assert (scenario.rows(), list(scenario.store.scan())) == (0, [])


def test_a_shadow_store_receives_the_same_facts() -> None:
    """The counts are of the live table only."""
    scenario, rebuilt = Scenario(), MemoryStore()
    ingestion = Ingestion(
        archive=scenario.archive,
        store=scenario.store,
        shadow_stores=[rebuilt],
        quarantine=scenario.quarantine,
        policy=DEFAULT_POLICY,
        arrived_at=ARRIVED_AT,
    )
    counts = ingestion.ingest(a_batch(a_bounce()), progress=lambda _: None)
    assert store_digest(rebuilt) == store_digest(scenario.store) != store_digest(MemoryStore())
    assert (counts.facts, counts.written) == (1, 1)


@pytest.mark.parametrize(
    ("failure", "error"), [(Failure.OUTAGE_BEFORE, QuarantineUnavailable), (Failure.DENIED, AccessDenied)]
)
def test_a_failing_quarantine_stops_an_ingestion(failure: Failure, error: type[Exception]) -> None:
    """Poison that is not quarantined must not be passed over."""
    scenario = Scenario()
    scenario.quarantine = FlakyQuarantine(Script([failure]))
    with pytest.raises(error):
        scenario.ingest(b"{oops")
    assert scenario.ingest(b"{oops").rejects != []


def test_rows_are_stored_before_too_many_are_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """The progress after a record finds the rows before it in the log."""
    monkeypatch.setattr("pipeline.ingest.ROWS_HELD", 2)
    scenario, stored = Scenario(), []
    sends = a_batch(*[a_send(messageId=f"m{number}") for number in range(5)])
    scenario.ingestion().ingest(sends, progress=lambda _: stored.append(scenario.rows()))
    assert (stored, scenario.rows()) == ([0, 2, 2, 4, 4], 5)
