"""The libraries that the Lambdas import, as wheels for their Python and processor, whatever those of this machine are.

Each is one of those that infra/lambda.lock names by hash, from the index that the user's pip is set up for.
pip.pypa.io/en/stable/cli/pip_download/
"""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from pipeline.aws.deployment.template import Runtime, folder
from pipeline.errors import CloudUnavailable, Misuse

# Amazon Linux 2023, on which Lambda runs Python from 3.12 on, has glibc 2.34. docs.aws.amazon.com/linux/al2023/ug/
GLIBCS = ("manylinux_2_34", "manylinux_2_28", "manylinux_2_17", "manylinux2014")
MACHINES = {"arm64": "aarch64", "x86_64": "x86_64"}  # Lambda's name of a processor, and Linux's
TIMEOUT_SECONDS = 600.0  # two megabytes, over the slowest line and through pip's own retries


def fetch_wheels(into: Path, *, runtime: Runtime | None) -> list[Path]:
    """Download the wheels into a folder, check their hashes, and return their files, sorted.

    Args:
        into: An empty folder.
        runtime: What they are to run on; None: this interpreter, on this machine.

    Raises:
        Misuse: This Python has no pip, or there is no such wheel for the runtime.
        CloudUnavailable: pip does not end.
    """
    if find_spec("pip") is None:
        raise Misuse(
            "this Python has no pip, which fetches the Lambdas' libraries: run `python -m ensurepip`, or install "
            "Mailfold with it, as in `uv tool install --with pip mailfold`"
        )
    command = [*_pip(), "--dest", str(into), *_platform(runtime), "--requirement", str(folder() / "lambda.lock")]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False)  # noqa: S603 - pip, and a file of ours
    except subprocess.TimeoutExpired as error:
        raise CloudUnavailable(f"pip did not fetch the Lambdas' libraries within {TIMEOUT_SECONDS:g} s") from error
    if done.returncode:
        raise Misuse(f"pip cannot fetch the Lambdas' libraries for {_named(runtime)}: {_reason(done.stderr)}")
    return sorted(into.glob("*.whl"))


def _pip() -> list[str]:
    """Return the command that takes nothing but locked wheels; what depends on what, the lock file knows already."""
    options = ["--quiet", "--disable-pip-version-check", "--no-input", "--no-deps", "--require-hashes"]
    return [sys.executable, "-P", "-m", "pip", "download", *options, "--only-binary", ":all:"]


def _platform(runtime: Runtime | None) -> list[str]:
    if runtime is None:
        return []
    machine = MACHINES.get(runtime.architecture, runtime.architecture)
    tags = [option for glibc in GLIBCS for option in ("--platform", f"{glibc}_{machine}")]
    abi = f"cp{runtime.python.replace('.', '')}"
    return [*tags, "--python-version", runtime.python, "--implementation", "cp", "--abi", abi]


def _named(runtime: Runtime | None) -> str:
    return f"python{runtime.python} on {runtime.architecture}" if runtime else "this Python"


def _reason(words: str) -> str:
    """Return the last error that pip tells of; it takes passwords out of addresses itself."""
    errors = [line.removeprefix("ERROR: ") for line in words.splitlines() if line.startswith("ERROR: ")]
    return errors[-1] if errors else "it does not say why"
