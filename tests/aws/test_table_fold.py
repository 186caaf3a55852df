"""A table is read in parts that have all scopes of their addresses, in bounded memory."""

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.address import Address
from pipeline.aws.table_fold import table_standings
from pipeline.memory import MemoryStore
from pipeline.policy import DEFAULT_POLICY
from pipeline.projection import merge_fully
from pipeline.standing import NOTHING_KNOWN, Key, Standing
from tests.support.strategies import standings

keys = st.builds(
    Key, st.sampled_from([Address(f"{n}@example.com") for n in range(9)]), st.sampled_from(["*", "acme", "zeta"])
)


@settings(deadline=None)  # each example writes files
@given(st.dictionaries(keys, standings.filter(lambda standing: standing != NOTHING_KNOWN), max_size=20))
def test_each_key_is_once_in_the_part_of_its_address(known: dict[Key, Standing]) -> None:
    """Whatever the order of the scan, and with one key in memory."""
    store, items = MemoryStore(), 0
    merge_fully(known, store=store, policy=DEFAULT_POLICY)

    def count() -> None:
        nonlocal items
        items += 1

    parts = list(table_standings(store, on_item=count, keys_held=1))

    found = [pair for part in parts for pair in part.items()]
    assert sorted(found, key=lambda pair: pair[0]) == sorted(known.items())
    addresses = [address for part in parts for address in {key.address for key in part}]
    assert len(addresses) == len(set(addresses))
    assert items == len(known)
