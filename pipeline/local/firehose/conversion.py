"""Firehose's conversion of transformed records from JSON to Parquet, by the log's schema.

Claims: a record is one or more lines of JSON, each a row; keys without a column are dropped; a record with a line that
is not JSON or does not fit the schema fails as a whole, alone; AWS's error codes; GZIP, in the order of arrival.
Leaves out: documents without a line break between them, and OpenX's acceptance of a number in place of a text.

docs.aws.amazon.com/firehose/latest/dev/record-format-conversion.html
"""

from collections.abc import Sequence

import msgspec

from pipeline.aws.archive.parquet import encode_rows
from pipeline.document import NOT_JSON
from pipeline.local.firehose.transformation import BufferedRecord, FailedRecord
from pipeline.row import Row

DOES_NOT_FIT = (ValueError, TypeError, OverflowError)
"""What pyarrow raises for a value that its column cannot hold."""

_decode_row = msgspec.json.Decoder(Row).decode


class Conversion(msgspec.Struct, frozen=True, kw_only=True):
    """Result of converting records.

    Attributes:
        parquet: The Parquet file; None if there are no rows.
        records: Records in the file.
        rows: Number of rows in the file.
        failed: Records that could not be converted.
    """

    parquet: bytes | None
    records: Sequence[BufferedRecord]
    rows: int
    failed: Sequence[FailedRecord]


def convert(transformed: Sequence[tuple[BufferedRecord, bytes]]) -> Conversion:
    """Convert records to one Parquet file, and list those that do not fit the schema.

    Args:
        transformed: Each record as it was put, with the transform's output for it.
    """
    rows_of: list[tuple[BufferedRecord, list[Row]]] = []
    failed: list[FailedRecord] = []
    for record, data in transformed:
        rows = _read(record, data)
        if isinstance(rows, FailedRecord):
            failed.append(rows)
        else:
            rows_of.append((record, rows))
    try:
        return _encode_all(rows_of, failed)
    except DOES_NOT_FIT:  # a value is too large for its column; only its record may fail
        failed += [_malformed(record, "Data does not match the schema.") for record, rows in rows_of if not _fits(rows)]
        failed_ids = {failure.record.id for failure in failed}
        return _encode_all([(record, rows) for record, rows in rows_of if record.id not in failed_ids], failed)


def _read(record: BufferedRecord, data: bytes) -> list[Row] | FailedRecord:
    """Return the rows of a record, at least one, or its failure."""
    try:
        rows = [_decode_row(line) for line in data.split(b"\n") if line.strip()]
    except msgspec.ValidationError as error:
        return _malformed(record, f"Data does not match the schema. {error}")
    except NOT_JSON:
        return _failure(record, "ParseError", "Encountered malformed JSON.")
    return rows or _malformed(record, "The record was empty or contained only whitespace.")


def _encode_all(rows_of: Sequence[tuple[BufferedRecord, list[Row]]], failed: Sequence[FailedRecord]) -> Conversion:
    rows = [row for _, rows in rows_of for row in rows]
    parquet = _encode(rows) if rows else None
    return Conversion(parquet=parquet, records=[record for record, _ in rows_of], rows=len(rows), failed=failed)


def _fits(rows: Sequence[Row]) -> bool:
    try:
        _encode(rows)
    except DOES_NOT_FIT:
        return False
    return True


def _encode(rows: Sequence[Row]) -> bytes:
    return encode_rows(rows, compression="gzip", sort=False)


def _malformed(record: BufferedRecord, message: str) -> FailedRecord:
    return _failure(record, "MalformedData", message)


def _failure(record: BufferedRecord, code: str, message: str) -> FailedRecord:
    return FailedRecord(record=record, code=f"DataFormatConversion.{code}", message=message, attempts=1)
