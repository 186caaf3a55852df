"""A request to stop, for commands that run a local cloud: checked at safe places, never raised where a signal arrives.

KeyboardInterrupt can be raised between any two instructions. In a finalizer or a callback it is printed and lost. In a
cleanup it leaves files and threads behind. Inside a lock it blocks other threads.
docs.python.org/3/library/signal.html#handlers-and-exceptions
"""

from collections.abc import Iterator
from contextlib import contextmanager
from socket import MSG_DONTWAIT, MSG_PEEK, socket, socketpair

from pipeline.cli.signals import stop_on_signal


class StopRequest:
    """Whether the process was asked to stop.

    Args:
        receiver: Socket that gets a byte for each signal. The bytes stay in it.
    """

    def __init__(self, receiver: socket) -> None:
        self._receiver = receiver

    def is_made(self) -> bool:
        """Return True if a signal arrived."""
        try:
            return bool(self._receiver.recv(1, MSG_PEEK | MSG_DONTWAIT))
        except BlockingIOError:
            return False

    def wait(self) -> None:
        """Wait until a signal arrives."""
        self._receiver.recv(1, MSG_PEEK)


@contextmanager
def stop_requested_by_signal() -> Iterator[StopRequest]:
    """Turn interrupts into a stop request. Until the block ends, they have no other effect."""
    receiver, sender = socketpair()
    with receiver, sender:
        sender.setblocking(False)
        with stop_on_signal(sender):
            yield StopRequest(receiver)
