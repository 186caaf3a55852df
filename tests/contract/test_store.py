"""What every suppression table promises, in memory and in DynamoDB."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta

import msgspec
import pytest
from moto import mock_aws

from pipeline.address import Address
from pipeline.aws.clients import client
from pipeline.aws.store_dynamodb import DynamoSuppressionStore, table_definition
from pipeline.decode import decode
from pipeline.errors import BatchUnfinished, Conflict, StoreUnavailable
from pipeline.event import Event
from pipeline.fact import findings
from pipeline.gathering import StreamRecord, gather
from pipeline.memory import MemoryQuarantine, MemoryStore
from pipeline.policy import Policy, SoftRule
from pipeline.ports import NO_ITEM, Item, SuppressionStore
from pipeline.projection import item_of, merge, project
from pipeline.replay import store_digest
from pipeline.standing import NOTHING_KNOWN, Key, Standing, facts_json, join
from tests.builders import (
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

KEY = Key(Address(ADA))
OTHER_KEY = Key(Address(BOB))
POLICY = Policy(version=2, soft=SoftRule(mails=1, window_seconds=3_600, expiry_seconds=86_400))

MakeStore = Callable[[], SuppressionStore]


@pytest.fixture(params=["memory", "dynamodb"])
def make_store(request: pytest.FixtureRequest) -> Iterator[MakeStore]:
    """Make empty tables."""
    if request.param == "memory":
        yield MemoryStore
        return
    with mock_aws():
        dynamodb = client("dynamodb", region="us-east-1")
        names = (f"suppression-{number}" for number in range(100))

        def make() -> SuppressionStore:
            name = next(names)
            dynamodb.create_table(**table_definition(name))
            return DynamoSuppressionStore(dynamodb, table=name)

        yield make


@pytest.fixture
def store(make_store: MakeStore) -> SuppressionStore:
    """Return an empty table."""
    return make_store()


def a_standing(*payloads: bytes, about: Key = KEY) -> Standing:
    return gather(
        finding
        for payload in payloads
        for outcome in decode(payload)
        if isinstance(outcome, Event)
        for finding in findings(outcome)
    )[about]


def an_item(*payloads: bytes, key: Key = KEY, policy: Policy = POLICY) -> Item:
    return item_of(key, a_standing(*payloads, about=key), policy)


def saved(store: SuppressionStore, item: Item, *, key: Key = KEY, expected: str = "") -> Item:
    store.save(key, item, expected=expected)
    return item


def everything(store: SuppressionStore) -> dict[Key, Item]:
    return dict(store.scan())


def a_batch(*payloads: bytes) -> list[StreamRecord]:
    return [StreamRecord(payload=payload, position=f"stream shard {n}") for n, payload in enumerate(payloads)]


ITEMS = {
    "hard bounce": an_item(a_bounce(recipients=[ADA.upper()])),
    "complaint": an_item(a_complaint(feedback_type="abuse")),
    "one of several candidates": an_item(a_complaint(recipients=[ADA, BOB])),
    "soft bounce, suppressed until": an_item(a_soft_bounce()),
    "operator's decision": an_item(a_decision(action="suppress")),
    "released": an_item(a_bounce(), a_decision(action="release", at=OCCURRED_AT + timedelta(days=1), read=["1" * 32])),
    "no time known": an_item(a_bounce(bounce={"timestamp": None}, timestamp=None)),
    "text of all sorts": an_item(a_bounce(person={"diagnosticCode": 'smtp; 550 "\u0001\\ é 😀'})),
}


def test_a_key_never_written_has_no_item(store: SuppressionStore) -> None:
    assert store.load([KEY]) == {KEY: NO_ITEM}


@pytest.mark.parametrize("item", ITEMS.values(), ids=ITEMS)
def test_an_item_comes_back_as_it_was_saved(store: SuppressionStore, item: Item) -> None:
    """Facts byte for byte, the verdict field for field."""
    saved(store, item)

    loaded = store.load([KEY])[KEY]

    assert loaded == item
    assert facts_json(loaded.standing) == facts_json(item.standing)


def test_scopes_of_one_address_are_items_of_their_own(store: SuppressionStore) -> None:
    tenant = Key(KEY.address, "tenant-1")
    everywhere = saved(store, an_item(a_bounce()))
    there = saved(store, an_item(a_complaint()), key=tenant)

    assert store.load([KEY, tenant]) == {KEY: everywhere, tenant: there}


def test_any_number_of_keys_is_loaded_at_once(store: SuppressionStore) -> None:
    known = an_item(a_bounce())
    keys = [Key(Address(f"user{number}@example.com")) for number in range(230)]
    for key in keys[::23]:
        saved(store, known, key=key)

    expected = {key: known if key in keys[::23] else NO_ITEM for key in keys}
    assert store.load(iter([*keys, *keys])) == expected


def test_a_key_that_no_table_can_hold_does_not_hinder_the_others(store: SuppressionStore) -> None:
    known = saved(store, an_item(a_bounce()))
    endless = Key(KEY.address, "s" * 5_000)

    assert store.load([endless, KEY]) == {endless: NO_ITEM, KEY: known}


def test_an_item_is_replaced_if_it_still_has_the_hash_expected(store: SuppressionStore) -> None:
    before = saved(store, an_item(a_bounce()))
    after = saved(store, an_item(a_bounce(), a_complaint()), expected=before.facts_hash)

    assert everything(store) == {KEY: after}


def test_an_item_that_is_there_already_is_a_conflict_for_who_expected_none(store: SuppressionStore) -> None:
    first = saved(store, an_item(a_bounce()))

    with pytest.raises(Conflict):
        store.save(KEY, an_item(a_complaint()), expected="")
    assert everything(store) == {KEY: first}


def test_an_item_that_has_another_hash_by_now_is_a_conflict(store: SuppressionStore) -> None:
    first = saved(store, an_item(a_bounce()))

    with pytest.raises(Conflict):
        store.save(KEY, an_item(a_complaint()), expected="0" * 64)
    assert everything(store) == {KEY: first}


def test_an_item_that_is_not_there_is_a_conflict_for_who_expected_one(store: SuppressionStore) -> None:
    with pytest.raises(Conflict):
        store.save(KEY, an_item(a_bounce()), expected="0" * 64)
    assert everything(store) == {}


def test_a_lower_policy_version_is_a_conflict_even_with_the_hash_expected(store: SuppressionStore) -> None:
    newer = saved(store, an_item(a_bounce(), policy=Policy(version=3)))

    with pytest.raises(Conflict):
        store.save(KEY, an_item(a_bounce(), a_complaint()), expected=newer.facts_hash)
    assert everything(store) == {KEY: newer}


@pytest.mark.parametrize("version", [9, 10])
def test_the_same_facts_may_be_judged_again_by_a_policy_no_older(store: SuppressionStore, version: int) -> None:
    before = saved(store, an_item(a_bounce(), policy=Policy(version=9)))
    after = saved(store, an_item(a_bounce(), policy=Policy(version=version, hard=False)), expected=before.facts_hash)

    assert store.load([KEY]) == {KEY: after}


def test_a_scan_gives_every_item_once(store: SuppressionStore) -> None:
    items = {Key(Address(f"user{number}@example.com")): an_item(a_bounce()) for number in range(12)}
    for key, item in items.items():
        saved(store, item, key=key)

    assert sorted(key for key, _ in store.scan()) == sorted(items)
    assert everything(store) == items


# The projection on top of it.

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

    with pytest.raises(BatchUnfinished):
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

    with pytest.raises(BatchUnfinished) as unfinished:
        project(batch, store=flaky, quarantine=quarantine, policy=POLICY)
    first = unfinished.value.first
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
    assert msgspec.json.decode(facts_json(NOTHING_KNOWN)) == {}
