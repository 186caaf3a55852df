"""An object below the log's prefix that is not the log's fails no query: it is skipped, and the result names it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from pipeline.aws.archive import parquet
from pipeline.local.athena import Athena
from tests.support.builders import a_bounce
from tests.support.foreign_objects import FOREIGN, rewritten
from tests.support.log_in_s3 import a_bucket, keep, mock_s3
from tests.support.rows import a_row

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

FOLDER = "events/dt=2026-03-01/hr=12/"


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Client]:
    with mock_s3() as s3:
        yield s3


@pytest.fixture
def bucket(s3: S3Client) -> str:
    """Return a bucket with a bounce in the log."""
    bucket = a_bucket(s3)
    keep(s3, bucket, a_bounce())
    return bucket


@pytest.fixture
def athena(s3: S3Client, bucket: str) -> Iterator[Athena]:
    with Athena(s3, bucket=bucket) as athena:
        yield athena


# Neither DuckDB nor Athena verifies checksums, so a flipped bit is found only where it breaks the format.
UNREADABLE = {name: case for name, case in FOREIGN.items() if name != "flipped bit"}


@pytest.mark.parametrize(("data", "why"), UNREADABLE.values(), ids=UNREADABLE)
def test_a_foreign_or_broken_object_is_named(s3: S3Client, bucket: str, athena: Athena, data: bytes, why: str) -> None:
    """All other objects are read, in this query and the next."""
    s3.put_object(Bucket=bucket, Key=f"{FOLDER}0-foreign", Body=data)
    for sql in ("SELECT event_type, raw LIKE '%Bounce%' FROM events", "SELECT fact, 'true' FROM suppression_facts"):
        result = athena.run(sql)
        assert len(list(result.rows)) == 1
        assert result.remark.startswith(f"skipped s3://{bucket}/{FOLDER}0-foreign: ")
        assert why in result.remark


def test_an_object_that_is_damaged_in_its_middle_is_named(s3: S3Client, bucket: str, athena: Athena) -> None:
    """The query runs again without it."""
    data = bytearray(parquet.encode_rows([a_row()]))
    data[4:400] = bytes(396)
    s3.put_object(Bucket=bucket, Key=f"{FOLDER}0-foreign", Body=bytes(data))
    result = athena.run("SELECT * FROM events")
    assert len(list(result.rows)) == 1
    assert "0-foreign: it is not a Parquet file, or it is damaged" in result.remark


def test_an_object_with_another_key_is_named(s3: S3Client, bucket: str, athena: Athena) -> None:
    """A folder of a console and Hadoop's markers are not."""
    markers = {FOLDER: b"", f"{FOLDER}_SUCCESS": b"", f"{FOLDER}.part-0.parquet.crc": b"crc"}
    for key, body in {"errors/x": b"x", f"{FOLDER}empty": b"", f"{FOLDER}_part": b"", **markers}.items():
        s3.put_object(Bucket=bucket, Key=key if key.startswith("events/") else f"events/{key}", Body=body)
    result = athena.run("SELECT count(*) FROM events")
    assert result.rows == [("1",)]
    assert sorted(result.remark.split("; ")) == [
        f"skipped s3://{bucket}/{FOLDER}_part: its key is not one of the event log",
        f"skipped s3://{bucket}/{FOLDER}empty: it is empty",
        f"skipped s3://{bucket}/events/errors/x: its key is not one of the event log",
    ]


def test_an_object_that_is_gone_is_no_longer_named(s3: S3Client, bucket: str, athena: Athena) -> None:
    """A query says what it skipped, and not what an earlier one did."""
    s3.put_object(Bucket=bucket, Key=f"{FOLDER}x", Body=b"no Parquet")
    assert athena.run("SELECT 1 FROM events").remark
    s3.delete_object(Bucket=bucket, Key=f"{FOLDER}x")
    assert athena.run("SELECT 1 FROM events").remark == ""


def test_an_object_that_find_and_forget_rewrote_is_read(s3: S3Client, bucket: str, athena: Athena) -> None:
    """Its times are INT96, as Firehose writes them too."""
    s3.put_object(Bucket=bucket, Key=f"{FOLDER}rewritten", Body=rewritten())
    result = athena.run("SELECT DISTINCT occurred_at FROM events")
    assert (result.rows, result.remark) == ([("2026-03-01 12:00:02.000",)], "")
