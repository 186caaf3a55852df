"""A daemon without a process, for tests of the supervisor."""

from collections.abc import Iterator
from threading import Event

from pipeline.aws.kcl.daemon import Daemon

END_SECONDS = 300.0


class FakeDaemon(Daemon):
    """Writes its lines, then ends with its exit code, or runs until it is stopped or killed.

    Args:
        lines: The lines that it writes.
        exit_code: Its exit code; None: it does not end by itself.
        ignores_stop: True if only `kill` ends it.
    """

    def __init__(self, *lines: bytes, exit_code: int | None = None, ignores_stop: bool = False) -> None:
        self._lines, self._exit_code, self._ignores_stop = lines, exit_code, ignores_stop
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
        if not self._ignores_stop:
            self._ended.set()

    def kill(self) -> None:
        self.was_killed = True
        self._ended.set()
