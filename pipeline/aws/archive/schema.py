"""The log's columns: schemas/log.json, and what Arrow, Glue and DuckDB make of it.

The file is the one definition. Nothing here adds to it, and nothing heavy is loaded to read it.

Types as the Glue Data Catalog and Athena write them, and the same types in Arrow and in DuckDB.

Only the types that the log uses are known; any other is an error when the schema is read, not a guess.
Syntax: docs.aws.amazon.com/athena/latest/ug/data-types.html
"""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

import pipeline

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


def parse_glue_type(text: str) -> GlueType:
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


def to_arrow(of: GlueType) -> Any:
    """Return the type in Arrow."""
    import pyarrow as pa  # noqa: PLC0415 - heavy; no Lambda may load it

    match of:
        case GlueType("array", ((_, element),)):
            return pa.list_(to_arrow(element))
        case GlueType("map", ((_, key), (_, value))):
            return pa.map_(to_arrow(key), to_arrow(value))
        case GlueType("struct", fields):
            return pa.struct([pa.field(name, to_arrow(part)) for name, part in fields])
        case GlueType("timestamp"):
            return pa.timestamp("ms", tz="UTC")
        case _:
            plain = {"string": pa.string(), "boolean": pa.bool_(), "int": pa.int32(), "bigint": pa.int64()}
            return plain[of.name]


def to_duckdb(of: GlueType) -> str:
    """Return the type in DuckDB's SQL."""
    match of:
        case GlueType("array", ((_, element),)):
            return f"{to_duckdb(element)}[]"
        case GlueType("map", ((_, key), (_, value))):
            return f"MAP({to_duckdb(key)}, {to_duckdb(value)})"
        case GlueType("struct", fields):
            return f"STRUCT({', '.join(f'{name} {to_duckdb(part)}' for name, part in fields)})"
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


class LogColumn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A column of the log.

    Attributes:
        name: Its name, which is an attribute of `pipeline.row.Row` too.
        type: Its type, as Glue and Athena write it.
        required: Whether every row has it. Readers still accept files without it.
        comment: What it holds, for people who query it, with its unit.
    """

    name: str
    type: str
    required: bool = False
    comment: str


class LogSchema(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The log's definition.

    Attributes:
        version: Goes up with every change.
        comment: What the log is, for people.
        columns: The columns, in order.
        partitions: The parts of an object's key that SQL sees as columns, outermost first.
    """

    version: int
    comment: str
    columns: tuple[LogColumn, ...]
    partitions: tuple[LogColumn, ...]


@cache
def log_schema() -> LogSchema:
    """Return the log's definition."""
    return msgspec.json.decode(schemas_folder().joinpath("log.json").read_bytes(), type=LogSchema)


def log_columns() -> tuple[LogColumn, ...]:
    """Return the log's columns, in order."""
    return log_schema().columns


@cache
def arrow_schema() -> Any:
    """Return the columns as an Arrow schema; needs pyarrow."""
    import pyarrow as pa  # noqa: PLC0415 - heavy; no Lambda may load it

    return pa.schema(
        [
            pa.field(column.name, to_arrow(parse_glue_type(column.type)), nullable=not column.required)
            for column in log_columns()
        ]
    )


def glue_columns() -> list[dict[str, str]]:
    """Return the columns as Glue's CreateTable takes them in `StorageDescriptor.Columns`."""
    return _glue(log_columns())


def glue_partitions() -> list[dict[str, str]]:
    """Return the partition columns as Glue's CreateTable takes them in `PartitionKeys`."""
    return _glue(log_schema().partitions)


def duckdb_view(name: str, files: str) -> str:
    """Return the SQL that makes the log a view in DuckDB, with the column types of Athena.

    The session's time zone must be UTC (`SET TimeZone = 'UTC'`): files hold times both as UTC moments and, where
    Firehose wrote them, as INT96, which says nothing of a zone. A column that the files lack is null.

    Args:
        name: The view's name, quoted where it has to be.
        files: A glob of at least one Parquet file, below folders `dt=` and `hr=`.
    """
    every = [(column, to_duckdb(parse_glue_type(column.type))) for column in (*log_columns(), *log_schema().partitions)]
    casts = ",\n  ".join(f'CAST("{column.name}" AS {type_}) AS "{column.name}"' for column, type_ in every)
    nothing = ", ".join(f'CAST(NULL AS {type_}) AS "{column.name}"' for column, type_ in every)
    partitions = ", ".join(f"'{column.name}': VARCHAR" for column in log_schema().partitions)
    place = files.replace("'", "''")
    return f"""CREATE OR REPLACE VIEW {name} AS SELECT
  {casts}
FROM (
  SELECT {nothing} WHERE false
  UNION ALL BY NAME
  FROM read_parquet('{place}', union_by_name = true, hive_partitioning = true, hive_types = {{{partitions}}})
)"""  # noqa: S608 - names and types are the schema's own, and the glob is quoted


def _glue(of: tuple[LogColumn, ...]) -> list[dict[str, str]]:
    return [{"Name": column.name, "Type": column.type, "Comment": column.comment} for column in of]


def schemas_folder() -> Path:
    """Return schemas/: inside the package in a wheel, beside the package in a checkout."""
    package = Path(pipeline.__file__).parent
    inside = package / "schemas"
    return inside if inside.is_dir() else package.parent / "schemas"
