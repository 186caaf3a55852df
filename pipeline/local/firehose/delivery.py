"""One delivery of a delivery stream: the S3 objects of one buffer, keys and bytes. Pure but for the transform.

Claims: Firehose's object names, and prefixes by the arrival of the oldest record in the object, in UTC.
Leaves out: other prefix expressions, dynamic partitioning, and the backup of source records.

docs.aws.amazon.com/firehose/latest/dev/s3-object-name.html, docs.aws.amazon.com/firehose/latest/dev/s3-prefixes.html
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import uuid4

import msgspec

from pipeline.local.firehose.conversion import convert
from pipeline.local.firehose.error_rows import format_conversion_failed, processing_failed
from pipeline.local.firehose.transformation import BufferedRecord, FailedRecord, Transform, transform_records
from pipeline.timestamp import from_ms, to_ms

CONFIGURATION_VERSION = 1  # of the delivery stream, part of an object's name


class DeliveryDestination(msgspec.Struct, frozen=True, kw_only=True):
    """Configuration of a delivery stream.

    Attributes:
        name: Name of the stream.
        region: Its region.
        account_id: Its account.
        prefix: Prefix of Parquet objects.
        error_prefix: Prefix of error rows.
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
    """An object to put."""

    key: str
    body: bytes


class PreparedDelivery(msgspec.Struct, frozen=True, kw_only=True):
    """A buffer as objects for S3.

    Attributes:
        parquet: The rows; None if there are none.
        errors: Error rows.
        rows: Number of rows in the Parquet object.
        dropped: Number of records that the transform dropped.
        failed: Number of records in the error rows.
    """

    parquet: S3Object | None
    errors: Sequence[S3Object]
    rows: int
    dropped: int
    failed: int

    @property
    def objects(self) -> Sequence[S3Object]:
        """All objects of the delivery."""
        return [*filter(None, [self.parquet]), *self.errors]


def prepare_delivery(records: Sequence[BufferedRecord], destination: DeliveryDestination) -> PreparedDelivery:
    """Transform and convert records. A record that fails becomes an error row and raises nothing."""
    transformed = transform_records(
        records, transform=destination.transform, stream_arn=destination.arn, region=destination.region
    )
    conversion = convert(transformed.ok)
    ended_ms = to_ms(datetime.now(UTC))
    errors = []
    if transformed.failed:
        body = processing_failed(transformed.failed, ended_ms=ended_ms, function_arn=destination.function_arn)
        errors.append(_error_object("processing-failed", transformed.failed, body, destination))
    if conversion.failed:
        body = format_conversion_failed(conversion.failed, ended_ms=ended_ms, catalog_table=destination.catalog_table)
        errors.append(_error_object("format-conversion-failed", conversion.failed, body, destination))
    return PreparedDelivery(
        parquet=_parquet_object(conversion.parquet, conversion.records, destination),
        errors=errors,
        rows=conversion.rows,
        dropped=transformed.dropped,
        failed=len(transformed.failed) + len(conversion.failed),
    )


def _parquet_object(
    body: bytes | None, records: Sequence[BufferedRecord], destination: DeliveryDestination
) -> S3Object | None:
    if body is None:
        return None
    return S3Object(key=f"{destination.prefix}{_name(records, destination)}.parquet", body=body)


def _error_object(
    kind: str, failures: Sequence[FailedRecord], body: bytes, destination: DeliveryDestination
) -> S3Object:
    records = [failure.record for failure in failures]
    return S3Object(key=f"{destination.error_prefix}{kind}/{_name(records, destination)}", body=body)


def _name(records: Sequence[BufferedRecord], destination: DeliveryDestination) -> str:
    """Return an object's key behind its prefix. It is created once, so that a repeated put replaces the object."""
    oldest = from_ms(min(record.arrived_ms for record in records))
    folder, time = f"dt={oldest:%Y-%m-%d}/hr={oldest:%H}", f"{oldest:%Y-%m-%d-%H-%M-%S}"
    return f"{folder}/{destination.name}-{CONFIGURATION_VERSION}-{time}-{uuid4()}"
