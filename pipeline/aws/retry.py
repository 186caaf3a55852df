"""Trying again: after twice as long a wait each time, less a random part, so that those who wait spread.

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
            wait(spread(first_wait_seconds * 2 ** (attempt - 1)))
        yield attempt + 1


def spread(seconds: float) -> float:
    """Return a wait of half as long, as long, or between: by chance."""
    return seconds * random.uniform(0.5, 1)  # noqa: S311 - no secret
