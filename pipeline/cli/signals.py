"""What asks a command that runs on to stop: Ctrl-C, a service's stop, the end of its terminal."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from socket import socket

from pipeline.cli.__main__ import INTERRUPTS


@contextmanager
def stop_on_signal(doorbell: socket) -> Iterator[None]:
    """Have a byte sent to a socket that does not block whenever the process is asked to stop, and nothing else done."""
    before = {number: signal.getsignal(number) for number in INTERRUPTS}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, lambda *_: None)
    wakes = signal.set_wakeup_fd(doorbell.fileno(), warn_on_full_buffer=False)
    try:
        yield
    finally:
        signal.set_wakeup_fd(wakes)
        for number, handler in before.items():
            signal.signal(number, handler)
