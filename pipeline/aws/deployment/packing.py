"""The contents of the Lambda bundle: the project's modules, the modules of wheels, and a zip file of both.

Imports the standard library alone, so that a test computes the same bytes with every Python on a machine.
"""

import ast
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from io import BytesIO
from pathlib import Path

import pipeline

PACKAGE = "pipeline"
ROOT = Path(pipeline.__file__).parent.parent

ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip file can hold
UNIX = 3  # the entries have Unix file modes on every machine
READABLE = 0o100644 << 16  # readable by all, because Lambda runs as its own user

# Parts of a wheel's `….data` folder that are installed as modules. The others are programs and the like.
# packaging.python.org/en/latest/specifications/binary-distribution-format/
IMPORTABLE = frozenset({"purelib", "platlib"})


def source_files(modules: Iterable[str]) -> dict[str, bytes]:
    """Return the files of modules and of every module of this project that they import, by path below `ROOT`.

    Imports are read from the source, so that imports inside functions and for type checking are found too.

    Args:
        modules: Full names, such as `pipeline.aws.lambdas.transform`.
    """
    files: dict[str, bytes] = {}
    pending = [name for module in modules for name in _with_packages(module)]
    while pending:
        file = _module_file(pending.pop())
        if file is None or (path := file.relative_to(ROOT).as_posix()) in files:
            continue
        files[path] = file.read_bytes()
        pending += _imported_modules(files[path])
    return files


def _module_file(module: str) -> Path | None:
    path = ROOT.joinpath(*module.split("."))
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


def _imported_modules(source: bytes) -> Iterator[str]:
    """Yield the full names of imported modules and their packages. Some names may not be modules."""
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


def _with_packages(module: str) -> list[str]:
    """Return the names of a module's packages and its own: importing it runs them all."""
    parts = module.split(".")
    return [".".join(parts[:length]) for length in range(1, len(parts) + 1)]


def sql_sources() -> dict[str, bytes]:
    """Return the SQL statements that functions run in Athena, by their path in the bundle."""
    inside = ROOT / PACKAGE / "schemas"  # in a wheel; in a checkout beside the package
    folder = inside if inside.is_dir() else ROOT / "schemas"
    paths = (path for kind in ("queries", "views") for path in sorted(folder.joinpath(kind).glob("*.sql")))
    return {f"{PACKAGE}/schemas/{path.relative_to(folder).as_posix()}": path.read_bytes() for path in paths}


def unzip_wheel(wheel: Path) -> dict[str, bytes]:
    """Return the files of a wheel that are installed as modules, by path."""
    files: dict[str, bytes] = {}
    with zipfile.ZipFile(wheel) as archive:
        for entry in archive.infolist():
            path = _module_path(entry.filename)
            if path and not entry.is_dir():
                files[path] = archive.read(entry)
    return files


def _module_path(path: str) -> str | None:
    folder, _, rest = path.partition("/")
    if not folder.endswith(".data"):
        return path
    part, _, inner = rest.partition("/")
    return inner if part in IMPORTABLE else None


def to_zip(files: Mapping[str, bytes]) -> bytes:
    """Return files, by path, as a zip file.

    Nothing is compressed, because compressed bytes depend on the version of zlib.
    """
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(files):
            entry = zipfile.ZipInfo(path, ZIP_EPOCH)
            entry.create_system, entry.external_attr = UNIX, READABLE
            archive.writestr(entry, files[path])
    return buffer.getvalue()
