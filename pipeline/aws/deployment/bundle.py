"""The bundle: one zip file with both Lambdas' code and the libraries that it imports, the same wherever it is built.

boto3 is not in it: Lambda's runtime brings it. docs.aws.amazon.com/lambda/latest/dg/python-package.html

A zip file that is the same, byte for byte, wherever and whenever it is made of the same files.

Nothing is compressed: what comes out of a compressor depends on the release of zlib that Python was built with.

The project's own modules that a module imports, at once or later, whatever else is in the package.

Found by reading, without running anything: so the same sources give the same list everywhere.

The libraries that the Lambdas import, as wheels for their Python and processor, whatever those of this machine are.

Each is one of those that infra/lambda.lock names by hash, from the index that the user's pip is set up for.
pip.pypa.io/en/stable/cli/pip_download/
"""

import ast
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

import pipeline
from pipeline.aws.deployment.template import Runtime, infra_folder, load_template
from pipeline.errors import ServiceUnavailable, UsageError

EPOCH = (1980, 1, 1, 0, 0, 0)  # the first moment that a zip file can name
UNIX = 3  # the system whose file modes the entries have, whatever system this is
READABLE = 0o100644 << 16  # everybody may read it: Lambda runs as a user of its own

# Of a wheel's `….data` folder, the parts that an installation puts where modules are found; the others are programs and
# the like. packaging.python.org/en/latest/specifications/binary-distribution-format/
IMPORTABLE = frozenset({"purelib", "platlib"})


def to_zip(files: Mapping[str, bytes]) -> bytes:
    """Return files, by path, as a zip file."""
    written = BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(files):
            entry = zipfile.ZipInfo(path, EPOCH)
            entry.create_system, entry.external_attr = UNIX, READABLE
            archive.writestr(entry, files[path])
    return written.getvalue()


def unzip(wheel: Path) -> dict[str, bytes]:
    """Return the files that a wheel puts where modules are found, by path."""
    files: dict[str, bytes] = {}
    with zipfile.ZipFile(wheel) as archive:
        for entry in archive.infolist():
            path = _installed(entry.filename)
            if path and not entry.is_dir():
                files[path] = archive.read(entry)
    return files


def _installed(path: str) -> str | None:
    folder, _, rest = path.partition("/")
    if not folder.endswith(".data"):
        return path
    part, _, inner = rest.partition("/")
    return inner if part in IMPORTABLE else None


ROOT = Path(pipeline.__file__).parent.parent
PACKAGE = "pipeline"


def source_files(modules: Iterable[str]) -> dict[str, bytes]:
    """Return the files of modules, and of all that they import of this project, by path below the package's parent.

    Args:
        modules: Full names, such as `pipeline.aws.lambdas.transform`.
    """
    found: dict[str, bytes] = {}
    waiting = list(modules)
    while waiting:
        file = _file(waiting.pop())
        if file is None or (path := file.relative_to(ROOT).as_posix()) in found:
            continue
        found[path] = file.read_bytes()
        waiting += _imported(found[path])
    return found


def _imported(source: bytes) -> Iterator[str]:
    """Give the full names of what a module imports, and of the packages around it; some of them may be no modules."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            if name.partition(".")[0] == PACKAGE:
                yield from _with_packages(name)


def _with_packages(name: str) -> Iterator[str]:
    parts = name.split(".")
    for length in range(1, len(parts) + 1):
        yield ".".join(parts[:length])


def _file(module: str) -> Path | None:
    place = ROOT.joinpath(*module.split("."))
    for file in (place.with_suffix(".py"), place / "__init__.py"):
        if file.is_file():
            return file
    return None


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
        UsageError: This Python has no pip, or there is no such wheel for the runtime.
        ServiceUnavailable: pip does not end.
    """
    if find_spec("pip") is None:
        raise UsageError(
            "this Python has no pip, which fetches the Lambdas' libraries: run `python -m ensurepip`, or install "
            "Mailfold with it, as in `uv tool install --with pip mailfold`"
        )
    command = [*_pip(), "--dest", str(into), *_platform(runtime), "--requirement", str(infra_folder() / "lambda.lock")]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False)  # noqa: S603 - pip, and a file of ours
    except subprocess.TimeoutExpired as error:
        raise ServiceUnavailable(f"pip did not fetch the Lambdas' libraries within {TIMEOUT_SECONDS:g} s") from error
    if done.returncode:
        raise UsageError(f"pip cannot fetch the Lambdas' libraries for {_named(runtime)}: {_reason(done.stderr)}")
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


class Bundle(msgspec.Struct, frozen=True, kw_only=True):
    """A zip file for Lambda.

    Attributes:
        data: Its bytes.
        sha256: Their SHA-256, in hex: equal for equal sources and libraries.
    """

    data: bytes
    sha256: str


def build_bundle(*, runtime: Runtime | None) -> Bundle:
    """Fetch the libraries, and put them and the template's handlers into a zip file.

    Args:
        runtime: What it is to run on, usually `template().runtime`; None: this interpreter, on this machine.

    Raises:
        UsageError: A library cannot be had for that runtime, or this Python has no pip.
        ServiceUnavailable: pip does not end.
    """
    files = source_files(load_template().handlers)
    with TemporaryDirectory(prefix="mailfold-bundle-") as name:
        for wheel in fetch_wheels(Path(name), runtime=runtime):
            files |= unzip(wheel)
    data = to_zip(files)
    return Bundle(data=data, sha256=sha256(data).hexdigest())
