"""Trino's functions and forms, each with the result that Athena returns."""

from collections.abc import Iterator

import pytest

from pipeline.local.athena import Athena
from tests.support.builders import ADA, BOB, MESSAGE_ID, a_bounce, a_delivery
from tests.support.log_in_s3 import athena_over

TAGS = {"ses:operation": ["SendEmail"], "campaign": ["spring", "sale"]}

# Results by expression over one bounce for Ada and Bob: sent at 2026-03-01 12:00:00, occurred 2 s later.
EXPRESSIONS = {
    # names of columns
    "event_type, count(*) OVER ()": "bounce|1",
    # aggregates
    "approx_distinct(event_id)": "1",
    "approx_distinct(event_id, 0.01)": "1",
    "max_by(event_type, occurred_at)": "bounce",
    "min_by(event_type, occurred_at)": "bounce",
    "max_by(event_type, ROW(occurred_at, event_id))": "bounce",
    "max_by(event_type, occurred_at, 2)": "[bounce]",
    "100.0 * count_if(is_feedback) / count_if(at < 4), 1.0 * count_if(true) / 4, 100e0 * count_if(true) / 8":
        "100.0|0.3|12.5",
    "CAST(json_extract(raw, '$.eventType') AS varchar) = 'Bounce'": "true",
    "max_by(message_id, at), min_by(message_id, at), max_by(IF(at > 9, 1), at)": f"{MESSAGE_ID}|{MESSAGE_ID}|",
    "millisecond(TIMESTAMP '2026-01-01 00:00:44.363')": "363",
    "url_decode('a+b%21'), url_extract_parameter('https://example.org/?q=a+b', 'q')": "a b!|a b",
    "format_datetime(TIMESTAMP '2026-01-05 00:00:00', 'xxxx-ww e D')": "2026-02 1 5",
    "array_position(ARRAY[1, 2], 5), array_position(ARRAY[1, 2], 2)": "0|2",
    "array_distinct(ARRAY[3, 1, 3, NULL, 2, NULL])": "[3, 1, null, 2]",
    "sequence(3, 1), sequence(1, 3), sequence(1, 5, 2)": "[3, 2, 1]|[1, 2, 3]|[1, 3, 5]",
    "contains(ARRAY[1, NULL], 2), contains(ARRAY[1, NULL], 1), contains(ARRAY[1], 2)": "|true|false",
    "to_base(255, 16), from_base('fF', 16)": "ff|255",
    "count_if(is_feedback)": "1",
    "arbitrary(event_type)": "bounce",
    "array_agg(event_type ORDER BY event_type)": "[bounce]",
    "array_agg(event_type) FILTER (WHERE is_feedback)": "[bounce]",
    "histogram(event_type)": "{bounce=1}",
    "map_agg(event_type, at)": "{bounce=1}",
    "listagg(event_type, ', ') WITHIN GROUP (ORDER BY event_type)": "bounce",
    "approx_percentile(at, 0.5)": "1",
    "approx_percentile(at, ARRAY[0.5, 0.9])": "[1, 1]",
    "bool_and(is_feedback), every(is_feedback)": "true|true",
    "sum(IF(is_feedback, 1, 0)), sum(at) / 2, avg(at)": "1|0|1.0",
    "ROW(1, NULL) = ROW(1, NULL), ROW(1, NULL) = (2, NULL), (1, 2) = (1, 2)": "|false|true",
    "(1, NULL) <> (1, 2), (1, NULL) <> (2, NULL), NOT (1, 2) = (1, 2)": "|true|false",
    "(1, NULL) IN ((1, 2), (3, 4)), (1, NULL) IN ((2, 2), (3, 4)), (1, 2) NOT IN ((1, 2))": "|false|false",
    "ROW(ROW(1, NULL), 2) = ROW(ROW(1, 3), 3), (event_type, at) IN (('bounce', 1))": "false|true",
    # times
    "from_iso8601_timestamp('2026-03-01T12:00:02.500+00:00'), try(from_iso8601_timestamp('x'))":
        "2026-03-01 12:00:02.500 UTC|",
    "occurred_at": "2026-03-01 12:00:02.000",
    "date_trunc('hour', occurred_at)": "2026-03-01 12:00:00.000",
    "date_trunc('month', date(occurred_at))": "2026-03-01",
    "date_trunc('week', DATE '2026-03-01')": "2026-02-23",
    "date_diff('second', sent_at, occurred_at)": "2",
    "date_diff('day', TIMESTAMP '2026-03-01 23:00:00', TIMESTAMP '2026-03-03 01:00:00')": "1",
    "date_diff('month', DATE '2026-01-31', DATE '2026-03-01')": "1",
    "date_add('day', 1, DATE '2026-03-01')": "2026-03-02",
    "date_add('hour', -1, occurred_at)": "2026-03-01 11:00:02.000",
    "DATE '2026-03-01' - INTERVAL '1' DAY": "2026-02-28",
    "occurred_at + INTERVAL '90' MINUTE": "2026-03-01 13:30:02.000",
    "occurred_at - sent_at": "0 00:00:02.000",
    "sent_at - occurred_at": "-0 00:00:02.000",
    "from_iso8601_date('2026-03-01')": "2026-03-01",
    "to_iso8601(occurred_at)": "2026-03-01T12:00:02.000",
    "to_iso8601(from_unixtime(0)), to_iso8601(DATE '2026-03-01')": "1970-01-01T00:00:00.000Z|2026-03-01",
    "from_unixtime(1772366402), to_unixtime(occurred_at)": "2026-03-01 12:00:02.000 UTC|1.772366402E9",
    "at_timezone(occurred_at, 'America/New_York')": "2026-03-01 07:00:02.000 America/New_York",
    "from_unixtime(0, 'America/New_York')": "1969-12-31 19:00:00.000 America/New_York",
    "date_trunc('day', occurred_at AT TIME ZONE 'Asia/Tokyo')": "2026-03-01 00:00:00.000",
    "CAST(occurred_at AT TIME ZONE 'Asia/Tokyo' AS varchar) AS x": "2026-03-01 21:00:02.000 Asia/Tokyo",
    "CAST(from_unixtime(0) AS varchar)": "1970-01-01 00:00:00.000 UTC",
    "CAST(1e7 AS varchar), CAST(-12345678.5e0 AS varchar), CAST(1e-4 AS varchar), CAST(1.5e20 AS varchar)":
        "1.0E7|-1.23456785E7|1.0E-4|1.5E20",
    "CAST(2.5e-7 AS varchar), CAST(1e0 AS varchar), CAST(0e0 / 0 AS varchar), CAST(1e0 / 0 AS varchar)":
        "2.5E-7|1.0|NaN|Infinity",
    "CAST(2.5e0 AS bigint), CAST(-2.5e0 AS bigint), CAST(0.5e0 AS integer), CAST('abc' AS varchar(2))": "3|-3|1|ab",
    "try_cast('1.5' AS integer), try_cast('1e3' AS bigint), try_cast(' 12' AS integer), CAST('-7' AS integer)":
        "||12|-7",
    "try_cast('2026-03-01T12:00:00Z' AS timestamp), try_cast('2026-03-01 12:00' AS timestamp)":
        "|2026-03-01 12:00:00.000",
    "DATE '2026-03-01' - DATE '2026-02-01', date('2026-03-01') - INTERVAL '1' DAY": "28 00:00:00.000|2026-02-28",
    "substr('hello', 0), substr('hello', -10), substr('hello', 0, 2), substr('hello', -3, 2), substr('hello', 2)":
        "|||ll|ello",
    "any_match(ARRAY[1, NULL], x -> x > 5), none_match(ARRAY[NULL], x -> x > 5), all_match(ARRAY[1, NULL], x -> x > 0)":
        "||",
    "all_match(ARRAY[-1, NULL], x -> x > 0), any_match(ARRAY[9, NULL], x -> x > 5), none_match(ARRAY[9], x -> x > 5)":
        "false|true|false",
    "arrays_overlap(ARRAY[1, NULL], ARRAY[2]), arrays_overlap(ARRAY[1], ARRAY[1]), arrays_overlap(ARRAY[1], ARRAY[2])":
        "|true|false",
    "json_array_length('{}'), json_array_length('[1, 2]'), CAST(json_parse('\"x\"') AS varchar)": "|2|x",
    "json_extract_scalar(raw, '$.mail.tags.ses:operation[0]'), json_extract_scalar(raw, '$.mail[''messageId'']')":
        f"SendEmail|{MESSAGE_ID}",
    "url_extract_parameter('https://example.org/?axb=2', 'a.b')": "",
    "date_format(TIMESTAMP '2026-03-01 12:00:00', '%x-%v %A %W %b'), date_format(sent_at, '%H:%i:%s.%f')":
        "2026-09 A Sunday Mar|12:00:00.000000",
    "format('%s %s %s', 'a', NULL, 1e0), format('%05d|%,d', 42, 1234567)": "a null 1.0|00042|1,234,567",
    "repeat(1, 3), sequence(DATE '2026-01-01', DATE '2026-01-02'), 0.5e0+0.25e0":
        "[1, 1, 1]|[2026-01-01, 2026-01-02]|0.75",
    "to_unixtime(from_unixtime(0) AT TIME ZONE 'Asia/Tokyo'), occurred_at AT TIME ZONE 'Asia/Tokyo' = occurred_at":
        "0.0|true",
    "date_diff('hour', occurred_at, occurred_at AT TIME ZONE 'Asia/Tokyo')": "0",
    "(occurred_at AT TIME ZONE 'America/New_York') AT TIME ZONE 'Asia/Tokyo'": "2026-03-01 21:00:02.000 Asia/Tokyo",
    "listagg(event_type) WITHIN GROUP (ORDER BY event_type)": "bounce",
    "1e0 / 0, -1e0 / 0, 0e0 / 0, NULL / 1e0": "Infinity|-Infinity|NaN|",
    "100.0 * sum(at) / 3, sum(at) * 1.00 / 3, 1.0 / 8, 2 / 3.000": "33.3|0.33|0.1|0.667",
    "avg(at * 1.0), avg(at), 7 / 2, 1.50 * 2.0, round(200.0 / 3, 2)": "1.0|1.0|3|3.000|66.7",
    "CAST(1 AS decimal(10, 4)) / 3, CAST(2 AS decimal(5)) / 3, 1.0 / nullif(at, 1)": "0.3333|1|",
    "100.0 * sum(CASE WHEN is_feedback THEN 1 ELSE 0 END) / 8, coalesce(1.0, 2) / 3, -1.0 / 3": "12.5|0.3|-0.3",
    "hour(occurred_at AT TIME ZONE 'Europe/Berlin')": "13",
    "with_timezone(occurred_at, 'Europe/Berlin')": "2026-03-01 12:00:02.000 Europe/Berlin",
    "day_of_week(occurred_at), extract(dow FROM occurred_at), extract(hour FROM occurred_at)": "7|7|12",
    "TIME '10:00:00', INTERVAL '14' MONTH": "10:00:00.000|1-2",
    "day_of_year(occurred_at), day_of_month(occurred_at), week(occurred_at), year_of_week(occurred_at)": "60|1|9|2026",
    "year(occurred_at), month(occurred_at), quarter(occurred_at), minute(occurred_at)": "2026|3|1|0",
    "last_day_of_month(occurred_at)": "2026-03-31",
    "date_format(occurred_at, '%Y-%m-%d %H:%i:%s')": "2026-03-01 12:00:02",
    "date_parse('2026-03-01 12:05', '%Y-%m-%d %H:%i')": "2026-03-01 12:05:00.000",
    "format_datetime(occurred_at, 'yyyy-MM-dd''T''HH:mm:ss.SSS')": "2026-03-01T12:00:02.000",
    "parse_datetime('01.03.2026 12', 'dd.MM.yyyy HH')": "2026-03-01 12:00:00.000 UTC",
    "sequence(DATE '2026-03-01', DATE '2026-03-02', INTERVAL '1' DAY)": "[2026-03-01, 2026-03-02]",
    "occurred_at = TIMESTAMP '2026-03-01 12:00:02.000'": "true",
    "occurred_at BETWEEN TIMESTAMP '2026-03-01 12:00:01.999' AND TIMESTAMP '2026-03-01 12:00:02.001'": "true",
    # text
    "lower('A') || upper('b'), concat('a', 'b', 'c'), concat('a', NULL)": "aB|abc|",
    "regexp_like('5.1.1', '^5\\.')": "true",
    "regexp_extract('smtp; 550 gone', '(\\d{3}) (\\w+)', 2), regexp_extract('gone', '\\d+')": "gone|",
    "regexp_replace('a1b2', '(\\d)', '<$1>')": "a<1>b<2>",
    "regexp_extract_all('a1b2', '\\d'), regexp_count('a1b2', '\\d'), regexp_split('a1b', '\\d')": "[1, 2]|2|[a, b]",
    "split('a,b', ','), split('a,b', ',')[2]": "[a, b]|b",
    "split_part('a,b', ',', 2), split_part('a,,b', ',', 2), split_part('a,b', ',', 3)": "b||",
    "strpos('abc', 'c'), position('b' IN 'abc'), substr('abc', 2), length('abc')": "3|2|bc|3",
    "replace('aba', 'a', 'x'), trim('  a '), lpad('7', 3, '0'), reverse('abc')": "xbx|a|007|cba",
    "starts_with('abc', 'ab'), codepoint('A'), chr(65), levenshtein_distance('ab', 'ac')": "true|65|A|1",
    "format('%s has %d', 'Ada', 3)": "Ada has 3",
    "to_hex(sha256(to_utf8('a')))": "CA978112CA1BBDCAFAC231B39A23DC4DA786EFF8147C4E72B9807785AFEE48BB",
    "to_utf8('ab')": "61 62",
    "url_extract_host('https://a@example.org:8080/p/q?x=%20y#f')": "example.org",
    "url_extract_path('https://example.org/p/q?x=1'), url_extract_protocol('https://example.org')": "/p/q|https",
    "url_extract_parameter('https://e.org/?a=1&x=%20y', 'x'), url_extract_query('https://e.org/?a=1')": " y|a=1",
    # numbers
    "7 / 2, -7 / 2, 7.0 / 2, 7 % 3, mod(7, 3)": "3|-3|3.5|1|1",
    "round(2.5e0), truncate(1.9e0), ceil(1.2e0), floor(-1.5e0), abs(-1), power(2, 3)": "3.0|1.0|2.0|-2.0|1|8.0",
    "1e0 / 3, 1e7, 1.5e-5, 123456789e0, nan(), infinity()": "0.3333333333333333|1.0E7|1.5E-5|1.23456789E8|NaN|Infinity",
    "greatest(1, 2), greatest(1, NULL), least(1, 2)": "2||1",
    "CAST(1 AS decimal(10, 2))": "1.00",
    # casts and conditions
    "TRY_CAST('x' AS integer), TRY(1 / 0), CAST('5' AS bigint)": "||5",
    "CAST(occurred_at AS varchar), CAST(date(occurred_at) AS varchar)": "2026-03-01 12:00:02.000|2026-03-01",
    "CAST(occurred_at AS date), CAST('2026-03-01 12:00:02' AS timestamp)": "2026-03-01|2026-03-01 12:00:02.000",
    "coalesce(subject, 'none'), nullif('a', 'a'), IF(is_feedback, 'yes')": "none||yes",
    "CASE event_type WHEN 'bounce' THEN 1 ELSE 2 END": "1",
    # JSON
    "json_extract_scalar(raw, '$.mail.messageId') = message_id": "true",
    "json_extract_scalar(raw, '$.mail.tags[\"ses:operation\"][0]')": "SendEmail",
    "json_extract_scalar(raw, '$.mail.tags'), json_extract_scalar('no JSON', '$.a')": "|",
    "json_extract(raw, '$.mail.tags.campaign'), json_extract('no JSON', '$.a')": '["spring","sale"]|',
    "json_extract_scalar('{\"a\": null, \"b\": true}', '$.a'), json_extract_scalar('{\"b\": true}', '$.b')": "|true",
    "json_array_length(json_extract(raw, '$.mail.destination')), json_size(raw, '$.bounce.bouncedRecipients')": "1|2",
    "CAST(json_extract(raw, '$.mail.tags.campaign') AS array(varchar))": "[spring, sale]",
    "CAST(json_parse('{\"a\": 1}') AS map(varchar, integer))": "{a=1}",
    "json_format(CAST(element_at(tags, 'campaign') AS json)), CAST('a' AS json)": '["spring","sale"]|"a"',
    "json_array_contains('[\"a\"]', 'a')": "true",
    # arrays
    "recipients": "[ada@example.com, bob@example.net]",
    "cardinality(recipients), cardinality(tags), cardinality(link_tags)": "2|2|",
    "contains(recipients, 'ada@example.com'), recipients[1], element_at(recipients, -1)": (
        "true|ada@example.com|bob@example.net"
    ),
    "element_at(recipients, 9)": "",
    "transform(recipients, r -> upper(r))": "[ADA@EXAMPLE.COM, BOB@EXAMPLE.NET]",
    "filter(recipients, r -> r LIKE 'bob%')": "[bob@example.net]",
    "any_match(facts, f -> f.fact = 'hard'), all_match(facts, f -> f.fact = 'soft')": "true|false",
    "none_match(recipients, r -> r = 'x')": "true",
    "reduce(ARRAY[1, 2, 3], 0, (s, x) -> s + x, s -> s * 10)": "60",
    "array_join(recipients, ' '), array_sort(ARRAY[2, 1]), array_distinct(ARRAY[1, 1])": (
        "ada@example.com bob@example.net|[1, 2]|[1]"
    ),
    "slice(ARRAY[1, 2, 3, 4], 2, 2), flatten(ARRAY[ARRAY[1], ARRAY[2]])": "[2, 3]|[1, 2]",
    "array_sort(array_union(ARRAY[1], ARRAY[1, 2])), array_except(ARRAY[1, 2], ARRAY[2])": "[1, 2]|[1]",
    "arrays_overlap(ARRAY[1], ARRAY[1, 2]), array_position(ARRAY[5, 6], 6), array_max(ARRAY[1, 2])": "true|2|2",
    "ARRAY[1] || ARRAY[2], concat(ARRAY[1], ARRAY[2]), ARRAY[1, NULL]": "[1, 2]|[1, 2]|[1, null]",
    "sequence(1, 3), zip(ARRAY[1], ARRAY['a'])": "[1, 2, 3]|[{field0=1, field1=a}]",
    # maps and rows
    "tags['campaign'][2], element_at(tags, 'campaign'), element_at(tags, 'none')": "sale|[spring, sale]|",
    "map_keys(map_filter(tags, (k, v) -> k NOT LIKE 'ses:%'))": "[campaign]",
    "map_filter(transform_values(tags, (k, v) -> v[1]), (k, v) -> k = 'campaign')": "{campaign=spring}",
    "MAP(ARRAY['a'], ARRAY[1]), map_concat(MAP(ARRAY['a'], ARRAY[1]), MAP(ARRAY['b'], ARRAY[2]))": "{a=1}|{a=1, b=2}",
    "ROW(1, 'a'), CAST(ROW(1, 'a') AS ROW(x integer, y varchar))": "{field0=1, field1=a}|{x=1, y=a}",
    "ROW(at, at)": "{field0=1, field1=1}",
    "facts[1].fact, facts[2].spelling": "hard|bob@example.net",
}  # fmt: skip

