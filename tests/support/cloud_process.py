"""A local cloud in a process of its own: moto allows one in a process, and other tests have theirs in this one."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Self

import pytest

START_SECONDS = 60
SETTLE_SECONDS = 30

PROGRAM = f"""
import sys
from pipeline.local.cloud import LocalCloud
from pipeline.local.discovery import announce

with LocalCloud(seed=1, buffer_seconds=0.2) as cloud, announce(cloud.environment()):
    print("runs", flush=True)
    for _ in sys.stdin:
        cloud.settle({SETTLE_SECONDS})
        print("settled", flush=True)
"""


class CloudProcess:
    """Runs from when it is entered until it is left.

    Args:
        runtime_folder: The XDG_RUNTIME_DIR in which it is found.
    """

    def __init__(self, runtime_folder: Path) -> None:
        self._runtime_folder = str(runtime_folder)

    def __enter__(self) -> Self:
        environment = {**os.environ, "XDG_RUNTIME_DIR": self._runtime_folder}
        self._process = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-c", PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        self._await("runs")
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=START_SECONDS)  # the end of its input ends it

    def show(self, environment: pytest.MonkeyPatch) -> None:
        """Let the commands find it."""
        environment.setenv("XDG_RUNTIME_DIR", self._runtime_folder)

    def settle(self) -> None:
        """Return once everything sent so far is in log and table."""
        assert self._process.stdin
        self._process.stdin.write("settle\n")
        self._process.stdin.flush()
        self._await("settled")

    def _await(self, word: str) -> None:
        assert self._process.stdout
        assert self._process.stdout.readline() == f"{word}\n"
