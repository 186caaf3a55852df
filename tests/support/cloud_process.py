"""A local cloud in another process: moto runs once in a process, and other tests use it in this one."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

import pytest

from pipeline.aws.clients import Service
from pipeline.local.client import local_client
from pipeline.local.discovery import find

START_SECONDS = 300.0
SETTLE_SECONDS = 300.0

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
    """A context manager that runs the cloud.

    Args:
        runtime_folder: XDG_RUNTIME_DIR in which commands find it.
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
        self._process.communicate(timeout=START_SECONDS)  # it ends at the end of its input

    def show(self, environment: pytest.MonkeyPatch) -> None:
        """Let commands of this process find it."""
        environment.setenv("XDG_RUNTIME_DIR", self._runtime_folder)

    def settle(self) -> None:
        """Wait until everything sent so far is in log and table."""
        assert self._process.stdin
        self._process.stdin.write("settle\n")
        self._process.stdin.flush()
        self._await("settled")

    def _await(self, word: str) -> None:
        assert self._process.stdout
        assert self._process.stdout.readline() == f"{word}\n"


def found_client(service: Service) -> Any:
    """Return a boto3 client of the cloud that commands find."""
    environment = find()
    assert environment
    return local_client(
        service,
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        region=environment["AWS_DEFAULT_REGION"],
        access_key_id=environment["AWS_ACCESS_KEY_ID"],
    )
