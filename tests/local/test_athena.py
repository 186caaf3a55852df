"""Queries over the log: what they read, what they cannot reach, and how they end."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.config import Config

from pipeline.aws.archive import schema
from pipeline.errors import ArchiveUnavailable, NotFound, UsageError
from pipeline.local.athena import Athena
from tests.support.builders import a_bounce, a_delivery, a_send
from tests.support.log_in_s3 import ARRIVED_AT, LONG_QUERY, a_bucket, athena_over, keep, mock_s3

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Client]:
    with mock_s3() as s3:
        yield s3


@pytest.fixture(scope="module")
def empty() -> Iterator[Athena]:
    """Athena over a log that stays empty."""
    with athena_over() as athena:
        yield athena


@pytest.fixture
def bucket(s3: S3Client) -> str:
    return a_bucket(s3)


@pytest.fixture
def athena(s3: S3Client, bucket: str) -> Iterator[Athena]:
    with Athena(s3, bucket=bucket) as athena:
        yield athena


def test_an_empty_log_has_every_column(empty: Athena) -> None:
    """The table of an empty log has all columns and partitions, and no row."""
    result = empty.run("SELECT * FROM events")
    log = schema.log_schema()
    assert [column.name for column in result.columns] == [column.name for column in (*log.columns, *log.partitions)]
    assert result.rows == []


def test_a_query_reads_the_current_log(s3: S3Client, bucket: str, athena: Athena) -> None:
    """A query sees the objects that exist when it runs, whatever an earlier query saw."""
    count = "SELECT count(*) FROM events"
    first = keep(s3, bucket, a_send())
    assert athena.run(count).rows == [("1",)]
    keep(s3, bucket, a_delivery(), a_bounce())
    assert athena.run(count).rows == [("3",)]
    s3.delete_object(Bucket=bucket, Key=first)
    assert athena.run(count).rows == [("2",)]


def test_an_unchanged_object_is_fetched_once(s3: S3Client, bucket: str, athena: Athena) -> None:
    """A second query does not fetch an object again that did not change."""
    keep(s3, bucket, a_send())
    fetched: list[str] = []
    s3.meta.events.register("before-call.s3.GetObject", lambda params, **_: fetched.append(params["url_path"]))
    athena.run("SELECT 1 FROM events")
    athena.run("SELECT 1 FROM events")
    assert len(fetched) == 1


def test_objects_of_equal_content_both_count(s3: S3Client, bucket: str, athena: Athena) -> None:
    """Two objects with the same bytes are two files."""
    keep(s3, bucket, a_send())
    keep(s3, bucket, a_send())
    assert athena.run("SELECT count(*), count(DISTINCT event_id) FROM events").rows == [("2", "1")]


def test_other_objects_are_ignored(s3: S3Client, bucket: str, athena: Athena) -> None:
    """Objects outside the prefix, hidden ones and those outside an hour's partition are not part of the log."""
    s3.put_object(Bucket=bucket, Key="errors/dt=2026-03-01/hr=12/bad.parquet", Body=b"no Parquet")
    s3.put_object(Bucket=bucket, Key="events/dt=2026-03-01/hr=12/_SUCCESS", Body=b"")
    s3.put_object(Bucket=bucket, Key="events/dt=../hr=12/bad.parquet", Body=b"no Parquet")
    assert athena.run("SELECT count(*) FROM events").rows == [("0",)]


def test_partitions_are_text_columns(s3: S3Client, bucket: str, athena: Athena) -> None:
    """The partitions `dt` and `hr` can be selected and filtered as text."""
    keep(s3, bucket, a_send())
    keep(s3, bucket, a_delivery(), arrived_at=ARRIVED_AT + timedelta(days=1))
    result = athena.run("SELECT dt, hr FROM events WHERE dt >= '2026-03-02'")
    assert result.rows == [("2026-03-02", "12")]
    assert [column.type for column in result.columns] == ["varchar", "varchar"]


def test_scanned_bytes_shrink_with_days_and_columns(s3: S3Client, bucket: str, athena: Athena) -> None:
    """A query of one day or of one column reads fewer bytes than a query of everything."""
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
def test_the_log_has_all_of_its_names(s3: S3Client, bucket: str, athena: Athena, table: str) -> None:
    """The log can be named with and without database and catalog, in any case."""
    keep(s3, bucket, a_send())
    assert athena.run(f"SELECT event_type FROM {table}").rows == [("send",)]  # noqa: S608 - a test's own table


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
def test_a_query_reaches_no_file_and_no_network(empty: Athena, tmp_path: Path, source: str) -> None:
    """DuckDB's own functions that read files or URLs fail, and quote nothing of the file."""
    secret = tmp_path / "secret.csv"
    secret.write_text("a\nsecret\n")
    with pytest.raises(UsageError) as raised:
        empty.run(f"SELECT * FROM {source.format(secret)}")  # noqa: S608 - that is the test
    assert "secret\n" not in str(raised.value)


def test_no_error_contains_an_address(empty: Athena) -> None:
    """DuckDB quotes values in its errors; addresses among them are redacted."""
    with pytest.raises(UsageError, match="Could not convert") as raised:
        empty.run("SELECT CAST('ada@example.com' AS double)")
    assert "ada" not in str(raised.value)


def test_a_missing_bucket_is_not_found() -> None:
    """A bucket that does not exist is reported as missing, because trying again does not help."""
    with mock_s3() as s3, Athena(s3, bucket="not-there") as athena, pytest.raises(NotFound, match="NoSuchBucket"):
        athena.run("SELECT 1")


def test_an_unreachable_s3_is_unavailable() -> None:
    """A query that cannot reach S3 may be tried again."""
    s3: S3Client = boto3.client(
        "s3",
        endpoint_url="http://127.0.0.1:1",
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}),
    )
    with Athena(s3, bucket="any") as athena, pytest.raises(ArchiveUnavailable, match="reading the log in bucket any"):
        athena.run("SELECT 1")


def test_a_query_can_be_stopped(empty: Athena) -> None:
    """A running query that is stopped fails, and its error says that it was stopped."""
    ended = threading.Event()
    with empty.session() as session:

        def stop_repeatedly() -> None:
            while not ended.wait(0.1):  # the query may not have begun yet
                session.stop()

        thread = threading.Thread(target=stop_repeatedly)
        thread.start()
        try:
            with pytest.raises(UsageError, match="stopped"):
                session.run(LONG_QUERY)
        finally:
            ended.set()
            thread.join(5)


def test_closing_leaves_no_file(s3: S3Client, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A closed database has deleted its copies of the log."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    keep(s3, bucket, a_send())
    with Athena(s3, bucket=bucket) as athena:
        athena.run("SELECT * FROM events")
        assert list(tmp_path.rglob("*.parquet"))
    assert list(tmp_path.iterdir()) == []