# Results by statement over that bounce and one delivery to Bob.
STATEMENTS = {
    "SELECT map_agg(k, v) FROM (VALUES ('a', 1), ('a', 1), (NULL, 3)) AS t (k, v)": [("{a=1}",)],
    "SELECT CAST(m AS varchar) FROM (SELECT json_extract(raw, '$.eventType') AS m FROM events) ORDER BY 1": [
        ("Bounce",),
        ("Delivery",),
    ],
    "SELECT count(*), max(event_type) AS last, event_type || '' FROM events GROUP BY 3 ORDER BY 3": [
        ("1", "bounce", "bounce"),
        ("1", "delivery", "delivery"),
    ],
    "SELECT r.address, r.fact FROM events CROSS JOIN UNNEST(facts) AS t (r) ORDER BY 1": [(ADA, "hard"), (BOB, "hard")],
    "SELECT r.address, n FROM events CROSS JOIN UNNEST(facts) WITH ORDINALITY AS t (r, n) ORDER BY n": [
        (ADA, "1"),
        (BOB, "2"),
    ],
    "SELECT address, status FROM events CROSS JOIN UNNEST(transform(diagnoses, d -> d.address), "
    "transform(diagnoses, d -> d.status)) AS t (address, status) ORDER BY 1": [(ADA, "5.1.1"), (BOB, "5.1.1")],
    "SELECT r FROM events CROSS JOIN UNNEST(recipients) AS t (r) ORDER BY 1": [(ADA,), (BOB,), (BOB,)],
    "SELECT r, n FROM events CROSS JOIN UNNEST(recipients) WITH ORDINALITY AS t (r, n) WHERE is_feedback ORDER BY n": [
        (ADA, "1"),
        (BOB, "2"),
    ],
    "SELECT k, v FROM events CROSS JOIN UNNEST(tags) AS t (k, vs) CROSS JOIN UNNEST(vs) AS u (v) ORDER BY 1, 2": [
        ("campaign", "sale"),
        ("campaign", "spring"),
        ("ses:operation", "SendEmail"),
    ],
    "SELECT event_type, v FROM events LEFT JOIN UNNEST(filter(recipients, r -> r LIKE 'ada%')) AS t (v) ON TRUE "
    "ORDER BY 1": [("bounce", ADA), ("delivery", None)],
    "WITH found AS (SELECT facts AS ff FROM mailfold.events WHERE is_feedback) SELECT a, c FROM found CROSS JOIN "
    "UNNEST(transform(ff, f -> f.address), transform(ff, f -> f.fact)) AS t (a, c) ORDER BY 1": [
        (ADA, "hard"),
        (BOB, "hard"),
    ],
    "SELECT k, n FROM (SELECT histogram(event_type) AS h FROM events) CROSS JOIN UNNEST(h) AS t (k, n) ORDER BY 1": [
        ("bounce", "1"),
        ("delivery", "1"),
    ],
    "SELECT k FROM events CROSS JOIN UNNEST(map_filter(tags, (k, v) -> k = 'campaign')) AS t (k, v)": [("campaign",)],
    "SELECT x, y, n FROM UNNEST(ARRAY[1, 2], ARRAY['a']) WITH ORDINALITY AS t (x, y, n) ORDER BY n": [
        ("1", "a", "1"),
        ("2", None, "2"),
    ],
    "SELECT d FROM UNNEST(sequence(DATE '2026-02-28', DATE '2026-03-01', INTERVAL '1' DAY)) AS t (d) ORDER BY d": [
        ("2026-02-28",),
        ("2026-03-01",),
    ],
    "SELECT event_type, rank() OVER (ORDER BY occurred_at, event_type), lag(event_type) OVER (ORDER BY event_type) "
    "FROM events ORDER BY 1": [("bounce", "1", None), ("delivery", "2", "bounce")],
    "SELECT event_type, count(*) FROM events GROUP BY GROUPING SETS ((event_type), ()) ORDER BY 1 DESC": [
        ("delivery", "1"),
        ("bounce", "1"),
        (None, "2"),
    ],
    "SELECT event_type FROM events EXCEPT SELECT 'bounce'": [("delivery",)],
    "SELECT count(*) FROM events WHERE 'ada@example.com' IN (SELECT r FROM UNNEST(recipients) AS t (r))": [("1",)],
    "SELECT a.event_type FROM events AS a JOIN events AS b USING (message_id) WHERE b.is_feedback ORDER BY 1": [
        ("bounce",),
        ("delivery",),
    ],
    "SELECT x FROM (VALUES (1, 'a'), (2, 'b')) AS t (x, y) ORDER BY x DESC OFFSET 1 LIMIT 1": [("1",)],
    "SELECT event_type FROM events ORDER BY 1 FETCH FIRST 1 ROW ONLY": [("bounce",)],
    "SELECT count(*) FROM events WHERE occurred_at > current_timestamp - INTERVAL '1' DAY": [("0",)],
    "SELECT current_date > DATE '2026-01-01', localtimestamp > TIMESTAMP '2026-01-01 00:00:00'": [("true", "true")],
    "SELECT table_name FROM information_schema.tables WHERE table_name = 'events'": [("events",)],
}


