"""kinesis-local, an emulator of Kinesis with two features that the KCL needs: closed shards end, and HTTP/2.

`make emulator` installs it, and `make test` too. It is slow with tens of thousands of records,
and does not support a split with enhanced fan-out. It also returns the children of a split shard to a new reader, which
the KCL considers a hole. So split a stream after it is read.
"""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.acceptance.emulators.server import Server, free_port
from tests.support.node import NODE, node_package

LOOPBACK = Path(__file__).with_name("loopback.js")
ANSWER_SECONDS = 1.0
QUICK = "50ms"  # to create a stream or to split a shard, which takes AWS half a minute


@contextmanager
def running() -> Iterator[str]:
    """Run an empty emulator and yield its URL."""
    with server() as (_, url):
        yield url


@contextmanager
def server() -> Iterator[tuple[Server, str]]:
    """Run an empty emulator and yield its process and its URL."""
    package = node_package("kinesis-local")
    port = free_port()
    with TemporaryDirectory(prefix="mailfold-kinesis-") as name:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": name,
            "TMPDIR": name,
            "KINESIS_MOCK_PLAIN_PORT": str(port),
            "KINESIS_MOCK_TLS_PORT": str(free_port()),
            "KINESIS_MOCK_CERT_PATH": str(package / "server.json"),
            "CREATE_STREAM_DURATION": QUICK,
            "DELETE_STREAM_DURATION": QUICK,
            "SPLIT_SHARD_DURATION": QUICK,
            "MERGE_SHARDS_DURATION": QUICK,
            "LOG_LEVEL": "ERROR",
        }
        command = [NODE, "-r", str(LOOPBACK), str(package / "main.js")]
        with Server(command, environment=environment, folder=Path(name), answers=lambda: _listens(port)) as process:
            yield process, f"http://127.0.0.1:{port}"


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(ANSWER_SECONDS)
        return probe.connect_ex(("127.0.0.1", port)) == 0
