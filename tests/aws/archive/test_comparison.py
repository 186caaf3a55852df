"""The whole log beside the whole table, with memory for one key."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.aws.archive.comparison import all_sides
from pipeline.drill import Sides
from pipeline.memory import MemoryStore
from pipeline.standing import NOTHING_KNOWN, Key
from tests.support.builders import OCCURRED_AT
from tests.support.memory_fold import MemoryFold
from tests.support.rows import rows_of
from tests.support.scenario import a_batch, project
from tests.support.strategies import feedback


@given(log=st.lists(feedback, max_size=8), delivered=st.lists(feedback, max_size=8), held=st.sampled_from([1, 1_000]))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_each_key_comes_once_with_all_of_its_sides(log: list[bytes], delivered: list[bytes], held: int) -> None:
    """What only the log, only the table or only the newest hours have, too."""
    store, fold, scanned = MemoryStore(), MemoryFold(rows_of(*log)), list[None]()
    project(a_batch(*delivered), store=store)
    [whole], [newest] = fold.standings(), fold.standings(since=OCCURRED_AT)
    table = {key: item.standing for key, item in store.scan()}

    found: dict[Key, Sides] = {}
    for part in all_sides(fold, store, newest_since=OCCURRED_AT, on_item=lambda: scanned.append(None), keys_held=held):
        assert found.keys().isdisjoint(part)
        found |= part

    assert found == {
        key: Sides(*(side.get(key, NOTHING_KNOWN) for side in (whole, table, newest))) for key in {*whole, *table}
    }
    assert len(scanned) == len(table)
