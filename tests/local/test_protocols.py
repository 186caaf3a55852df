"""AWS's Query protocol: flat names for nested structures, and back."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pipeline.local.gateway.protocols import flatten, unflatten

# Empty structures and lists have no flat form; no structure of AWS has `member` as its only member.
names = st.text(st.characters(codec="ascii", categories=["L"]), min_size=1, max_size=5).filter("member".__ne__)
structures = st.recursive(
    st.text(),
    lambda inner: st.lists(inner, min_size=1, max_size=12) | st.dictionaries(names, inner, min_size=1, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(names, structures, min_size=1, max_size=4))
def test_unflatten_inverts_flatten(structure: dict[str, Any]) -> None:
    """Any structure equals what is read from its flat form."""
    assert unflatten(flatten(structure)) == structure


def test_members_are_ordered_by_number() -> None:
    """List members are ordered by their numbers, not by their text or position."""
    assert unflatten({"To.member.10": "c", "To.member.2": "b", "To.member.1": "a"}) == {"To": ["a", "b", "c"]}


def test_a_contradictory_form_is_read() -> None:
    """A name that is both a value and a structure keeps its value, and raises no error."""
    assert unflatten({"A": "1", "A.B": "2"}) == {"A": "1"}
