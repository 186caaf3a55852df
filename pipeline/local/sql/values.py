"""Athena's text form of values: every value of a result is text, or None for null.

Claims: the formats of GetQueryResults, as observed: times to the millisecond, doubles as Java prints them, `[a, b]` for
an array, `{k=v}` for a map or a row.
Leaves out: time zones other than UTC.
docs.aws.amazon.com/athena/latest/ug/data-types.html
"""

import math
import re
from collections.abc import Callable
from datetime import datetime, time
from decimal import Decimal
from typing import Any, NamedTuple

import pyarrow as pa
from pyarrow import types

from pipeline.errors import UsageError

Formatter = Callable[[Any], str]

_LARGEST_PLAIN, _SMALLEST_PLAIN = 1e7, 1e-3  # Java's Double.toString prints other doubles with an exponent
_PRECISION_OF_SUM = 38  # DuckDB sums integers to 128 bits
_MILLISECONDS_PER_DAY = 86_400_000


class ValueFormat(NamedTuple):
    """Athena's name of a type, and the text form of its values."""

    name: str
    format: Formatter


def type_name(type_: pa.DataType, duckdb_type: str) -> str:
    """Return Athena's name for the type of a column, without its parameters."""
    if duckdb_type.startswith("DECIMAL"):
        return "decimal"
    return "json" if duckdb_type == "JSON" else _value_format(type_).name


def value_formatter(type_: pa.DataType) -> Callable[[Any], str | None]:
    """Return a function that formats the values of a column."""
    format_ = _value_format(type_).format
    return lambda value: None if value is None else format_(value)


def _value_format(type_: pa.DataType) -> ValueFormat:
    for is_type, value_format in _SIMPLE:
        if is_type(type_):
            return value_format
    for is_type, to_format in _PARAMETRIC:
        if is_type(type_):
            return to_format(type_)
    return ValueFormat("varbinary", lambda value: bytes(value).hex(" "))


def _boolean(value: bool) -> str:
    return str(value).lower()


def _bigint(value: Decimal) -> str:
    if not -(2**63) <= value < 2**63:
        raise UsageError(f"the number {value} is no bigint: Athena reports an overflow")
    return str(value)


def _double(value: float) -> str:
    if not math.isfinite(value):
        return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(value)]
    if value == 0 or _SMALLEST_PLAIN <= abs(value) < _LARGEST_PLAIN:
        return repr(value)
    digits, _, exponent = f"{Decimal(repr(value)).normalize():E}".partition("E")
    return f"{digits if '.' in digits else digits + '.0'}E{int(exponent)}"


def _time(value: time) -> str:
    return value.isoformat(timespec="milliseconds")


def _interval(value: Any) -> str:
    """Return months, or else days and nanoseconds. A month has no fixed number of days, so the two are not mixed."""
    months, days, nanoseconds = value
    if months:
        return f"{months // 12}-{months % 12}"
    milliseconds = days * _MILLISECONDS_PER_DAY + nanoseconds // 1_000_000
    sign, milliseconds = "-" if milliseconds < 0 else "", abs(milliseconds)
    parts = [milliseconds % _MILLISECONDS_PER_DAY // larger for larger in (3_600_000, 60_000, 1_000)]
    hours, minutes, seconds = parts[0], parts[1] % 60, parts[2] % 60
    return (
        f"{sign}{milliseconds // _MILLISECONDS_PER_DAY} {hours:02}:{minutes:02}:{seconds:02}.{milliseconds % 1_000:03}"
    )


_SIMPLE: tuple[tuple[Callable[[pa.DataType], bool], ValueFormat], ...] = (
    (types.is_string, ValueFormat("varchar", str)),
    (types.is_boolean, ValueFormat("boolean", _boolean)),
    (types.is_int8, ValueFormat("tinyint", str)),
    (types.is_int16, ValueFormat("smallint", str)),
    (types.is_int32, ValueFormat("integer", str)),
    (types.is_integer, ValueFormat("bigint", str)),  # unsigned integers too: Trino has none
    (types.is_float64, ValueFormat("double", _double)),
    (types.is_floating, ValueFormat("real", _double)),
    (types.is_date, ValueFormat("date", str)),
    (types.is_time, ValueFormat("time", _time)),
    (types.is_interval, ValueFormat("interval day to second", _interval)),
    (types.is_null, ValueFormat("unknown", str)),
)
"""Types without parameters: a test for Arrow's type, and the format."""


def _decimal_format(type_: pa.Decimal128Type) -> ValueFormat:
    if (type_.precision, type_.scale) == (_PRECISION_OF_SUM, 0):
        return ValueFormat("bigint", _bigint)
    return ValueFormat("decimal", lambda value: f"{value:f}")


def _timestamp_format(type_: pa.TimestampType) -> ValueFormat:
    if type_.tz:
        return ValueFormat("timestamp with time zone", lambda value: f"{_timestamp(value)} UTC")
    return ValueFormat("timestamp", _timestamp)


def _timestamp(value: datetime) -> str:
    return value.replace(tzinfo=None).isoformat(sep=" ", timespec="milliseconds")


def _array_format(type_: pa.ListType) -> ValueFormat:
    element = _nested_formatter(type_.value_type)
    return ValueFormat("array", lambda values: f"[{', '.join(map(element, values))}]")


def _map_format(type_: pa.MapType) -> ValueFormat:
    key, value = _nested_formatter(type_.key_type), _nested_formatter(type_.item_type)
    return ValueFormat("map", lambda items: f"{{{', '.join(f'{key(k)}={value(v)}' for k, v in items)}}}")


def _row_format(type_: pa.StructType) -> ValueFormat:
    fields = [(field.name, _field_name(field.name), _nested_formatter(field.type)) for field in type_]
    return ValueFormat(
        "row", lambda row: f"{{{', '.join(f'{name}={value(row[key])}' for key, name, value in fields)}}}"
    )


def _field_name(name: str) -> str:
    """Return Trino's name of a field. Trino counts unnamed fields from 0, DuckDB from 1."""
    return re.sub(r"^element(\d+)$", lambda match: f"field{int(match[1]) - 1}", name)


def _nested_formatter(type_: pa.DataType) -> Formatter:
    format_ = _value_format(type_).format
    return lambda value: "null" if value is None else format_(value)


_PARAMETRIC: tuple[tuple[Callable[[pa.DataType], bool], Callable[[Any], ValueFormat]], ...] = (
    (types.is_decimal, _decimal_format),
    (types.is_timestamp, _timestamp_format),
    (types.is_map, _map_format),
    (types.is_struct, _row_format),
    (types.is_list, _array_format),
)
"""Types with parameters: a test for Arrow's type, and the format as a function of it."""
