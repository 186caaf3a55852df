"""The columns of the event log: schemas/log.json, and their types in Glue, Arrow and DuckDB.

The file is the only definition; nothing here adds to it. Reading it imports nothing heavy. Only the types that the log
uses are known: any other one is an error when the schema is read. Syntax of types:
docs.aws.amazon.com/athena/latest/ug/data-types.html
"""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

import pipeline

# Athena's engine version 3 reads timestamps to the millisecond; every time in the log is UTC.
_DUCKDB_TYPES = {
    "string": "VARCHAR",
    "boolean": "BOOLEAN",
    "int": "INTEGER",
    "bigint": "BIGINT",
    "timestamp": "TIMESTAMP",
}

_TOKEN = re.compile(r"\w+|\S")


class LogColumn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A column of the event log.

    Attributes:
        name: Its name, which is also an attribute of `pipeline.row.Row`.
        type: Its type, as Glue and Athena write it.
        required: Whether every row has it. Readers accept files without it all the same.
        comment: What it holds, with its unit, for people who query it.
    """

    name: str
    type: str
    required: bool = False
    comment: str


class LogSchema(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The definition of the event log.

    Attributes:
        version: Increases with every change.
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
    """Return the definition of the event log."""
    return msgspec.json.decode(schemas_folder().joinpath("log.json").read_bytes(), type=LogSchema)


def schemas_folder() -> Path:
    """Return schemas/: inside the package in a wheel, beside the package in a checkout."""
    package = Path(pipeline.__file__).parent
    inside = package / "schemas"
    return inside if inside.is_dir() else package.parent / "schemas"


def log_columns() -> tuple[LogColumn, ...]:
    """Return the columns of the event log, in order."""
    return log_schema().columns


def glue_columns() -> list[dict[str, str]]:
    """Return the columns as `StorageDescriptor.Columns` of Glue's CreateTable."""
    return _to_glue(log_columns())


def glue_partitions() -> list[dict[str, str]]:
    """Return the partition columns as `PartitionKeys` of Glue's CreateTable."""
    return _to_glue(log_schema().partitions)


def _to_glue(columns: tuple[LogColumn, ...]) -> list[dict[str, str]]:
    return [{"Name": column.name, "Type": column.type, "Comment": column.comment} for column in columns]


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


def duckdb_view(name: str, files: str) -> str:
    """Return the SQL of a DuckDB view of the event log, with the column types of Athena.

    The session's time zone must be UTC (`SET TimeZone = 'UTC'`): files hold times as UTC moments and, where Firehose
    wrote them, as INT96, which has no zone. A column that the files lack is null.

    Args:
        name: The view's name, quoted if necessary.
        files: A glob that matches at least one Parquet file, below folders `dt=` and `hr=`.
    """
    columns = [
        (column, to_duckdb(parse_glue_type(column.type))) for column in (*log_columns(), *log_schema().partitions)
    ]
    casts = ",\n  ".join(f'CAST("{column.name}" AS {type_}) AS "{column.name}"' for column, type_ in columns)
    nulls = ", ".join(f'CAST(NULL AS {type_}) AS "{column.name}"' for column, type_ in columns)
    partitions = ", ".join(f"'{column.name}': VARCHAR" for column in log_schema().partitions)
    glob = files.replace("'", "''")
    return f"""CREATE OR REPLACE VIEW {name} AS SELECT
  {casts}
FROM (
  SELECT {nulls} WHERE false
  UNION ALL BY NAME
  FROM read_parquet('{glob}', union_by_name = true, hive_partitioning = true, hive_types = {{{partitions}}})
)"""  # noqa: S608 - names and types are the schema's, and the glob is quoted


class GlueType(msgspec.Struct, frozen=True):
    """A parsed type.

    Attributes:
        name: `array`, `map`, `struct` or a plain type.
        parts: The types it consists of, by name: a struct's fields; an array's `element`; a map's `key` and `value`.
    """

    name: str
    parts: tuple[tuple[str, "GlueType"], ...] = ()


def to_arrow(glue_type: GlueType) -> Any:
    """Return a type in Arrow."""
    import pyarrow as pa  # noqa: PLC0415 - heavy; no Lambda may load it

    match glue_type:
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
            return plain[glue_type.name]


def to_duckdb(glue_type: GlueType) -> str:
    """Return a type in DuckDB's SQL."""
    match glue_type:
        case GlueType("array", ((_, element),)):
            return f"{to_duckdb(element)}[]"
        case GlueType("map", ((_, key), (_, value))):
            return f"MAP({to_duckdb(key)}, {to_duckdb(value)})"
        case GlueType("struct", fields):
            return f"STRUCT({', '.join(f'{name} {to_duckdb(part)}' for name, part in fields)})"
        case _:
            return _DUCKDB_TYPES[glue_type.name]


def parse_glue_type(text: str) -> GlueType:
    """Return a type as Glue writes it, such as `array<struct<address:string,at_ms:bigint>>`, parsed.

    Raises:
        ValueError: It is not a type that the log uses.
    """
    tokens = iter(_TOKEN.findall(text))
    try:
        glue_type = _parse(next(tokens), tokens)
    except StopIteration:
        raise ValueError(f"the type {text!r} is incomplete") from None
    if next(tokens, None) is not None:
        raise ValueError(f"text follows the end of the type {text!r}")
    return glue_type


def _parse(name: str, tokens: Iterator[str]) -> GlueType:
    match name:
        case "array":
            _expect("<", tokens)
            element = _parse(next(tokens), tokens)
            _expect(">", tokens)
            return GlueType(name, (("element", element),))
        case "map":
            _expect("<", tokens)
            key = _parse(next(tokens), tokens)
            _expect(",", tokens)
            value = _parse(next(tokens), tokens)
            _expect(">", tokens)
            return GlueType(name, (("key", key), ("value", value)))
        case "struct":
            _expect("<", tokens)
            return GlueType(name, _parse_fields(tokens))
        case _ if name in _DUCKDB_TYPES:
            return GlueType(name)
        case _:
            raise ValueError(f"the log has no type {name!r}")


def _parse_fields(tokens: Iterator[str]) -> tuple[tuple[str, GlueType], ...]:
    fields = []
    separator = ","
    while separator == ",":
        name = next(tokens)
        _expect(":", tokens)
        fields.append((name, _parse(next(tokens), tokens)))
        separator = next(tokens)
    if separator != ">":
        raise ValueError(f"a struct type has {separator!r} instead of ',' or '>'")
    return tuple(fields)


def _expect(expected: str, tokens: Iterator[str]) -> None:
    if (token := next(tokens)) != expected:
        raise ValueError(f"a type has {token!r} instead of {expected!r}")
