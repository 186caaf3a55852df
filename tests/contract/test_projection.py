"""What the projection promises on top of every suppression table, whoever else writes and whatever fails."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta

import pytest

from pipeline.batch import StreamRecord
from pipeline.errors import PartialBatchFailure, StoreUnavailable
from pipeline.memory import MemoryQuarantine
from pipeline.policy import Policy
from pipeline.ports import Item, SuppressionStore
from pipeline.projection import merge, project
from pipeline.replay import store_digest
from pipeline.standing import Key, join
from tests.support.builders import (
    ADA,
    BOB,
    OCCURRED_AT,
    a_bounce,
    a_complaint,
    a_decision,
    a_delivery,
    a_soft_bounce,
    in_sns,
)
from tests.support.items import KEY, POLICY, MakeStore, a_standing, an_item, everything, saved

FEEDBACK = (
    a_bounce(),
    a_delivery(),
    a_complaint(recipients=[ADA, BOB]),
    in_sns(a_bounce(recipients=[BOB], feedback_id="f2")),
    a_soft_bounce(recipients=["carol@example.com"], feedback_id="f3"),
    b"no JSON at all",
    a_decision(address="dave@example.com"),
)


class Interrupted:
    """A table in front of another, where something happens before a save."""

    def __init__(self, inner: SuppressionStore, before_save: Callable[[], None]) -> None:
        self._inner = inner
        self._before_save = before_save

    def load(self, keys: Iterable[Key]) -> Mapping[Key, Item]:
        return self._inner.load(keys)

    def save(self, key: Key, item: Item, *, expected: str) -> None:
        self._before_save()
        self._inner.save(key, item, expected=expected)

    def scan(self) -> Iterator[tuple[Key, Item]]:
        return self._inner.scan()


def a_batch(*payloads: bytes) -> list[StreamRecord]:
    return [StreamRecord(payload=payload, position=f"stream shard {n}") for n, payload in enumerate(payloads)]


def an_outage_after(saves: int) -> Callable[[], None]:
    left = iter(range(saves))

    def check() -> None:
        if next(left, None) is None:
            raise StoreUnavailable("the table is away")

    return check


def projected(store: SuppressionStore, *payloads: bytes) -> SuppressionStore:
    project(a_batch(*payloads), store=store, quarantine=MemoryQuarantine(), policy=POLICY)
    return store


def knows(store: SuppressionStore, other: SuppressionStore) -> bool:
    """Tell whether a table knows all the facts of another."""
    known = {key: item.standing for key, item in store.scan()}
    return all(join(known[key], item.standing) == known[key] for key, item in other.scan())


def test_of_two_interleaved_writers_neither_loses_a_fact(make_store: MakeStore) -> None:
    """The second writes between the first one's load and save."""
    store = make_store()
    second = iter([a_complaint()])

    def write() -> None:
        for payload in second:
            projected(store, payload)

    projected(Interrupted(store, write), a_bounce())

    assert everything(store) == everything(projected(make_store(), a_bounce(), a_complaint()))
    assert everything(store)[KEY].standing == a_standing(a_bounce(), a_complaint())


def test_a_writer_that_is_always_overtaken_stops_and_changes_nothing(store: SuppressionStore) -> None:
    times = iter(range(100))

    def write() -> None:
        at = OCCURRED_AT + timedelta(seconds=next(times))
        projected(store, a_bounce(feedback_id=f"f{at}", at=at))

    outcome = merge({KEY: a_standing(a_complaint())}, store=Interrupted(store, write), policy=POLICY)

    assert isinstance(outcome.outage, StoreUnavailable)
    assert outcome.pending == (KEY,)
    assert everything(store)[KEY].standing.complaint == ()


def test_an_older_policy_never_overwrites_a_newer_one(store: SuppressionStore) -> None:
    newer = saved(store, an_item(a_bounce(), policy=Policy(version=3)))

    with pytest.raises(PartialBatchFailure):
        projected(store, a_complaint())
    assert everything(store) == {KEY: newer}


def test_a_batch_again_writes_nothing(store: SuppressionStore) -> None:
    projected(store, *FEEDBACK)
    before = everything(store)

    tally = project(a_batch(*FEEDBACK), store=store, quarantine=MemoryQuarantine(), policy=POLICY)

    assert (tally.written, tally.unchanged) == (0, len(before))
    assert everything(store) == before


@pytest.mark.parametrize("saves", range(4))
def test_an_outage_in_mid_batch_and_another_try_give_what_one_go_gives(make_store: MakeStore, saves: int) -> None:
    """Wherever it happens: all before the record that is reported is done, and starting there loses nothing."""
    store, batch = make_store(), a_batch(*FEEDBACK)
    quarantine = MemoryQuarantine()
    flaky = Interrupted(store, an_outage_after(saves))

    with pytest.raises(PartialBatchFailure) as unfinished:
        project(batch, store=flaky, quarantine=quarantine, policy=POLICY)
    first = unfinished.value.failed_at
    assert knows(store, projected(make_store(), *FEEDBACK[:first]))
    project(batch[first:], store=store, quarantine=quarantine, policy=POLICY)

    assert everything(store) == everything(projected(make_store(), *FEEDBACK))
    assert [one.payload for one in quarantine.held] == [b"no JSON at all"]


@pytest.mark.parametrize("order", [FEEDBACK[::-1], FEEDBACK[3:] + FEEDBACK[:3], FEEDBACK * 2])
def test_neither_order_nor_repeats_change_the_table(make_store: MakeStore, order: tuple[bytes, ...]) -> None:
    one_go, one_by_one = projected(make_store(), *FEEDBACK), make_store()
    for payload in order:
        projected(one_by_one, payload)

    assert everything(one_by_one) == everything(one_go)
    assert store_digest(one_by_one) == store_digest(one_go)


def test_an_item_that_says_nothing_is_never_written(store: SuppressionStore) -> None:
    projected(store, a_delivery(), a_bounce(sub_type="Novel"))

    assert everything(store) == {}
