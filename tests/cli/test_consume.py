"""`mailfold consume`, with a program in Java's place that plays the daemon, and its usage errors."""

import json
import os
import signal
import socket
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.aws.kcl import configuration
from tests.aws.kcl.test_server import get
from tests.cli.conftest import clean
from tests.support.command import run_failing, started
from tests.support.waiting import until

WAIT_SECONDS = 300.0
# Prints its start, reports a shard, and ends as the real one does.
DAEMON = f"""#!{sys.executable}
import json, os, signal, sys
if "-version" in sys.argv:
    sys.exit('openjdk version "17"')
file = sys.argv[sys.argv.index("--properties-file") + 1]
print(json.dumps({{"arguments": sys.argv[1:], "properties": open(file).read(), "mode": os.stat(file).st_mode,
    "environment": dict(os.environ)}}), flush=True)
health = {{"shard": "shardId-0", "state": "processing", "reported_at": "2026-03-01T10:00:00Z", "records": 7}}
print(json.dumps({{"health": health}}, separators=(",", ":")), file=sys.stderr, flush=True)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
signal.pause()
"""
FAILING_DAEMON = f"""#!{sys.executable}
import sys; sys.exit('version "17"' if "-version" in sys.argv else 4)
"""
SETTINGS = {
    "MAILFOLD_TABLE": "suppression",
    "MAILFOLD_BUCKET": "mailfold-log",
    "MAILFOLD_STREAM": "feedback",
    "AWS_REGION": "eu-west-1",
}


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    clean(monkeypatch)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def java(tmp_path: Path) -> str:
    program = tmp_path / "a program" / "java"
    program.parent.mkdir()
    program.write_text(DAEMON)
    program.chmod(0o700)
    return str(program)


@pytest.fixture
def consumer(java: str) -> Iterator[Any]:
    with started("consume", "--java", java, "--health-port", "0", "--property", "maxRecords=7") as process:
        yield process


def read_json(process: Any) -> dict[str, Any]:
    """Return the next line of JSON in its output."""
    line: dict[str, Any] = json.loads(process.stderr.readline())
    return line


def test_a_daemon_starts_with_private_files_and_its_environment(consumer: Any) -> None:
    """Properties, environment, PATH and main class are those of the options and settings."""
    start, daemon = read_json(consumer), read_json(consumer)
    assert (start["message"], start["stream"], start["application"]) == ("consuming", "feedback", "mailfold-feedback")
    assert "maxRecords=7\n" in daemon["properties"]
    assert f"executableName={Path(sys.executable).name}\\ -m\\ pipeline.aws.projector_kcl\n" in daemon["properties"]
    assert stat.S_IMODE(daemon["mode"]) == 0o600
    assert daemon["environment"].items() >= {**SETTINGS, "AWS_DEFAULT_REGION": "eu-west-1"}.items()
    assert daemon["environment"]["PATH"].split(os.pathsep)[0] == str(Path(sys.executable).parent)
    assert "software.amazon.kinesis.multilang.MultiLangDaemon" in daemon["arguments"]


def test_health_is_served_until_sigterm_ends_it_in_order(consumer: Any, tmp_path: Path) -> None:
    """It leaves no files."""
    health = read_json(consumer)["health"]
    read_json(consumer)
    until(lambda: "shardId-0" in get(health)[2], timeout_seconds=WAIT_SECONDS)
    status, _, body = get(health)
    assert (status, json.loads(body)["workers"][0]["shards"][0]["records"]) == (200, 7)
    consumer.terminate()
    _, output = consumer.communicate(timeout=WAIT_SECONDS)
    assert consumer.returncode == 0, output
    assert json.loads(output.splitlines()[-1])["message"] == "stopped"
    assert [file.name for file in tmp_path.iterdir()] == ["a program"]


def test_the_next_start_removes_the_folder_of_a_killed_one(java: str, tmp_path: Path) -> None:
    """The folder of one that still runs stays, and so does an empty one, which may belong to one that starts."""
    options = ("consume", "--java", java, "--health-port", "0")

    def folders() -> set[Path]:
        return set(tmp_path.glob("mailfold-consume-*"))

    empty = tmp_path / "mailfold-consume-empty"
    empty.mkdir()
    with started(*options) as running:
        read_json(running), read_json(running)
        kept = folders()
        with started(*options) as killed:
            read_json(killed), read_json(killed)
            (abandoned,) = folders() - kept
            killed.kill()
            killed.wait(WAIT_SECONDS)
        assert abandoned.exists()
        with started(*options) as last:
            read_json(last), read_json(last)
            assert not abandoned.exists()
            assert kept < folders()


