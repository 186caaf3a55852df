"""The project's own modules that a module imports, at once or later, whatever else is in the package.

Found by reading, without running anything: so the same sources give the same list everywhere.
"""

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

import pipeline

ROOT = Path(pipeline.__file__).parent.parent
PACKAGE = "pipeline"


def sources(modules: Iterable[str]) -> dict[str, bytes]:
    """Return the files of modules, and of all that they import of this project, by path below the package's parent.

    Args:
        modules: Full names, such as `pipeline.aws.transform`.
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
