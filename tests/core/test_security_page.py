"""The security page: each row of its tables names tests that exist."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / ".github" / "SECURITY.md").read_text(encoding="utf-8")
ROWS = [line for line in PAGE.splitlines() if line.startswith("|") and not re.match(r"\|[- |]+\|$", line)]
NAMED = [tuple(text.split("::")) for text in re.findall(r"`([\w/]+\.py::test_\w+)`", PAGE)]


@pytest.mark.parametrize(("file", "name"), NAMED, ids=[name for _, name in NAMED])
def test_a_named_test_exists(file: str, name: str) -> None:
    """The page is as true as its tests."""
    tree = ast.parse((ROOT / "tests" / file).read_text(encoding="utf-8"))
    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_each_statement_of_a_table_names_a_test() -> None:
    """A statement without a test is an assumption, and outside the tables."""
    statements = [row for row in ROWS if not row.rstrip("| ").endswith("shown by")]
    assert statements
    assert [row for row in statements if not re.search(r"::test_\w+` \|$", row)] == []
