"""Waits for conditions that come true in another thread, process or service."""

import time
from collections.abc import Callable
from typing import TypeVar

WAIT_SECONDS = 300.0
POLL_SECONDS = 0.05

T = TypeVar("T")


def eventually(probe: Callable[[], T | None], *, what: str) -> T:
    """Return the first result of `probe` that is true; fail if there is none in time.

    Args:
        probe: Looks for a result.
        what: What it looks for, for the failure message.
    """
    result = until(probe)
    assert result, f"{what}: not there after {WAIT_SECONDS:.0f} s"
    return result


def until(probe: Callable[[], T], *, timeout_seconds: float = WAIT_SECONDS) -> T:
    """Return the first result of `probe` that is true, or its last result at the time-out; assert on it."""
    end_s = time.monotonic() + timeout_seconds
    while not (result := probe()) and time.monotonic() < end_s:
        time.sleep(POLL_SECONDS)
    return result
