"""The contract of `ports.SuppressionStore`, for the tables in memory and in DynamoDB."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from pipeline.address import Address
from pipeline.aws.clients import create_client
from pipeline.aws.dynamodb import DynamoSuppressionStore, table_definition
from pipeline.errors import STOPS_BATCH, Conflict
from pipeline.policy import Policy
from pipeline.ports import NO_ITEM, ErasableStore, Item, Put, SuppressionStore
from pipeline.standing import Key, facts_json
from tests.support.builders import ADA, BOB, OCCURRED_AT, a_bounce, a_complaint, a_decision, a_soft_bounce
from tests.support.items import KEY, all_items, an_item, save_item

ITEMS = {
    "hard bounce": an_item(a_bounce(recipients=[ADA.upper()])),
    "complaint": an_item(a_complaint(feedback_type="abuse")),
    "one of several candidates": an_item(a_complaint(recipients=[ADA, BOB])),
    "soft bounce, suppressed until": an_item(a_soft_bounce()),
    "operator's decision": an_item(a_decision(action="suppress")),
    "released": an_item(a_bounce(), a_decision(action="release", at=OCCURRED_AT + timedelta(days=1))),
    "no time known": an_item(a_bounce(bounce={"timestamp": None}, timestamp=None)),
    "text of all sorts": an_item(a_bounce(person={"diagnosticCode": 'smtp; 550 "\u0001\\ é 😀'})),
}


def test_a_key_without_an_item_has_no_item(store: SuppressionStore) -> None:
    """Callers get `NO_ITEM` and need no special case."""
    assert store.load([KEY]) == {KEY: NO_ITEM}


@pytest.mark.parametrize("item", ITEMS.values(), ids=ITEMS)
def test_an_item_is_loaded_as_it_was_saved(store: SuppressionStore, item: Item) -> None:
    """Facts are equal byte for byte, and the verdict field for field."""
    save_item(store, item)

    loaded = store.load([KEY])[KEY]

    assert loaded == item
    assert facts_json(loaded.standing) == facts_json(item.standing)


def test_a_deleted_item_is_gone_and_no_other(store: ErasableStore) -> None:
    """To delete it again does nothing."""
    tenant = Key(KEY.address, "tenant-1")
    item, scoped = save_item(store, an_item(a_bounce())), save_item(store, an_item(a_complaint()), key=tenant)

    store.delete(KEY, expected=item.facts_hash)
    store.delete(KEY, expected=item.facts_hash)

    assert all_items(store) == {tenant: scoped}


def test_an_item_that_was_changed_is_not_deleted(store: ErasableStore) -> None:
    """It has facts that its deletion did not see."""
    item = save_item(store, an_item(a_bounce()))

    with pytest.raises(Conflict):
        store.delete(KEY, expected=an_item(a_complaint()).facts_hash)
    assert all_items(store) == {KEY: item}


def test_scopes_of_one_address_have_separate_items(store: SuppressionStore) -> None:
    """The scope is part of the key."""
    tenant = Key(KEY.address, "tenant-1")
    everywhere = save_item(store, an_item(a_bounce()))
    scoped = save_item(store, an_item(a_complaint()), key=tenant)

    assert store.load([KEY, tenant]) == {KEY: everywhere, tenant: scoped}


def test_any_number_of_keys_can_be_loaded(store: SuppressionStore) -> None:
    """Repeated keys and keys without items are allowed."""
    item = an_item(a_bounce())
    keys = [Key(Address(f"user{number}@example.com")) for number in range(230)]
    for key in keys[::23]:
        save_item(store, item, key=key)

    expected = {key: item if key in keys[::23] else NO_ITEM for key in keys}
    assert store.load(iter([*keys, *keys])) == expected


def test_a_key_too_long_has_no_item(store: SuppressionStore) -> None:
    """It does not prevent the other keys from being loaded."""
    item = save_item(store, an_item(a_bounce()))
    too_long = Key(KEY.address, "s" * 5_000)

    assert store.load([too_long, KEY]) == {too_long: NO_ITEM, KEY: item}


def test_save_replaces_an_item_with_the_expected_hash(store: SuppressionStore) -> None:
    """The new item is stored."""
    before = save_item(store, an_item(a_bounce()))
    after = save_item(store, an_item(a_bounce(), a_complaint()), expected=before.facts_hash)

    assert all_items(store) == {KEY: after}


def test_save_conflicts_if_an_item_exists_unexpectedly(store: SuppressionStore) -> None:
    """The stored item is unchanged."""
    first = save_item(store, an_item(a_bounce()))

    with pytest.raises(Conflict):
        save_item(store, an_item(a_complaint()), expected="")
    assert all_items(store) == {KEY: first}


def test_save_conflicts_if_the_hash_changed(store: SuppressionStore) -> None:
    """The stored item is unchanged."""
    first = save_item(store, an_item(a_bounce()))

    with pytest.raises(Conflict):
        save_item(store, an_item(a_complaint()), expected="0" * 64)
    assert all_items(store) == {KEY: first}


def test_save_conflicts_if_the_expected_item_is_missing(store: SuppressionStore) -> None:
    """Nothing is written."""
    with pytest.raises(Conflict):
        save_item(store, an_item(a_bounce()), expected="0" * 64)
    assert all_items(store) == {}


def test_save_conflicts_with_a_higher_policy_version(store: SuppressionStore) -> None:
    """The expected hash does not matter then."""
    newer = save_item(store, an_item(a_bounce(), policy=Policy(version=3)))

    with pytest.raises(Conflict):
        save_item(store, an_item(a_bounce(), a_complaint()), expected=newer.facts_hash)
    assert all_items(store) == {KEY: newer}


@pytest.mark.parametrize("version", [9, 10])
def test_save_accepts_the_same_or_a_higher_policy_version(store: SuppressionStore, version: int) -> None:
    """The verdict on the same facts is replaced."""
    before = save_item(store, an_item(a_bounce(), policy=Policy(version=9)))
    after = save_item(store, an_item(a_bounce(), policy=Policy(version=version, hard=None)), expected=before.facts_hash)

    assert store.load([KEY]) == {KEY: after}


@pytest.mark.parametrize("number", [3, 230])
def test_each_put_of_a_save_succeeds_or_fails_alone(store: SuppressionStore, number: int) -> None:
    """Of few and of many, only those conflict whose item is not as expected."""
    stored, item = an_item(a_complaint()), an_item(a_bounce())
    keys = [Key(Address(f"user{number}@example.com")) for number in range(number)]
    conflicting = keys[1::100]
    for key in conflicting:
        save_item(store, stored, key=key)

    errors = store.save([Put(key=key, item=item, expected="") for key in keys])

    assert {key: type(error) for key, error in errors.items()} == dict.fromkeys(conflicting, Conflict)
    assert all_items(store) == {key: stored if key in conflicting else item for key in keys}


def test_saving_nothing_changes_nothing(store: SuppressionStore) -> None:
    """Neither does it fail."""
    assert store.save([]) == {}
    assert all_items(store) == {}


def test_a_scan_yields_every_item_once(store: SuppressionStore) -> None:
    """The items are those saved."""
    items = {Key(Address(f"user{number}@example.com")): an_item(a_bounce()) for number in range(12)}
    for key, item in items.items():
        save_item(store, item, key=key)

    assert sorted(key for key, _ in store.scan()) == sorted(items)
    assert all_items(store) == items


def deny(**_: object) -> None:
    raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "denied"}}, "")


@pytest.fixture(params=["missing table", "denied"])
def failing_store(request: pytest.FixtureRequest) -> Iterator[SuppressionStore]:
    """Return a table in DynamoDB that does not exist, or that may not be used."""
    with mock_aws():
        dynamodb = create_client("dynamodb", region="us-east-1")
        if request.param == "denied":
            dynamodb.create_table(**table_definition("suppression"))
            dynamodb.meta.events.register("before-call.dynamodb", deny)
        yield DynamoSuppressionStore(dynamodb, table="suppression")


@pytest.mark.parametrize(
    "call",
    [
        lambda store: store.load([KEY]),
        lambda store: save_item(store, an_item(a_bounce())),
        lambda store: list(store.scan()),
    ],
    ids=["load", "save", "scan"],
)
def test_a_missing_table_and_a_denial_stop_the_batch(
    failing_store: SuppressionStore, call: Callable[[SuppressionStore], object]
) -> None:
    """Nothing is acknowledged until the table exists and may be used."""
    with pytest.raises(STOPS_BATCH):
        call(failing_store)
