"""One address gets the facts of the log, in every scope, and no others."""

from typing import Any

import pytest

from pipeline.address import Address
from pipeline.address_rebuild import fold_address, put_address
from pipeline.errors import StoreUnavailable, UsageError
from pipeline.memory import MemoryArchive, MemoryStore
from pipeline.policy import DEFAULT_POLICY
from pipeline.ports import NO_ITEM, Item
from pipeline.standing import Key
from tests.support.builders import ADA, BOB, a_bounce, a_complaint
from tests.support.flaky import FlakyStore, permanent_outage
from tests.support.rows import rows_of
from tests.support.scenario import a_batch, project

TENANT: dict[str, Any] = {"tags": {"ses:tenant-name": ["acme"]}}
OTHER = a_bounce(feedback_id="other")


def a_table(*payloads: bytes, store: MemoryStore | None = None) -> MemoryStore:
    store = store or MemoryStore()
    project(a_batch(*payloads), store=store)
    return store


def a_log(*payloads: bytes) -> MemoryArchive:
    archive = MemoryArchive()
    archive.append(rows_of(*payloads))
    return archive


def items(store: MemoryStore) -> dict[Key, Item]:
    return {key: item for key, item in store.scan() if key.address == ADA}


def rebuild(store: MemoryStore, archive: MemoryArchive) -> Any:
    return fold_address(Address(ADA), items(store), archive)


def test_missing_facts_appear_and_others_disappear_in_every_scope() -> None:
    """Other addresses are not touched."""
    store = a_table(a_complaint(**TENANT), OTHER, a_bounce(recipients=[BOB]))
    archive = a_log(a_bounce(), a_complaint(), a_bounce(recipients=[BOB], feedback_id="more"))

    found = rebuild(store, archive)

    assert (found.disappearing, len(found.unlogged)) == (2, 1)
    assert put_address(found, store=store, policy=DEFAULT_POLICY) == 2
    expected = a_table(a_bounce(), a_complaint())
    assert items(store) == items(expected)
    assert [item for key, item in store.scan() if key.address == BOB] == [
        item for _, item in a_table(a_bounce(recipients=[BOB])).scan()
    ]
    assert rebuild(store, archive).differences == []


def test_an_item_without_facts_is_deleted() -> None:
    """A projector creates it again."""
    store = a_table(a_bounce())
    assert put_address(rebuild(store, a_log()), store=store, policy=DEFAULT_POLICY) == 1
    assert store.load([Key(Address(ADA))]) == {Key(Address(ADA)): NO_ITEM}
    assert items(a_table(a_bounce(), store=store)) == items(a_table(a_bounce()))


@pytest.mark.parametrize("logged", [(), (a_bounce(),)], ids=["delete", "put"])
def test_an_item_that_changed_meanwhile_is_not_overwritten(logged: tuple[bytes, ...]) -> None:
    """The command is to be repeated."""
    store = a_table(OTHER)
    found = rebuild(store, a_log(*logged))
    a_table(a_complaint(), store=store)
    before = items(store)

    with pytest.raises(UsageError, match="changed meanwhile: repeat the command"):
        put_address(found, store=store, policy=DEFAULT_POLICY)
    assert items(store) == before


def test_an_outage_of_the_table_is_raised() -> None:
    """Nothing is lost: the command can be repeated."""
    store = FlakyStore()
    found = rebuild(store, a_log(a_bounce()))
    store.script = permanent_outage()
    with pytest.raises(StoreUnavailable):
        put_address(found, store=store, policy=DEFAULT_POLICY)
