"""The definition of the event log, and everything that must agree with it."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, get_args, get_origin

import duckdb
import msgspec
import pyarrow as pa
import pytest

import pipeline
from pipeline.aws.archive import parquet, schema
from pipeline.aws.archive.schema import GlueType, parse_glue_type, to_arrow
from pipeline.aws.archive.schema import to_duckdb as duckdb_type
from pipeline.row import Row
from tests.support.builders import a_decision, one_of_each, some_evidence
from tests.support.rows import rows_of

EXAMPLES = {**one_of_each(), "decision": a_decision(), "evidence": some_evidence()}

PLAIN = {str: "string", bool: "boolean", datetime: "timestamp", int: "bigint"}


def glue(annotation: Any) -> str:
    """Return the type of an attribute of `Row` as Glue writes it."""
    if get_origin(annotation) is UnionType:
        return glue(next(part for part in get_args(annotation) if part is not NoneType))
    if get_origin(annotation) in (tuple, list):
        return f"array<{glue(get_args(annotation)[0])}>"
    if get_origin(annotation) is Mapping:
        key, value = get_args(annotation)
        return f"map<{glue(key)},{glue(value)}>"
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        return f"struct<{','.join(f'{field.name}:{glue(field.type)}' for field in msgspec.structs.fields(annotation))}>"
    return PLAIN[getattr(annotation, "__supertype__", annotation)]


def test_columns_are_the_attributes_of_a_row() -> None:
    """In the same order."""
    assert [field.name for field in msgspec.structs.fields(Row)] == [column.name for column in schema.log_columns()]


@pytest.mark.parametrize("field", msgspec.structs.fields(Row), ids=lambda field: field.name)
def test_a_column_has_the_type_of_its_attribute(field: msgspec.structs.FieldInfo) -> None:
    """And it is required if the attribute has no default."""
    (column,) = (column for column in schema.log_columns() if column.name == field.name)

    assert glue(field.type) == column.type.replace("int", "bigint").replace("bigbigint", "bigint")
    assert field.required == column.required


def test_arrow_has_the_same_columns() -> None:
    """With the same types, in the same order."""
    fields = [(field.name, field.type, not field.nullable) for field in schema.arrow_schema()]

    assert fields == [
        (column.name, to_arrow(parse_glue_type(column.type)), column.required) for column in schema.log_columns()
    ]


def test_times_are_milliseconds_in_utc() -> None:
    """Athena reads timestamps to the millisecond."""
    assert to_arrow(parse_glue_type("timestamp")) == pa.timestamp("ms", tz="UTC")


def test_glue_has_the_same_columns() -> None:
    """With the same types and comments, in the same order."""
    columns = [(column["Name"], column["Type"], column["Comment"]) for column in schema.glue_columns()]

    assert columns == [(column.name, column.type, column.comment) for column in schema.log_columns()]


def test_every_comment_fits_into_glue() -> None:
    """Its limit is 255 bytes (docs.aws.amazon.com/glue/latest/webapi/API_Column.html)."""
    assert max(len(column["Comment"].encode()) for column in schema.glue_columns()) <= 255


def test_names_are_lower_case() -> None:
    """Hive lower-cases names, so others would not match."""
    names = [column.name for column in (*schema.log_columns(), *schema.log_schema().partitions)]

    assert [name for name in names if not re.fullmatch(r"[a-z][a-z0-9_]*", name)] == []
    assert len(names) == len(set(names))


def test_partitions_are_the_parts_of_an_objects_key() -> None:
    """The date is `dt`, the hour `hr`."""
    names = [(part["Name"], part["Type"]) for part in schema.glue_partitions()]

    assert names == [("dt", "string"), ("hr", "string")]


@pytest.fixture(params=["zstd", "gzip"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield a database whose view `log` has one row of each kind, in either layout."""
    folder = tmp_path / "dt=2026-03-01" / "hr=07"
    folder.mkdir(parents=True)
    rows = rows_of(*EXAMPLES.values())
    (folder / "file").write_bytes(parquet.encode_rows(rows, compression=request.param))
    with duckdb.connect() as database:
        database.execute("SET TimeZone = 'UTC'")
        database.execute(schema.duckdb_view("log", f"{tmp_path}/**/*"))
        yield database


