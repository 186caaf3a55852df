"""An event log in moto's S3, for tests of its readers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING

import boto3
from moto import mock_aws

from pipeline.aws.archive import parquet
from pipeline.decode import decode
from pipeline.event import Event
from pipeline.local.athena import Athena
from pipeline.row import Row, to_row

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ARRIVED_AT = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)

LONG_QUERY = """
    SELECT count(*) FROM UNNEST(sequence(1, 100000)) AS a (x) CROSS JOIN UNNEST(sequence(1, 1000000)) AS b (y)
    WHERE x * y % 7 = 3
"""
"""A query that runs until it is stopped."""

_numbers = count(1)


@contextmanager
def mock_s3() -> Iterator[S3Client]:
    """Yield a client of an empty S3 in this process."""
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test")
        yield client
        client.close()


@contextmanager
def athena_over(*records: bytes) -> Iterator[Athena]:
    """Yield an Athena over a log of these records, in one object."""
    with mock_s3() as s3:
        bucket = a_bucket(s3)
        if records:
            keep(s3, bucket, *records)
        with Athena(s3, bucket=bucket) as athena:
            yield athena


def a_bucket(s3: S3Client) -> str:
    """Return a new bucket for a log."""
    name = f"log-{next(_numbers)}"
    s3.create_bucket(Bucket=name)
    return name


def keep(s3: S3Client, bucket: str, *records: bytes, arrived_at: datetime = ARRIVED_AT) -> str:
    """Put records into the log as a further object, and return its key."""
    key = f"events/dt={arrived_at:%Y-%m-%d}/hr={arrived_at:%H}/part-{next(_numbers)}.parquet"
    s3.put_object(Bucket=bucket, Key=key, Body=parquet.encode_rows(rows(*records, arrived_at=arrived_at)))
    return key


def rows(*records: bytes, arrived_at: datetime = ARRIVED_AT) -> list[Row]:
    """Return records as rows of the log."""
    outcomes = (outcome for record in records for outcome in decode(record))
    return [to_row(outcome, arrived_at=arrived_at) for outcome in outcomes if isinstance(outcome, Event)]
