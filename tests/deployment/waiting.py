"""Waiting for what happens by itself."""

import time
from collections.abc import Callable
from typing import TypeVar

WAIT_SECONDS = 20.0
POLL_SECONDS = 0.05

T = TypeVar("T")


def eventually(probe: Callable[[], T | None], *, what: str, wait_seconds: float = WAIT_SECONDS) -> T:
    """Return what `probe` gives as soon as it is anything; fail if it stays None, or empty.

    Args:
        probe: Looks.
        what: What is looked for, for people.
        wait_seconds: How long at most.
    """
    end_s = time.monotonic() + wait_seconds
    while not (found := probe()):
        assert time.monotonic() < end_s, f"{what}: not there after {wait_seconds:.0f} s"
        time.sleep(POLL_SECONDS)
    return found
