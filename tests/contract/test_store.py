"""What every suppression table promises, in memory and in DynamoDB."""

from datetime import timedelta

import pytest

from pipeline.address import Address
from pipeline.errors import Conflict
from pipeline.policy import Policy
from pipeline.ports import NO_ITEM, Item, SuppressionStore
from pipeline.standing import Key, facts_json
from tests.support.builders import ADA, BOB, OCCURRED_AT, a_bounce, a_complaint, a_decision, a_soft_bounce
from tests.support.items import KEY, an_item, everything, saved

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
