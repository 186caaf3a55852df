"""Every command in the README and in the help texts runs as shown."""

import gzip
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.cli.main import COMMANDS, load_command, subcommands
from pipeline.local.discovery import find
from pipeline.local.resources import Names
from tests.support.cloud_process import CloudProcess, found_client
from tests.support.command import COMMAND, ROOT, WAIT_SECONDS, run
from tests.support.leftovers import a_quarantine_object
from tests.support.waiting import until

README = (ROOT / "README.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / ".github/CONTRIBUTING.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
SHELL = [text for language, text in BLOCKS if language == "sh"]
PYTHON = [text for language, text in BLOCKS if language == "python"]

# The program that each target of make runs.
TARGETS = {
    "demo": "mailfold demo",
    "test": "-m pytest",
    "test-full": "-m pytest",
    "quick": "-m 'not slow and not soak'",
    "soak": "-m soak",
    "bench": "-m tests.benchmarks",
    "fuzz": "-m tests.fuzz",
    "mutants": "-m tests.mutants",
    "lint": "ruff check",
    "lock": "uv pip compile",
}

# Commands that run until they are stopped, or need a deployment. Their own tests run the examples.
TESTED_ELSEWHERE = {"up", "demo", "consume", "doctor", "attach", "destroy", "undo"}


@pytest.fixture(scope="module")
def readers_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudProcess]:
    """A local cloud of this module: an example makes another table the live one."""
    with CloudProcess(tmp_path_factory.mktemp("readme")) as process:
        yield process


@pytest.fixture
def cloud(_environment: None, readers_cloud: CloudProcess, monkeypatch: pytest.MonkeyPatch) -> CloudProcess:
    """The cloud of this module, which a test's commands discover."""
    readers_cloud.show(monkeypatch)
    return readers_cloud


def examples() -> dict[str, str]:
    """Return the example in the help of each command and sub-command, or an empty text."""
    helps = {
        name if command.name == name else f"{name} {command.name}": command.help
        for name in COMMANDS
        for command in subcommands(load_command(name))
    }
    matches = {name: re.search(r"^ *Example: (.+)$", text, re.MULTILINE) for name, text in helps.items()}
    return {name: match[1] if match else "" for name, match in matches.items()}


def test_the_readme_is_short() -> None:
    """The README has fewer than 200 lines."""
    assert len(README.splitlines()) < 200


def test_the_readme_begins_with_purpose_flow_and_two_commands() -> None:
    """Purpose, flow, `make demo` and `make test` come first, in this order."""
    text = README.partition("Use it")[0]
    places = [text.index(part) for part in ("# Mailfold", "suppression", "```\n", "make demo", "make test")]
    assert places == sorted(places)


