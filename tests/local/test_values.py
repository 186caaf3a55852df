"""Columns and values have Athena's types and text."""

from collections.abc import Iterator

import pytest

from pipeline.local.athena import Athena
from tests.support.builders import a_bounce, a_decision
from tests.support.log_in_s3 import athena_over


@pytest.fixture(scope="module")
def athena() -> Iterator[Athena]:
    with athena_over(a_bounce(tags={"campaign": ["spring"]}), a_decision()) as athena:
        yield athena


def test_a_value_is_printed_as_in_athena(athena: Athena) -> None:
    """Times, arrays, maps, rows, booleans and nulls have the text that GetQueryResults returns."""
    result = athena.run(
        "SELECT occurred_at, recipients, tags, diagnoses[1].status, facts, is_feedback, feedback_id IS NULL, subject "
        "FROM events WHERE event_type = 'bounce'"
    )
    assert [column.type for column in result.columns] == [
        "timestamp", "array", "map", "varchar", "array", "boolean", "boolean", "varchar",
    ]  # fmt: skip
    occurred_at, recipients, tags, status, facts, *others = next(iter(result.rows))
    assert (occurred_at, recipients, tags) == ("2026-03-01 12:00:02.000", "[ada@example.com]", "{campaign=[spring]}")
    assert (status, others) == ("5.1.1", ["true", "false", None])
    assert facts is not None
    assert facts.startswith("[{address=ada@example.com, scope=*, fact=hard, at_ms=1772366402000, ")


def test_a_fact_of_a_record_that_is_stored_twice_is_one_fact() -> None:
    """The view counts what happened."""
    with athena_over(a_bounce(), a_bounce()) as athena:
        assert athena.run("SELECT count(*) FROM suppression_facts").rows == [("1",)]


def test_columns_have_athenas_types(athena: Athena) -> None:
    """Each of DuckDB's types has the name that Athena has for it."""
    result = athena.run(
        "SELECT count(*) AS a, 1 AS b, 1e0 AS c, now() AS d, current_date AS e, CAST('1' AS json) AS f, sum(1) AS g, "
        "1.5 AS h, ROW(1) AS i, MAP() AS j, NULL AS k, INTERVAL '1' DAY AS l, to_utf8('a') AS m, CAST(1 AS real) AS n"
    )
    assert [column.type for column in result.columns] == [
        "bigint", "integer", "double", "timestamp with time zone", "date", "json", "bigint",
        "decimal", "row", "map", "unknown", "interval day to second", "varbinary", "real",
    ]  # fmt: skip
