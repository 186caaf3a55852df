"""`mailfold consume` as a process, as an operator runs it."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, build_opener

from pipeline.aws.kcl.configuration import find_java
from pipeline.aws.kcl.health import ShardState
from tests.acceptance.emulators.server import free_port
from tests.acceptance.kcl.process import children
from tests.support.command import COMMAND, ROOT
from tests.support.waiting import until

START_SECONDS = 240.0
STOP_SECONDS = 300.0
ANSWER_SECONDS = 5.0
# Shorter than a deployment needs, because each start and each handover waits for all of these.
# github.com/awslabs/amazon-kinesis-client: DynamicMigrationComponentsInitializer.java, LeaseAssignmentManager.java
PROPERTIES = {
    "failoverTimeMillis": 3_000,  # shorter leases expire on a busy machine
    # A leader that ends in the middle of an assignment may not release its lock, and its successor waits two minutes.
    "leaseAssignmentIntervalMillis": 2_000,
    "inMemoryWorkerMetricsCaptureFrequencyMillis": 20,  # a worker gets shards after two captures
    "workerMetricsReporterFreqInMillis": 3_000,
    "shardSyncIntervalMillis": 2_000,
    "parentShardPollIntervalMillis": 1_000,
    "idleTimeBetweenReadsInMillis": 250,
}
SETTINGS = {"MAILFOLD_CHECKPOINT_SECONDS": "1", "MAILFOLD_GRACE": "10"}
# A daemon that lives for a minute does not recover the cost of the optimizing compiler: 3.4 s of CPU instead of 5.6 s.
FAST_START = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"


class Consumer:
    """A consumer that runs from the moment when it is created.

    Attributes:
        folder: The folder of its log and its temporary files.
    """

    def __init__(self, environment: Mapping[str, str], log: Path, *arguments: str) -> None:
        self.port, self._log, self.folder = free_port(), log, log.parent
        properties = [word for name, value in PROPERTIES.items() for word in ("--property", f"{name}={value}")]
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MAILFOLD_"))}
        settings = {**SETTINGS, "MAILFOLD_JAVA": _fast_java(self.folder), "TMPDIR": str(self.folder)}
        with log.open("ab") as output:
            self.process = subprocess.Popen(  # noqa: S603 - our own command
                [COMMAND, "consume", "--health-port", str(self.port), *properties, *arguments],
                cwd=ROOT,
                env={**inherited, **settings, **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    def health(self) -> dict[str, Any]:
        """Return the answer of `/health`, or nothing if there is none."""
        url = f"http://127.0.0.1:{self.port}/health"
        with suppress(OSError):
            try:
                with build_opener(ProxyHandler({})).open(url, timeout=ANSWER_SECONDS) as answer:
                    return {"status": answer.status, **json.load(answer)}
            except HTTPError as error:
                with error:
                    return {"status": error.code, **json.load(error)}
        return {}

    def workers(self) -> list[dict[str, Any]]:
        """Return the health of each worker."""
        workers: list[dict[str, Any]] = self.health().get("workers", [])
        return workers

    def shards(self) -> dict[str, Mapping[str, Any]]:
        """Return the health of each shard by its id: from the worker that reads it, if there is one."""
        entries = [shard for worker in self.workers() for shard in worker["shards"]]
        return {shard["shard"]: shard for shard in sorted(entries, key=_is_read)}

    def active_shards(self) -> set[str]:
        """Return the ids of the shards that it reads."""
        return {name for name, shard in self.shards().items() if _is_read(shard)}

    def records(self) -> int:
        """Return the number of records that it has done, with those of daemons that ended."""
        return sum(int(shard["records"]) for worker in self.workers() for shard in worker["shards"])

    def restarts(self) -> int:
        """Return the number of daemons that it has restarted."""
        return sum(int(worker["restarts"]) for worker in self.workers())

    def await_shards(self, number: int) -> None:
        """Wait until it reads so many shards."""
        until(
            lambda: len(self.active_shards()) >= number or self.process.poll() is not None,
            timeout_seconds=START_SECONDS,
        )
        assert len(self.active_shards()) >= number, self.log()

    def stop(self) -> int:
        """Request an orderly end, and return its exit code."""
        self.process.terminate()
        return self.process.wait(STOP_SECONDS)

    def kill(self) -> None:
        """Kill it with everything that it started, if it still runs."""
        daemons = self.daemons()  # each leads its own process group
        self.process.kill()
        self.process.wait()
        for daemon in daemons:
            with suppress(ProcessLookupError):
                os.killpg(daemon, signal.SIGKILL)

    def log(self) -> str:
        """Return its output."""
        return self._log.read_text(errors="replace")

    def daemons(self) -> list[int]:
        """Return the process ids of its daemons."""
        return children(self.process.pid)

    def family(self) -> list[int]:
        """Return the process ids of itself, its daemons and their record processors."""
        daemons = self.daemons()
        return [self.process.pid, *daemons, *(child for daemon in daemons for child in children(daemon))]


@contextmanager
def consuming(environment: Mapping[str, str], log: Path, *arguments: str) -> Iterator[Consumer]:
    """Run a consumer with these environment variables, and kill it at the end if it still runs."""
    consumer = Consumer(environment, log, *arguments)
    try:
        yield consumer
    finally:
        consumer.kill()


def _is_read(shard: Mapping[str, Any]) -> bool:
    return not ShardState(shard["state"]).has_ended


def _fast_java(folder: Path) -> str:
    """Return a script that runs Java with `FAST_START`: Java would report JDK_JAVA_OPTIONS in a line without JSON."""
    java = folder / "java"
    if not java.exists():
        java.write_text(f'#!/bin/sh\nexec "{_java()}" {FAST_START} "$@"\n')
        java.chmod(0o700)
    return str(java)


@cache
def _java() -> str:
    return find_java(os.environ)