def test_latest_is_the_start_of_the_command_for_every_daemon(java: str) -> None:
    """A record that comes while a daemon is down is read by the next one, though no checkpoint was written."""
    Path(java).write_text(DAEMON.partition("signal.signal")[0])
    before = int(time.time())
    with started("consume", "--java", java, "--health-port", "0", "--from", "latest", "--restarts", "1") as process:
        _, output = process.communicate(timeout=WAIT_SECONDS)
    after = time.time()
    starts = [
        int(line.partition("=")[2])
        for entry in map(json.loads, filter(lambda line: line.startswith("{"), output.splitlines()))
        for line in entry.get("properties", "").splitlines()
        if line.startswith("initialPositionInStreamExtended=")
    ]
    assert len(starts) == 2
    assert len(set(starts)) == 1
    assert before <= starts[0] <= after


def test_a_daemon_that_ends_is_restarted_up_to_the_limit(java: str) -> None:
    """Then the command fails, with the exit code of the daemon in its message."""
    Path(java).write_text(FAILING_DAEMON)
    with started("consume", "--java", java, "--health-port", "0", "--restarts", "1") as process:
        _, output = process.communicate(timeout=WAIT_SECONDS)
    assert process.returncode == 5
    assert (
        output.splitlines()[-1]
        == "mailfold: the daemon failed 2 times in a row, the last time with exit code 4: read its log above"
    )


def test_health_is_503_while_a_daemon_is_down(java: str) -> None:
    """Between two starts, `/health` names the daemon and its exit code as the problem."""
    Path(java).write_text(FAILING_DAEMON)
    with started("consume", "--java", java, "--health-port", "0") as process:
        health = read_json(process)["health"]
        answers: list[tuple[int, str, str]] = []

        def is_down() -> bool:  # pauses double, so no poll is too slow for all of them
            answers.append(get(health))
            return answers[-1][0] == 503

        until(is_down, timeout_seconds=WAIT_SECONDS)
    status, _, body = answers[-1]
    assert status == 503
    assert json.loads(body)["problems"] == ["worker 0: the daemon ended with exit code 4 and restarts soon"]


def test_ctrl_c_twice_kills_a_daemon_that_does_not_end(java: str) -> None:
    """The command exits with 1, because the daemon did not end in order."""
    Path(java).write_text(Path(java).read_text().replace("lambda *_: sys.exit(143)", "signal.SIG_IGN"))
    with started("consume", "--java", java, "--health-port", "0") as process:
        read_json(process)
        read_json(process)
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        _, output = process.communicate(timeout=WAIT_SECONDS)
    assert (process.returncode, "killing the daemons" in output) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--from", "soon"], "--from takes trim-horizon, latest or a time"),
        (["--property", "maxRecords"], "--property takes NAME=VALUE"),
        (["--application", "a b"], "invalid name of a lease table: 'a b'"),
        (["--stream", "a b"], "MAILFOLD_STREAM"),
        (["--java", "/nowhere/java"], "the daemon needs Java 8 or newer"),
    ],
)
def test_a_wrong_option_is_a_usage_error(arguments: list[str], message: str) -> None:
    """One line names the option and the values that it takes."""
    assert message in run_failing("consume", *arguments)


@pytest.mark.parametrize("name", ["MAILFOLD_STREAM", "MAILFOLD_TABLE", "AWS_REGION"])
def test_a_missing_setting_is_named(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Without it, nothing starts."""
    monkeypatch.delenv(name)
    assert name in run_failing("consume")


def test_without_stack_or_settings_the_error_names_both(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stack is the usual way, and the variables are the other."""
    for name in ("MAILFOLD_TABLE", "MAILFOLD_BUCKET"):
        monkeypatch.delenv(name)
    assert "which stack? Set --stack, or set MAILFOLD_TABLE" in run_failing("consume")


def test_without_the_extra_the_error_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """It names the extra `kcl`."""
    monkeypatch.setattr(configuration, "find_spec", lambda _: None)
    assert "pip install 'mailfold[kcl]'" in run_failing("consume")


def test_a_port_in_use_is_a_usage_error(java: str) -> None:
    """It is reported before a daemon starts."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        assert f"port {port}" in run_failing("consume", "--java", java, "--health-port", port)
