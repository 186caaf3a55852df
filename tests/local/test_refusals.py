"""What Athena rejects is rejected here by name, and what cannot be answered right is not answered."""

from collections.abc import Iterator

import pytest

from pipeline.aws.deployment.athena import sql_files
from pipeline.errors import UsageError
from pipeline.local.athena import Athena
from tests.support.builders import a_bounce
from tests.support.log_in_s3 import athena_over

REFUSED = {
    "SELECT event_type AS e FROM events GROUP BY e": "alias 'e'",
    "SELECT event_type AS e FROM events WHERE e = 'send'": "alias 'e'",
    "SELECT dt, count(*) AS n FROM events GROUP BY 1 HAVING n > 1": "alias 'n'",
    "WITH a AS (SELECT dt FROM events) SELECT dt AS d FROM a GROUP BY d": "alias 'd'",
    "SELECT x + 1 AS y FROM (SELECT 1 AS x) WHERE y > 1": "alias 'y'",
    "SELECT r AS s FROM events CROSS JOIN UNNEST(recipients) AS t (r) WHERE s = 'a'": "alias 's'",
    "SELECT * FROM events WHERE event_type ILIKE 'x'": "ILIKE",
    "SELECT 1::varchar": "CAST(x AS type)",
    "SELECT dt, count(*) FROM events GROUP BY ALL": "GROUP BY ALL",
    "SELECT string_agg(event_type, ',') FROM events": "the function string_agg",
    "SELECT left('abc', 1)": "the function left",
    "SELECT right('abc', 1)": "the function right",
    "SELECT len('abc')": "the function len",
    "SELECT ifnull(1, 2)": "the function ifnull",
    "SELECT * EXCLUDE (raw) FROM events": "exclude",
    "SELECT count(DISTINCT event_type, dt) FROM events": "count(DISTINCT (a, b))",
    "SELECT dt FROM events LIMIT 0, 1": "OFFSET a LIMIT b",
    "SELECT current_date - INTERVAL '7 days'": "INTERVAL '7' DAY",
    "SELECT recipients[0] FROM events": "x[1]",
    "SELECT address FROM events CROSS JOIN UNNEST(facts) AS f (address, scope)": "UNNEST(x) AS t (r)",
    "SELECT f.address FROM events CROSS JOIN UNNEST(facts) AS f": "UNNEST(x) AS t (r)",
    "SELECT json_value(raw, 'lax $.mail') FROM events": "the function json_value",
    "SELECT json_query(raw, 'lax $.mail') FROM events": "the function json_query",
    "SELECT json_exists(raw, 'lax $.mail') FROM events": "the function json_exists",
    "SELECT split('a,b,c', ',', 2)": "split with a limit",
    "SELECT format_datetime(current_timestamp, 'kk')": "the field kk",
    "SELECT zip_with(ARRAY[1], ARRAY[2], (x, y) -> x)": "the function zip_with",
}

ACCEPTED = (
    "SELECT event_type AS event_type FROM events WHERE event_type = 'send' GROUP BY event_type",
    "SELECT upper(event_type) AS event_type FROM events WHERE event_type = 'send' GROUP BY 1",
    "SELECT event_type AS e FROM events ORDER BY e",
    "WITH a (x, y) AS (SELECT 1, 2) SELECT x AS z FROM a WHERE x = 1",
    "SELECT current_date - INTERVAL '7' DAY",
    "SELECT listagg(dt, ',') WITHIN GROUP (ORDER BY dt) FROM events",
    "SELECT dt FROM events WHERE dt IN ('a', 'b') AND (dt = 'a') OR NOT (dt = 'b') ORDER BY dt OFFSET 1 LIMIT 1",
    "SELECT a.dt AS d FROM events AS a JOIN events AS b ON (a.event_id = b.event_id) WHERE a.dt > ''",
    "SELECT x FROM (SELECT * FROM events) AS t (x) WHERE x = 'a'",
)


@pytest.fixture(scope="module")
def athena() -> Iterator[Athena]:
    """Athena over one bounce."""
    with athena_over(a_bounce()) as athena:
        yield athena


@pytest.mark.parametrize(("sql", "named"), REFUSED.items(), ids=REFUSED)
def test_a_form_is_refused_by_name(athena: Athena, sql: str, named: str) -> None:
    """The message says what to write in its place, where there is something."""
    with pytest.raises(UsageError) as error:
        athena.run(sql)
    assert named in str(error.value)


@pytest.mark.parametrize("sql", ACCEPTED)
def test_a_form_that_athena_has_is_accepted(athena: Athena, sql: str) -> None:
    """A name of a column is not taken for an alias, and a list of names not for a call."""
    athena.run(sql)


@pytest.mark.parametrize("name", [file.name for file in sql_files("views")])
def test_the_own_views_pass(athena: Athena, name: str) -> None:
    """The statement of a view is checked like any other."""
    [sql] = [file.sql for file in sql_files("views") if file.name == name]
    athena.run(sql.partition(" AS\n")[2])
