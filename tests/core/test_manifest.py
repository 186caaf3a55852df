"""Tests of `pipeline.manifest`: of several entries about a source, the furthest counts."""

from itertools import pairwise, permutations

from pipeline.manifest import SourceProgress, furthest


def test_the_furthest_progress_counts() -> None:
    """A complete source is further than any other; then more records are, and fewer rejected ones."""
    ascending = [
        SourceProgress(records=1, rejected=frozenset({1})),
        SourceProgress(records=1),
        SourceProgress(records=2),
        SourceProgress(records=1, is_complete=True),
    ]
    for least, greatest in pairwise(ascending):
        for entries in permutations([{"a": least}, {"a": greatest}]):
            assert furthest(entries) == {"a": greatest}
