"""Signals that end a command: Ctrl-C, a service manager's SIGTERM and the SIGHUP of a closed terminal.

Loads nothing heavy, because `pipeline.cli.__main__` handles signals before it imports the rest. A signal that was
ignored when the process started, as under nohup, stays ignored.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from socket import socket

EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells report it
INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

Handler = Callable[[int, FrameType | None], None]


def handle_interrupts(handler: Handler) -> None:
    """Install a handler of all interrupts, except those that are ignored."""
    for number in INTERRUPTS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)


def exit_at_once(_: int, __: FrameType | None) -> None:
    """Exit without cleanup. For when nothing has begun, or everything is over."""
    os._exit(EXIT_INTERRUPTED)


def end_interrupted() -> NoReturn:
    """Exit after the cleanup, and wait for no thread: one may still read from the network."""
    with suppress(OSError, ValueError):  # the output may be closed
        sys.stdout.flush()
    os._exit(EXIT_INTERRUPTED)


def raise_interrupt(number: int, _: FrameType | None) -> None:
    """Raise KeyboardInterrupt, so that the command cleans up."""
    if number != signal.SIGINT:
        signal.signal(number, signal.SIG_IGN)  # a second SIGTERM must not interrupt the cleanup
    raise KeyboardInterrupt


@contextmanager
def exiting_on_interrupt() -> Iterator[None]:
    """Exit at once on an interrupt, where it would otherwise raise KeyboardInterrupt.

    For imports: an exception inside one may be swallowed, or reported as a module that is broken.
    """
    raising = [number for number in INTERRUPTS if signal.getsignal(number) is raise_interrupt]
    for number in raising:
        signal.signal(number, exit_at_once)
    try:
        yield
    finally:
        for number in raising:
            signal.signal(number, raise_interrupt)


@contextmanager
def stop_on_signal(stop_socket: socket) -> Iterator[None]:
    """On an interrupt, write a byte to a non-blocking socket and do nothing else."""
    handlers = {number: signal.getsignal(number) for number in INTERRUPTS}
    handle_interrupts(lambda *_: None)
    wakeup_fd = signal.set_wakeup_fd(stop_socket.fileno(), warn_on_full_buffer=False)
    try:
        yield
    finally:
        signal.set_wakeup_fd(wakeup_fd)
        for number, handler in handlers.items():
            signal.signal(number, handler)
