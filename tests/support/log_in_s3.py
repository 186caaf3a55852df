"""An event log in moto's S3, for tests of its readers."""

from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING

from pipeline.aws.archive import parquet
from pipeline.decode import decode
from pipeline.event import Event
from pipeline.row import Row, to_row

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ARRIVED_AT = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)

_numbers = count(1)


def rows(*records: bytes, arrived_at: datetime = ARRIVED_AT) -> list[Row]:
    """Return the rows of records."""
    outcomes = (outcome for record in records for outcome in decode(record))
    return [to_row(outcome, arrived_at=arrived_at) for outcome in outcomes if isinstance(outcome, Event)]


def a_bucket(s3: "S3Client") -> str:
    """Return a new bucket for a log."""
    name = f"log-{next(_numbers)}"
    s3.create_bucket(Bucket=name)
    return name


def keep(s3: "S3Client", bucket: str, *records: bytes, arrived_at: datetime = ARRIVED_AT) -> str:
    """Put records into the log as a further object, and return its key."""
    key = f"events/dt={arrived_at:%Y-%m-%d}/hr={arrived_at:%H}/part-{next(_numbers)}.parquet"
    s3.put_object(Bucket=bucket, Key=key, Body=parquet.encode_rows(rows(*records, arrived_at=arrived_at)))
    return key
