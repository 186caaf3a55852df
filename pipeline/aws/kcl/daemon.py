"""The Kinesis Client Library's MultiLangDaemon as a process: started, listened to, stopped.

It runs in a process group of its own, with the record processors that it starts, so that Ctrl-C on a terminal reaches
nobody but whoever is to stop it in good order, and so that none of them is left behind.
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
PROCESSOR = "pipeline.aws.projector_kcl"


class Daemon:
    """A daemon that runs.

    The thread that makes it must live as long as it does: the kernel takes that thread for its parent (`tether`).
    """

    def __init__(self, command: Sequence[str], *, environment: Mapping[str, str]) -> None:
        """Start it.

        Args:
            command: What to run, its first word a path.
            environment: All that it finds in its environment.
        """
        self._process = subprocess.Popen(  # noqa: S603 - made below, or by a test
            [sys.executable, "-IS", parent_death.__file__, str(os.getpid()), *command],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,  # nothing is meant to be on the other; a crash of Java's is
            start_new_session=True,
        )
        self._output = cast("IO[bytes]", self._process.stdout)

    def lines(self) -> Iterator[bytes]:
        """Give the lines that it, and its record processors, write, until it ends."""
        with self._output:
            yield from self._output

    def wait(self) -> int:
        """Return the exit code of a daemon that has closed its output; whatever it left behind is ended too."""
        self.kill()
        code = self._process.wait()
        with suppress(ChildProcessError):  # where this process is a container's first, those become its children
            while True:
                os.waitpid(-self._process.pid, 0)
        return code

    def stop(self) -> None:
        """Ask it to end in good order: with checkpoints, and its shards given back."""
        self._process.terminate()

    def kill(self) -> None:
        """End it, and its record processors, at once."""
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)


def new_name() -> str:
    """Return a name that no worker ever had, and that says where it is."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4()}"


class Launch(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a daemon is started with.

    A daemon has the name of the one in whose place it is started, which must have ended: so it keeps its shards. Under
    another name it has none until the fleet's leader assigns it some; and if the leader was the one that died, the KCL
    waits two minutes for it (its DynamoDBLockBasedLeaderDecider).

    Attributes:
        consumer: What is consumed.
        name: What all of its daemons' names begin with, and no other worker's name ever did: see `new_name`.
        java: The path of a Java.
        classpath: The daemon's jars.
        folder: A folder that nobody else can read or write.
        environment: What the daemon and its record processors find in their environment.
    """

    consumer: ConsumerConfiguration
    name: str
    java: str
    classpath: str
    folder: Path
    environment: Mapping[str, str]

    def start(self, number: int) -> Daemon:
        """Start the daemon of that number."""
        program = Path(sys.executable)
        properties, logging = self.folder / f"{number}.properties", self.folder / f"{number}.logback.xml"
        _write(
            properties,
            properties_text(self.consumer, command=f"{program.name} -m {PROCESSOR}", worker=f"{self.name}:{number}"),
        )
        _write(logging, logging_text(self.consumer))
        switches = ["--properties-file", str(properties), "--log-configuration", str(logging)]
        return Daemon(
            [self.java, *java_switches(self.consumer), "-cp", self.classpath, MAIN_CLASS, *switches],
            environment=self._environment(program.parent),
        )

    def _environment(self, programs: Path) -> dict[str, str]:
        """Return the environment with this Python first on its path: the daemon cannot take a path with a space."""
        path = f"{programs}{os.pathsep}{self.environment.get('PATH', os.defpath)}"
        return {**self.environment, "PATH": path, "PYTHONUTF8": "1"}  # the daemon writes UTF-8, whatever the locale


def _write(file: Path, text: str) -> None:
    file.touch(mode=0o600)
    file.write_text(text)
