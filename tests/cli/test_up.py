"""`mailfold up` runs a local cloud that other processes find and use, and leaves nothing behind."""

import os
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.command import WAIT_SECONDS, json_lines, run_failing, run_process, started
from tests.support.waiting import until

pytestmark = pytest.mark.slow

LAST_LINE = "Ctrl-C stops it. What it holds is gone then."

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


ENDLESS_QUERIES = """
import boto3

athena = boto3.client("athena")
for _ in range(6):
    sql = "WITH RECURSIVE t (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT count(*) FROM t"
    athena.start_query_execution(QueryString=sql)
"""


class Running:
    """A `mailfold up` in another process, with its output."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        assert process.stdout
        self.lines = [line.rstrip("\n") for line in iter(process.stdout.readline, f"{LAST_LINE}\n")]
        exports = [line.removeprefix("export ") for line in self.lines if line.startswith("export ")]
        self.environment = dict(shlex.split(export)[0].split("=", 1) for export in exports)

    def stop(self, number: signal.Signals) -> str:
        """Send it a signal, and return its standard error once it has succeeded."""
        self.process.send_signal(number)
        _, errors = self.process.communicate(timeout=WAIT_SECONDS)
        assert self.process.returncode == 0, errors
        return errors

    def is_listening(self) -> bool:
        """Return True if the port that it printed is open."""
        address = urlsplit(self.environment["AWS_ENDPOINT_URL"])
        try:
            socket.create_connection((address.hostname, address.port), 1).close()
        except OSError:
            return False
        return True


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for all files of a cloud."""
    for name in ("runtime", "temporary"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    return tmp_path


@contextmanager
def up(*options: str) -> Iterator[Running]:
    """Run the command."""
    with started("up", *options) as process:
        yield Running(process)


def files_in(folder: Path) -> list[Path]:
    """Return all files, and the folders of the log."""
    return [path for path in folder.rglob("*") if not path.is_dir() or path.name.startswith("mailfold-athena-")]


def becomes_suppressed(address: str) -> bool:
    """Wait until an address is suppressed, and return True if it is."""
    return until(lambda: bool(json_lines("lookup", "--json", address)[0]["suppressed"]))


def count_in_log(address: str) -> int:
    """Wait until an address has events in the log, and return their number."""
    sql = "SELECT count(*) AS n FROM events WHERE contains(recipients, 'ADDRESS')".replace("ADDRESS", address)
    return until(lambda: int(json_lines("query", sql, "--json")[0]["n"]))


def test_an_application_needs_only_the_printed_environment(folder: Path) -> None:
    """Mail that an application sends with the exported variables bounces, suppresses and is in the log."""
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


def test_commands_in_other_processes_find_it(folder: Path) -> None:
    """Commands find the cloud by its file, or use the exported variables where the file is not visible."""
    with up() as running:
        sent = run_process("send", "--to", "bounce+ann@example.com")
        assert (sent.returncode, sent.stdout[:14]) == (0, "sent: message ")
        assert becomes_suppressed("bounce+ann@example.com")
        elsewhere = {**running.environment, "XDG_RUNTIME_DIR": str(folder / "temporary"), "PATH": os.environ["PATH"]}
        looked_up = run_process("lookup", "bounce+ann@example.com", env=elsewhere)
        assert looked_up.stdout.startswith("bounce+ann@example.com: suppressed (hard) since ")


def test_a_second_one_is_a_usage_error(folder: Path) -> None:
    """The message contains the endpoint of the first one, which still runs."""
    with up() as running:
        second = run_process("up")
        assert second.returncode == 2
        assert second.stderr == (
            f"mailfold: a local cloud runs already, at {running.environment['AWS_ENDPOINT_URL']}: "
            "use it, or stop it first\n"
        )
        assert running.is_listening()


def test_a_signal_ends_it_while_queries_run_and_wait(folder: Path) -> None:
    """The first Ctrl-C is enough, although a worker of the query engine may be the thread that gets the signal."""
    with up() as running:
        start_queries = [sys.executable, "-c", ENDLESS_QUERIES]
        subprocess.run(start_queries, env=running.environment, check=True, timeout=WAIT_SECONDS)  # noqa: S603 - our own
        running.stop(signal.SIGINT)
        assert files_in(folder) == []


def test_port_and_request_log_are_options(folder: Path) -> None:
    """The address has the port, and each request is a line, without an address."""
    with up() as first:
        port = str(urlsplit(first.environment["AWS_ENDPOINT_URL"]).port)
        first.stop(signal.SIGINT)
    with up("--port", port, "--log-requests", "--require-verified") as running:
        assert running.environment["AWS_ENDPOINT_URL"] == f"http://127.0.0.1:{port}"
        assert "not verified" in run_process("send", "--to", "bounce+ann@example.com").stderr
        lines = running.stop(signal.SIGINT).splitlines()
    assert any(line.startswith("ses POST /v2/email/outbound-emails 400 ") for line in lines)
    assert not [line for line in lines if "@" in line]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_and_leaves_nothing(folder: Path, number: signal.Signals) -> None:
    """After each signal the command exits with 0, without a file or a port."""
    with up() as running:
        assert run_process("send", "--to", "bounce+ann@example.com").returncode == 0
        assert files_in(folder)
        assert running.stop(number) == "starting the local cloud …\nstopping …\n"
        assert files_in(folder) == []
        assert not running.is_listening()
        assert run_failing("lookup", "ann@example.com").startswith("no local cloud is running")


def test_under_nohup_it_outlives_its_terminal(folder: Path) -> None:
    """SIGHUP has no effect if it was ignored when the command started."""
    previous = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # what nohup does: a process inherits it
    try:
        with up() as running:
            running.process.send_signal(signal.SIGHUP)
            assert run_process("lookup", "ann@example.com").stdout == "ann@example.com: clear\n"
    finally:
        signal.signal(signal.SIGHUP, previous)


def test_a_signal_during_the_start_ends_it(folder: Path) -> None:
    """The command finishes its start, and then stops without leaving a file."""
    with started("up") as process:
        assert process.stderr
        assert process.stderr.readline() == "starting the local cloud …\n"
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=WAIT_SECONDS)
        assert (process.returncode, errors) == (0, "stopping …\n")
        assert files_in(folder) == []


def test_the_file_of_a_killed_one_is_ignored(folder: Path) -> None:
    """The file that a killed process leaves is removed, and a new cloud starts and is found."""
    with up() as killed:
        killed.process.kill()
        killed.process.wait(WAIT_SECONDS)
        [file] = (folder / "runtime").rglob("*.json")
        assert run_failing("lookup", "ann@example.com").startswith("no local cloud is running")
        assert not file.exists()
    with up() as running:
        file.write_text(file.read_text().replace(str(running.process.pid), str(killed.process.pid)))
        assert run_failing("lookup", "ann@example.com").startswith("no local cloud is running")
        running.stop(signal.SIGTERM)


def test_commands_ignore_the_users_environment(folder: Path) -> None:
    """A proxy, another endpoint and a session token have no effect on commands that find a local cloud."""
    environment = {
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
        looked_up = run_process("lookup", "ann@example.com", env={**os.environ, **environment})
        assert (looked_up.stdout, looked_up.returncode) == ("ann@example.com: clear\n", 0)


def test_it_takes_no_argument(folder: Path) -> None:
    """An argument is a usage error."""
    assert run_process("up", "now").returncode == 2