@pytest.fixture(scope="module")
def athena() -> Iterator[Athena]:
    bounce = a_bounce(recipients=(ADA, BOB), destination=[ADA], tags=TAGS)
    delivery = a_delivery(recipients=(BOB,), tags=None)
    with athena_over(bounce, delivery) as athena:
        yield athena


@pytest.mark.parametrize(("expression", "printed"), EXPRESSIONS.items(), ids=EXPRESSIONS)
def test_an_expression_has_its_meaning_in_athena(athena: Athena, expression: str, printed: str) -> None:
    """An expression in Trino's SQL has the value here that it has in Athena."""
    source = "(SELECT *, 1 AS at FROM events WHERE is_feedback)"
    (row,) = athena.run(f"SELECT {expression} FROM {source}").rows  # noqa: S608 - the table above
    assert "|".join(value or "" for value in row) == printed


@pytest.mark.parametrize(("statement", "rows"), STATEMENTS.items(), ids=STATEMENTS)
def test_a_statement_has_its_meaning_in_athena(
    athena: Athena, statement: str, rows: list[tuple[str | None, ...]]
) -> None:
    """A statement in Trino's SQL has the rows here that it has in Athena."""
    assert athena.run(statement).rows == rows


def test_an_unnamed_column_is_named_by_its_position(athena: Athena) -> None:
    """A column without a name is called `_col` and its index, as in Athena."""
    result = athena.run("SELECT count(*), max(dt) AS last, max(facts[1].fact), lower('A') FROM events")
    assert [column.name for column in result.columns] == ["_col0", "last", "_col2", "_col3"]


def test_a_field_of_a_row_keeps_its_name(athena: Athena) -> None:
    """A column that is a field of a row has the field's name."""
    result = athena.run("SELECT facts[1].fact, f.status FROM events CROSS JOIN UNNEST(facts) AS t (f)")
    assert [column.name for column in result.columns] == ["fact", "status"]
