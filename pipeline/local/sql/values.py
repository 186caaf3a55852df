"""Values as Athena shows them: every cell of an answer is text, or nothing for null.

Formats as seen in GetQueryResults: times to the millisecond, doubles as Java writes them, `[a, b]` for an array,
`{k=v}` for a map or a row. docs.aws.amazon.com/athena/latest/ug/data-types.html
"""

import re
from collections.abc import Callable
from datetime import datetime, time
from decimal import Decimal
from typing import Any

import pyarrow as pa
from pyarrow import types

Show = Callable[[Any], str]

_LARGEST_PLAIN, _SMALLEST_PLAIN = 1e7, 1e-3  # Java's Double.toString writes other doubles with an exponent
_MILLISECONDS_PER_DAY = 86_400_000

_SIMPLE: tuple[tuple[Callable[[pa.DataType], bool], str, Show], ...] = (
    (types.is_string, "varchar", str),
    (types.is_boolean, "boolean", lambda value: str(value).lower()),
    (types.is_int8, "tinyint", str),
    (types.is_int16, "smallint", str),
    (types.is_int32, "integer", str),
    (types.is_integer, "bigint", str),  # the unsigned too: Trino has none
    (types.is_date, "date", str),
    (types.is_null, "unknown", str),
)
"""How to know a type of Arrow, what Athena calls it, and how a value of it is shown."""


def type_name(type_: pa.DataType, duckdb_type: str) -> str:
    """Return Athena's name for the type of a column, without what it is made of."""
    if duckdb_type == "JSON":
        return "json"
    return _known(type_)[0]


def format_value(type_: pa.DataType) -> Callable[[Any], str | None]:
    """Return what shows a column's values."""
    show = _known(type_)[1]
    return lambda value: None if value is None else show(value)


def _known(type_: pa.DataType) -> tuple[str, Show]:  # noqa: C901 - one flat branch per type
    for is_type, name, show in _SIMPLE:
        if is_type(type_):
            return name, show
    if types.is_floating(type_):
        return "double" if types.is_float64(type_) else "real", _double
    if types.is_decimal(type_):
        return ("decimal", _decimal) if type_.scale else ("bigint", str)  # DuckDB sums whole numbers to 128 bits
    if types.is_timestamp(type_):
        return ("timestamp with time zone", _zoned) if type_.tz else ("timestamp", _timestamp)
    if types.is_time(type_):
        return "time", _time
    if types.is_interval(type_):
        return "interval day to second", _interval
    if types.is_map(type_):
        return "map", _map(_known(type_.key_type)[1], _known(type_.item_type)[1])
    if types.is_struct(type_):
        return "row", _row(type_)
    if types.is_list(type_):
        return "array", _array(_known(type_.value_type)[1])
    return "varbinary", lambda value: bytes(value).hex(" ")


def _double(value: float) -> str:
    if value == 0 or _SMALLEST_PLAIN <= abs(value) < _LARGEST_PLAIN:
        return repr(value)
    if value != value or value in (float("inf"), float("-inf")):  # noqa: PLR0124 - not a number
        return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(value)]
    digits, _, exponent = f"{Decimal(repr(value)).normalize():E}".partition("E")
    return f"{digits if '.' in digits else digits + '.0'}E{int(exponent)}"


def _decimal(value: Decimal) -> str:
    return f"{value:f}"


def _timestamp(value: datetime) -> str:
    return value.replace(tzinfo=None).isoformat(sep=" ", timespec="milliseconds")


def _zoned(value: datetime) -> str:
    return f"{_timestamp(value)} UTC"


def _time(value: time) -> str:
    return value.isoformat(timespec="milliseconds")


def _interval(value: Any) -> str:
    """Show months, days and nanoseconds; a month is not so many days, so the two are not mixed."""
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


def _array(show: Show) -> Show:
    return lambda values: f"[{', '.join(_inner(show, value) for value in values)}]"


def _map(show_key: Show, show_value: Show) -> Show:
    return lambda entries: f"{{{', '.join(f'{show_key(key)}={_inner(show_value, value)}' for key, value in entries)}}}"


def _row(type_: pa.StructType) -> Show:
    # Trino counts nameless fields from 0, DuckDB from 1.
    shows = [
        (re.sub(r"^element(\d+)$", _counted_from_0, field.name), field.name, _known(field.type)[1]) for field in type_
    ]
    return lambda row: f"{{{', '.join(f'{name}={_inner(show, row[key])}' for name, key, show in shows)}}}"


def _counted_from_0(name: re.Match[str]) -> str:
    return f"field{int(name[1]) - 1}"


def _inner(show: Show, value: Any) -> str:
    return "null" if value is None else show(value)
