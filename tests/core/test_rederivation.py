"""Verdicts that are derived again equal a rebuild under the new policy, beside any projector, and no fact changes."""

from collections.abc import Iterable, Iterator, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.address import Address
from pipeline.digest import digest
from pipeline.errors import MailfoldError, PolicyOutdated, StoreUnavailable
from pipeline.memory import MemoryQuarantine, MemoryStore
from pipeline.policy import DEFAULT_POLICY, Policy, Rule, SoftRule
from pipeline.ports import Item, Put, SuppressionStore
from pipeline.projection import BatchProjector, merge_fully
from pipeline.rederivation import PASSES, Pass, TableResult, rederive, rederive_all
from pipeline.replay import store_digest
from pipeline.standing import Key, Standing
from tests.support.builders import ADA, a_bounce
from tests.support.flaky import Failure, FlakyStore, Script
from tests.support.scenario import a_batch, project
from tests.support.strategies import records, standings
from tests.support.turns import Pause, SteppedStore, take_turns

SOFT = SoftRule(mails=1, window_seconds=86_400, expiry_seconds=10 * 86_400)
NEW = Policy(version=2, hard=None, complaint=Rule(expiry_seconds=86_400), soft=SOFT, not_spam=False)
keys = st.builds(Key, st.sampled_from([Address(f"{n}@example.com") for n in range(4)]), st.sampled_from(["*", "acme"]))
tables = st.dictionaries(keys, standings, max_size=6)
batches = st.lists(st.lists(records, max_size=3), max_size=4)
choices = st.lists(st.integers(0, 5), max_size=80)


def a_table(known: Mapping[Key, Standing], policy: Policy = DEFAULT_POLICY) -> MemoryStore:
    store = MemoryStore()
    merge_fully(known, store=store, policy=policy)
    return store


def items(store: SuppressionStore) -> dict[Key, Item]:
    return dict(store.scan())


def do_not_wait() -> None:
    """No projector runs."""


@given(tables)
def test_verdicts_derived_again_equal_a_rebuild_and_the_digest_stays(known: dict[Key, Standing]) -> None:
    """Items and digest are those of the facts alone; all tables get them, and repeating writes nothing."""
    live, shadow = a_table(known), a_table(known)
    before, count = store_digest(live), len(items(live))

    results = rederive_all(lambda: {"live": live, "shadow": shadow}, policy=NEW, wait=do_not_wait)

    assert items(live) == items(shadow) == items(a_table(known, NEW))
    assert store_digest(live) == before
    result = TableResult(items=count, written=count, digest_before=before, digest_after=before)
    assert results == {"live": result, "shadow": result}
    assert rederive("live", live, policy=NEW) == Pass(table="live", items=count, digest=before)


def test_items_of_a_newer_policy_stay() -> None:
    """Another policy was published meanwhile: a table never returns to an older one."""
    newest = Policy(version=3)
    store = a_table({Key(Address(ADA)): Standing(hard=())}, newest)
    project(a_batch(a_bounce()), store=store, policy=newest)
    before = items(store)
    assert rederive("live", store, policy=NEW).written == 0
    assert items(store) == before != {}


def test_progress_has_the_items_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    """After each part of the table, which is written at once."""
    monkeypatch.setattr("pipeline.rederivation.ITEMS_PER_MERGE", 2)
    store = MemoryStore()
    people = [f"{number}@example.com" for number in range(5)]
    project(a_batch(a_bounce(recipients=people)), store=store)
    seen: list[tuple[int, int]] = []
    rederive("live", store, policy=NEW, progress=lambda so_far: seen.append((so_far.items, so_far.written)))
    assert seen == [(2, 2), (4, 4), (5, 5)]


@given(tables, st.lists(st.sampled_from(Failure), max_size=25))
def test_what_is_interrupted_is_finished_by_repeating_it(known: dict[Key, Standing], failures: list[Failure]) -> None:
    """Outages, denials and conflicts anywhere leave every item as before, or as after."""
    store = FlakyStore()
    merge_fully(known, store=store, policy=DEFAULT_POLICY)
    old, new = items(store), items(a_table(known, NEW))
    store.script = Script(failures)
    for _ in range(len(failures) + 1):
        try:
            rederive("live", store, policy=NEW)
        except (MailfoldError, MemoryError):
            assert all(item in (old[key], new[key]) for key, item in store.scan())
        else:
            break
    assert items(store) == new


