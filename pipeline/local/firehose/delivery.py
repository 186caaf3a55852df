"""What one buffer of a delivery stream becomes: objects for S3, with their names and bytes. Pure but for the transform.

Claims: Firehose's object names, and prefixes by the arrival of the oldest record in the object, in UTC.
Leaves out: other prefix expressions, dynamic partitioning, and the backup of source records.

docs.aws.amazon.com/firehose/latest/dev/s3-object-name.html, docs.aws.amazon.com/firehose/latest/dev/s3-prefixes.html

The rows that Firehose writes under its error prefix: one JSON line for each record that it could not deliver. Pure.

`rawData` is the record as it was put, so that `pipeline.decode` reads it again. Keys are spelt as captures of real
objects have them: the guide calls some of them `lambdaArn`, `ErrorCode` and `ErrorMessage`. For a record that was
transformed but not converted no page says which of both texts AWS keeps; here it is the original.

docs.aws.amazon.com/firehose/latest/dev/data-transformation-failure-handling.html,
docs.aws.amazon.com/firehose/latest/dev/record-format-conversion-error-handling.html

Firehose's conversion of transformed records from JSON to Parquet, by the log's schema.

Claims: a record is one or more lines of JSON, each a row; keys that are no column are left out; a record with a line
that is no JSON or does not fit the schema fails as a whole, alone; AWS's error codes; GZIP, in the order of arrival.
Leaves out: documents without a line break between them, and OpenX's readiness to take a number for a text.

docs.aws.amazon.com/firehose/latest/dev/record-format-conversion.html
"""

from base64 import b64encode
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import msgspec

from pipeline.document import NOT_JSON
from pipeline.local.firehose.transformation import BufferedRecord, FailedRecord, Transform, transform_records
from pipeline.row import Row
from pipeline.timestamp import from_ms, to_ms

_lines = msgspec.json.Encoder().encode_lines


def processing_failed(failures: Iterable[FailedRecord], *, ended_ms: int, function_arn: str) -> bytes:
    """Return the rows of records that were not transformed.

    Args:
        failures: The records.
        ended_ms: When the last attempt ended, in milliseconds since 1970.
        function_arn: The function.
    """
    return _lines(
        {
            "rawData": _base64(failure),
            "errorCode": failure.code,
            "errorMessage": failure.message,
            **_times(failure, ended_ms),
            "lambdaARN": function_arn,
        }
        for failure in failures
    )


def format_conversion_failed(
    failures: Iterable[FailedRecord], *, ended_ms: int, catalog_table: dict[str, str]
) -> bytes:
    """Return the rows of records that did not become Parquet.

    Args:
        failures: The records.
        ended_ms: When the last attempt ended, in milliseconds since 1970.
        catalog_table: The Glue table whose columns they did not fit, by AWS's keys.
    """
    return _lines(
        {
            **_times(failure, ended_ms),
            "lastErrorCode": failure.code,
            "lastErrorMessage": failure.message,
            "rawData": _base64(failure),
            "sequenceNumber": None,  # a record's place in a source stream; DirectPut has none
            "subSequenceNumber": None,
            "dataCatalogTable": catalog_table,
        }
        for failure in failures
    )


def _times(failure: FailedRecord, ended_ms: int) -> dict[str, Any]:
    return {
        "attemptsMade": failure.attempts,
        "arrivalTimestamp": failure.record.arrived_ms,
        "attemptEndingTimestamp": ended_ms,
    }


def _base64(failure: FailedRecord) -> str:
    return b64encode(failure.record.data).decode()


MISFITS = (ValueError, TypeError, OverflowError)
"""What pyarrow raises for a value that its column cannot hold."""

_row = msgspec.json.Decoder(Row).decode


class Converted(msgspec.Struct, frozen=True, kw_only=True):
    """What became of transformed records.

    Attributes:
        parquet: The file; None if there are no rows.
        records: The records in it.
        rows: How many rows they became.
        failed: The records that could not be converted.
    """

    parquet: bytes | None
    records: Sequence[BufferedRecord]
    rows: int
    failed: Sequence[FailedRecord]


def convert(transformed: Sequence[tuple[BufferedRecord, bytes]]) -> Converted:
    """Return records as a Parquet file; what does not fit is told apart.

    Args:
        transformed: Each record as it was put, with what the transform made of it.
    """
    fitting: list[tuple[BufferedRecord, list[Row]]] = []
    failed: list[FailedRecord] = []
    for record, data in transformed:
        lines = [line for line in data.split(b"\n") if line.strip()]
        try:
            rows = [_row(line) for line in lines]
        except msgspec.ValidationError as error:
            failed.append(_malformed(record, f"Data does not match the schema. {error}"))
        except NOT_JSON:
            message = "Encountered malformed JSON."
            failed.append(
                FailedRecord(record=record, code="DataFormatConversion.ParseError", message=message, attempts=1)
            )
        else:
            if rows:
                fitting.append((record, rows))
            else:
                failed.append(_malformed(record, "The record was empty or contained only whitespace."))
    return _converted(fitting, failed)


def _converted(fitting: list[tuple[BufferedRecord, list[Row]]], failed: list[FailedRecord]) -> Converted:
    try:
        return _encoded(fitting, failed)
    except MISFITS:
        # A value is too large for its column; the others must not suffer for it.
        misfits = {record.id for record, rows in fitting if not _fits(rows)}
    failed += [_malformed(record, "Data does not match the schema.") for record, _ in fitting if record.id in misfits]
    return _encoded([(record, rows) for record, rows in fitting if record.id not in misfits], failed)


def _encoded(fitting: list[tuple[BufferedRecord, list[Row]]], failed: list[FailedRecord]) -> Converted:
    rows = [row for _, rows in fitting for row in rows]
    parquet = _encode(rows) if rows else None
    return Converted(parquet=parquet, records=[record for record, _ in fitting], rows=len(rows), failed=failed)


def _fits(rows: Sequence[Row]) -> bool:
    try:
        _encode(rows)
    except MISFITS:
        return False
    return True


def _encode(rows: Sequence[Row]) -> bytes:
    from pipeline.aws.archive.parquet import encode_rows  # noqa: PLC0415 - pyarrow is heavy

    return encode_rows(rows, compression="gzip", sort=False)


def _malformed(record: BufferedRecord, message: str) -> FailedRecord:
    return FailedRecord(record=record, code="DataFormatConversion.MalformedData", message=message, attempts=1)


VERSION = 1  # of the delivery stream's configuration, part of an object's name


class DeliveryDestination(msgspec.Struct, frozen=True, kw_only=True):
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


class PreparedDelivery(msgspec.Struct, frozen=True, kw_only=True):
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


def prepare_delivery(records: Sequence[BufferedRecord], destination: DeliveryDestination) -> PreparedDelivery:
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
    return PreparedDelivery(
        parquet=_parquet_object(converted.parquet, converted.records, destination),
        errors=errors,
        rows=converted.rows,
        dropped=transformed.dropped,
        failed=len(transformed.failed) + len(converted.failed),
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
    """Return an object's key behind its prefix. Made once, so that putting it again replaces it."""
    oldest = from_ms(min(record.arrived_ms for record in records))
    return f"dt={oldest:%Y-%m-%d}/hr={oldest:%H}/{destination.name}-{VERSION}-{oldest:%Y-%m-%d-%H-%M-%S}-{uuid4()}"
