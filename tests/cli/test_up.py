"""`mailfold up` runs a local cloud that others find and use, and leaves nothing behind."""

import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.command import WAIT_SECONDS, ended, refused, started, told
from tests.support.waiting import until

pytestmark = pytest.mark.slow

LAST_LINE = "Ctrl-C stops it. What it holds is gone then."
STOP_SECONDS = 8.0

APPLICATION = """
import sys
import boto3

to = {"ToAddresses": [sys.argv[2]]}
subject, body = {"Data": "Hello"}, {"Text": {"Data": "Hello."}}
match sys.argv[1]:
    case "ses":
        message = {"Subject": subject, "Body": body}
        boto3.client("ses").send_email(Source="news@example.com", Destination=to, Message=message)
    case "sesv2":
        content = {"Simple": {"Subject": subject, "Body": body}}
        boto3.client("sesv2").send_email(FromEmailAddress="news@example.com", Destination=to, Content=content)
"""


class Running:
    """A `mailfold up` in a process of its own, and what it printed."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        assert process.stdout
        self.lines = list(iter(lambda: process.stdout.readline().rstrip("\n"), LAST_LINE))  # type: ignore[union-attr]  # asserted above
        exports = [line.removeprefix("export ") for line in self.lines if line.startswith("export ")]
        self.environment = dict(shlex.split(export)[0].split("=", 1) for export in exports)

    def stop(self, number: signal.Signals) -> str:
        """Send it a signal, and return what it told people, once it has ended well."""
        began_s = time.monotonic()
        self.process.send_signal(number)
        _, words = self.process.communicate(timeout=WAIT_SECONDS)
        assert self.process.returncode == 0, words
        assert time.monotonic() - began_s < STOP_SECONDS
        return words

    def answers(self) -> bool:
        """Tell whether something listens at the address that it printed."""
        address = urlsplit(self.environment["AWS_ENDPOINT_URL"])
        try:
            socket.create_connection((address.hostname, address.port), 1).close()
        except OSError:
            return False
        return True


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where all that a cloud leaves must lie."""
    for name in ("runtime", "temporary"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    return tmp_path


@contextmanager
def up() -> Iterator[Running]:
    with started("up") as process:
        yield Running(process)


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if not path.is_dir() or path.name.startswith("mailfold-athena-")]


def becomes_suppressed(address: str) -> bool:
    return until(lambda: bool(told("lookup", "--json", address)[0]["suppressed"]))


def count_in_log(address: str) -> int:
    sql = "SELECT count(*) AS n FROM events WHERE contains(recipients, 'ADDRESS')".replace("ADDRESS", address)
    return until(lambda: int(told("query", sql, "--json")[0]["n"]))


def test_it_prints_what_to_export_and_an_application_that_has_only_that_sees_its_mail_bounce(folder: Path) -> None:
    with up() as running:
        for api in ("ses", "sesv2"):
            address = f"bounce+{api}@example.com"
            subprocess.run(  # noqa: S603 - our own program
                [sys.executable, "-c", APPLICATION, api, address],
                env=running.environment,
                cwd=folder,
                check=True,
                timeout=WAIT_SECONDS,
            )
            assert becomes_suppressed(address)
            assert count_in_log(address) >= 2
        assert "@" not in running.stop(signal.SIGINT)


def test_commands_in_other_processes_find_it_or_take_what_it_printed(folder: Path) -> None:
    with up() as running:
        sent = ended("send", "--to", "bounce+ann@example.com")
        assert (sent.returncode, sent.stdout[:14]) == (0, "sent: message ")
        assert becomes_suppressed("bounce+ann@example.com")
        elsewhere = {**running.environment, "XDG_RUNTIME_DIR": str(folder / "temporary"), "PATH": os.environ["PATH"]}
        looked_up = ended("lookup", "bounce+ann@example.com", env=elsewhere)
        assert looked_up.stdout.startswith("bounce+ann@example.com: suppressed (hard) since ")


def test_a_second_one_is_refused(folder: Path) -> None:
    with up() as running:
        second = ended("up")
        assert second.returncode == 2
        assert second.stderr == (
            f"mailfold: a local cloud runs already, at {running.environment['AWS_ENDPOINT_URL']}: "
            "use it, or stop it first\n"
        )
        assert running.answers()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_in_good_order_and_nothing_is_left(folder: Path, number: signal.Signals) -> None:
    with up() as running:
        assert ended("send", "--to", "bounce+ann@example.com").returncode == 0
        assert files_in(folder)
        assert running.stop(number) == "starting the local cloud …\nstopping …\n"
        assert files_in(folder) == []
        assert not running.answers()
        assert refused("lookup", "ann@example.com").startswith("no local cloud is running")


def test_it_outlives_its_terminal_if_it_is_told_to(folder: Path) -> None:
    previous = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # what nohup does: a process inherits it
    try:
        with up() as running:
            running.process.send_signal(signal.SIGHUP)
            assert ended("lookup", "ann@example.com").stdout == "ann@example.com: clear\n"
    finally:
        signal.signal(signal.SIGHUP, previous)


def test_a_signal_while_it_starts_ends_it_too(folder: Path) -> None:
    with started("up") as process:
        assert process.stderr
        assert process.stderr.readline() == "starting the local cloud …\n"
        process.send_signal(signal.SIGINT)
        _, words = process.communicate(timeout=WAIT_SECONDS)
        assert (process.returncode, words) == (0, "stopping …\n")
        assert files_in(folder) == []


def test_what_one_that_was_killed_leaves_is_no_trouble_to_the_next(folder: Path) -> None:
    with up() as killed:
        killed.process.kill()
        killed.process.wait(WAIT_SECONDS)
        [left] = (folder / "runtime").rglob("*.json")
        assert refused("lookup", "ann@example.com").startswith("no local cloud is running")
        assert not left.exists()
    with up() as running:
        left.write_text(left.read_text().replace(str(running.process.pid), str(killed.process.pid)))
        assert refused("lookup", "ann@example.com").startswith("no local cloud is running")
        running.stop(signal.SIGTERM)


def test_the_environment_of_the_user_does_not_lead_commands_astray(folder: Path) -> None:
    """A proxy, another endpoint, a session token: none of it has a part in a local cloud that was found."""
    astray = {
        "AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:9",
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
        "AWS_ACCESS_KEY_ID": "mine",
        "AWS_SECRET_ACCESS_KEY": "mine",
        "AWS_SESSION_TOKEN": "mine",
        "AWS_DEFAULT_REGION": "ap-southeast-2",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "http_proxy": "http://127.0.0.1:9",
    }
    with up():
        looked_up = ended("lookup", "ann@example.com", env={**os.environ, **astray})
        assert (looked_up.stdout, looked_up.returncode) == ("ann@example.com: clear\n", 0)


def test_it_takes_no_argument(folder: Path) -> None:
    assert ended("up", "now").returncode == 2
