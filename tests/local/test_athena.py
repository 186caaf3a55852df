"""What runs on Athena runs here, with the same answer."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pytest
from moto import mock_aws

from pipeline.aws.archive import schema
from pipeline.errors import ArchiveUnavailable, UsageError
from pipeline.local.athena import Athena
from tests.support.builders import a_bounce, a_decision, a_delivery, a_send
from tests.support.log_in_s3 import ARRIVED_AT, a_bucket, keep

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

DESCRIBED = [
    ("dt", "string", ""),
    ("link", "string", ""),
    ("host", "string", ""),
    ("clicks", "bigint", ""),
    ("human_clicks", "bigint", ""),
    ("mails", "bigint", ""),
]
LONG_QUERY = """
    SELECT count(*) FROM UNNEST(sequence(1, 100000)) AS a (x) CROSS JOIN UNNEST(sequence(1, 1000000)) AS b (y)
    WHERE x * y % 7 = 3
"""


@pytest.fixture(scope="module")
def s3() -> Iterator["S3Client"]:
    with mock_aws():
        yield boto3.client("s3", region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test")


@pytest.fixture(scope="module")
def empty(s3: "S3Client") -> Iterator[Athena]:
    """Athena over a log that stays empty."""
    with Athena(s3, bucket=a_bucket(s3)) as athena:
        yield athena


@pytest.fixture
def bucket(s3: "S3Client") -> str:
    return a_bucket(s3)


@pytest.fixture
def athena(s3: "S3Client", bucket: str) -> Iterator[Athena]:
    with Athena(s3, bucket=bucket) as athena:
        yield athena


def test_an_empty_log_is_a_table_with_every_column_and_no_row(empty: Athena) -> None:
    answer = empty.run("SELECT * FROM events")
    log = schema.log_schema()
    assert [column.name for column in answer.columns] == [column.name for column in (*log.columns, *log.partitions)]
    assert answer.rows == []


def test_describe_gives_glues_types_and_comments(empty: Athena) -> None:
    log = schema.log_schema()
    expected = [(column.name, column.type, column.comment) for column in (*log.columns, *log.partitions)]
    assert empty.run("DESCRIBE events").rows == expected


def test_a_query_sees_the_log_as_it_is_when_it_runs(s3: "S3Client", bucket: str, athena: Athena) -> None:
    counted = "SELECT count(*) FROM events"
    first = keep(s3, bucket, a_send())
    assert athena.run(counted).rows == [("1",)]
    keep(s3, bucket, a_delivery(), a_bounce())
    assert athena.run(counted).rows == [("3",)]
    s3.delete_object(Bucket=bucket, Key=first)
    assert athena.run(counted).rows == [("2",)]


def test_an_object_that_did_not_change_is_fetched_once(s3: "S3Client", bucket: str, athena: Athena) -> None:
    keep(s3, bucket, a_send())
    fetched: list[str] = []
    s3.meta.events.register("before-call.s3.GetObject", lambda params, **_: fetched.append(params["url_path"]))
    athena.run("SELECT 1 FROM events")
    athena.run("SELECT 1 FROM events")
    assert len(fetched) == 1


def test_two_objects_with_equal_content_both_count(s3: "S3Client", bucket: str, athena: Athena) -> None:
    keep(s3, bucket, a_send())
    keep(s3, bucket, a_send())
    assert athena.run("SELECT count(*), count(DISTINCT event_id) FROM events").rows == [("2", "1")]


def test_what_lies_beside_the_log_is_no_part_of_it(s3: "S3Client", bucket: str, athena: Athena) -> None:
    s3.put_object(Bucket=bucket, Key="errors/dt=2026-03-01/hr=12/bad.parquet", Body=b"no Parquet")
    s3.put_object(Bucket=bucket, Key="events/dt=2026-03-01/hr=12/_SUCCESS", Body=b"")
    s3.put_object(Bucket=bucket, Key="events/dt=../hr=12/bad.parquet", Body=b"no Parquet")
    assert athena.run("SELECT count(*) FROM events").rows == [("0",)]


def test_partitions_are_columns_of_text(s3: "S3Client", bucket: str, athena: Athena) -> None:
    keep(s3, bucket, a_send())
    keep(s3, bucket, a_delivery(), arrived_at=ARRIVED_AT + timedelta(days=1))
    answer = athena.run("SELECT dt, hr FROM events WHERE dt >= '2026-03-02'")
    assert answer.rows == [("2026-03-02", "12")]
    assert [column.type for column in answer.columns] == ["varchar", "varchar"]


def test_fewer_bytes_are_read_of_fewer_days_and_columns(s3: "S3Client", bucket: str, athena: Athena) -> None:
    keep(s3, bucket, *[a_send()] * 50)
    keep(s3, bucket, *[a_delivery()] * 50, arrived_at=ARRIVED_AT + timedelta(days=1))
    everything = athena.run("SELECT * FROM events").scanned_bytes
    one_day = athena.run("SELECT * FROM events WHERE dt = '2026-03-01'").scanned_bytes
    one_column = athena.run("SELECT max(event_type) FROM events").scanned_bytes
    assert 0 < one_day < everything
    assert 0 < one_column < everything


@pytest.mark.parametrize(
    "table", ["events", "mailfold.events", '"mailfold"."events"', '"awsdatacatalog"."mailfold"."events"', "EVENTS"]
)
def test_the_log_goes_by_all_the_names_that_athena_has_for_it(
    s3: "S3Client", bucket: str, athena: Athena, table: str
) -> None:
    keep(s3, bucket, a_send())
    assert athena.run(f"SELECT event_type FROM {table}").rows == [("send",)]  # noqa: S608 - a test's own table


def test_a_value_is_shown_as_athena_shows_it(s3: "S3Client", bucket: str, athena: Athena) -> None:
    keep(s3, bucket, a_bounce(tags={"campaign": ["spring"]}), a_decision())
    answer = athena.run(
        "SELECT occurred_at, recipients, tags, diagnoses[1].status, facts, is_feedback, feedback_id IS NULL, subject "
        "FROM events WHERE event_type = 'bounce'"
    )
    assert [column.type for column in answer.columns] == [
        "timestamp", "array", "map", "varchar", "array", "boolean", "boolean", "varchar",
    ]  # fmt: skip
    occurred_at, recipients, tags, status, facts, *others = answer.rows[0]
    assert (occurred_at, recipients, tags) == ("2026-03-01 12:00:02.000", "[ada@example.com]", "{campaign=[spring]}")
    assert (status, others) == ("5.1.1", ["true", "false", None])
    assert facts is not None
    assert facts.startswith("[{address=ada@example.com, scope=*, fact=hard, at_ms=1772366402000, ")


@pytest.mark.parametrize(
    ("statement", "answer"),
    [
        ("SHOW DATABASES", [("mailfold",)]),
        ("show schemas;", [("mailfold",)]),
        ("SHOW COLUMNS FROM mailfold.daily_counts", [("dt",), ("event_type",), ("events",), ("mails",)]),
        ("DESC link_clicks", DESCRIBED),
    ],
)
def test_show_and_describe_tell_what_there_is(
    empty: Athena, statement: str, answer: list[tuple[str | None, ...]]
) -> None:
    assert empty.run(statement).rows == answer


def test_the_log_and_its_views_are_listed(empty: Athena) -> None:
    shown = [name for (name,) in empty.run("SHOW TABLES IN mailfold").rows]
    assert "events" in shown
    assert [name for (name,) in empty.run("SHOW VIEWS").rows] == [name for name in shown if name != "events"]


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
    with pytest.raises(UsageError, match="only queries run here"):
        empty.run(statement)


def test_one_statement_runs_at_a_time(empty: Athena) -> None:
    with pytest.raises(UsageError, match="one statement at a time: this is 2"):
        empty.run("SELECT 1; SELECT 2")


@pytest.mark.parametrize(
    "source",
    [
        "read_csv('{}')",
        "read_text('{}')",
        "read_parquet('{}')",
        "glob('{}')",
        "'{}'",
        "read_parquet('https://example.com/x.parquet')",
        "sqlite_scan('{}', 'x')",
    ],
)
def test_a_query_reaches_neither_files_nor_network(empty: Athena, tmp_path: Path, source: str) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("a\nsecret\n")
    with pytest.raises(UsageError) as raised:
        empty.run(f"SELECT * FROM {source.format(secret)}")  # noqa: S608 - that is the test
    assert "secret\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("statement", "sentence"),
    [
        ("SELECT count(*\nFROM events", "line 2:1: Expecting )"),
        ("SELECT event_type,\n  subjct\nFROM events", 'line 2:3: Referenced column "subjct" not found'),
        ("SELECT * FROM evnts", "line 1:15: Table with name evnts does not exist"),
        ("SELECT * FROM evnts ORDER BY 1", "line 1:15: Table with name evnts does not exist"),
        ("SELECT nonsense(1)", "line 1:8: Scalar Function with name nonsense does not exist"),
        ("SELECT 'open", "a quote or a comment is not closed"),
        ("SELECT array_sort(ARRAY[2, 1], (a, b) -> a - b)", "not covered by the local Athena"),
        ("SHOW TABLES IN elsewhere", "there is no database elsewhere"),
        ("DESCRIBE evnts", "there is no table evnts"),
        ("SHOW CREATE TABLE events", "not covered here"),
        ("SELECT " + "(" * 5_000 + "1" + ")" * 5_000, "nested too deeply"),
        ("SELECT '" + "x" * 262_144 + "'", "at most 262,144 bytes"),
    ],
)
def test_a_mistake_is_named_with_its_place(empty: Athena, statement: str, sentence: str) -> None:
    with pytest.raises(UsageError) as raised:
        empty.run(statement)
    assert sentence in str(raised.value)


def test_no_error_holds_an_address(empty: Athena) -> None:
    with pytest.raises(UsageError, match="Could not convert") as raised:
        empty.run("SELECT CAST('ada@example.com' AS integer)")
    assert "ada" not in str(raised.value)


def test_a_missing_bucket_is_an_outage(s3: "S3Client", bucket: str) -> None:
    with Athena(s3, bucket="not-there") as athena, pytest.raises(ArchiveUnavailable, match="NoSuchBucket"):
        athena.run("SELECT 1")


def test_a_query_can_be_stopped(empty: Athena) -> None:
    stopped = threading.Event()

    def stop() -> None:
        while not stopped.wait(0.1):  # until it has begun
            empty.stop()

    thread = threading.Thread(target=stop)
    thread.start()
    try:
        with pytest.raises(UsageError, match="stopped"):
            empty.run(LONG_QUERY)
    finally:
        stopped.set()
        thread.join(5)


def test_closing_leaves_no_file(s3: "S3Client", bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    keep(s3, bucket, a_send())
    with Athena(s3, bucket=bucket) as athena:
        athena.run("SELECT * FROM events")
        assert list(tmp_path.rglob("*.parquet"))
    assert list(tmp_path.iterdir()) == []
