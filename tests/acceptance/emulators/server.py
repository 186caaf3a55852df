"""A server in a process of its own, on the loopback interface alone: started, waited for, stopped.

Whatever it writes lies in a folder that goes with it. Its log is kept, and shown when it does not start.
"""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Self

START_SECONDS = 60.0
GRACE_SECONDS = 1.0  # from when it is told to end until it is killed; some wait for clients that stay connected
POLL_SECONDS = 0.05
ANY_ADDRESS = frozenset({"00000000", "0" * 32})  # 0.0.0.0 and ::, as the kernel writes them
LISTENS = "0A"  # the kernel's number for that state of a socket


class Server:
    """Runs from when it is entered until it is left.

    Args:
        command: What to run.
        environment: All that it finds in its environment.
        folder: Where its log is written, and where it runs.
        answers: Tells whether it can be used.
    """

    def __init__(
        self, command: Sequence[str], *, environment: Mapping[str, str], folder: Path, answers: Callable[[], bool]
    ) -> None:
        self._command, self._environment, self._folder, self._answers = command, environment, folder, answers
        self._log = folder / "log"

    def __enter__(self) -> Self:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                self._command,
                env=dict(self._environment),
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # its children belong to it, and go with it
            )
        try:
            self._await()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    @property
    def process_id(self) -> int:
        """Whose children are its own."""
        return self._process.pid

    def log(self) -> str:
        """Return what it wrote so far."""
        return self._log.read_text(errors="replace")

    def _await(self) -> None:
        end_s = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > end_s:
                raise AssertionError(f"{self._command[0]} does not start:\n{self.log()}")
            time.sleep(POLL_SECONDS)

    def _stop(self) -> None:
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(GRACE_SECONDS)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def free_port() -> int:
    """Return a port of the loopback interface that nobody listens on."""
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


def open_to_the_network(process_id: int) -> list[str]:
    """Return the sockets of a process, as the kernel writes them, on which it listens to other machines too.

    docs.kernel.org/networking/proc_net_tcp.html
    """
    process = Path("/proc") / str(process_id)
    inodes = {link.removeprefix("socket:[").removesuffix("]") for link in _links(process / "fd")}
    tables = [table for table in (process / "net" / "tcp", process / "net" / "tcp6") if table.exists()]
    rows = [row.split() for table in tables for row in table.read_text().splitlines()[1:]]
    return [row[1] for row in rows if row[3] == LISTENS and row[9] in inodes and row[1].split(":")[0] in ANY_ADDRESS]


def _links(folder: Path) -> Iterator[str]:
    for file in folder.iterdir():
        with suppress(FileNotFoundError):  # it is closed since, as this folder itself will be
            yield str(file.readlink())
