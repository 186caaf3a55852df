"""The projection on every suppression table: concurrent writers and failures lose nothing."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta

import pytest

from pipeline.errors import AccessDenied, MailfoldError, NotFound, PolicyOutdated, StoreUnavailable
from pipeline.memory import MemoryQuarantine
from pipeline.policy import Policy
from pipeline.ports import Item, Put, SuppressionStore
from pipeline.projection import merge
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
from tests.support.items import KEY, POLICY, MakeStore, a_standing, all_items, an_item, save_item
from tests.support.scenario import a_batch, project

FEEDBACK = (
    a_bounce(),
    a_delivery(),
    a_complaint(recipients=[ADA, BOB]),
    in_sns(a_bounce(recipients=[BOB], feedback_id="f2")),
    a_soft_bounce(recipients=["carol@example.com"], feedback_id="f3"),
    b"no JSON at all",
    a_decision(address="dave@example.com"),
)


class InterruptedStore:
    """A table in front of another that calls a function before each save."""

    def __init__(self, inner: SuppressionStore, before_save: Callable[[], None]) -> None:
        self._inner = inner
        self._before_save = before_save

    def load(self, keys: Iterable[Key]) -> Mapping[Key, Item]:
        return self._inner.load(keys)

    def save(self, puts: Sequence[Put]) -> Mapping[Key, MailfoldError]:
        errors: dict[Key, MailfoldError] = {}
        for put in puts:
            try:
                self._before_save()
            except MailfoldError as error:
                errors[put.key] = error
            else:
                errors |= self._inner.save([put])
        return errors

    def scan(self) -> Iterator[tuple[Key, Item]]:
        return self._inner.scan()


def failing_after(saves: int, error: Exception) -> Callable[[], None]:
    """Return a function that raises an error after a number of calls."""
    remaining = iter(range(saves))

    def check() -> None:
        if next(remaining, None) is None:
            raise error

    return check


def projected(store: SuppressionStore, *payloads: bytes) -> SuppressionStore:
    assert project(a_batch(*payloads), store=store, policy=POLICY).cause is None
    return store


def includes(store: SuppressionStore, other: SuppressionStore) -> bool:
    """Return True if a table contains all the facts of another."""
    standings = {key: item.standing for key, item in store.scan()}
    return all(join(standings[key], item.standing) == standings[key] for key, item in other.scan())


def test_two_interleaved_writers_lose_no_fact(make_store: MakeStore) -> None:
    """The second writer saves between the load and the save of the first."""
    store = make_store()
    second_writer = iter([a_complaint()])

    def write() -> None:
        for payload in second_writer:
            projected(store, payload)

    projected(InterruptedStore(store, write), a_bounce())

    assert all_items(store) == all_items(projected(make_store(), a_bounce(), a_complaint()))
    assert all_items(store)[KEY].standing == a_standing(a_bounce(), a_complaint())


def test_endless_conflicts_stop_a_writer(store: SuppressionStore) -> None:
    """The key is pending, and nothing of the writer is stored."""
    times = iter(range(100))

    def write() -> None:
        at = OCCURRED_AT + timedelta(seconds=next(times))
        projected(store, a_bounce(feedback_id=f"f{at}", at=at))

    merged = merge({KEY: a_standing(a_complaint())}, store=InterruptedStore(store, write), policy=POLICY)

    assert isinstance(merged.cause, StoreUnavailable)
    assert merged.pending == {KEY}
    assert all_items(store)[KEY].standing.complaint == ()


def test_an_older_policy_never_overwrites_a_newer_one(store: SuppressionStore) -> None:
    """The batch stops and the item stays as it was."""
    newer = save_item(store, an_item(a_bounce(), policy=Policy(version=3)))

    assert isinstance(project(a_batch(a_complaint()), store=store, policy=POLICY).cause, PolicyOutdated)
    assert all_items(store) == {KEY: newer}


def test_a_repeated_batch_writes_nothing(store: SuppressionStore) -> None:
    """Every item is unchanged."""
    projected(store, *FEEDBACK)
    before = all_items(store)

    counts = project(a_batch(*FEEDBACK), store=store, policy=POLICY).counts

    assert (counts.written, counts.unchanged) == (0, len(before))
    assert all_items(store) == before


@pytest.mark.parametrize("error", [StoreUnavailable("throttled"), AccessDenied("denied"), NotFound("no table")])
@pytest.mark.parametrize("saves", range(4))
def test_a_stopped_batch_can_go_on_at_failed_at(make_store: MakeStore, saves: int, error: Exception) -> None:
    """All records before it are done, and projecting the rest loses nothing."""
    store, batch = make_store(), a_batch(*FEEDBACK)
    quarantine = MemoryQuarantine()
    flaky = InterruptedStore(store, failing_after(saves, error))

    result = project(batch, store=flaky, quarantine=quarantine, policy=POLICY)
    first = result.failed_at
    assert result.cause is error
    assert first is not None
    assert includes(store, projected(make_store(), *FEEDBACK[:first]))
    project(batch[first:], store=store, quarantine=quarantine, policy=POLICY)

    assert all_items(store) == all_items(projected(make_store(), *FEEDBACK))
    assert [held.payload for held in quarantine.held] == [b"no JSON at all"]


@pytest.mark.parametrize("order", [FEEDBACK[::-1], FEEDBACK[3:] + FEEDBACK[:3], FEEDBACK * 2])
def test_neither_order_nor_repeats_change_the_table(make_store: MakeStore, order: tuple[bytes, ...]) -> None:
    """Items and digest are those of one pass."""
    at_once, one_by_one = projected(make_store(), *FEEDBACK), make_store()
    for payload in order:
        projected(one_by_one, payload)

    assert all_items(one_by_one) == all_items(at_once)
    assert store_digest(one_by_one) == store_digest(at_once)


def test_records_without_facts_write_no_item(store: SuppressionStore) -> None:
    """Deliveries and unknown bounces leave the table empty."""
    projected(store, a_delivery(), a_bounce(sub_type="Novel"))

    assert all_items(store) == {}
