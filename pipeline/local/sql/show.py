"""SHOW and DESCRIBE, which are answered from the catalog and not from the log.

Claims: SHOW TABLES, SHOW VIEWS, SHOW DATABASES, SHOW COLUMNS and DESCRIBE, with Glue's types and comments.
Leaves out: patterns, SHOW CREATE, SHOW PARTITIONS and SHOW TBLPROPERTIES.
docs.aws.amazon.com/athena/latest/ug/ddl-reference.html
"""

import re
from collections.abc import Iterable

import msgspec
from sqlglot import exp

from pipeline.aws.archive import schema
from pipeline.aws.archive.athena import QueryResult, ResultColumn
from pipeline.errors import UsageError
from pipeline.local.sql.translate import TableColumns, strip_statement

LOG = "events"

_NAME = r'["`]?(?P<{}>\w+)["`]?'
_DATABASE = _NAME.format("database")
_TABLE = rf"(?:{_DATABASE}\.)?{_NAME.format('table')}"

_TABLES = re.compile(rf"SHOW\s+TABLES(?:\s+(?:IN|FROM)\s+{_DATABASE})?", re.IGNORECASE)
_VIEWS = re.compile(rf"SHOW\s+VIEWS(?:\s+(?:IN|FROM)\s+{_DATABASE})?", re.IGNORECASE)
_DATABASES = re.compile(r"SHOW\s+(?:DATABASES|SCHEMAS)", re.IGNORECASE)
_COLUMNS = re.compile(rf"SHOW\s+COLUMNS\s+(?:IN|FROM)\s+{_TABLE}", re.IGNORECASE)
_DESCRIBE = re.compile(rf"DESC(?:RIBE)?\s+{_TABLE}", re.IGNORECASE)


class ShowCatalog(msgspec.Struct, frozen=True, kw_only=True):
    """The tables that can be queried.

    Attributes:
        database: The database's name.
        tables: Columns of the log and of its views.
    """

    database: str
    tables: TableColumns


def is_show(sql: str) -> bool:
    """Return True if a statement is a SHOW or a DESCRIBE."""
    return re.match(r"(SHOW|DESCRIBE|DESC)\b", strip_statement(sql), re.IGNORECASE) is not None


def run_show(sql: str, catalog: ShowCatalog) -> QueryResult:
    """Return the result of a SHOW or a DESCRIBE.

    Raises:
        UsageError: It names a database or a table that does not exist, or its form is not covered.
    """
    statement, tables = strip_statement(sql), catalog.tables
    if match := _TABLES.fullmatch(statement):
        _check_database(match, catalog)
        return _one_column("tab_name", tables)
    if match := _VIEWS.fullmatch(statement):
        _check_database(match, catalog)
        return _one_column("views", (name for name in tables if name != LOG))
    if _DATABASES.fullmatch(statement):
        return _one_column("database_name", (catalog.database,))
    if match := _COLUMNS.fullmatch(statement):
        return _one_column("field", tables[_table(match, catalog)])
    if match := _DESCRIBE.fullmatch(statement):
        return _describe(_table(match, catalog), catalog)
    raise UsageError(
        "not covered here: use SHOW TABLES, VIEWS, DATABASES, or COLUMNS FROM a table, or DESCRIBE a table"
    )


def _check_database(match: re.Match[str], catalog: ShowCatalog) -> None:
    database = match["database"]
    if database and database.lower() != catalog.database:
        raise UsageError(f"there is no database {database}: {catalog.database} is the only one here")


def _table(match: re.Match[str], catalog: ShowCatalog) -> str:
    _check_database(match, catalog)
    table = match["table"].lower()
    if table not in catalog.tables:
        raise UsageError(f"there is no table {table}: SHOW TABLES lists the tables")
    return table


def _one_column(heading: str, names: Iterable[str]) -> QueryResult:
    return _result((heading,), ((name,) for name in names))


def _describe(table: str, catalog: ShowCatalog) -> QueryResult:
    log = schema.log_schema()
    comments = {column.name: column.comment for column in (*log.columns, *log.partitions)} if table == LOG else {}
    return _result(
        ("col_name", "data_type", "comment"),
        ((name, hive_type(type_), comments.get(name, "")) for name, type_ in catalog.tables[table].items()),
    )


def view_columns(tables: TableColumns) -> dict[str, list[tuple[str, str]]]:
    """Return the columns of each view, with their types as Glue writes them."""
    return {
        table: [(name, hive_type(type_)) for name, type_ in columns.items()]
        for table, columns in tables.items()
        if table != LOG
    }


def hive_type(duckdb_type: str) -> str:
    """Return a type as Glue and Athena's DDL write it, such as `array<struct<address:string>>`."""
    text = exp.DataType.build(duckdb_type, dialect="duckdb").sql(dialect="hive")
    return text.lower().replace("`", "").replace(": ", ":").replace(", ", ",")


def _result(headings: Iterable[str], rows: Iterable[tuple[str | None, ...]]) -> QueryResult:
    return QueryResult(
        columns=tuple(ResultColumn(name=heading, type="string") for heading in headings),
        rows=list(rows),
        scanned_bytes=0,
    )
