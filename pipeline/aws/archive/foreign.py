"""Rows of other programs' Parquet archives of SES's events, as JSON that `decode` reads.

An archive has SES's record in nested columns, whose names Glue and Athena write in lower case (AWS's sample "SES Event
DB", Amazon Pinpoint's event stream), or its text in a column (AWS's sample "Engagement Database", Mailfold's own log).
A column is left out if it is null, since a reader of a record must not take it for present.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import IO, Any

import msgspec
import pyarrow as pa

from pipeline.aws.archive.parquet import open_parquet
from pipeline.errors import UsageError
from pipeline.timestamp import format_time

ROWS_PER_BATCH = 1_000

TEXT_COLUMNS = ("raw", "rawevent", "raw_event", "message", "body", "data")
"""Columns that hold the text of a record or of its envelope, in lower case; the first one counts."""


def parquet_payloads(source: IO[bytes]) -> Iterator[bytes]:
    """Yield the payload of each row, in order.

    Raises:
        UsageError: It is not a Parquet file, or it is damaged.
    """
    try:
        file = open_parquet(source)
        names = {name.lower(): name for name in file.schema_arrow.names}
        text_column = next((names[name] for name in TEXT_COLUMNS if name in names), None)
        for batch in file.iter_batches(ROWS_PER_BATCH, columns=[text_column] if text_column else None):
            for row in batch.to_pylist():
                yield _payload(row, text_column)
    except (pa.ArrowInvalid, OSError) as error:
        raise UsageError("not a Parquet file, or a damaged one") from error


def _payload(row: dict[str, Any], text_column: str | None) -> bytes:
    text = row[text_column] if text_column else None
    if isinstance(text, str | bytes):
        return text.encode() if isinstance(text, str) else text
    return msgspec.json.encode(_without_nulls(row), enc_hook=str)


def _without_nulls(value: Any) -> Any:
    """Return a value without what is null. A map, which Arrow returns as pairs, becomes an object."""
    match value:
        case dict():
            return {name: _without_nulls(item) for name, item in value.items() if item is not None}
        case [(str(), _), *_] if all(isinstance(item, tuple) for item in value):
            return {name: _without_nulls(item) for name, item in value if item is not None}
        case list():
            return [_without_nulls(item) for item in value if item is not None]
        case datetime():
            return format_time(value) if value.tzinfo else value.isoformat()
    return value
