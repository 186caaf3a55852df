"""Standings beyond the bound lie in files, and nothing of them is lost, repeated or left behind."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.address import Address
from pipeline.aws.spill import PREFIX, Spill, Standings
from pipeline.standing import NOTHING_KNOWN, Evidence, Key, Standing, join
from tests.support.strategies import standings

SIDES = 2
entries = st.lists(
    st.tuples(st.integers(0, SIDES - 1), st.integers(0, 20), st.sampled_from(["*", "acme"]), standings), max_size=60
)


def a_key(number: int, scope: str = "*") -> Key:
    return Key(Address(f"{number}@example.com"), scope)


def spilled(added: list[tuple[int, Key, Standing]], *, keys_held: int) -> dict[Key, Standings]:
    """Return what a spill yields. A key that it yields twice is an error."""
    found: dict[Key, Standings] = {}
    with Spill(sides=SIDES, keys_held=keys_held) as spill:
        for side, key, standing in added:
            spill.add({key: standing}, side=side)
        for part in spill.parts():
            assert found.keys().isdisjoint(part)
            found |= part
    return found


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder for temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@given(drawn=entries, keys_held=st.sampled_from([1, 3, 1_000]))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_spill_joins_what_was_added_by_key_and_side(
    drawn: list[tuple[int, int, str, Standing]], keys_held: int
) -> None:
    """Whether it lies in memory, in files, or in files of files."""
    added = [
        (side, a_key(number, scope), standing) for side, number, scope, standing in drawn if standing != NOTHING_KNOWN
    ]
    expected: dict[Key, Standings] = {}
    for side, key, standing in added:
        both = list(expected.get(key, (NOTHING_KNOWN, NOTHING_KNOWN)))
        both[side] = join(both[side], standing)
        expected[key] = tuple(both)

    assert spilled(added, keys_held=keys_held) == expected


def test_no_part_of_a_spill_is_larger_than_its_bound() -> None:
    """So memory is bounded too, for any number of keys."""
    with Spill(keys_held=100) as spill:
        for number in range(5_000):
            spill.add({a_key(number): Standing(hard=(Evidence(at_ms=number, event_id=str(number)),))})
        sizes = [len(part) for part in spill.parts()]

    assert sum(sizes) == 5_000
    assert max(sizes) <= 100


def test_a_spill_leaves_no_files(folder: Path) -> None:
    """They hold addresses, so they are deleted whatever ends the block."""

    def interrupted() -> None:
        with Spill(keys_held=1) as spill:
            spill.add({a_key(number): Standing(hard=(Evidence(at_ms=1, event_id="e"),)) for number in range(9)})
            assert list(folder.glob(f"{PREFIX}*/*.part"))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not list(folder.iterdir())


def test_an_address_with_more_scopes_than_the_bound_stays_together() -> None:
    """Its hash has no further bits to divide it by."""
    standing = Standing(complaint=(Evidence(at_ms=1, event_id="e"),))
    added = [(0, a_key(1, f"tenant-{number}"), standing) for number in range(5)]

    assert len(spilled(added, keys_held=1)) == 5
