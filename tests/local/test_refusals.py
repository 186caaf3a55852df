"""What Athena rejects is rejected here by name, and what cannot be answered right is not answered."""

from collections.abc import Iterator

import pytest

from pipeline.aws.archive.sql_files import sql_files
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
    "SELECT format_datetime(current_timestamp, 'w')": "the field w",
    "SELECT date_format(occurred_at, '%U') FROM events": "%U",
    "SELECT count(*) AS total, 100e0 * count_if(is_feedback) / total FROM events": "alias 'total'",
    "SELECT event_type AS Kind FROM events GROUP BY kind": "alias 'kind'",
    "WITH e AS (SELECT * FROM events) SELECT event_type AS t FROM e GROUP BY t": "alias 't'",
    "WITH a AS (SELECT * FROM events), b AS (SELECT * FROM a) SELECT dt AS d FROM b WHERE d > ''": "alias 'd'",
    "SELECT * FROM events WHERE occurred_at > '2026-01-01'": "write TIMESTAMP",
    "SELECT * FROM events WHERE CAST(occurred_at AS date) = dt": "a comparison of a time with a text",
    "SELECT * FROM events WHERE hr = 12": "a comparison of a text with a number",
    "SELECT * FROM events WHERE processing_time_ms > '100'": "a comparison of a number with a text",
    "SELECT * FROM events WHERE is_feedback = 1": "a comparison of a boolean with a number",
    "SELECT * FROM events WHERE hr IN (1, 2)": "a comparison of a text with a number",
    "SELECT * FROM events WHERE occurred_at BETWEEN '2026-01-01' AND '2026-02-01'": "of a time with a text",
    "SELECT current_date - 7": "date_add('day', n, x)",
    "SELECT DATE '2026-01-01' + 1": "date_add('day', n, x)",
    "SELECT 5 / '2'": "arithmetic with a text",
    "SELECT processing_time_ms || ' ms' FROM events": "a concatenation of a text with a number",
    "SELECT concat('a', 1)": "a concatenation of a text with a number",
    "SELECT to_hex(sha256(raw)) FROM events": "write sha256(to_utf8(x))",
    "SELECT approx_percentile(processing_time_ms, 2, 0.5) FROM events": "approx_percentile with weights",
    "SELECT DISTINCT dt FROM events ORDER BY hr": "ORDER BY of what SELECT DISTINCT leaves out",
    "SELECT DISTINCT ON (dt) dt FROM events": "DISTINCT ON",
    "SELECT unnest(recipients) FROM events": "UNNEST in SELECT",
    "SELECT * FROM events SEMI JOIN events AS b ON 1 = 1": "this join",
    "SELECT [1, 2]": "ARRAY[a, b]",
    "SELECT raw SIMILAR TO 'x' FROM events": "SIMILAR TO",
    "SELECT raw REGEXP 'x' FROM events": "REGEXP",
    "SELECT 1 == 1": "==",
    "SELECT * FROM events USING SAMPLE 10": "samples of a table",
    "SELECT json_extract_scalar(raw, '$.mail.tags.ses:configuration-set[0]') FROM events": "write $.name",
    "SELECT json_extract_scalar(raw, 'mail.messageId') FROM events": "write $.name",
    "SELECT json_extract_scalar(raw, '$..messageId') FROM events": "write $.name",
    "SELECT json_extract_scalar(raw, concat('$.', event_type)) FROM events": "a JSON path that is not a literal",
    "SELECT typeof(1)": "the function typeof",
    "SELECT tags['nope'] FROM events": "Key not present in map: nope: element_at",
    "SELECT recipients[2] FROM events": "subscript 2 is not in 1 to 1",
    "SELECT recipients[-1] FROM events": "subscript -1",
    "SELECT CAST(json_extract_scalar(raw, '$.mail.timestamp') AS timestamp) FROM events": "use from_iso8601_timestamp",
    "SELECT date(json_extract_scalar(raw, '$.mail.timestamp')) FROM events": "not a date like",
    "SELECT CAST('1.5' AS integer)": "not a whole number",
    "SELECT 1 / 0": "Division by zero",
    "SELECT 1 / (n - 190000) FROM UNNEST(sequence(1, 200000)) AS t (n)": "Division by zero",
    "SELECT sum(x) FROM (VALUES 9223372036854775807, 1) AS t (x)": "no bigint",
    "SELECT date_add('year', 9000, occurred_at) FROM events": "outside the years 1 to 9999",
    "SELECT 1_000": "1_000: write a space",
    "SELECT DECIMAL '1.5'": "write 1.5",
    "SELECT date_trunc('hour', DATE '2026-01-01')": "a unit of hour",
    "SELECT date_add('minute', 1, date(occurred_at)) FROM events": "a unit of minute",
    "SELECT DATE '2026-01-01' + INTERVAL '1' HOUR": "a unit of hour",
    "SELECT from_iso8601_timestamp('2026-03-01T12:00:00+02:00')": "a time with an offset",
    "SELECT zip_with(ARRAY[1], ARRAY[2], (x, y) -> x)": "the function zip_with",
}

