"""What asks a command that runs on to stop: Ctrl-C, a service's stop, the end of its terminal."""

import signal
from collections.abc import Callable
from types import FrameType

from pipeline.cli.entry import INTERRUPTS


def on_stop(call: Callable[[], None]) -> None:
    """Call this each time the process is asked to stop, from now on, between any two steps of the main thread."""

    def handle(_: int, __: FrameType | None) -> None:
        call()

    for number in INTERRUPTS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handle)
