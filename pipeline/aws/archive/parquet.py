"""Rows of the event log as Parquet files and Arrow tables, and back.

Two layouts are written: one for replay and small size, and Firehose's, for the local Firehose. Both are read alike, as
are files with older columns.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from io import BytesIO
from itertools import islice
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from msgspec.structs import asdict, astuple

from pipeline.aws.archive.schema import arrow_schema, log_columns
from pipeline.row import Diagnosis, FactColumn, Row
from pipeline.timestamp import from_ms

ROWS_PER_GROUP = 100_000  # about 180 MB of text, and 18 MB of file
ZSTD_LEVEL = 1  # of rows sorted by mail, level 3 makes no smaller files, and takes a quarter longer

# The raw texts of one mail's events repeat most of each other, and compress together.
SORT_ORDER = (("is_feedback", "descending"), ("message_id", "ascending"), ("event_id", "ascending"))

# Columns whose values repeat. For any other column a dictionary costs time and saves nothing.
DICTIONARY_COLUMNS = (
    *("event_type", "ses_type", "source", "source_arn", "sending_account_id", "subject", "configuration_set"),
    *("tags.key_value.key", "tags.key_value.value.list.element", "recipient_domains.list.element", "reporting_mta"),
    *("from_header", "tenant", "headers.key_value.key", "is_bot"),
)

# So few rows stay in the processor's cache, and are fewer objects than start Python's garbage collector.
ROWS_PER_TRANSPOSITION = 48

# An Arrow array costs about 3 µs by itself, so most columns collect this many values for one.
VALUES_PER_ARRAY = 1_000

TIME_COLUMNS = ("occurred_at", "sent_at", "arrived_at")

_TIME_TYPE = pa.timestamp("us", "UTC")  # a bound may be finer than the log's milliseconds


def encode_rows(rows: Iterable[Row], *, compression: Literal["zstd", "gzip"] = "zstd", sort: bool = True) -> bytes:
    """Return rows as one Parquet file.

    Args:
        rows: The rows. Of an iterator only the columns are held in memory, not the rows.
        compression: zstd for the log's own layout. gzip for Firehose's layout (Firehose knows no zstd): dictionaries
            for all columns, times as INT96.
        sort: Put feedback first, in a row group by itself, so that a replay reads little else. Order the rest by mail,
            whose events repeat most of each other's raw text. False keeps the order, as Firehose does.
    """
    table = to_table(rows, sort=sort)
    sink = BytesIO()
    with pq.ParquetWriter(sink, table.schema, compression=compression, **_options(table, compression)) as writer:
        for part in _parts(table) if sort else [table]:
            writer.write_table(part, row_group_size=ROWS_PER_GROUP)
    return sink.getvalue()


def decode_rows(data: bytes) -> list[Row]:
    """Return the rows of a file, in its order.

    Raises:
        pyarrow.ArrowInvalid: It is not a Parquet file.
        OSError: It is damaged.
    """
    return to_rows(open_parquet(pa.BufferReader(data)).read(use_threads=False))


def open_parquet(source: Any) -> Any:
    """Return a `pyarrow.parquet.ParquetFile`. Times that Firehose wrote as INT96 keep their whole range."""
    return pq.ParquetFile(source, coerce_int96_timestamp_unit="ms", page_checksum_verification=True, pre_buffer=True)


def _options(table: Any, compression: str) -> dict[str, Any]:
    if compression == "gzip":
        return {"use_deprecated_int96_timestamps": True, "store_schema": False}
    return {
        "compression_level": ZSTD_LEVEL,
        "store_schema": False,
        "use_dictionary": list(DICTIONARY_COLUMNS),
        "write_page_checksum": True,
        "write_page_index": True,
        "write_statistics": [name for name in table.schema.names if name != "raw"],  # no query filters raw by range
    }


def _parts(table: Any) -> list[Any]:
    """Return the feedback at a sorted table's beginning, and the rest."""
    feedback_rows = pc.sum(table["is_feedback"]).as_py() or 0
    return [part for part in (table.slice(0, feedback_rows), table.slice(feedback_rows)) if part.num_rows]


def to_table(rows: Iterable[Row], *, sort: bool = False) -> Any:
    """Return rows as an Arrow table of `schema.arrow_schema`. Every empty list becomes null.

    Args:
        rows: The rows, none of which is held longer than needed.
        sort: Order by `SORT_ORDER`; False keeps the order.
    """
    schema = arrow_schema()
    columns = {field.name: _new_column(field) for field in schema}
    tuples = map(astuple, rows)
    while some_rows := list(islice(tuples, ROWS_PER_TRANSPOSITION)):
        for column, values in zip(columns.values(), zip(*some_rows, strict=True), strict=True):
            column.add(values)
    order = None
    if sort:
        order = pc.sort_indices(pa.table({name: columns[name].array() for name, _ in SORT_ORDER}), SORT_ORDER)
    return pa.Table.from_arrays([column.array(order) for column in columns.values()], schema=schema)


def to_rows(table: Any) -> list[Row]:
    """Return a table as rows, in its order. Columns that it lacks are empty, unknown ones are ignored."""
    fields = [field for field in arrow_schema() if field.name in table.schema.names]
    names = [field.name for field in fields]
    columns = [_reader(field)(table.column(field.name).cast(field.type)) for field in fields]
    return [Row(**dict(zip(names, values, strict=True))) for values in zip(*columns, strict=True)]


