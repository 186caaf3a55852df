"""Trying again takes longer each time, and never longer than is said."""

import pytest

from pipeline.aws.retry import attempts, waits_seconds


def test_the_first_attempt_waits_for_nothing_and_each_other_twice_as_long_less_a_random_part() -> None:
    waits: list[float] = []
    assert list(attempts(5, first_wait_seconds=0.5, wait=waits.append)) == [1, 2, 3, 4, 5]
    for wait, longest in zip(waits, [0.5, 1, 2, 4], strict=True):
        assert longest / 2 <= wait <= longest


def test_what_succeeds_does_not_wait() -> None:
    waits: list[float] = []
    assert next(attempts(5, first_wait_seconds=0.5, wait=waits.append)) == 1
    assert waits == []


def test_those_who_wait_spread() -> None:
    assert len({next(waits_seconds(1.0)) for _ in range(100)}) > 1
    assert next(waits_seconds(0.0)) == pytest.approx(0.0)
