"""Types as the Glue Data Catalog and Athena write them, and the same types in Arrow and in DuckDB.

Only the types that the log uses are known; any other is an error when the schema is read, not a guess.
Syntax: docs.aws.amazon.com/athena/latest/ug/data-types.html
"""

import re
from collections.abc import Iterator
from typing import Any

import msgspec

# Athena's engine version 3 takes timestamps to the millisecond; every time in the log is UTC.
_DUCKDB = {"string": "VARCHAR", "boolean": "BOOLEAN", "int": "INTEGER", "bigint": "BIGINT", "timestamp": "TIMESTAMP"}

_TOKEN = re.compile(r"\w+|\S")


class GlueType(msgspec.Struct, frozen=True):
    """A type, parsed.

    Attributes:
        name: `array`, `map`, `struct` or a plain type.
        parts: What it is made of, by name: a struct's fields; an array's `element`; a map's `key` and `value`.
    """

    name: str
    parts: tuple[tuple[str, "GlueType"], ...] = ()


def parse(text: str) -> GlueType:
    """Return the type that `text` writes, such as `array<struct<address:string,at_ms:bigint>>`.

    Raises:
        ValueError: It is no type that the log uses.
    """
    tokens = iter(_TOKEN.findall(text))
    try:
        parsed = _parsed(next(tokens), tokens)
    except StopIteration:
        raise ValueError(f"the type {text!r} ends too soon") from None
    if next(tokens, None) is not None:
        raise ValueError(f"the type {text!r} goes on after its end")
    return parsed


def arrow(of: GlueType) -> Any:
    """Return the type in Arrow."""
    import pyarrow as pa  # noqa: PLC0415 - heavy; no Lambda may load it

    match of:
        case GlueType("array", ((_, element),)):
            return pa.list_(arrow(element))
        case GlueType("map", ((_, key), (_, value))):
            return pa.map_(arrow(key), arrow(value))
        case GlueType("struct", fields):
            return pa.struct([pa.field(name, arrow(part)) for name, part in fields])
        case GlueType("timestamp"):
            return pa.timestamp("ms", tz="UTC")
        case _:
            plain = {"string": pa.string(), "boolean": pa.bool_(), "int": pa.int32(), "bigint": pa.int64()}
            return plain[of.name]


def duckdb(of: GlueType) -> str:
    """Return the type in DuckDB's SQL."""
    match of:
        case GlueType("array", ((_, element),)):
            return f"{duckdb(element)}[]"
        case GlueType("map", ((_, key), (_, value))):
            return f"MAP({duckdb(key)}, {duckdb(value)})"
        case GlueType("struct", fields):
            return f"STRUCT({', '.join(f'{name} {duckdb(part)}' for name, part in fields)})"
        case _:
            return _DUCKDB[of.name]


def _parsed(name: str, tokens: Iterator[str]) -> GlueType:
    match name:
        case "array":
            _expect("<", tokens)
            element = _parsed(next(tokens), tokens)
            _expect(">", tokens)
            return GlueType(name, (("element", element),))
        case "map":
            _expect("<", tokens)
            key = _parsed(next(tokens), tokens)
            _expect(",", tokens)
            value = _parsed(next(tokens), tokens)
            _expect(">", tokens)
            return GlueType(name, (("key", key), ("value", value)))
        case "struct":
            _expect("<", tokens)
            return GlueType(name, tuple(_fields(tokens)))
        case _ if name in _DUCKDB:
            return GlueType(name)
        case _:
            raise ValueError(f"the log has no type {name!r}")


def _fields(tokens: Iterator[str]) -> Iterator[tuple[str, GlueType]]:
    after = ","
    while after == ",":
        name = next(tokens)
        _expect(":", tokens)
        yield name, _parsed(next(tokens), tokens)
        after = next(tokens)
    if after != ">":
        raise ValueError(f"a struct type has {after!r} where ',' or '>' must stand")


def _expect(token: str, tokens: Iterator[str]) -> None:
    if (found := next(tokens)) != token:
        raise ValueError(f"a type has {found!r} where {token!r} must stand")