NOT_AT_ONCE = ("outside the years 1 to 9999", "no bigint", "Division by zero")

ACCEPTED = (
    "SELECT event_type AS event_type FROM events WHERE event_type = 'send' GROUP BY event_type",
    "SELECT upper(event_type) AS event_type FROM events WHERE event_type = 'send' GROUP BY 1",
    "SELECT event_type AS e FROM events ORDER BY e",
    "SELECT ARRAY[0], contains(ARRAY[0], 1)",
    "SELECT 1 _a, date_trunc('month', DATE '2026-01-01') + INTERVAL '1' DAY",
    "WITH a (x, y) AS (SELECT 1, 2) SELECT x AS z FROM a WHERE x = 1",
    "SELECT current_date - INTERVAL '7' DAY",
    "SELECT listagg(dt, ',') WITHIN GROUP (ORDER BY dt) FROM events",
    "SELECT dt FROM events WHERE dt IN ('a', 'b') AND (dt = 'a') OR NOT (dt = 'b') ORDER BY dt OFFSET 1 LIMIT 1",
    "SELECT a.dt AS d FROM events AS a JOIN events AS b ON (a.event_id = b.event_id) WHERE a.dt > ''",
    "SELECT * FROM events WHERE occurred_at > TIMESTAMP '2026-01-01 00:00:00' AND date(occurred_at) < current_date",
    "SELECT * FROM events WHERE dt >= date_format(current_date - INTERVAL '7' DAY, '%Y-%m-%d') AND hr IN ('01')",
    "SELECT * FROM events WHERE occurred_at >= date_trunc('day', now()) AND processing_time_ms > 1.5 AND is_feedback",
    "SELECT * FROM events WHERE CAST(dt AS date) BETWEEN DATE '2026-01-01' AND occurred_at",
    "SELECT DISTINCT dt AS d, upper(hr) FROM events ORDER BY d, upper(hr), 1",
    "SELECT DISTINCT * FROM events ORDER BY dt",
    "SELECT transform(recipients, r -> upper(r)) AS r, 'a' || CAST(1 AS varchar), ARRAY[1] || ARRAY[2] FROM events",
    "SELECT to_hex(sha256(to_utf8(raw))) AS h, try(tags['nope']), element_at(recipients, 9) FROM events",
    "SELECT date_parse('2026-03-01', '%Y-%m-%d') > from_unixtime(0), max(occurred_at) - min(sent_at) FROM events",
)


@pytest.fixture(scope="module")
def athena() -> Iterator[Athena]:
    """Athena over one bounce."""
    with athena_over(a_bounce(tags={"campaign": ["spring"]})) as athena:
        yield athena


@pytest.mark.parametrize(("sql", "named"), REFUSED.items(), ids=REFUSED)
def test_a_form_is_refused_by_name(athena: Athena, sql: str, named: str) -> None:
    """The message says what to write in its place, where there is something."""
    with pytest.raises(UsageError) as error:
        athena.run(sql)
    assert named in str(error.value)


@pytest.mark.parametrize("sql", [sql for sql, named in REFUSED.items() if named in NOT_AT_ONCE])
def test_an_error_after_the_first_rows_does_not_end_the_engine(athena: Athena, sql: str) -> None:
    """The next query runs."""
    with pytest.raises(UsageError):
        athena.run(sql)
    assert athena.run("SELECT 1").rows == [("1",)]


@pytest.mark.parametrize("sql", ACCEPTED)
def test_a_form_that_athena_has_is_accepted(athena: Athena, sql: str) -> None:
    """A name of a column is not taken for an alias, and a list of names not for a call."""
    athena.run(sql)


@pytest.mark.parametrize("name", [file.name for file in sql_files("views")])
def test_the_own_views_pass(athena: Athena, name: str) -> None:
    """The statement of a view is checked like any other."""
    [sql] = [file.sql for file in sql_files("views") if file.name == name]
    athena.run(sql.partition(" AS\n")[2])
