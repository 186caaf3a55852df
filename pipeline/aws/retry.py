"""How long to go on trying: ever longer waits, and an end.

Trying again: after twice as long a wait each time, less a random part, so that those who wait spread.

docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html
"""

import random
import time
from collections.abc import Callable, Iterator


def attempts(number: int, *, first_wait_seconds: float, wait: Callable[[float], None] = time.sleep) -> Iterator[int]:
    """Give 1, 2 and so on up to this number, each but the first after a wait.

    Args:
        number: How many attempts there are.
        first_wait_seconds: The first wait, at most; then twice as long each time.
        wait: Waits so many seconds.
    """
    for attempt in range(number):
        if attempt:
            wait(jittered(first_wait_seconds * 2 ** (attempt - 1)))
        yield attempt + 1


def jittered(seconds: float) -> float:
    """Return a wait of half as long, as long, or between: by chance."""
    return seconds * random.uniform(0.5, 1)  # noqa: S311 - no secret


Wait = Callable[[float], bool]
"""Waits so many seconds, and returns whether there is still somebody to do it for."""


class Backoff:
    """Waits between attempts, twice as long each time, less a random part, so that shards spread."""

    def __init__(
        self,
        seconds: float,
        *,
        first_wait_seconds: float,
        longest_wait_seconds: float,
        wait: Wait,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin now.

        Args:
            seconds: After which there is no further attempt.
            first_wait_seconds: The first wait, at most.
            longest_wait_seconds: What no wait exceeds.
            wait: Waits.
            clock: Seconds that only go up.
        """
        self._seconds, self._first, self._longest = seconds, first_wait_seconds, longest_wait_seconds
        self._wait, self._clock = wait, clock
        self.renew()

    def renew(self) -> None:
        """Begin again: there was progress."""
        self._next = self._first
        self._end_s = self._clock() + self._seconds

    def wait(self) -> bool:
        """Wait, and return whether to try again: False if that was long enough, or for nobody any more."""
        left_s = self._end_s - self._clock()
        if left_s <= 0:
            return False
        wait_s = jittered(min(self._next, self._longest))
        self._next *= 2
        return self._wait(min(wait_s, left_s))