def between(rows: Any, since: datetime | None, until: datetime | None) -> Any:
    """Return those rows of a table or batch with an event time from `since` up to, but not including, `until`."""
    if since is not None:
        rows = rows.filter(pc.greater_equal(_event_time(rows), pa.scalar(since, _TIME_TYPE)))
    if until is not None:
        rows = rows.filter(pc.less(_event_time(rows), pa.scalar(until, _TIME_TYPE)))
    return rows


def _event_time(rows: Any) -> Any:
    """Return `row.event_time` of each row."""
    occurred_at, sent_at, arrived_at = (rows.column(name).cast(_TIME_TYPE) for name in TIME_COLUMNS)
    event_time = pc.coalesce(occurred_at, sent_at, arrived_at)
    return pc.if_else(pc.less(event_time, arrived_at), event_time, arrived_at)


def is_foreign(file: Any) -> bool:
    """Return True if a Parquet file is not the log's: a column that every row has is missing, or is of another type."""
    fields = {field.name: field.type for field in file.schema_arrow}
    required = {column.name for column in log_columns() if column.required}
    known = (field for field in arrow_schema() if field.name in fields)
    return not required <= fields.keys() or not all(_is_readable(fields[field.name], field.type) for field in known)


def _is_readable(stored: Any, expected: Any) -> bool:
    try:
        pa.nulls(1, stored).cast(expected)
    except pa.ArrowException:
        return False
    return True


def _reader(field: Any) -> Callable[[Any], Sequence[Any]]:
    """Return the function that converts an Arrow column into a row's attributes."""
    if pa.types.is_timestamp(field.type):
        return lambda column: [None if ms is None else from_ms(ms) for ms in column.cast(pa.int64()).to_pylist()]
    if pa.types.is_map(field.type):
        return lambda column: [None if pairs is None else dict(pairs) for pairs in column.to_pylist()]
    if field.name == "facts":
        return lambda column: [tuple(FactColumn(**fact) for fact in facts or ()) for facts in column.to_pylist()]
    if field.name == "diagnoses":
        return lambda column: [
            tuple(Diagnosis(**diagnosis) for diagnosis in diagnoses or ()) for diagnoses in column.to_pylist()
        ]
    if pa.types.is_list(field.type):
        return lambda column: [tuple(values or ()) for values in column.to_pylist()]
    return lambda column: column.to_pylist()


class _ArrowColumn:
    """Builds a column from a few values at a time; an empty tuple becomes null.

    Values become Arrow's in portions. Mappings, which are dozens of small objects each, become Arrow's at once: kept,
    they would push everything else out of the processor's cache, and each garbage collection would traverse them again.
    """

    def __init__(self, arrow_type: Any) -> None:
        self._type = arrow_type
        self._to_array = _converter(arrow_type)
        self._values_per_array = 1 if pa.types.is_map(arrow_type) else VALUES_PER_ARRAY
        self._values: list[Any] = []
        self._arrays: list[Any] = []

    def add(self, values: Sequence[Any]) -> None:
        """Append the next values, as `pipeline.row.Row` has them."""
        self._values += values
        if len(self._values) >= self._values_per_array:
            self._convert()

    def array(self, order: Any = None) -> Any:
        """Return all values as an Arrow chunked array, in the order of these indices if there are any."""
        if self._values:
            self._convert()
        array = pa.chunked_array(self._arrays, self._type)
        return array if order is None else array.take(order)

    def _convert(self) -> None:
        self._arrays.append(self._to_array(self._values))
        self._values = []


class _TextColumn:
    """Builds a column of long texts like `_ArrowColumn`, but converts them last, in their final order.

    Sorting in Arrow's form would copy the text three times, each time into newly allocated memory.
    """

    def __init__(self, arrow_type: Any) -> None:
        self._type = arrow_type
        self._values: list[str] = []

    def add(self, values: Sequence[str]) -> None:
        self._values += values

    def array(self, order: Any = None) -> Any:
        values = self._values if order is None else [self._values[index] for index in order.to_pylist()]
        starts = range(0, len(values), VALUES_PER_ARRAY)
        return pa.chunked_array([pa.array(values[s : s + VALUES_PER_ARRAY], self._type) for s in starts], self._type)


def _new_column(field: Any) -> _ArrowColumn | _TextColumn:
    return _TextColumn(field.type) if field.name == "raw" else _ArrowColumn(field.type)


def _converter(arrow_type: Any) -> Callable[[Sequence[Any]], Any]:
    """Return the function that converts a row's attributes into an Arrow array."""
    if pa.types.is_map(arrow_type):
        return lambda values: _map_array(values, arrow_type)
    if not pa.types.is_list(arrow_type):
        return lambda values: pa.array(values, arrow_type)
    if pa.types.is_struct(arrow_type.value_type):
        return lambda values: pa.array([list(map(asdict, value)) if value else None for value in values], arrow_type)
    return lambda values: pa.array([value or None for value in values], arrow_type)


def _map_array(values: Sequence[Mapping[str, Sequence[str]] | None], arrow_type: Any) -> Any:
    """Return mappings as an Arrow array. They are flattened here: Arrow would need pairs, which are more objects."""
    keys: list[str] = []
    items: list[Sequence[str]] = []
    offsets: list[int | None] = []
    for value in values:
        offsets.append(None if value is None else len(keys))
        if value:
            keys += value
            items += value.values()
    offsets.append(len(keys))
    return pa.MapArray.from_arrays(
        pa.array(offsets, pa.int32()),
        pa.array(keys, arrow_type.key_type),
        pa.array(items, arrow_type.item_type),
        arrow_type,
    )