def test_the_duckdb_view_has_the_same_columns(log: duckdb.DuckDBPyConnection) -> None:
    """With the same types and the partitions, in the same order."""
    described = [(name, type_) for name, type_, *_ in log.execute("DESCRIBE log").fetchall()]

    columns = (*schema.log_columns(), *schema.log_schema().partitions)
    assert described == [(column.name, duckdb_spelling(column.type)) for column in columns]


def duckdb_spelling(glue_type: str) -> str:
    """Return a type as DuckDB spells it."""
    row = duckdb.execute(f"SELECT typeof(CAST(NULL AS {duckdb_type(parse_glue_type(glue_type))}))").fetchone()
    assert row
    return str(row[0])


@pytest.mark.parametrize("kind", EXAMPLES)
def test_duckdb_reads_every_kind_of_event(log: duckdb.DuckDBPyConnection, kind: str) -> None:
    """Its values are those of the row, from either layout."""
    (row,) = rows_of(EXAMPLES[kind])

    result = log.execute("SELECT * FROM log WHERE event_type = ?", [kind])
    names = [column[0] for column in result.description or ()]
    (values,) = result.fetchall()
    columns = dict(zip(names, values, strict=True))

    assert (columns.pop("dt"), columns.pop("hr")) == ("2026-03-01", "07")
    assert columns == {name: in_duckdb(value) for name, value in msgspec.structs.asdict(row).items()}


def in_duckdb(value: Any) -> Any:
    """Return an attribute of a row as DuckDB returns it: times without a zone, empty lists as null."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=None)
    if isinstance(value, tuple):
        return msgspec.json.decode(msgspec.json.encode(value)) or None
    return value


def test_a_column_that_files_lack_is_null(tmp_path: Path) -> None:
    """Old files have fewer columns."""
    folder = tmp_path / "dt=2026-03-01" / "hr=07"
    folder.mkdir(parents=True)
    table = pa.table({"event_id": ["1"]})
    pa.parquet.write_table(table, folder / "file")
    with duckdb.connect() as database:
        database.execute(schema.duckdb_view("log", f"{tmp_path}/**/*"))

        assert database.execute("SELECT event_id, facts, sent_at FROM log").fetchall() == [("1", None, None)]


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("string", GlueType("string")),
        ("array<int>", GlueType("array", (("element", GlueType("int")),))),
        ("map<string,bigint>", GlueType("map", (("key", GlueType("string")), ("value", GlueType("bigint"))))),
        ("struct<a:int,b:boolean>", GlueType("struct", (("a", GlueType("int")), ("b", GlueType("boolean"))))),
    ],
)
def test_a_glue_type_is_parsed(text: str, parsed: GlueType) -> None:
    """Arrays, maps and structs may be nested."""
    assert parse_glue_type(text) == parsed


@pytest.mark.parametrize(
    "text",
    [
        "",
        "float",
        "struct<a:int",
        "array<string",
        "array<string>>",
        "array<>",
        "map<string>",
        "struct<a>",
        "struct<a:int;b:int>",
    ],
)
def test_an_unknown_or_malformed_type_is_an_error(text: str) -> None:
    """The schema is checked when it is read."""
    with pytest.raises(ValueError, match="type"):
        parse_glue_type(text)


def test_reading_the_schema_loads_nothing_heavy() -> None:
    """Neither pyarrow nor DuckDB is imported."""
    read = "import sys; from pipeline.aws.archive import schema; schema.glue_columns()"
    code = f"{read}; assert not {{'pyarrow', 'duckdb'}} & set(sys.modules)"

    subprocess.run([sys.executable, "-c", code], check=True, timeout=300)  # noqa: S603 - this interpreter


def test_a_wheel_holds_the_schema_in_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkout has it beside the package."""
    inside = tmp_path / "pipeline" / "schemas"
    inside.mkdir(parents=True)
    (inside / "log.json").write_text('{"version": 7, "comment": "", "columns": [], "partitions": []}')
    monkeypatch.setattr(pipeline, "__file__", str(tmp_path / "pipeline" / "__init__.py"))

    assert schema.log_schema.__wrapped__().version == 7
