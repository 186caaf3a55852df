"""The one definition of the log, and everything that must agree with it."""

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
from tests.support.builders import a_decision, one_of_each
from tests.support.rows import rows_of

EXAMPLES = {**one_of_each(), "decision": a_decision()}

PLAIN = {str: "string", bool: "boolean", datetime: "timestamp", int: "bigint"}


def glue(of: Any) -> str:
    """Return what Glue calls the type of an attribute of `Row`."""
    if get_origin(of) is UnionType:
        return glue(next(part for part in get_args(of) if part is not NoneType))
    if get_origin(of) in (tuple, list):
        return f"array<{glue(get_args(of)[0])}>"
    if get_origin(of) is Mapping:
        key, value = get_args(of)
        return f"map<{glue(key)},{glue(value)}>"
    if isinstance(of, type) and issubclass(of, msgspec.Struct):
        return f"struct<{','.join(f'{field.name}:{glue(field.type)}' for field in msgspec.structs.fields(of))}>"
    return PLAIN[getattr(of, "__supertype__", of)]


def test_the_columns_are_the_attributes_of_a_row_in_their_order() -> None:
    assert [field.name for field in msgspec.structs.fields(Row)] == [column.name for column in schema.log_columns()]


@pytest.mark.parametrize("field", msgspec.structs.fields(Row), ids=lambda field: field.name)
def test_a_column_has_the_type_of_its_attribute(field: msgspec.structs.FieldInfo) -> None:
    (column,) = (column for column in schema.log_columns() if column.name == field.name)

    assert glue(field.type) == column.type.replace("int", "bigint").replace("bigbigint", "bigint")
    assert field.required == column.required


def test_arrow_has_the_columns_with_their_types_in_their_order() -> None:
    fields = [(field.name, field.type, not field.nullable) for field in schema.arrow_schema()]

    assert fields == [
        (column.name, to_arrow(parse_glue_type(column.type)), column.required) for column in schema.log_columns()
    ]


def test_times_are_milliseconds_in_utc() -> None:
    assert to_arrow(parse_glue_type("timestamp")) == pa.timestamp("ms", tz="UTC")


def test_glue_has_the_columns_with_their_types_in_their_order() -> None:
    told = [(column["Name"], column["Type"], column["Comment"]) for column in schema.glue_columns()]

    assert told == [(column.name, column.type, column.comment) for column in schema.log_columns()]


def test_glue_takes_every_comment() -> None:
    """Its limit is 255 bytes (docs.aws.amazon.com/glue/latest/webapi/API_Column.html)."""
    assert max(len(column["Comment"].encode()) for column in schema.glue_columns()) <= 255


def test_names_are_lower_case_so_that_hive_leaves_them_alone() -> None:
    names = [column.name for column in (*schema.log_columns(), *schema.log_schema().partitions)]

    assert [name for name in names if not re.fullmatch(r"[a-z][a-z0-9_]*", name)] == []
    assert len(names) == len(set(names))


def test_partitions_are_the_parts_of_an_objects_key() -> None:
    names = [(part["Name"], part["Type"]) for part in schema.glue_partitions()]

    assert names == [("dt", "string"), ("hr", "string")]


@pytest.fixture(params=["zstd", "gzip"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Give a database whose view `log` shows one row of each kind, in our own form or in Firehose's."""
    folder = tmp_path / "dt=2026-03-01" / "hr=07"
    folder.mkdir(parents=True)
    rows = rows_of(*EXAMPLES.values())
    (folder / "file").write_bytes(parquet.encode_rows(rows, compression=request.param))
    with duckdb.connect() as database:
        database.execute("SET TimeZone = 'UTC'")
        database.execute(schema.duckdb_view("log", f"{tmp_path}/**/*"))
        yield database


def test_duckdbs_view_has_the_columns_with_their_types_in_their_order(log: duckdb.DuckDBPyConnection) -> None:
    told = [(name, type_) for name, type_, *_ in log.execute("DESCRIBE log").fetchall()]

    columns = (*schema.log_columns(), *schema.log_schema().partitions)
    assert told == [(column.name, spelled(column.type)) for column in columns]


def spelled(glue_type: str) -> str:
    """Return a type as DuckDB itself spells it."""
    told = duckdb.execute(f"SELECT typeof(CAST(NULL AS {duckdb_type(parse_glue_type(glue_type))}))").fetchone()
    assert told
    return str(told[0])


@pytest.mark.parametrize("kind", EXAMPLES)
def test_duckdb_reads_what_was_written(log: duckdb.DuckDBPyConnection, kind: str) -> None:
    (row,) = rows_of(EXAMPLES[kind])

    result = log.execute("SELECT * FROM log WHERE event_type = ?", [kind])
    names = [each[0] for each in result.description or ()]
    (values,) = result.fetchall()
    found = dict(zip(names, values, strict=True))

    assert (found.pop("dt"), found.pop("hr")) == ("2026-03-01", "07")
    assert found == {name: shown(value) for name, value in msgspec.structs.asdict(row).items()}


def shown(value: Any) -> Any:
    """Return an attribute of a row as DuckDB shows it: times without a zone, empty lists as null."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=None)
    if isinstance(value, tuple):
        return msgspec.json.decode(msgspec.json.encode(value)) or None
    return value


def test_duckdb_shows_a_column_that_the_files_lack_as_null(tmp_path: Path) -> None:
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
def test_a_type_is_read_as_glue_writes_it(text: str, parsed: GlueType) -> None:
    assert parse_glue_type(text) == parsed


@pytest.mark.parametrize(
    "text",
    ["", "float", "array<string", "array<string>>", "array<>", "map<string>", "struct<a>", "struct<a:int;b:int>"],
)
def test_a_type_that_the_log_does_not_use_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="type"):
        parse_glue_type(text)


def test_reading_the_schema_loads_nothing_heavy() -> None:
    read = "import sys; from pipeline.aws.archive import schema; schema.glue_columns()"
    code = f"{read}; assert not {{'pyarrow', 'duckdb'}} & set(sys.modules)"

    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)  # noqa: S603 - our own code


def test_a_wheel_holds_the_definition_inside_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside = tmp_path / "pipeline" / "schemas"
    inside.mkdir(parents=True)
    (inside / "log.json").write_text('{"version": 7, "comment": "", "columns": [], "partitions": []}')
    monkeypatch.setattr(pipeline, "__file__", str(tmp_path / "pipeline" / "__init__.py"))

    assert schema.log_schema.__wrapped__().version == 7
