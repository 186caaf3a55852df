"""`mailfold consume` as a process of its own, as an operator runs it."""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, build_opener

from tests.acceptance.emulators.server import free_port
from tests.acceptance.kcl.process import children
from tests.support.command import COMMAND, ROOT
from tests.support.waiting import until

START_SECONDS = 150.0
STOP_SECONDS = 40.0
ANSWER_SECONDS = 5.0
# Quicker than AWS would like: tests wait for all of these.
QUICK = {
    "failoverTimeMillis": 3_000,
    "leaseAssignmentIntervalMillis": 3_000,
    "shardSyncIntervalMillis": 2_000,
    "parentShardPollIntervalMillis": 1_000,
    "idleTimeBetweenReadsInMillis": 250,
    "workerMetricsReporterFreqInMillis": 3_000,
}
OF_TESTS = {"MAILFOLD_CHECKPOINT_SECONDS": "1", "MAILFOLD_GRACE": "10"}


class Consumer:
    """Runs from when it is made."""

    def __init__(self, environment: Mapping[str, str], log: Path, *arguments: str) -> None:
        self.port, self._log = free_port(), log
        properties = [word for name, value in QUICK.items() for word in ("--property", f"{name}={value}")]
        ours = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MAILFOLD_"))}
        with log.open("ab") as output:
            self.process = subprocess.Popen(  # noqa: S603 - our own command
                [COMMAND, "consume", "--health-port", str(self.port), *properties, *arguments],
                cwd=ROOT,
                env={**ours, **OF_TESTS, **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    def health(self) -> dict[str, Any]:
        """Return what the health endpoint says; nothing, if it does not answer."""
        url = f"http://127.0.0.1:{self.port}/health"
        with suppress(OSError):
            try:
                with build_opener(ProxyHandler({})).open(url, timeout=ANSWER_SECONDS) as answer:
                    return {"status": answer.status, **json.load(answer)}
            except HTTPError as error:
                with error:
                    return {"status": error.code, **json.load(error)}
        return {}

    def shards(self) -> dict[str, Mapping[str, Any]]:
        """Return how each shard fares on any of its daemons."""
        return {shard["shard"]: shard for worker in self.health().get("workers", []) for shard in worker["shards"]}

    def await_shards(self, number: int) -> None:
        """Return once it has so many shards."""
        until(lambda: len(self.shards()) >= number or self.process.poll() is not None, timeout_seconds=START_SECONDS)
        assert len(self.shards()) >= number, self.log()

    def stop(self) -> int:
        """Ask it to end, and return its exit code."""
        self.process.terminate()
        return self.process.wait(STOP_SECONDS)

    def log(self) -> str:
        """Return what it wrote."""
        return self._log.read_text(errors="replace")

    def daemons(self) -> list[int]:
        """Return the processes of its daemons: its children."""
        return children(self.process.pid)


@contextmanager
def consuming(environment: Mapping[str, str], log: Path, *arguments: str) -> Iterator[Consumer]:
    """Run a consumer with that in its environment, and end it in any case; its daemons end with it."""
    consumer = Consumer(environment, log, *arguments)
    try:
        yield consumer
    finally:
        if consumer.process.poll() is None:
            consumer.process.terminate()
            try:
                consumer.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                consumer.process.kill()
                consumer.process.wait()
