"""Numbers have the values and the scales that they have in Athena, also through subqueries and windows."""

from collections.abc import Iterator

import pytest

from pipeline.local.athena import Athena
from tests.support.builders import a_bounce
from tests.support.log_in_s3 import athena_over

STATEMENTS = {
    "SELECT CAST('1.5' AS decimal), CAST(2.5 AS decimal(2, 1)), 100.0 / 3 / 3": ("2", "2.5", "11.1"),
    "SELECT 1e0 / 0, -1e0 / 0, 0e0 / 0, nan() / 0e0": ("Infinity", "-Infinity", "NaN", "NaN"),
    "SELECT 1e0 / nullif(0, 0), nullif(1e0, 1e0) / 0, 1.5 / nullif(0, 0)": (None, None, None),
    "SELECT avg(x), avg(x) FILTER (WHERE x > 1), sum(x) / count(*) FROM (VALUES 1.5, 2.0, 0.1) AS t (x)": (
        *("1.2", "1.8", "1.2"),
    ),
    "SELECT max(a), max(b) FROM (SELECT avg(x) OVER () AS a, avg(x) OVER (ORDER BY x) / 3 AS b "
    "FROM (VALUES 1.5, 2.0) AS t (x)) AS u": ("1.8", "0.6"),
    "SELECT p / 3, avg(p), round(p, 1) / 3 FROM (SELECT 100.0 / 3 AS p) AS t GROUP BY p": ("11.1", "33.3", "11.1"),
    "WITH a AS (SELECT 100.0 / 3 AS p), b AS (SELECT p / 3 AS q FROM a) SELECT q / 7, sum(q) / 7 FROM b GROUP BY q": (
        *("1.6", "1.6"),
    ),
    "SELECT a.p / b.p FROM (SELECT 10.0 AS p) AS a CROSS JOIN (SELECT 3.000 AS p) AS b": ("3.333",),
    "SELECT p / 3 FROM (SELECT round(100.0 * 2 / 3, 1) AS p) AS t": ("22.2",),
    "SELECT 7 / 2, 7 / 2e0, 7 / 2.0": ("3", "3.5", "3.5"),
}


@pytest.fixture(scope="module")
def athena() -> Iterator[Athena]:
    with athena_over() as athena:
        yield athena


@pytest.mark.parametrize(("statement", "row"), STATEMENTS.items(), ids=STATEMENTS)
def test_a_number_has_its_value_and_scale_in_athena(
    athena: Athena, statement: str, row: tuple[str | None, ...]
) -> None:
    """A quotient and an average of decimals are rounded half up to a scale, and null stays null."""
    assert athena.run(statement).rows == [row]


def test_the_rates_of_a_day_without_sends_are_null() -> None:
    """Nothing can be divided by zero sends."""
    with athena_over(a_bounce()) as athena:
        assert athena.run("SELECT bounce_percent, complaint_percent FROM daily_rates").rows == [(None, None)]
