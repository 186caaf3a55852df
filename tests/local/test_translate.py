"""What is not one valid query is rejected with its reason and position."""

from collections.abc import Iterator

import pytest

from pipeline.errors import UsageError
from pipeline.local.athena import Athena
from tests.support.log_in_s3 import athena_over


@pytest.fixture(scope="module")
def empty() -> Iterator[Athena]:
    with athena_over() as athena:
        yield athena


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO events SELECT * FROM events",
        "DROP VIEW mails",
        "CREATE TABLE copied AS SELECT * FROM events",
        "UNLOAD (SELECT 1) TO 's3://elsewhere' WITH (format = 'JSON')",
        "SET threads = 1",
        "COPY (SELECT 1) TO '/tmp/copied.csv'",
        "ATTACH '/tmp/other.db'",
        "SELECT 1 INTO copied",
        "EXPLAIN SELECT 1",
        "-- only a comment",
        "",
    ],
)
def test_only_queries_run(empty: Athena, statement: str) -> None:
    """A statement that changes something, sets something or is empty is rejected."""
    with pytest.raises(UsageError, match="only queries run here"):
        empty.run(statement)


def test_one_statement_runs_at_a_time(empty: Athena) -> None:
    """Several statements in one text are rejected."""
    with pytest.raises(UsageError, match="one statement at a time: this is 2"):
        empty.run("SELECT 1; SELECT 2")


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("SELECT count(*\nFROM events", "line 2:1: Expecting )"),
        ("SELECT event_type,\n  subjct\nFROM events", 'line 2:3: Referenced column "subjct" not found'),
        ("SELECT * FROM evnts", "line 1:15: Table with name evnts does not exist"),
        ("SELECT * FROM evnts ORDER BY 1", "line 1:15: Table with name evnts does not exist"),
        ("SELECT nonsense(1)", "line 1:8: Athena, or the local one, does not have the function nonsense"),
        ("SELECT event_type FROM events WHERE", "line 1:31: WHERE is incomplete"),
        ("SELECT 'open", "a quote or a comment is not closed"),
        ("SELECT array_sort(ARRAY[2, 1], (a, b) -> a - b)", "not covered by the local Athena"),
        ("SELECT " + "(" * 5_000 + "1" + ")" * 5_000, "nested too deeply"),
        ("SELECT '" + "x" * 262_144 + "'", "at most 262,144 bytes"),
    ],
    ids=["syntax", "column", "table", "ordered", "function", "clause", "quote", "not covered", "nested", "too long"],
)
def test_an_error_has_its_position(empty: Athena, statement: str, message: str) -> None:
    """The message of an error names line and column in the statement as it was written."""
    with pytest.raises(UsageError) as raised:
        empty.run(statement)
    assert message in str(raised.value)
