"""Waiting for what happens by itself, in another thread, process or service."""

import time
from collections.abc import Callable
from typing import TypeVar

WAIT_SECONDS = 20.0
POLL_SECONDS = 0.05

T = TypeVar("T")


def until(probe: Callable[[], T], *, timeout_seconds: float = WAIT_SECONDS) -> T:
    """Return what `probe` gives as soon as it is anything, or when it was nothing for so long: assert what it is."""
    end_s = time.monotonic() + timeout_seconds
    while not (found := probe()) and time.monotonic() < end_s:
        time.sleep(POLL_SECONDS)
    return found


def eventually(probe: Callable[[], T | None], *, what: str) -> T:
    """Return what `probe` gives as soon as it is anything; fail if it stays None, or empty.

    Args:
        probe: Looks.
        what: What is looked for, for people.
    """
    found = until(probe)
    assert found, f"{what}: not there after {WAIT_SECONDS:.0f} s"
    return found
