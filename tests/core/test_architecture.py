"""The core stays pure and light, imports run one way, names are unique, and no file is long."""

import ast
import re
import subprocess
import sys
from collections import Counter
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import pipeline

PACKAGE = Path(pipeline.__file__).parent
CORE = sorted(PACKAGE.glob("*.py"))
TESTS = Path(__file__).parents[1]
MODULES = sorted(PACKAGE.rglob("*.py"))
SOURCES = sorted([*MODULES, *TESTS.rglob("*.py")])
MAX_LINES = 300
LIBRARIES = {"msgspec", "idna"}
# Parts of the standard library that a pure core must not use: clock, network, files, threads, randomness, logs.
IMPURE = {
    *("asyncio", "http", "io", "logging", "multiprocessing", "os", "pathlib", "random", "secrets", "shutil", "signal"),
    *("socket", "ssl", "subprocess", "tempfile", "threading", "time", "urllib", "uuid", "zoneinfo"),
}
HEAVY = {
    *("boto3", "botocore", "pyarrow", "duckdb", "sqlglot", "moto", "typer", "rich", "aws_lambda_powertools"),
    *("sqlalchemy", "pandas", "numpy", "pydantic", "werkzeug"),
}  # fmt: skip
SHARED_NAMES = {"handler"}  # the entry point of each Lambda function, by Lambda's own convention


def imports(path: Path) -> set[str]:
    """Return the full names of all modules that a file imports, at any level, but for type checking."""
    names: set[str] = set()
    for node in _run_time_nodes(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            names.add(node.module or "")
            names |= {
                f"{node.module}.{alias.name}" for alias in node.names if _is_module(f"{node.module}.{alias.name}")
            }
    return names


def _run_time_nodes(tree: ast.AST) -> list[ast.AST]:
    """Return all nodes but those under `if TYPE_CHECKING`."""
    nodes = [tree]
    for child in ast.iter_child_nodes(tree):
        if not (isinstance(child, ast.If) and isinstance(child.test, ast.Name) and child.test.id == "TYPE_CHECKING"):
            nodes += _run_time_nodes(child)
    return nodes


def _is_module(name: str) -> bool:
    return PACKAGE.parent.joinpath(*name.split(".")).with_suffix(".py").exists()


def _module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def test_there_is_a_core() -> None:
    """The core has modules, so that the tests below test something."""
    assert len(CORE) > 10


@pytest.mark.parametrize("path", CORE, ids=lambda path: path.stem)
def test_a_core_module_imports_light_libraries_and_the_core_alone(path: Path) -> None:
    """A core module imports the pure part of the standard library, msgspec, idna and the core."""
    core = {f"pipeline.{module.stem}" for module in CORE}
    allowed = core | LIBRARIES | sys.stdlib_module_names - IMPURE
    names = imports(path) - {"pipeline"}
    assert {name for name in names if name not in allowed and name.partition(".")[0] not in allowed} == set()


@pytest.mark.parametrize("path", CORE, ids=lambda path: path.stem)
def test_a_core_module_reads_no_clock_and_no_file(path: Path) -> None:
    """A core module calls nothing that reads a clock, a file or the terminal."""
    nodes = list(ast.walk(ast.parse(path.read_bytes())))
    called = [node.func for node in nodes if isinstance(node, ast.Call)]
    assert {function.id for function in called if isinstance(function, ast.Name)} & {"open", "print", "input"} == set()
    assert {node.attr for node in nodes if isinstance(node, ast.Attribute)} & {"now", "utcnow", "today"} == set()


def test_importing_the_core_loads_nothing_heavy() -> None:
    """A fresh process that imports every core module has loaded no heavy library."""
    modules = ", ".join(f"pipeline.{path.stem}" for path in CORE if path.stem != "__init__")
    program = f"import sys, {modules}; print(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    result = subprocess.run(  # noqa: S603 - this interpreter, on a program made above
        [sys.executable, "-c", program], capture_output=True, check=True, timeout=300, cwd=PACKAGE.parent
    )
    assert set(result.stdout.decode().split()) & HEAVY == set()


def test_no_module_imports_itself_by_way_of_others() -> None:
    """The import graph has no circle, whether imports are at the top of a file or in a function."""
    names = {_module_name(path): imports(path) for path in MODULES}
    graph = {name: {imported for imported in names[name] if imported in names} - {name} for name in names}
    packages = {name for name in names if (PACKAGE.parent / Path(*name.split("."))).is_dir()}
    TopologicalSorter({name: graph[name] - packages for name in graph.keys() - packages}).prepare()


def test_a_public_name_is_defined_once() -> None:
    """No two modules define a public class or function of the same name."""
    definitions = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    names = Counter(
        name
        for path in MODULES
        for name in {node.name for node in ast.parse(path.read_bytes()).body if isinstance(node, definitions)}
        if not name.startswith("_")
    )
    assert {name for name, count in names.items() if count > 1} == SHARED_NAMES


def test_no_file_is_long() -> None:
    """A file has at most 300 lines."""
    lines = {str(path): len(path.read_text().splitlines()) for path in SOURCES}
    assert {path: number for path, number in lines.items() if number > MAX_LINES} == {}


def test_a_suppressed_warning_has_its_reason() -> None:
    """`noqa: CODE - reason`, and `type: ignore[code]  # reason`."""
    bare = re.compile(r"# (noqa(: [A-Z0-9, ]+)?|type: ignore(\[[a-z, -]+\])?)$", re.MULTILINE)
    assert {str(path): match[0] for path in SOURCES if (match := bare.search(path.read_text()))} == {}


def test_locked_versions_are_installed_without_resolving() -> None:
    """Every install from a lock file checks hashes and resolves nothing."""
    makefile = (TESTS.parent / "Makefile").read_text()
    variables = dict(re.findall(r"^(\w+) := (.*)$", makefile, re.MULTILINE))
    lines = [
        re.sub(r"\$\((\w+)\)", lambda match: variables.get(match[1], match[0]), line)
        for line in makefile.splitlines()
        if line.startswith("\t") and "-r " in line
    ]
    assert len(lines) >= 5
    assert all("--no-deps" in line and "--require-hashes" in line for line in lines)
