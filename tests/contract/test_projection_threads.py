"""The projection with a thread pool, on every suppression table: threads do not change the result."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from pipeline.batch import StreamRecord
from pipeline.errors import StoreUnavailable
from pipeline.memory import MemoryQuarantine, MemoryStore
from pipeline.policy import DEFAULT_POLICY
from pipeline.ports import Item, SuppressionStore
from pipeline.projection import BatchProjector, BatchResult, MapFunction
from pipeline.replay import store_digest
from pipeline.standing import Key
from tests.support.builders import a_bounce, a_complaint
from tests.support.items import MakeStore
from tests.support.scenario import a_batch

THREADS = 4
WAIT_SECONDS = 300.0


@pytest.fixture
def map_function() -> Iterator[MapFunction]:
    """Return the `map` of a thread pool."""
    with ThreadPoolExecutor(THREADS) as pool:
        yield pool.map


def feedback(people: int) -> list[StreamRecord]:
    """Return a bounce and a complaint of each person."""
    names = [f"user{number}@example.com" for number in range(people)]
    return a_batch(*[make(recipients=[name], feedback_id=name) for make in (a_bounce, a_complaint) for name in names])


def project(batch: list[StreamRecord], store: SuppressionStore, map_function: MapFunction = map) -> BatchResult:
    projector = BatchProjector(
        store=store, quarantine=MemoryQuarantine(), policy=DEFAULT_POLICY, map_function=map_function
    )
    return projector.project(batch)


def saves(result: BatchResult) -> tuple[int, int]:
    """Return how many items were written, and how many were unchanged."""
    assert result.cause is None
    return result.counts.written, result.counts.unchanged


def test_threads_do_not_change_the_table(make_store: MakeStore, map_function: MapFunction) -> None:
    """Items saved by several threads equal those saved one after the other."""
    batch, concurrent, sequential = feedback(50), make_store(), make_store()
    assert saves(project(batch, concurrent, map_function)) == saves(project(batch, sequential)) == (50, 0)
    assert saves(project(batch, concurrent, map_function)) == (0, 50)
    assert store_digest(concurrent) == store_digest(sequential)


class BarrierStore(MemoryStore):
    """A table whose saves wait for each other."""

    def __init__(self) -> None:
        super().__init__()
        self._barrier = Barrier(THREADS)

    def save(self, key: Key, item: Item, *, expected: str) -> None:
        self._barrier.wait(WAIT_SECONDS)
        super().save(key, item, expected=expected)


def test_items_are_saved_concurrently(map_function: MapFunction) -> None:
    """Saves that wait for each other all succeed."""
    assert saves(project(feedback(2 * THREADS), BarrierStore(), map_function)) == (2 * THREADS, 0)


class FailingStore(MemoryStore):
    """A table that is unavailable for one address."""

    def save(self, key: Key, item: Item, *, expected: str) -> None:
        if key.address == "user3@example.com":
            raise StoreUnavailable("throttled")
        super().save(key, item, expected=expected)


def test_an_outage_stops_at_the_first_pending_record(map_function: MapFunction) -> None:
    """Other threads may have saved later records, which are saved again without effect."""
    store = FailingStore()
    result = project(feedback(20), store, map_function)
    assert (type(result.cause), result.failed_at) == (StoreUnavailable, 3)
    assert {f"user{number}@example.com" for number in range(3)} <= {key.address for key, _ in store.scan()}
