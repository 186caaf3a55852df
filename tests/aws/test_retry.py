"""Exponential back-off: attempts, their waits, and the time limit."""

import pytest

from pipeline.aws.retry import Backoff, attempts, waits_seconds


def test_each_attempt_after_the_first_waits_twice_as_long() -> None:
    """The first attempt does not wait, and every wait is shortened by at most half."""
    waits: list[float] = []
    assert list(attempts(5, first_wait_seconds=0.5, wait=waits.append)) == [1, 2, 3, 4, 5]
    for wait, longest in zip(waits, [0.5, 1, 2, 4], strict=True):
        assert longest / 2 <= wait <= longest


def test_a_first_attempt_that_succeeds_does_not_wait() -> None:
    """An operation that works at once costs no time."""
    waits: list[float] = []
    assert next(attempts(5, first_wait_seconds=0.5, wait=waits.append)) == 1
    assert waits == []


def test_waits_differ_between_clients() -> None:
    """Waits are random, so that clients do not retry together."""
    assert len({next(waits_seconds(1.0)) for _ in range(100)}) > 1
    assert next(waits_seconds(0.0)) == pytest.approx(0.0)


class FakeTime:
    """A clock that only waiting moves."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.waits: list[float] = []

    def wait(self, seconds: float) -> bool:
        self.waits.append(seconds)
        self.seconds += seconds
        return True

    def backoff(self, seconds: float) -> Backoff:
        return Backoff(
            seconds, first_wait_seconds=1, longest_wait_seconds=4, wait=self.wait, clock=lambda: self.seconds
        )


def test_a_backoff_ends_at_its_time_limit() -> None:
    """The last wait ends exactly there, and no wait exceeds the longest one."""
    time = FakeTime()
    backoff = time.backoff(20)
    while backoff.wait():
        pass
    assert time.seconds == pytest.approx(20)
    assert max(time.waits) <= 4


def test_progress_starts_a_backoff_again() -> None:
    """After progress the waits are short again, and the whole time limit is left."""
    time = FakeTime()
    backoff = time.backoff(20)
    for _ in range(4):
        backoff.wait()
    backoff.renew()
    time.waits.clear()
    renewed_at_seconds = time.seconds
    while backoff.wait():
        pass
    assert time.waits[0] <= 1
    assert time.seconds - renewed_at_seconds == pytest.approx(20)


def test_a_backoff_ends_when_no_attempt_is_wanted() -> None:
    """A wait that returns False ends it before the time limit."""
    backoff = Backoff(20, first_wait_seconds=1, longest_wait_seconds=4, wait=lambda _: False)
    assert not backoff.wait()
