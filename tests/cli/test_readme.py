"""Every command that the README and the help texts show works as shown."""

import gzip
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import typer

from pipeline.cli.main import app
from pipeline.local.client import local_client
from pipeline.local.discovery import find
from tests.support.cloud_process import CloudProcess
from tests.support.command import COMMAND, ROOT, WAIT_SECONDS, run

README = (ROOT / "README.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
SHELL = [text for language, text in BLOCKS if language == "sh"]
PYTHON = [text for language, text in BLOCKS if language == "python"]

# What each target of make must end in. That it does what it should is what the other tests show, and the build.
TARGETS = {
    "demo": "mailfold demo",
    "test": "-m pytest",
    "test-full": "-m pytest",
    "quick": "-m pytest -m 'not slow'",
    "bench": "-m tests.benchmarks",
    "lint": "ruff check",
    "lock": "uv pip compile",
}

# What runs until it is stopped, and what needs a deployment: their own tests run these examples.
OF_THEIR_OWN = {"up", "demo", "consume", "doctor", "attach", "destroy"}


def examples() -> dict[str, str]:
    commands = typer.main.get_group(app).commands
    found = {
        name: re.search(r"^ *Example: (.+)$", command.help or "", re.MULTILINE) for name, command in commands.items()
    }
    return {name: match[1] if match else "" for name, match in found.items()}


def test_it_is_short() -> None:
    assert len(README.splitlines()) < 200


def test_it_begins_with_what_it_is_for_the_flow_and_the_two_commands() -> None:
    text = README.partition("Use it")[0]
    places = [text.index(part) for part in ("# Mailfold", "suppression", "```\n", "make demo", "make test")]
    assert places == sorted(places)


def test_every_relative_link_leads_somewhere() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_every_file_that_it_names_is_there() -> None:
    named = set(re.findall(r"`((?:\w+/)*\w+\.py|(?:\w+/)+)`", README))
    assert named
    assert [name for name in named if not ((ROOT / name).exists() or (ROOT / "pipeline" / name).exists())] == []


def test_every_command_that_it_names_is_there() -> None:
    assert set(re.findall(r"\bmailfold ([a-z]+)\b", "\n".join(SHELL))) <= set(examples())


def test_every_target_of_make_that_it_names_is_there_and_does_that() -> None:
    named = set(re.findall(r"\bmake ([\w-]+)\b", "\n".join([*SHELL, *re.findall(r"`([^`]+)`", README)])))
    assert {"demo", "test"} <= named <= set(TARGETS)
    for target in named:
        shown = subprocess.run(  # noqa: S603 - prints what it would do
            ["/usr/bin/env", "make", "--dry-run", target],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        assert TARGETS[target] in shown.stdout


def test_its_python_runs_and_gives_the_verdict() -> None:
    [program] = PYTHON
    ran = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (ran.stdout, ran.stderr) == ("hard\n", "")


@pytest.mark.slow
def test_its_commands_run_in_order_from_a_first_and_a_second_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{Path(COMMAND).parent}{os.pathsep}{os.environ['PATH']}")
    scripts = [script for script in SHELL if not script.startswith("make ")]
    [first] = [script for script in scripts if "mailfold up\n" in script]
    second = [script for script in scripts if script is not first]
    assert len(second) >= 3
    with subprocess.Popen(  # noqa: S603 - what the README says
        ["/bin/sh", "-ec", first], cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as terminal:
        try:
            assert terminal.stdout
            assert any(line.startswith("Ctrl-C") for line in terminal.stdout)
            outputs = [_output(script) for script in second]
            time.sleep(3)  # until what was sent is in the log
            again = [_output(script) for script in second]
        finally:
            os.killpg(terminal.pid, signal.SIGINT)
            terminal.wait(WAIT_SECONDS)
    assert "sent: message" in outputs[0]
    assert "bounce+ann@example.com: suppressed (hard) since" in again[0]
    assert "success+bob@example.com: clear" in again[0]
    assert "│ bounce " in again[0]
    assert '"kind":"bounce"' in outputs[1]
    assert "1 event taken in, 0 records ignored, 0 rejects set aside" in outputs[1]
    digests = re.findall(r"^digest ([0-9a-f]{64})$", outputs[2], re.MULTILINE)
    assert len(digests) == 2
    assert digests[0] == digests[1]


def _output(script: str) -> str:
    return subprocess.run(  # noqa: S603 - what the README says
        ["/bin/sh", "-ec", script], cwd=ROOT, capture_output=True, text=True, check=True, timeout=WAIT_SECONDS
    ).stdout


def test_every_command_has_help_of_one_sentence_and_an_example() -> None:
    for name, example in examples().items():
        assert example.startswith(f"mailfold {name}"), name
        shown = run(name, "--help").stdout
        assert "Example: mailfold" in shown


@pytest.mark.parametrize("name", [name for name in examples() if name not in OF_THEIR_OWN])
def test_every_example_of_the_help_runs(
    name: str, cloud: CloudProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that need more than a local cloud do so in tests of their own."""
    _prepare(tmp_path)
    monkeypatch.chdir(tmp_path)
    result = run(*shlex.split(examples()[name])[1:])
    assert result.exit_code == 0, result.output
    assert result.stdout


@pytest.mark.slow
def test_the_example_of_demo_runs() -> None:
    result = run(*shlex.split(examples()["demo"])[1:])
    assert result.exit_code == 0, result.output


def test_without_a_command_all_of_them_are_shown() -> None:
    shown = run("--help").stdout
    assert run().stdout.strip() == shown.strip()
    assert all(f"│ {name} " in shown for name in examples())


def _prepare(folder: Path) -> None:
    """Make what the examples name."""
    (folder / "schemas").symlink_to(ROOT / "schemas")
    event = (ROOT / "schemas/wire/examples/v1.send.pass.json").read_bytes()
    (folder / "events-2026-03.ndjson.gz").write_bytes(gzip.compress(event))
    environment = find()
    assert environment
    s3 = local_client("s3", endpoint_url=environment["AWS_ENDPOINT_URL"], region="us-east-1")
    s3.create_bucket(Bucket="old-archive")
    s3.put_object(Bucket="old-archive", Key="2025/events.json", Body=event)
    s3.close()
