"""Trino's grammar reads every statement of the project: the files of `schemas`, and the examples in documents."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from pipeline.aws.archive.sql_files import sql_files
from tests.support.node import NODE, PACKAGES, node_package

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "tests" / "support" / "trino_grammar.mjs"
WAIT_SECONDS = 120
FILES = [*(ROOT / "schemas").rglob("*.sql")]

VIEW_EXAMPLE = re.compile(r"^-- Example: (.*)$", re.MULTILINE)
COMMAND_EXAMPLE = re.compile(r"mailfold query (?:--\S+ )*([\"'])(SELECT .*?)\1")


def grammar_errors(*statements: str) -> list[list[str]]:
    """Return, for each statement, what Trino's grammar rejects."""
    node_package("dt-sql-parser")
    result = subprocess.run(  # noqa: S603 - the script above
        [NODE, str(SCRIPT), str(PACKAGES)],
        input="".join(f"{json.dumps(statement)}\n" for statement in statements),
        capture_output=True,
        text=True,
        timeout=WAIT_SECONDS,
        check=True,
    )
    return [json.loads(line) for line in result.stdout.splitlines()]


def examples() -> list[str]:
    """Return the statements that views, documents and docstrings show."""
    documents = [ROOT / "README.md", *(ROOT / "schemas").rglob("*.md"), *(ROOT / "pipeline").rglob("*.py")]
    return [
        *(example for file in FILES for example in VIEW_EXAMPLE.findall(file.read_text())),
        *(match[1] for file in documents for match in COMMAND_EXAMPLE.findall(file.read_text())),
    ]


def test_the_grammar_reads_every_statement() -> None:
    """No file and no example has an error."""
    statements = [*(file.read_text() for file in FILES), *examples()]
    assert grammar_errors(*statements) == [[]] * len(statements)


def test_the_statements_are_all_there() -> None:
    """The views, the saved queries, an example of each view, and those of the README."""
    assert len(FILES) == sum(len(sql_files(kind)) for kind in ("views", "queries"))
    assert len(examples()) > len(sql_files("views"))


@pytest.mark.parametrize(
    "statement", ["SELECT a::integer FROM t", "SELECT a FROM t LIMIT 0, 1", "SELECT a FROM t WHERE a ILIKE 'x'"]
)
def test_the_grammar_rejects_what_trino_does(statement: str) -> None:
    """A form of another dialect has an error, and names its line."""
    [[error, *_]] = grammar_errors(statement)
    assert error.startswith("1: ")
