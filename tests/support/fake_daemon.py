"""A daemon that says and does what a test wants."""

from collections.abc import Iterator
from threading import Event

from pipeline.aws.kcl.daemon import Daemon

END_SECONDS = 20.0


class FakeDaemon(Daemon):
    """Says its lines, and ends by itself with its exit code, or runs until it is stopped or killed.

    Args:
        lines: What it says.
        exit_code: How it ends by itself; None: it does not.
        stubborn: Whether it ends only when it is killed.
    """

    def __init__(self, *lines: bytes, exit_code: int | None = None, stubborn: bool = False) -> None:
        self._lines, self._exit_code, self._stubborn = lines, exit_code, stubborn
        self._ended = Event()
        self.runs, self.was_killed = Event(), False

    def lines(self) -> Iterator[bytes]:
        yield from self._lines
        self.runs.set()
        if self._exit_code is None:
            assert self._ended.wait(END_SECONDS)

    def wait(self) -> int:
        return -9 if self.was_killed else self._exit_code or 0

    def stop(self) -> None:
        if not self._stubborn:
            self._ended.set()

    def kill(self) -> None:
        self.was_killed = True
        self._ended.set()
