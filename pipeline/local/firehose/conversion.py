"""Firehose's conversion of transformed records from JSON to Parquet, by the log's schema.

Claims: a record is one or more lines of JSON, each a row; keys that are no column are left out; a record with a line
that is no JSON or does not fit the schema fails as a whole, alone; AWS's error codes; GZIP, in the order of arrival.
Leaves out: documents without a line break between them, and OpenX's readiness to take a number for a text.

docs.aws.amazon.com/firehose/latest/dev/record-format-conversion.html
"""

from collections.abc import Sequence

import msgspec

from pipeline.document import NOT_JSON
from pipeline.local.firehose.transformation import Failure, Record
from pipeline.row import Row

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
    records: Sequence[Record]
    rows: int
    failed: Sequence[Failure]


def convert(transformed: Sequence[tuple[Record, bytes]]) -> Converted:
    """Return records as a Parquet file; what does not fit is told apart.

    Args:
        transformed: Each record as it was put, with what the transform made of it.
    """
    fitting: list[tuple[Record, list[Row]]] = []
    failed: list[Failure] = []
    for record, data in transformed:
        lines = [line for line in data.split(b"\n") if line.strip()]
        try:
            rows = [_row(line) for line in lines]
        except msgspec.ValidationError as error:
            failed.append(_malformed(record, f"Data does not match the schema. {error}"))
        except NOT_JSON:
            message = "Encountered malformed JSON."
            failed.append(Failure(record=record, code="DataFormatConversion.ParseError", message=message, attempts=1))
        else:
            if rows:
                fitting.append((record, rows))
            else:
                failed.append(_malformed(record, "The record was empty or contained only whitespace."))
    return _converted(fitting, failed)


def _converted(fitting: list[tuple[Record, list[Row]]], failed: list[Failure]) -> Converted:
    try:
        return _encoded(fitting, failed)
    except MISFITS:
        # A value is too large for its column; the others must not suffer for it.
        misfits = {record.id for record, rows in fitting if not _fits(rows)}
    failed += [_malformed(record, "Data does not match the schema.") for record, _ in fitting if record.id in misfits]
    return _encoded([(record, rows) for record, rows in fitting if record.id not in misfits], failed)


def _encoded(fitting: list[tuple[Record, list[Row]]], failed: list[Failure]) -> Converted:
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
    from pipeline.aws.parquet import encode  # noqa: PLC0415 - pyarrow is heavy

    return encode(rows, compression="gzip", sort=False)


def _malformed(record: Record, message: str) -> Failure:
    return Failure(record=record, code="DataFormatConversion.MalformedData", message=message, attempts=1)
