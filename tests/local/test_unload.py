"""UNLOAD of the local Athena: rows of a query as gzip lines of JSON in S3."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.aws.archive.athena import unload
from pipeline.errors import QueryFailed
from tests.support.athena_api import a_small_log, moto_s3, serve

if TYPE_CHECKING:
    from mypy_boto3_athena import AthenaClient
    from mypy_boto3_s3 import S3Client

JSON = "WITH (format = 'JSON', compression = 'gzip')"


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Client]:
    with moto_s3() as s3:
        yield s3


@pytest.fixture(scope="module")
def bucket(s3: S3Client) -> str:
    return a_small_log(s3)


@pytest.fixture(scope="module")
def athena(s3: S3Client, bucket: str) -> Iterator[AthenaClient]:
    with serve(s3, bucket) as (client, _):
        yield client


def unloaded(s3: S3Client, bucket: str, prefix: str) -> list[list[Any]]:
    """Return the rows of each file."""
    found = s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
    bodies = [s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read() for entry in found]
    return [[json.loads(line) for line in gzip.decompress(body).splitlines()] for body in bodies]


def test_rows_are_spread_over_files_of_json_lines(athena: AthenaClient, s3: S3Client, bucket: str) -> None:
    """Names are in lower case; null, texts, numbers and arrays are JSON's."""
    sql = "SELECT n AS N, ARRAY['a', CAST(NULL AS varchar)] AS list FROM UNNEST(sequence(1, 9)) AS t (n)"
    unload(athena, f"UNLOAD ({sql}) TO 's3://{bucket}/rows/' {JSON}", database="mailfold")
    files = unloaded(s3, bucket, "rows/")
    assert len(files) > 1
    rows = sorted((row for file in files for row in file), key=lambda row: row["n"])
    assert rows == [{"n": number, "list": ["a", None]} for number in range(1, 10)]


def test_an_unload_without_rows_writes_no_file(athena: AthenaClient, s3: S3Client, bucket: str) -> None:
    """The bytes that it read are returned."""
    query = "SELECT subject FROM events WHERE event_type = 'none'"
    assert unload(athena, f"UNLOAD ({query}) TO 's3://{bucket}/none/' {JSON}", database="mailfold") >= 0
    assert unloaded(s3, bucket, "none/") == []


def test_the_target_must_be_empty(athena: AthenaClient, s3: S3Client, bucket: str) -> None:
    """What lies there stays as it is."""
    s3.put_object(Bucket=bucket, Key="full/other", Body=b"")
    with pytest.raises(QueryFailed, match="HIVE_PATH_ALREADY_EXISTS"):
        unload(athena, f"UNLOAD (SELECT 1 AS n) TO 's3://{bucket}/full' {JSON}", database="mailfold")
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket, Prefix="full")["Contents"]] == ["full/other"]


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("UNLOAD (SELECT 1 AS n) TO 's3://b/p/' WITH (format = 'PARQUET')", "not covered"),
        ("UNLOAD (SELECT 1 AS n) TO 's3://b/p/' WITH (format = 'JSON', compression = 'zstd')", "not covered"),
        ("UNLOAD (SELECT 1 AS n) TO 's3://b/p/' WITH (format = JSON)", "not covered"),
        ("UNLOAD (SELECT 1 AS n) TO 'b/p/' WITH (format = 'JSON')", "write UNLOAD"),
        ("UNLOAD (DROP VIEW mails) TO 's3://b/p/' WITH (format = 'JSON')", "only queries run here"),
    ],
)
def test_other_unloads_are_refused(athena: AthenaClient, statement: str, reason: str) -> None:
    """The reason says what is missing."""
    with pytest.raises(QueryFailed, match=reason):
        unload(athena, statement, database="mailfold")


def test_a_date_is_no_value_of_json(athena: AthenaClient, bucket: str) -> None:
    """It is refused, and not written in a form that Athena lacks."""
    sql = f"UNLOAD (SELECT DATE '2026-03-01' AS day) TO 's3://{bucket}/dates/' {JSON}"
    with pytest.raises(QueryFailed, match="no text, number or array"):
        unload(athena, sql, database="mailfold")