def test_every_relative_link_has_a_target() -> None:
    """Every relative link of the README names a file or a folder."""
    links = re.findall(r"\]\((?!https?:)([^)#]+)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_every_named_file_exists() -> None:
    """Every file and folder in backticks exists."""
    named = set(re.findall(r"`((?:\w+/)*\w+\.py|(?:\w+/)+)`", README))
    assert named
    assert [name for name in named if not ((ROOT / name).exists() or (ROOT / "pipeline" / name).exists())] == []


def test_every_named_command_exists() -> None:
    """Every `mailfold` command in the README is one of the table of commands."""
    assert set(re.findall(r"\bmailfold ([a-z]+)\b", "\n".join(SHELL))) <= set(COMMANDS)


def test_every_named_make_target_runs_its_program() -> None:
    """Every `make` target in the README, and in the table of tests, exists and runs the program that it is for."""
    named = set(re.findall(r"\bmake ([\w-]+)\b", "\n".join([*SHELL, *re.findall(r"`([^`]+)`", README)])))
    named |= set(re.findall(r"^\| `make ([\w-]+)` \|", CONTRIBUTING, re.MULTILINE))
    assert {"demo", "test", "fuzz", "mutants"} <= named <= set(TARGETS)
    for target in named:
        dry_run = subprocess.run(  # noqa: S603 - a dry run
            ["/usr/bin/env", "make", "--dry-run", target],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
            timeout=WAIT_SECONDS,
        )
        assert TARGETS[target] in dry_run.stdout


def test_the_first_demo_says_what_it_installs() -> None:
    """Nothing is silent for minutes: each step is announced, and the download of the libraries shows its progress."""
    dry_run = subprocess.run(
        ["/usr/bin/env", "make", "--dry-run", "--always-make", ".venv/demo"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=WAIT_SECONDS,
    )
    steps = re.findall(r'^echo "(\d)/4 .*\n(.*)', dry_run.stdout, re.MULTILINE)
    assert [number for number, _ in steps] == ["1", "2", "3", "4"]
    assert "infra/local.lock" in steps[2][1]
    assert "--quiet" not in steps[2][1]


def test_the_python_example_asks_the_table(cloud: CloudProcess) -> None:
    """The README's Python example runs where an application runs, and answers whether to send."""
    [program] = PYTHON
    result = subprocess.run(  # noqa: S603 - a program of the README
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, **(find() or {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=WAIT_SECONDS,
    )
    assert (result.stdout, result.stderr) in {("send\n", ""), ("suppressed\n", "")}


@pytest.mark.slow
def test_the_shell_examples_run_in_two_terminals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`mailfold up` runs in one terminal, and all other examples run beside it, in the README's order."""
    monkeypatch.setenv("PATH", f"{Path(COMMAND).parent}{os.pathsep}{os.environ['PATH']}")
    scripts = [script for script in SHELL if not script.startswith("make ")]
    [start_cloud] = [script for script in scripts if "mailfold up\n" in script]
    send_mail, ingest_events, replay_log, *others = [script for script in scripts if script is not start_cloud]
    with subprocess.Popen(  # noqa: S603 - a script of the README
        ["/bin/sh", "-ec", start_cloud], cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as terminal:
        try:
            assert terminal.stdout
            assert any(line.startswith("Ctrl-C") for line in terminal.stdout)
            sent = _output(send_mail)
            arrived = until(lambda: _output_once_arrived(send_mail), timeout_seconds=WAIT_SECONDS)
            ingested, replayed = _output(ingest_events), _output(replay_log)
            for script in others:
                assert _output(script)
        finally:
            os.killpg(terminal.pid, signal.SIGINT)
            terminal.wait(WAIT_SECONDS)
    assert "sent: message" in sent
    assert "bounce+ann@example.com: suppressed (hard) since" in arrived
    assert "success+bob@example.com: clear" in arrived
    assert '"kind":"bounce"' in ingested
    assert "1 event ingested, 0 records ignored, 0 rejects" in ingested
    live, rebuilt = re.findall(r"^digest ([0-9a-f]{64})$", replayed, re.MULTILINE)
    assert live == rebuilt


def _output(script: str) -> str:
    return subprocess.run(  # noqa: S603 - a script of the README
        ["/bin/sh", "-ec", script], cwd=ROOT, capture_output=True, text=True, check=True, timeout=WAIT_SECONDS
    ).stdout


def _output_once_arrived(send_mail: str) -> str:
    """Return the output of lookup and query once all events of the mail are in table and log, and else an empty text.

    Until then, a replay of the log and the live table may differ.
    """
    output = _output("\n".join(line for line in send_mail.splitlines() if not line.startswith("mailfold send")))
    events = ("suppressed (hard)", "│ send ", "│ delivery ", "│ bounce ")
    return output if all(event in output for event in events) else ""


def test_every_command_has_an_example_in_its_help() -> None:
    """The help of every command shows an example of that command."""
    for name, example in examples().items():
        assert example.startswith(f"mailfold {name}"), name
        assert f"\n  Example: {example}\n" in run(*name.split(), "--help").stdout


@pytest.mark.parametrize("name", [name for name in examples() if name not in TESTED_ELSEWHERE])
def test_every_example_in_the_help_runs(
    name: str, cloud: CloudProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The example in a command's help runs on a local cloud, and prints something."""
    _prepare(tmp_path)
    monkeypatch.chdir(tmp_path)
    result = run(*shlex.split(examples()[name])[1:])
    assert result.exit_code == 0, result.output
    assert result.stdout


@pytest.mark.slow
def test_the_example_of_demo_runs() -> None:
    """The example in demo's help runs."""
    result = run(*shlex.split(examples()["demo"])[1:])
    assert result.exit_code == 0, result.output


def test_without_a_command_the_help_is_printed() -> None:
    """`mailfold` alone prints the same help as `mailfold --help`, with all commands."""
    help_text = run("--help").stdout
    assert run().stderr.strip() == help_text.strip()
    assert all(f"\n  {name} " in help_text for name in COMMANDS)


def _prepare(folder: Path) -> None:
    """Create the files and the bucket that the examples name."""
    (folder / "schemas").symlink_to(ROOT / "schemas")
    event = (ROOT / "schemas/wire/examples/v1.send.pass.json").read_bytes()
    (folder / "events-2026-03.ndjson.gz").write_bytes(gzip.compress(event))
    s3 = found_client("s3")
    s3.create_bucket(Bucket="old-archive")
    s3.put_object(Bucket="old-archive", Key="2025/events.json", Body=event)
    s3.put_object(Bucket=Names().bucket, Key="quarantine/06/06c0.json", Body=a_quarantine_object(b"no JSON"))
    s3.close()
