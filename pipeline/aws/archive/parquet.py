"""Files of the log: rows as Parquet, and back.

Two kinds are written. Our own are laid out for replay and for size. The other is as Firehose writes them, for the
Firehose on this machine. Both are read alike, as are files with older columns.

Columns in the making: values in a few at a time, an Arrow array out, in another order if need be.

Where time goes is odd here. An Arrow array has a price of its own, some 3 µs, so most columns gather a thousand values
first. But mappings are dozens of small objects each: while they are kept, they push all else out of the processor's
cache, and Python's garbage collector walks through them again and again; so they become Arrow's at once. Raw text is
most of all bytes: sorted in Arrow's form it would be copied three times, and every copy is fresh memory; so it stays
Python's until its order is known.

Rows of the log as Arrow tables, and back.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from io import BytesIO
from itertools import islice
from typing import Any, Literal, Protocol

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from msgspec.structs import asdict, astuple

from pipeline.aws.archive.schema import arrow_schema
from pipeline.row import Diagnosis, FactColumn, Row
from pipeline.timestamp import from_ms

VALUES_PER_ARRAY = 1_000


class ArrowColumn(Protocol):
    """A column in the making."""

    def add(self, values: Sequence[Any], /) -> None:
        """Take the next values, as `pipeline.row.Row` has them; an empty tuple becomes null."""
        ...

    def array(self, order: Any = None, /) -> Any:
        """Return all the values as an Arrow chunked array; `order`, if given, are their indices as they shall be."""
        ...


def to_arrow_column(field: Any) -> ArrowColumn:
    """Return an empty column for an Arrow field."""
    return _Texts(field.type) if field.name == "raw" else _Values(field.type)


class _Values:
    """Values that become Arrow's as soon as there are enough of them."""

    def __init__(self, of: Any) -> None:
        self._type = of
        self._array = _maker(of)
        self._values_per_array = 1 if pa.types.is_map(of) else VALUES_PER_ARRAY
        self._values: list[Any] = []
        self._arrays: list[Any] = []

    def add(self, values: Sequence[Any], /) -> None:
        self._values += values
        if len(self._values) >= self._values_per_array:
            self._turn()

    def array(self, order: Any = None, /) -> Any:
        if self._values:
            self._turn()
        whole = pa.chunked_array(self._arrays, self._type)
        return whole if order is None else whole.take(order)

    def _turn(self) -> None:
        self._arrays.append(self._array(self._values))
        self._values = []


class _Texts:
    """Long texts, which become Arrow's at last."""

    def __init__(self, of: Any) -> None:
        self._type = of
        self._values: list[str] = []

    def add(self, values: Sequence[str], /) -> None:
        self._values += values

    def array(self, order: Any = None, /) -> Any:
        values = self._values if order is None else [self._values[index] for index in order.to_pylist()]
        starts = range(0, len(values), VALUES_PER_ARRAY)
        return pa.chunked_array([pa.array(values[s : s + VALUES_PER_ARRAY], self._type) for s in starts], self._type)


def _maker(of: Any) -> Callable[[Sequence[Any]], Any]:
    if pa.types.is_map(of):
        return lambda values: _maps(values, of)
    if not pa.types.is_list(of):
        return lambda values: pa.array(values, of)
    if pa.types.is_struct(of.value_type):
        return lambda values: pa.array([list(map(asdict, value)) if value else None for value in values], of)
    return lambda values: pa.array([value or None for value in values], of)


def _maps(values: Sequence[Mapping[str, Sequence[str]] | None], of: Any) -> Any:
    """Return mappings as an Arrow array; flattened here, since Arrow would want pairs, which are more objects yet."""
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
        pa.array(offsets, pa.int32()), pa.array(keys, of.key_type), pa.array(items, of.item_type), of
    )


# So few rows stay in the processor's cache, and below the number of objects that starts Python's garbage collector.
ROWS_TURNED = 48

_MOMENT = pa.timestamp("us", "UTC")  # a bound may be finer than the log's milliseconds

# The raw texts of one mail's events repeat most of each other, and compress together.
ORDER = (("is_feedback", "descending"), ("message_id", "ascending"), ("event_id", "ascending"))


def to_table(rows: Iterable[Row], *, sort: bool = False) -> Any:
    """Return rows as an Arrow table of `schema.arrow_schema`; every empty list is null.

    Args:
        rows: Let go as they are taken: given one by one they are never all held.
        sort: Feedback first, and then by mail. False: in the order given.
    """
    schema = arrow_schema()
    columns = {field.name: to_arrow_column(field) for field in schema}
    tuples = map(astuple, rows)
    while some := list(islice(tuples, ROWS_TURNED)):
        for each, values in zip(columns.values(), zip(*some, strict=True), strict=True):
            each.add(values)
    order = pc.sort_indices(pa.table({key: columns[key].array() for key, _ in ORDER}), ORDER) if sort else None
    return pa.Table.from_arrays([each.array(order) for each in columns.values()], schema=schema)


