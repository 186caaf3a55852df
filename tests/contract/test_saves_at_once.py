"""Items that are saved by several threads at once end up as those saved one after the other."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from pipeline.batch import StreamRecord
from pipeline.errors import PartialBatchFailure, StoreUnavailable
from pipeline.memory import MemoryQuarantine, MemoryStore
from pipeline.policy import DEFAULT_POLICY
from pipeline.ports import Item, SuppressionStore
from pipeline.projection import MapFunction, project
from pipeline.replay import store_digest
from pipeline.standing import Key
from tests.support.builders import a_bounce, a_complaint
from tests.support.items import MakeStore

THREADS = 4
WAIT_SECONDS = 30


@pytest.fixture
def each() -> Iterator[MapFunction]:
    with ThreadPoolExecutor(THREADS) as pool:
        yield pool.map


def a_batch(people: int) -> list[StreamRecord]:
    """Return a bounce and a complaint of each."""
    names = [f"user{number}@example.com" for number in range(people)]
    payloads = [make(recipients=[name], feedback_id=name) for make in (a_bounce, a_complaint) for name in names]
    return [StreamRecord(payload=payload, position=str(number)) for number, payload in enumerate(payloads)]


def fold(batch: list[StreamRecord], store: SuppressionStore, each: MapFunction = map) -> tuple[int, int]:
    tally = project(batch, store=store, quarantine=MemoryQuarantine(), policy=DEFAULT_POLICY, each=each)
    return tally.written, tally.unchanged


def test_the_table_is_the_same(make_store: MakeStore, each: MapFunction) -> None:
    batch, at_once, in_turn = a_batch(50), make_store(), make_store()
    assert fold(batch, at_once, each) == fold(batch, in_turn) == (50, 0)
    assert fold(batch, at_once, each) == (0, 50)
    assert store_digest(at_once) == store_digest(in_turn)


class Meeting(MemoryStore):
    """A table whose saves wait for each other."""

    def __init__(self) -> None:
        super().__init__()
        self._barrier = Barrier(THREADS)

    def save(self, key: Key, item: Item, *, expected: str) -> None:
        self._barrier.wait(WAIT_SECONDS)
        super().save(key, item, expected=expected)


def test_they_are_saved_at_once(each: MapFunction) -> None:
    assert fold(a_batch(2 * THREADS), Meeting(), each) == (2 * THREADS, 0)


class AwayFor(MemoryStore):
    """A table that is away for one address."""

    def save(self, key: Key, item: Item, *, expected: str) -> None:
        if key.address == "user3@example.com":
            raise StoreUnavailable("away")
        super().save(key, item, expected=expected)


def test_an_outage_stops_no_later_than_the_first_record_that_is_not_done(each: MapFunction) -> None:
    """What other threads did after it may be done again, and changes nothing; what comes before it is done."""
    store, batch = AwayFor(), a_batch(20)
    with pytest.raises(PartialBatchFailure) as stopped:
        fold(batch, store, each)
    assert stopped.value.failed_at == 3
    assert {f"user{number}@example.com" for number in range(3)} <= {key.address for key, _ in store.scan()}
