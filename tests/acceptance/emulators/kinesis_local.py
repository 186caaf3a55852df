"""kinesis-local, an emulator of Kinesis: a split shard is read to its end, and HTTP/2 spoken, as the KCL needs both.

`make emulator` installs it, as `make test` does, where there is Node. What it lacks: it is slow with tens of thousands
of records, does not follow a split by enhanced fan-out, and gives a new reader the children of a split shard too, which
the KCL takes for a hole: split a stream after it is read.
"""

import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.acceptance.emulators.server import Server, free_port

ROOT = Path(__file__).parents[3]
PACKAGE = ROOT / ".venv" / "kinesis-local" / "node_modules" / "kinesis-local"
LOOPBACK = Path(__file__).with_name("loopback.js")
ANSWER_SECONDS = 1.0
QUICK = "50ms"  # what takes AWS half a minute: making a stream, splitting a shard


@contextmanager
def running() -> Iterator[str]:
    """Start an empty one, give its address, and stop it at the end."""
    with server() as (_, url):
        yield url


@contextmanager
def server() -> Iterator[tuple[Server, str]]:
    """Start an empty one, give its process and its address, and stop it at the end."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("kinesis-local needs Node, and there is none on PATH")
    if not PACKAGE.exists():
        pytest.skip("kinesis-local is not installed: `make emulator` does it")
    port = free_port()
    with TemporaryDirectory(prefix="mailfold-kinesis-") as name:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": name,
            "TMPDIR": name,
            "KINESIS_MOCK_PLAIN_PORT": str(port),
            "KINESIS_MOCK_TLS_PORT": str(free_port()),
            "KINESIS_MOCK_CERT_PATH": str(PACKAGE / "server.json"),
            "CREATE_STREAM_DURATION": QUICK,
            "DELETE_STREAM_DURATION": QUICK,
            "SPLIT_SHARD_DURATION": QUICK,
            "MERGE_SHARDS_DURATION": QUICK,
            "LOG_LEVEL": "ERROR",
        }
        command = [node, "-r", str(LOOPBACK), str(PACKAGE / "main.js")]
        with Server(command, environment=environment, folder=Path(name), answers=lambda: _listens(port)) as started:
            yield started, f"http://127.0.0.1:{port}"


def _listens(port: int) -> bool:
    with socket.socket() as asking:
        asking.settimeout(ANSWER_SECONDS)
        return asking.connect_ex(("127.0.0.1", port)) == 0