def to_rows(table: Any) -> list[Row]:
    """Return a table as rows, in its order; columns that it lacks are empty, those that the log lacks are left out."""
    fields = [field for field in arrow_schema() if field.name in table.schema.names]
    names = [field.name for field in fields]
    columns = [_reader(field)(table.column(field.name).cast(field.type)) for field in fields]
    return [Row(**dict(zip(names, values, strict=True))) for values in zip(*columns, strict=True)]


def arrived_between(rows: Any, since: datetime | None, until: datetime | None) -> Any:
    """Return those rows of a table or batch that arrived from `since` up to, not including, `until`."""
    if since is not None:
        rows = rows.filter(pc.greater_equal(_arrived_at(rows), pa.scalar(since, _MOMENT)))
    if until is not None:
        rows = rows.filter(pc.less(_arrived_at(rows), pa.scalar(until, _MOMENT)))
    return rows


def _arrived_at(rows: Any) -> Any:
    return rows.column("arrived_at").cast(_MOMENT)


def _reader(field: Any) -> Callable[[Any], Sequence[Any]]:
    """Return what makes a row's attributes from an Arrow column."""
    if pa.types.is_timestamp(field.type):
        return lambda values: [None if ms is None else from_ms(ms) for ms in values.cast(pa.int64()).to_pylist()]
    if pa.types.is_map(field.type):
        return lambda values: [None if pairs is None else dict(pairs) for pairs in values.to_pylist()]
    if field.name == "facts":
        return lambda values: [tuple(map(_fact, facts or ())) for facts in values.to_pylist()]
    if field.name == "diagnoses":
        return lambda values: [tuple(Diagnosis(**each) for each in some or ()) for some in values.to_pylist()]
    if pa.types.is_list(field.type):
        return lambda values: [tuple(some or ()) for some in values.to_pylist()]
    return lambda values: values.to_pylist()


def _fact(fields: dict[str, Any]) -> FactColumn:
    return FactColumn(**{**fields, "lifts": tuple(fields["lifts"] or ())})


ROWS_PER_GROUP = 100_000  # about 180 MB of text, and 18 MB of file
ZSTD_LEVEL = 1  # of rows sorted by mail, level 3 makes no smaller files, and takes a quarter longer

# Whose values come again and again; for any other column a dictionary is time lost.
_REPEATED = (
    *("event_type", "ses_type", "source", "source_arn", "sending_account_id", "subject", "configuration_set"),
    *("tags.key_value.key", "tags.key_value.value.list.element", "recipient_domains.list.element", "reporting_mta"),
)


def encode_rows(rows: Iterable[Row], *, compression: Literal["zstd", "gzip"] = "zstd", sort: bool = True) -> bytes:
    """Return rows as one Parquet file.

    Args:
        rows: Given one by one they need not all be held, only their columns.
        compression: zstd for our own files. gzip makes a file as Firehose does (which knows no zstd): dictionaries
            everywhere, times as INT96.
        sort: Put feedback first, in a row group of its own, so that a replay reads little else; and the rest by
            mail, whose events repeat most of each other's raw text. False: leave the order, as Firehose does.
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
        pyarrow.ArrowInvalid: It is no Parquet file.
        OSError: It is damaged.
    """
    return to_rows(open_parquet(pa.BufferReader(data)).read(use_threads=False))


def open_parquet(source: Any) -> Any:
    """Return a `pyarrow.parquet.ParquetFile`; times that Firehose wrote as INT96 keep their whole range."""
    return pq.ParquetFile(source, coerce_int96_timestamp_unit="ms", page_checksum_verification=True, pre_buffer=True)


def _options(table: Any, compression: str) -> dict[str, Any]:
    if compression == "gzip":
        return {"use_deprecated_int96_timestamps": True, "store_schema": False}
    return {
        "compression_level": ZSTD_LEVEL,
        "store_schema": False,
        "use_dictionary": list(_REPEATED),
        "write_page_checksum": True,
        "write_page_index": True,
        "write_statistics": [name for name in table.schema.names if name != "raw"],  # nobody asks for a range of raw
    }


def _parts(table: Any) -> list[Any]:
    """Return the feedback at a sorted table's beginning, and the rest."""
    feedback = pc.sum(table["is_feedback"]).as_py() or 0
    return [part for part in (table.slice(0, feedback), table.slice(feedback)) if part.num_rows]
