"""The core stays pure and light: this is what it may lean on. And no file, of whatever part or test, is long."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import pipeline

PACKAGE = Path(pipeline.__file__).parent
CORE = sorted(PACKAGE.glob("*.py"))
TESTS = Path(__file__).parents[1]
SOURCES = sorted([*PACKAGE.rglob("*.py"), *TESTS.rglob("*.py")])
MAX_LINES = 300
LIBRARIES = {"msgspec", "idna"}
# Parts of the standard library that a pure core must not have: a clock, a network, files, threads, chance, logs.
IMPURE = {
    *("asyncio", "http", "io", "logging", "multiprocessing", "os", "pathlib", "random", "secrets", "shutil", "signal"),
    *("socket", "ssl", "subprocess", "tempfile", "threading", "time", "urllib", "uuid", "zoneinfo"),
}
HEAVY = {
    *("boto3", "botocore", "pyarrow", "duckdb", "sqlglot", "moto", "typer", "rich", "aws_lambda_powertools"),
    *("sqlalchemy", "pandas", "numpy", "pydantic", "werkzeug"),
}  # fmt: skip


def imports(path: Path) -> set[str]:
    """Return the full names of all modules that a file imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            names.add(node.module or "")
    return names


def test_there_is_a_core() -> None:
    assert len(CORE) > 10


@pytest.mark.parametrize("path", CORE, ids=lambda path: path.stem)
def test_a_core_module_imports_the_standard_library_msgspec_idna_and_the_core_alone(path: Path) -> None:
    core = {f"pipeline.{one.stem}" for one in CORE}
    allowed = core | LIBRARIES | sys.stdlib_module_names - IMPURE
    assert {name for name in imports(path) if name not in allowed and name.partition(".")[0] not in allowed} == set()


@pytest.mark.parametrize("path", CORE, ids=lambda path: path.stem)
def test_a_core_module_asks_no_clock_and_reads_no_file(path: Path) -> None:
    tree = list(ast.walk(ast.parse(path.read_bytes())))
    called = [node.func for node in tree if isinstance(node, ast.Call)]
    assert {function.id for function in called if isinstance(function, ast.Name)} & {"open", "print", "input"} == set()
    assert {node.attr for node in tree if isinstance(node, ast.Attribute)} & {"now", "utcnow", "today"} == set()


def test_no_file_is_too_long_to_read_at_once() -> None:
    lines = {str(path): len(path.read_text().splitlines()) for path in SOURCES}
    assert {path: number for path, number in lines.items() if number > MAX_LINES} == {}


def test_what_a_linter_is_told_to_pass_over_has_its_reason() -> None:
    """`noqa: CODE - reason`, and `type: ignore[code]  # reason`."""
    bare = re.compile(r"# (noqa(: [A-Z0-9, ]+)?|type: ignore(\[[a-z, -]+\])?)$", re.MULTILINE)
    assert {str(path): found[0] for path in SOURCES if (found := bare.search(path.read_text()))} == {}


def test_what_is_locked_is_installed_as_it_stands() -> None:
    """Or else pip looks for releases that came after the lock file, and then refuses them for want of a hash."""
    asked = [line for line in (TESTS.parent / "Makefile").read_text().splitlines() if "--require-hashes" in line]
    assert len(asked) >= 3
    assert all("--no-deps" in line for line in asked)


def test_importing_the_whole_core_loads_nothing_heavy() -> None:
    """In a process of its own, since the tests themselves have loaded much."""
    modules = ", ".join(f"pipeline.{path.stem}" for path in CORE if path.stem != "__init__")
    program = f"import sys, {modules}; print(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    answer = subprocess.run(  # noqa: S603 - this very interpreter, on a program made above
        [sys.executable, "-c", program], capture_output=True, check=True, timeout=60, cwd=PACKAGE.parent
    )
    assert set(answer.stdout.decode().split()) & HEAVY == set()
