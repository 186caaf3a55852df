"""The KCL's MultiLangDaemon as a process: start it, read its output, stop it.

The daemon and its record processors run in a process group of their own. So Ctrl-C in a terminal reaches only the
supervisor, which stops them in order, and no record processor is left behind.
"""

import os
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, cast

import msgspec

from pipeline.aws.kcl import parent_death
from pipeline.aws.kcl.configuration import ConsumerConfiguration, java_switches, logging_text, properties_text

MAIN_CLASS = "software.amazon.kinesis.multilang.MultiLangDaemon"
RECORD_PROCESSOR = "pipeline.aws.projector_kcl"


class DaemonLauncher(msgspec.Struct, frozen=True, kw_only=True):
    """Starts daemons.

    A restarted daemon keeps the name of its predecessor, which must have ended, and with the name its shards. Under
    another name it has no shard until the fleet's leader assigns one. If the leader itself died, the KCL waits two
    minutes for it (DynamoDBLockBasedLeaderDecider).

    Attributes:
        consumer: The stream to consume, and how.
        name: The start of its daemons' names, unique among all that ever ran: see `new_worker_name`.
        java: Path of a Java.
        classpath: The daemon's jars.
        folder: A folder that only this user can read and write.
        environment: The environment of the daemons and their record processors.
    """

    consumer: ConsumerConfiguration
    name: str
    java: str
    classpath: str
    folder: Path
    environment: Mapping[str, str]

    def worker_name(self, number: int) -> str:
        """Return the name of a worker, which owns its leases."""
        return f"{self.name}:{number}"

    def start(self, number: int) -> "Daemon":
        """Start the daemon of a worker."""
        python = Path(sys.executable)
        properties, logging = self.folder / f"{number}.properties", self.folder / f"{number}.logback.xml"
        command = f"{python.name} -m {RECORD_PROCESSOR}"
        text = properties_text(self.consumer, command=command, worker=self.worker_name(number))
        _write_private(properties, text)
        _write_private(logging, logging_text(self.consumer))
        options = ["--properties-file", str(properties), "--log-configuration", str(logging)]
        return Daemon(
            [self.java, *java_switches(self.consumer), "-cp", self.classpath, MAIN_CLASS, *options],
            environment=self._daemon_environment(python.parent),
        )

    def _daemon_environment(self, python_folder: Path) -> dict[str, str]:
        """Return the environment with this Python first on PATH: the daemon cannot run a path with a space."""
        path = f"{python_folder}{os.pathsep}{self.environment.get('PATH', os.defpath)}"
        return {**self.environment, "PATH": path, "PYTHONUTF8": "1"}  # the daemon writes UTF-8 in any locale


class Daemon:
    """A running daemon.

    The thread that creates it must outlive it: Linux takes that thread for its parent (`parent_death`).
    """

    def __init__(self, command: Sequence[str], *, environment: Mapping[str, str]) -> None:
        """Start the daemon.

        Args:
            command: The command to run. Its first word is a path.
            environment: The whole environment.
        """
        self._process = subprocess.Popen(  # noqa: S603 - a command of `DaemonLauncher`, or of a test
            [sys.executable, "-IS", parent_death.__file__, str(os.getpid()), *command],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,  # only a crash of Java writes to standard output
            start_new_session=True,
        )
        self._output = cast("IO[bytes]", self._process.stdout)

    def lines(self) -> Iterator[bytes]:
        """Yield the lines that the daemon and its record processors write, until it ends."""
        with self._output:
            yield from self._output

    def wait(self) -> int:
        """Return the exit code of a daemon that has closed its output. Kills the processes that it left behind."""
        self.kill()
        code = self._process.wait()
        with suppress(ChildProcessError):  # the first process of a container inherits and must reap them
            while True:
                os.waitpid(-self._process.pid, 0)
        return code

    def stop(self) -> None:
        """Request an orderly end: the daemon writes checkpoints and releases its shards."""
        self._process.terminate()

    def kill(self) -> None:
        """Kill the daemon and its record processors."""
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)


def new_worker_name() -> str:
    """Return a unique worker name that shows the host and the process."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4()}"


def _write_private(file: Path, text: str) -> None:
    file.touch(mode=0o600)
    file.write_text(text)
