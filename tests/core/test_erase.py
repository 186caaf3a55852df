"""A person is erased from a table beside live traffic: what arrives meanwhile lies under the hash too."""

from collections.abc import Iterable, Mapping, Sequence

import pytest

from pipeline.address import Address
from pipeline.batch import group_by_key
from pipeline.erase import ErasedItems, ErasedLog, TableEraser
from pipeline.erasure import Erasure
from pipeline.errors import Conflict, MailfoldError, PolicyOutdated, StoreUnavailable
from pipeline.memory import MemoryStore
from pipeline.policy import DEFAULT_POLICY, Policy
from pipeline.ports import NO_ITEM, Item, Put
from pipeline.projection import merge_fully
from pipeline.pseudonym import KEY_BYTES
from pipeline.row import row_facts
from pipeline.standing import Evidence, Key, Standing
from tests.support.builders import ADA, BOB, a_bounce, a_complaint
from tests.support.items import all_items
from tests.support.rows import rows_of

POLICY = DEFAULT_POLICY
ERASURE = Erasure(address=Address(ADA), key=bytes(range(KEY_BYTES)))


class ChangingStore(MemoryStore):
    """A table whose item gets another fact before each of some changes by the erasure, or loses its item."""

    def __init__(self, changes: int, *, vanishes: bool = False) -> None:
        super().__init__()
        self.changes, self.vanishes = changes, vanishes
        self.is_watched = False

    def load(self, keys: Iterable[Key]) -> Mapping[Key, Item]:
        """Load, and let live traffic change what was loaded."""
        loaded = super().load(keys)
        if self.is_watched and self.vanishes:
            return dict.fromkeys(loaded, NO_ITEM)
        if self.is_watched and self.changes and ADA in {key.address for key in loaded}:
            self.changes -= 1
            self.is_watched = False
            receive(self, a_complaint(feedback_id=f"live-{self.changes}"))
            self.is_watched = True
        return loaded


def receive(store: MemoryStore, *payloads: bytes) -> None:
    merge_fully(
        group_by_key([fact for row in rows_of(*payloads) for fact in row_facts(row)]), store=store, policy=POLICY
    )


def test_an_item_that_changes_meanwhile_is_loaded_again() -> None:
    """The fact that arrived is under the hash too."""
    store = ChangingStore(2)
    receive(store, a_bounce())
    store.is_watched = True

    assert TableEraser(ERASURE, store=store, policy=POLICY, log=ErasedLog()).erase() == ErasedItems(moved=1)

    [(key, item)] = all_items(store).items()
    assert key == Key(ERASURE.pseudonym)
    assert len(item.standing.complaint) == 2


def test_an_item_that_never_stops_changing_is_an_outage() -> None:
    """Nothing is lost: the person is erased by the next run."""
    store = ChangingStore(99)
    receive(store, a_bounce())
    store.is_watched = True

    with pytest.raises(StoreUnavailable, match="changed during each"):
        TableEraser(ERASURE, store=store, policy=POLICY, log=ErasedLog()).erase()


def test_an_item_that_is_gone_is_no_error() -> None:
    """Another erasure of the same person was faster."""
    store = ChangingStore(0, vanishes=True)
    receive(store, a_bounce())
    store.is_watched = True

    assert TableEraser(ERASURE, store=store, policy=POLICY, log=ErasedLog()).erase() == ErasedItems(moved=1)


@pytest.mark.parametrize("recipients", [[ADA], [BOB]])
def test_a_table_under_a_newer_policy_is_not_written(recipients: list[str]) -> None:
    """Its verdicts would become those of the old one."""
    store = MemoryStore()
    payload = a_bounce(recipients=recipients, destination=[ADA], person={"diagnosticCode": f"smtp; <{ADA}> moved"})
    newer = Policy(version=2)
    facts = [fact for row in rows_of(payload) for fact in row_facts(row)]
    merge_fully(group_by_key(facts), store=store, policy=newer)
    merge_fully({Key(ERASURE.pseudonym): Standing(hard=(Evidence(at_ms=1, event_id="e"),))}, store=store, policy=newer)

    with pytest.raises(PolicyOutdated):
        TableEraser(ERASURE, store=store, policy=POLICY, log=ErasedLog()).erase()


class ConflictingStore(MemoryStore):
    """A table whose first save conflicts, once it is watched."""

    is_watched = False

    def save(self, puts: Sequence[Put]) -> Mapping[Key, MailfoldError]:
        """Save, or conflict."""
        if self.is_watched:
            self.is_watched = False
            return {put.key: Conflict() for put in puts}
        return super().save(puts)


def test_an_item_of_someone_else_that_changes_meanwhile_is_loaded_again() -> None:
    """Its diagnostic names the person."""
    store = ConflictingStore()
    receive(store, a_bounce(recipients=[BOB], person={"diagnosticCode": f"smtp; 550 <{ADA}> moved"}))
    store.is_watched = True

    assert TableEraser(ERASURE, store=store, policy=POLICY, log=ErasedLog()).erase() == ErasedItems(changed=1)
    assert ADA not in repr(all_items(store))
