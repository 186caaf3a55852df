"""Exponential back-off with jitter: waits that double, each shortened at random, so that clients do not retry together.

docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html
"""

import random
import time
from collections.abc import Callable, Iterator
from math import inf

Wait = Callable[[float], bool]
"""Waits so many seconds; returns True if another attempt is wanted."""


def attempts(number: int, *, first_wait_seconds: float, wait: Callable[[float], None] = time.sleep) -> Iterator[int]:
    """Yield 1, 2 and so on up to `number`, each after the first one following a wait.

    Args:
        number: Number of attempts.
        first_wait_seconds: Upper limit of the first wait.
        wait: Waits so many seconds.
    """
    waits = waits_seconds(first_wait_seconds)
    for attempt in range(1, number + 1):
        if attempt > 1:
            wait(next(waits))
        yield attempt


class Backoff:
    """Waits between attempts until a time limit. Progress starts it again.

    Args:
        seconds: The time limit.
        first_wait_seconds: Upper limit of the first wait.
        longest_wait_seconds: Upper limit of every wait.
        wait: Waits, and returns False if no further attempt is wanted.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        seconds: float,
        *,
        first_wait_seconds: float,
        longest_wait_seconds: float,
        wait: Wait,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._seconds, self._first, self._longest = seconds, first_wait_seconds, longest_wait_seconds
        self._wait, self._clock = wait, clock
        self.renew()

    def renew(self) -> None:
        """Start again, because there was progress."""
        self._waits = waits_seconds(self._first, longest_seconds=self._longest)
        self._ends_at_seconds = self._clock() + self._seconds

    def wait(self) -> bool:
        """Wait, and return True to try again: False at the time limit, or if no attempt is wanted any more."""
        left_seconds = self._ends_at_seconds - self._clock()
        return left_seconds > 0 and self._wait(min(next(self._waits), left_seconds))


def waits_seconds(first_seconds: float, *, longest_seconds: float = inf) -> Iterator[float]:
    """Yield waits without end: from half of `first_seconds` to all of it, then twice as long each time.

    Args:
        first_seconds: Upper limit of the first wait.
        longest_seconds: Upper limit of every wait.
    """
    while True:
        yield min(first_seconds, longest_seconds) * random.uniform(0.5, 1)  # noqa: S311 - no secret
        first_seconds = min(2 * first_seconds, longest_seconds)
