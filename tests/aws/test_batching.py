"""Batches within a limit on items and on bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.aws.batching import batches


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ([], []),
        (["a", "b", "c"], [["a", "b"], ["c"]]),
        (["aaa", "b", "c"], [["aaa", "b"], ["c"]]),
        (["aaa", "bb"], [["aaa"], ["bb"]]),
        (["a", "bbbbbb", "c"], [["a"], ["bbbbbb"], ["c"]]),
    ],
)
def test_a_batch_ends_at_either_limit(items: list[str], expected: list[list[str]]) -> None:
    """At most two items and four bytes; an item that is too large is a batch by itself."""
    assert list(batches(items, size_bytes=len, max_bytes=4, max_items=2)) == expected


@given(st.lists(st.text("x", max_size=9)), st.integers(1, 9))
def test_no_item_is_lost(items: list[str], max_bytes: int) -> None:
    """Together the batches are the items in order, and only a single item may exceed the limit."""
    parts = list(batches(items, size_bytes=len, max_bytes=max_bytes))
    assert [item for part in parts for item in part] == items
    assert all(len(part) == 1 or sum(map(len, part)) <= max_bytes for part in parts)
