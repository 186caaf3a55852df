"""Runs `mailfold` in this process or in a new one."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from pipeline.cli.main import app

COMMAND = str(Path(sys.executable).with_name("mailfold"))
ROOT = Path(__file__).parents[2]
WAIT_SECONDS = 300.0  # a hang, not a slow machine

# A process inherits the peak memory of its parent, and pytest's is large: so a small process is in between.
MEASURING = """
import resource, subprocess, sys
ended = subprocess.run(sys.argv[2:])
with open(sys.argv[1], "w") as file:
    file.write(str(1024 * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))
sys.exit(ended.returncode)
"""


def run(*arguments: str, stdin: str | bytes = b"") -> Result:
    """Run a command in this process. An unexpected exception is raised."""
    result = CliRunner().invoke(app, arguments, input=stdin, prog_name="mailfold")
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def run_ok(*arguments: str, stdin: str | bytes = b"") -> str:
    """Run a command that must succeed, and return its standard output."""
    result = run(*arguments, stdin=stdin)
    assert result.exit_code == 0, result.output
    return result.stdout


def json_lines(*arguments: str, stdin: str | bytes = b"") -> list[Any]:
    """Run a command that must succeed, and return its lines of JSON."""
    return [json.loads(line) for line in run_ok(*arguments, stdin=stdin).splitlines()]


def run_failing(*arguments: str, exit_code: int = 2, stdin: str | bytes = b"") -> str:
    """Run a command that must fail with one sentence, and return the sentence."""
    result = run(*arguments, stdin=stdin)
    assert result.exit_code == exit_code, result.output
    [sentence] = result.stderr.splitlines()
    assert sentence.startswith("mailfold: ")
    return sentence.removeprefix("mailfold: ")


@contextmanager
def started(*arguments: str, **options: Any) -> Iterator["subprocess.Popen[str]"]:
    """Start the command in a new process, which is killed at the end if it still runs."""
    with subprocess.Popen(  # noqa: S603 - our own command
        [COMMAND, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        **options,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def run_process(*arguments: str, **options: Any) -> "subprocess.CompletedProcess[str]":
    """Run the command in a new process."""
    return subprocess.run(  # noqa: S603 - our own command
        [COMMAND, *arguments], capture_output=True, text=True, cwd=ROOT, timeout=WAIT_SECONDS, check=False, **options
    )


def measuring(file: Path, *arguments: str) -> list[str]:
    """Return a command line that runs the command, and writes its peak memory in bytes to `file`."""
    return [sys.executable, "-c", MEASURING, str(file), COMMAND, *arguments]