class World:
    """A table of an older policy, to which others write while its verdicts are derived again under the new one."""

    def __init__(self, known: Mapping[Key, Standing]) -> None:
        self.store = a_table(known)
        self.old_writers = 0

    def rederive(self, pause: Pause) -> None:
        """Derive again, and wait until no other works under the old policy."""

        def wait() -> None:
            while self.old_writers:
                pause()

        rederive_all(lambda: {"live": SteppedStore(self.store, pause)}, policy=NEW, wait=wait)

    def projector(self, parts: Iterable[list[bytes]], pause: Pause) -> None:
        """Project as a consumer that reads the parameter again only after all batches, or when an item shows it."""
        store = SteppedStore(self.store, pause)

        def a_projector(policy: Policy) -> BatchProjector:
            return BatchProjector(
                store=store, quarantine=MemoryQuarantine(), policy=policy, read_again=lambda: a_projector(NEW)
            )

        for part in parts:
            assert a_projector(DEFAULT_POLICY).project(a_batch(*part)).cause is None
        self.old_writers -= 1

    def ingest(self, parts: Iterable[list[bytes]], pause: Pause) -> None:
        """Project as a process that never reads the parameter, and is started again when it fails."""
        store, policy = SteppedStore(self.store, pause), DEFAULT_POLICY
        for part in parts:
            result = project(a_batch(*part), store=store, policy=policy)
            if isinstance(result.cause, PolicyOutdated):
                result, policy = project(a_batch(*part), store=store, policy=NEW), NEW
            assert result.cause is None
        self.old_writers -= 1


@given(tables, batches, batches, choices)
def test_any_interleaving_with_projectors_ends_as_a_rebuild(
    known: dict[Key, Standing], projected: list[list[bytes]], ingested: list[list[bytes]], order: list[int]
) -> None:
    """No batch stops, no fact is lost, and every item has the verdict of the new policy in the end."""
    world = World(known)
    world.old_writers = 2
    take_turns(
        [
            lambda pause: world.projector(projected, pause),
            lambda pause: world.ingest(ingested, pause),
            world.rederive,
        ],
        order,
    )
    rebuilt = a_table(known, NEW)
    for part in (*projected, *ingested):
        project(a_batch(*part), store=rebuilt, policy=NEW)
    assert items(world.store) == items(rebuilt)


class LateWriter(MemoryStore):
    """A table to which a process writes a new item under the old policy at each of the first scans."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times

    def scan(self) -> Iterator[tuple[Key, Item]]:
        """Write, behind the scan."""
        yield from super().scan()
        if self.times:
            self.times -= 1
            project(a_batch(a_bounce(recipients=[f"{self.times}@example.com"])), store=self)


def test_items_that_were_written_behind_a_pass_are_found_by_another_one() -> None:
    """Passes go on until one finds no older item."""
    store = LateWriter(PASSES - 1)
    results = rederive_all(lambda: {"live": store}, policy=NEW, wait=do_not_wait)
    assert {item.policy_version for _, item in store.scan()} == {NEW.version}
    assert (results["live"].items, results["live"].written) == (PASSES - 1, PASSES - 1)
    assert results["live"].digest_before == digest([])
    assert results["live"].digest_after == store_digest(store)


def test_a_process_that_never_stops_is_reported() -> None:
    """An `ingest` that began before may run for hours. The passes end all the same."""
    tables = {"live": LateWriter(99)}
    with pytest.raises(StoreUnavailable, match="still writes to the table live under an older policy"):
        rederive_all(lambda: tables, policy=NEW, wait=do_not_wait)


def test_a_table_that_is_added_during_the_wait_is_derived_too() -> None:
    """A rebuild adds its table as a shadow table at any time."""
    live, added = MemoryStore(), MemoryStore()
    project(a_batch(a_bounce()), store=added)
    names = {"live": live}
    results = rederive_all(lambda: names, policy=NEW, wait=lambda: names.update({"added": added}))
    assert [results[name].written for name in ("live", "added")] == [0, 1]


def test_an_item_that_is_deleted_meanwhile_is_not_created_again() -> None:
    """The person was erased between the scan and the load."""

    class Erased(MemoryStore):
        def load(self, keys: Iterable[Key]) -> Mapping[Key, Item]:
            return MemoryStore().load(keys)

        def put(self, put: Put) -> None:
            pytest.fail(f"put {put}")

    store = Erased()
    store._items = items(a_table({Key(Address(ADA)): Standing()}))
    project(a_batch(a_bounce()), store=(full := MemoryStore()))
    store._items = items(full)
    assert rederive("live", store, policy=NEW).written == 0
