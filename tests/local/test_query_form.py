"""AWS's query protocol: flat names for nested structures, and back."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pipeline.local.gateway.protocols import flatten, unflatten

# Empty structures and lists have no form; a structure never has just the one member `member`.
names = st.text(st.characters(codec="ascii", categories=["L"]), min_size=1, max_size=5).filter("member".__ne__)
structures = st.recursive(
    st.text(),
    lambda inner: st.lists(inner, min_size=1, max_size=12) | st.dictionaries(names, inner, min_size=1, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(names, structures, min_size=1, max_size=4))
def test_a_structure_comes_back_from_its_form(structure: dict[str, Any]) -> None:
    assert unflatten(flatten(structure)) == structure


def test_members_are_in_the_order_of_their_numbers() -> None:
    assert unflatten({"To.member.10": "c", "To.member.2": "b", "To.member.1": "a"}) == {"To": ["a", "b", "c"]}


def test_a_form_that_contradicts_itself_does_no_harm() -> None:
    assert unflatten({"A": "1", "A.B": "2"}) == {"A": "1"}
