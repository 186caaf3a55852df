"""A server in a separate process, on the loopback interface only.

Its files are in a separate folder. Its log is shown if it does not start.
"""

import itertools
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

START_SECONDS = 300.0
START_ATTEMPTS = 3  # ministack fails if another one listens on port 443 between its check and its own attempt
IN_USE = "Address already in use"
GRACE_SECONDS = 1.0  # between SIGTERM and SIGKILL; some servers wait for connected clients
POLL_SECONDS = 0.05
ANY_ADDRESS = frozenset({"00000000", "0" * 32})  # 0.0.0.0 and ::, as the kernel writes them
LISTENS = "0A"  # the kernel's number of the state LISTEN

# Below Linux's ephemeral ports (net.ipv4.ip_local_port_range), so that no outgoing connection takes one. Each process,
# such as a worker of pytest-xdist, has its own range, so that a port stays free until its server listens on it.
PORTS_PER_PROCESS = 20
FIRST_PORT = 10_000 + os.getpid() % 1_000 * PORTS_PER_PROCESS
_ports = itertools.cycle(range(FIRST_PORT, FIRST_PORT + PORTS_PER_PROCESS))


class Server:
    """A context manager that runs a server.

    Args:
        command: Command of the server.
        environment: Whole environment of the server.
        folder: Working folder, which also contains the log.
        answers: Returns True if the server can be used.
    """

    def __init__(
        self, command: Sequence[str], *, environment: Mapping[str, str], folder: Path, answers: Callable[[], bool]
    ) -> None:
        self._command, self._environment, self._folder, self._answers = command, environment, folder, answers
        self._log = folder / "log"

    def __enter__(self) -> Self:
        for attempt in range(1, START_ATTEMPTS + 1):
            self._start()
            try:
                self._await()
                break
            except AssertionError:
                self._stop()
                if attempt == START_ATTEMPTS or IN_USE not in self.log():
                    raise
            except BaseException:
                self._stop()
                raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    @property
    def process_id(self) -> int:
        """ID of the server's process."""
        return self._process.pid

    def log(self) -> str:
        """Return the output of the server so far."""
        return self._log.read_text(errors="replace")

    def _start(self) -> None:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - a command of the tests
                self._command,
                env=dict(self._environment),
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # so that its children can be killed with it
            )

    def _await(self) -> None:
        ends_at_seconds = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > ends_at_seconds:
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
    """Return a port of the loopback interface that no server uses, from the range of this process."""
    for port in itertools.islice(_ports, PORTS_PER_PROCESS):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError(f"all ports from {FIRST_PORT} on are in use")


def open_to_the_network(process_id: int) -> list[str]:
    """Return the sockets of a process that other machines can reach, as the kernel writes them.

    docs.kernel.org/networking/proc_net_tcp.html
    """
    process = Path("/proc") / str(process_id)
    inodes = {link.removeprefix("socket:[").removesuffix("]") for link in _links(process / "fd")}
    tables = [table for table in (process / "net" / "tcp", process / "net" / "tcp6") if table.exists()]
    rows = [row.split() for table in tables for row in table.read_text().splitlines()[1:]]
    return [row[1] for row in rows if row[3] == LISTENS and row[9] in inodes and row[1].split(":")[0] in ANY_ADDRESS]


def _links(folder: Path) -> Iterator[str]:
    for file in folder.iterdir():
        with suppress(FileNotFoundError):  # closed in the meantime, like the handle of this folder
            yield str(file.readlink())
