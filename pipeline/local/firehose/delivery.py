"""What one buffer of a delivery stream becomes: objects for S3, with their names and bytes. Pure but for the transform.

Claims: Firehose's object names, and prefixes by the arrival of the oldest record in the object, in UTC.
Leaves out: other prefix expressions, dynamic partitioning, and the backup of source records.

docs.aws.amazon.com/firehose/latest/dev/s3-object-name.html, docs.aws.amazon.com/firehose/latest/dev/s3-prefixes.html
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import uuid4

import msgspec

from pipeline.local.firehose.conversion import convert
from pipeline.local.firehose.delivery_error import format_conversion_failed, processing_failed
from pipeline.local.firehose.transformation import Failure, Record, Transform, transform_records
from pipeline.timestamp import from_ms, to_ms

VERSION = 1  # of the delivery stream's configuration, part of an object's name


class Destination(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery stream's configuration.

    Attributes:
        name: The stream's name.
        region: Where it is.
        account_id: Whose it is.
        prefix: What keys of Parquet objects start with.
        error_prefix: What keys of error rows start with.
        transform: The transforming function.
    """

    name: str
    region: str
    account_id: str
    prefix: str
    error_prefix: str
    transform: Transform

    @property
    def arn(self) -> str:
        """The stream."""
        return f"arn:aws:firehose:{self.region}:{self.account_id}:deliverystream/{self.name}"

    @property
    def function_arn(self) -> str:
        """The function."""
        return f"arn:aws:lambda:{self.region}:{self.account_id}:function:{self.name}-transform:$LATEST"

    @property
    def catalog_table(self) -> dict[str, str]:
        """The log's Glue table, as error rows name it."""
        return {
            "catalogId": self.account_id,
            "databaseName": "mailfold",
            "tableName": "events",
            "region": self.region,
            "versionId": "LATEST",
        }


class S3Object(msgspec.Struct, frozen=True, kw_only=True):
    """An object to be put."""

    key: str
    body: bytes


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """A buffer, ready for S3.

    Attributes:
        parquet: The rows; None if there are none.
        errors: Error rows.
        rows: How many rows the Parquet object has.
        dropped: How many records the transform dropped.
        failed: How many records are in the error rows.
    """

    parquet: S3Object | None
    errors: Sequence[S3Object]
    rows: int
    dropped: int
    failed: int

    @property
    def objects(self) -> Sequence[S3Object]:
        """All of its objects."""
        return [*filter(None, [self.parquet]), *self.errors]


def prepare(records: Sequence[Record], destination: Destination) -> Delivery:
    """Transform and convert records. Nothing that is wrong with them raises an error."""
    transformed = transform_records(
        records, transform=destination.transform, stream_arn=destination.arn, region=destination.region
    )
    converted = convert(transformed.ok)
    ended_ms = to_ms(datetime.now(UTC))
    errors = []
    if transformed.failed:
        body = processing_failed(transformed.failed, ended_ms=ended_ms, function_arn=destination.function_arn)
        errors.append(_error_object("processing-failed", transformed.failed, body, destination))
    if converted.failed:
        body = format_conversion_failed(converted.failed, ended_ms=ended_ms, catalog_table=destination.catalog_table)
        errors.append(_error_object("format-conversion-failed", converted.failed, body, destination))
    return Delivery(
        parquet=_parquet_object(converted.parquet, converted.records, destination),
        errors=errors,
        rows=converted.rows,
        dropped=transformed.dropped,
        failed=len(transformed.failed) + len(converted.failed),
    )


def _parquet_object(body: bytes | None, records: Sequence[Record], destination: Destination) -> S3Object | None:
    if body is None:
        return None
    return S3Object(key=f"{destination.prefix}{_name(records, destination)}.parquet", body=body)


def _error_object(kind: str, failures: Sequence[Failure], body: bytes, destination: Destination) -> S3Object:
    records = [failure.record for failure in failures]
    return S3Object(key=f"{destination.error_prefix}{kind}/{_name(records, destination)}", body=body)


def _name(records: Sequence[Record], destination: Destination) -> str:
    """Return an object's key behind its prefix. Made once, so that putting it again replaces it."""
    oldest = from_ms(min(record.arrived_ms for record in records))
    return f"dt={oldest:%Y-%m-%d}/hr={oldest:%H}/{destination.name}-{VERSION}-{oldest:%Y-%m-%d-%H-%M-%S}-{uuid4()}"
