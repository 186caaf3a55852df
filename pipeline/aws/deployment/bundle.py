"""The Lambda bundle: one zip file with the code of both functions and the libraries that they import.

The same sources and libraries produce the same bytes on every machine. boto3 is left out, because Lambda's runtime
contains it. docs.aws.amazon.com/lambda/latest/dg/python-package.html
"""

import subprocess
import sys
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from pipeline.aws.deployment.packing import source_files, sql_sources, to_zip, unzip_wheel
from pipeline.aws.deployment.template import LambdaRuntime, infra_folder, load_template
from pipeline.errors import ServiceUnavailable, UsageError

# Lambda runs Python 3.12 and later on Amazon Linux 2023, which has glibc 2.34. docs.aws.amazon.com/linux/al2023/ug/
GLIBCS = ("manylinux_2_34", "manylinux_2_28", "manylinux_2_17", "manylinux2014")
MACHINES = {"arm64": "aarch64", "x86_64": "x86_64"}  # Lambda's name of a processor, and Linux's
PIP_TIMEOUT_SECONDS = 600.0  # for two megabytes, over the slowest line and through pip's own retries


class Bundle(msgspec.Struct, frozen=True, kw_only=True):
    """A zip file for Lambda.

    Attributes:
        data: Bytes of the file.
        sha256: SHA-256 of the bytes, in hex. Equal for equal sources and libraries.
    """

    data: bytes
    sha256: str


def build_bundle(*, runtime: LambdaRuntime | None) -> Bundle:
    """Download the libraries and zip them with the template's handlers.

    Args:
        runtime: Runtime to build for, usually `load_template().runtime`. None: this interpreter on this machine.

    Raises:
        UsageError: A library has no wheel for the runtime, or this Python has no pip.
        ServiceUnavailable: pip does not end.
    """
    files = source_files(load_template().handlers) | sql_sources()
    with TemporaryDirectory(prefix="mailfold-bundle-") as folder:
        for wheel in fetch_wheels(Path(folder), runtime=runtime):
            files |= unzip_wheel(wheel)
    data = to_zip(files)
    return Bundle(data=data, sha256=sha256(data).hexdigest())


def fetch_wheels(folder: Path, *, runtime: LambdaRuntime | None) -> list[Path]:
    """Download the wheels that infra/lambda.lock names by hash, and return their files, sorted.

    They come from the index that the user's pip is configured for. pip.pypa.io/en/stable/cli/pip_download/

    Args:
        folder: An empty folder.
        runtime: Runtime of the wheels. None: this interpreter on this machine.

    Raises:
        UsageError: This Python has no pip, or a library has no wheel for the runtime.
        ServiceUnavailable: pip does not end.
    """
    if find_spec("pip") is None:
        raise UsageError(
            "this Python has no pip, which downloads the libraries of the Lambda functions: run `python -m ensurepip`, "
            "or install Mailfold with pip, as in `uv tool install --with pip mailfold`"
        )
    try:
        process = subprocess.run(  # noqa: S603 - pip, with a lock file of this package
            _pip_download(folder, runtime), capture_output=True, text=True, timeout=PIP_TIMEOUT_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ServiceUnavailable(
            f"pip did not download the libraries within {PIP_TIMEOUT_SECONDS:g} s: try again"
        ) from error
    if process.returncode:
        target = f"python{runtime.python} on {runtime.architecture}" if runtime else "this Python"
        raise UsageError(f"pip cannot download the libraries for {target}: {_pip_error(process.stderr)}")
    return sorted(folder.glob("*.whl"))


def _pip_download(folder: Path, runtime: LambdaRuntime | None) -> list[str]:
    """Return the command that downloads exactly the locked wheels."""
    options = ["--quiet", "--disable-pip-version-check", "--no-input", "--no-deps", "--require-hashes"]
    options += ["--only-binary", ":all:", "--dest", str(folder), "--requirement", str(infra_folder() / "lambda.lock")]
    if runtime:
        machine = MACHINES.get(runtime.architecture, runtime.architecture)
        options += [option for glibc in GLIBCS for option in ("--platform", f"{glibc}_{machine}")]
        abi = f"cp{runtime.python.replace('.', '')}"
        options += ["--python-version", runtime.python, "--implementation", "cp", "--abi", abi]
    return [sys.executable, "-P", "-m", "pip", "download", *options]


def _pip_error(stderr: str) -> str:
    """Return the last error that pip reports. pip itself removes passwords from URLs."""
    errors = [line.removeprefix("ERROR: ") for line in stderr.splitlines() if line.startswith("ERROR: ")]
    return errors[-1] if errors else "pip reports no reason"
