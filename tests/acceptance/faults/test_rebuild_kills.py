"""A rebuild is killed at random moments, beside mail and look-ups: the live table answers, and nothing is lost."""

import os
import random
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from pipeline.aws.archive.fold import ArchiveFold
from pipeline.aws.archive.s3 import S3Archive
from pipeline.aws.dynamodb import DynamoSuppressionStore
from pipeline.aws.rebuild_state import RebuildState
from pipeline.aws.stack import parse_tables
from pipeline.digest import digest
from pipeline.local.discovery import find
from pipeline.lookup import LookupStatus, lookup
from pipeline.rebuild import ALLOWED_STEPS, RebuildCommand
from pipeline.replay import store_digest
from pipeline.timestamp import parse_time
from tests.support.cloud_process import CloudProcess, found_client
from tests.support.command import started

LONGEST_SECONDS = 12.0  # a whole rebuild of a small log takes about as long
END_SECONDS = 300.0


class Cloud:
    """A local cloud as a sender and a writer use it."""

    def __init__(self, process: CloudProcess) -> None:
        self.process = process
        environment = find()
        assert environment
        self._parameter, self.bucket = environment["MAILFOLD_TABLES_PARAMETER"], environment["MAILFOLD_BUCKET"]
        self.clients = {name: found_client(name) for name in ("dynamodb", "s3", "sesv2", "ssm")}
        self.arrived: list[str] = []

    def send(self, address: str) -> None:
        """Send a mail that bounces."""
        body = {"Subject": {"Data": "news"}, "Body": {"Text": {"Data": "news"}}}
        self.clients["sesv2"].send_email(
            FromEmailAddress="news@example.org",
            Destination={"ToAddresses": [address]},
            Content={"Simple": body},
            ConfigurationSetName="mailfold",
        )

    @property
    def live(self) -> DynamoSuppressionStore:
        """The table that senders read now."""
        value = self.clients["ssm"].get_parameter(Name=self._parameter)["Parameter"]["Value"]
        return DynamoSuppressionStore(self.clients["dynamodb"], table=parse_tables(value).live)

    def check_answers(self) -> None:
        """Fail unless every address whose bounce has arrived is suppressed."""
        now = parse_time("2030-01-01T00:00:00Z")
        assert now
        answers = lookup(list(self.arrived), store=self.live, now=now)
        assert {answer.status for answer in answers} <= {LookupStatus.SUPPRESSED}

    def commands(self) -> list[RebuildCommand]:
        """Return what can be requested of the rebuild that has begun; nothing if there is none."""
        stored = RebuildState(self.clients["s3"], bucket=self.bucket).read()
        return [command for command, steps in ALLOWED_STEPS.items() if stored and stored.rebuild.step in steps]


@contextmanager
def traffic(cloud: Cloud) -> Iterator[None]:
    """Send mail and look addresses up, until the end of the block."""
    stop, failures = threading.Event(), list[BaseException]()

    def work(step: Any) -> None:
        try:
            while not stop.wait(0.1):
                step()
        except BaseException as failure:  # noqa: BLE001 - raised in the test
            failures.append(failure)

    numbers = count()
    steps = (lambda: cloud.send(f"bounce+live{next(numbers)}@example.com"), cloud.check_answers)
    threads = [threading.Thread(target=work, args=(step,)) for step in steps]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(END_SECONDS)
    assert failures == []


def run_killed(environment: dict[str, str], *arguments: str, seconds: float | None) -> None:
    """Run a command, and kill it after so many seconds; None: let it end."""
    with started("rebuild", "--yes", *arguments, env=environment) as process:
        try:
            _, errors = process.communicate(timeout=END_SECONDS if seconds is None else seconds)
            assert process.returncode == 0, errors
        except subprocess.TimeoutExpired:
            assert seconds is not None
            process.kill()
            process.communicate(timeout=END_SECONDS)


@pytest.mark.parametrize(
    "kills",
    [pytest.param(3, marks=pytest.mark.slow), pytest.param(50, marks=pytest.mark.soak)],
)
def test_a_rebuild_that_is_killed_at_random_moments_loses_nothing(
    kills: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever was under way: fold, flip, rollback, finish or cancel. At the end, log and live table are equal."""
    chance = random.Random(kills)  # noqa: S311 - no secret
    with CloudProcess(tmp_path) as process:
        process.show(monkeypatch)
        cloud, environment = Cloud(process), {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}
        people = [f"bounce+{number}@example.com" for number in range(20)]
        for person in people:
            cloud.send(person)
        process.settle()
        cloud.arrived = people
        with traffic(cloud):
            for _ in range(kills):
                commands = cloud.commands()
                options = [f"--{chance.choice(commands)}"] if commands else []
                run_killed(environment, *options, seconds=chance.uniform(0, LONGEST_SECONDS))
                cloud.check_answers()
            while commands := cloud.commands():
                ending = next(command for command in reversed(commands) if command is not RebuildCommand.RESUME)
                run_killed(environment, f"--{ending}", seconds=None)
            run_killed(environment, seconds=None)
        process.settle()
        cloud.check_answers()
        fold = ArchiveFold(S3Archive(cloud.clients["s3"], bucket=cloud.bucket))
        assert digest(item for part in fold.standings() for item in part.items()) == store_digest(cloud.live)
