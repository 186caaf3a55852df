"""The log's columns: schemas/log.json, and what Arrow, Glue and DuckDB make of it.

The file is the one definition. Nothing here adds to it, and nothing heavy is loaded to read it.
"""

from functools import cache
from pathlib import Path
from typing import Any

import msgspec

import pipeline
from pipeline.aws import glue_type


class Column(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
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


class Log(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The log's definition.

    Attributes:
        version: Goes up with every change.
        comment: What the log is, for people.
        columns: The columns, in order.
        partitions: The parts of an object's key that SQL sees as columns, outermost first.
    """

    version: int
    comment: str
    columns: tuple[Column, ...]
    partitions: tuple[Column, ...]


@cache
def log() -> Log:
    """Return the log's definition."""
    return msgspec.json.decode(folder().joinpath("log.json").read_bytes(), type=Log)


def columns() -> tuple[Column, ...]:
    """Return the log's columns, in order."""
    return log().columns


@cache
def arrow_schema() -> Any:
    """Return the columns as an Arrow schema; needs pyarrow."""
    import pyarrow as pa  # noqa: PLC0415 - heavy; no Lambda may load it

    return pa.schema(
        [
            pa.field(column.name, glue_type.arrow(glue_type.parse(column.type)), nullable=not column.required)
            for column in columns()
        ]
    )


def glue_columns() -> list[dict[str, str]]:
    """Return the columns as Glue's CreateTable takes them in `StorageDescriptor.Columns`."""
    return _glue(columns())


def glue_partitions() -> list[dict[str, str]]:
    """Return the partition columns as Glue's CreateTable takes them in `PartitionKeys`."""
    return _glue(log().partitions)


def duckdb_view(name: str, files: str) -> str:
    """Return the SQL that makes the log a view in DuckDB, with the column types of Athena.

    The session's time zone must be UTC (`SET TimeZone = 'UTC'`): files hold times both as UTC moments and, where
    Firehose wrote them, as INT96, which says nothing of a zone. A column that the files lack is null.

    Args:
        name: The view's name, quoted where it has to be.
        files: A glob of at least one Parquet file, below folders `dt=` and `hr=`.
    """
    every = [(column, glue_type.duckdb(glue_type.parse(column.type))) for column in (*columns(), *log().partitions)]
    casts = ",\n  ".join(f'CAST("{column.name}" AS {type_}) AS "{column.name}"' for column, type_ in every)
    nothing = ", ".join(f'CAST(NULL AS {type_}) AS "{column.name}"' for column, type_ in every)
    partitions = ", ".join(f"'{column.name}': VARCHAR" for column in log().partitions)
    place = files.replace("'", "''")
    return f"""CREATE OR REPLACE VIEW {name} AS SELECT
  {casts}
FROM (
  SELECT {nothing} WHERE false
  UNION ALL BY NAME
  FROM read_parquet('{place}', union_by_name = true, hive_partitioning = true, hive_types = {{{partitions}}})
)"""  # noqa: S608 - names and types are the schema's own, and the glob is quoted


def _glue(of: tuple[Column, ...]) -> list[dict[str, str]]:
    return [{"Name": column.name, "Type": column.type, "Comment": column.comment} for column in of]


def folder() -> Path:
    """Return schemas/: inside the package in a wheel, beside the package in a checkout."""
    package = Path(pipeline.__file__).parent
    inside = package / "schemas"
    return inside if inside.is_dir() else package.parent / "schemas"
