"""SHOW and DESCRIBE, which are answered from the catalogue rather than from the log.

docs.aws.amazon.com/athena/latest/ug/ddl-reference.html
"""

import re
from collections.abc import Iterable

import msgspec
from sqlglot import exp

from pipeline.aws.archive import schema
from pipeline.aws.archive.athena import QueryResult, ResultColumn
from pipeline.errors import UsageError
from pipeline.local.sql.translate import TableColumns, unquoted

LOG = "events"


class ShowCatalog(msgspec.Struct, frozen=True, kw_only=True):
    """What can be queried.

    Attributes:
        database: Where it all is.
        tables: The log and its views.
    """

    database: str
    tables: TableColumns


_NAME = r'["`]?(?P<{}>\w+)["`]?'
_DATABASE = _NAME.format("database")
_TABLE = rf"(?:{_DATABASE}\.)?{_NAME.format('table')}"

_TABLES = re.compile(rf"SHOW\s+TABLES(?:\s+(?:IN|FROM)\s+{_DATABASE})?", re.IGNORECASE)
_VIEWS = re.compile(rf"SHOW\s+VIEWS(?:\s+(?:IN|FROM)\s+{_DATABASE})?", re.IGNORECASE)
_DATABASES = re.compile(r"SHOW\s+(?:DATABASES|SCHEMAS)", re.IGNORECASE)
_COLUMNS = re.compile(rf"SHOW\s+COLUMNS\s+(?:IN|FROM)\s+{_TABLE}", re.IGNORECASE)
_DESCRIBE = re.compile(rf"DESC(?:RIBE)?\s+{_TABLE}", re.IGNORECASE)


def is_show(sql: str) -> bool:
    """Tell whether a statement is a SHOW or a DESCRIBE."""
    return re.match(r"(SHOW|DESCRIBE|DESC)\b", unquoted(sql), re.IGNORECASE) is not None


def run_show(sql: str, catalogue: ShowCatalog) -> QueryResult:
    """Return the answer to a SHOW or a DESCRIBE.

    Raises:
        UsageError: It asks for what is not there, or is of a form that is not covered.
    """
    statement, tables = unquoted(sql), catalogue.tables
    if match := _TABLES.fullmatch(statement):
        _check(match, catalogue)
        return _listed("tab_name", tables)
    if match := _VIEWS.fullmatch(statement):
        _check(match, catalogue)
        return _listed("views", (name for name in tables if name != LOG))
    if _DATABASES.fullmatch(statement):
        return _listed("database_name", (catalogue.database,))
    if match := _COLUMNS.fullmatch(statement):
        return _listed("field", tables[_table(match, catalogue)])
    if match := _DESCRIBE.fullmatch(statement):
        return _described(_table(match, catalogue), catalogue)
    raise UsageError(
        "not covered here; what is: SHOW TABLES, VIEWS, DATABASES and COLUMNS FROM a table, DESCRIBE a table"
    )


def _check(match: re.Match[str], catalogue: ShowCatalog) -> None:
    database = match["database"]
    if database and database.lower() != catalogue.database:
        raise UsageError(f"there is no database {database}: {catalogue.database} is the only one here")


def _table(match: re.Match[str], catalogue: ShowCatalog) -> str:
    _check(match, catalogue)
    table = match["table"].lower()
    if table not in catalogue.tables:
        raise UsageError(f"there is no table {table}: SHOW TABLES lists what there is")
    return table


def _listed(heading: str, names: Iterable[str]) -> QueryResult:
    return _result((heading,), ((name,) for name in names))


def _described(table: str, catalogue: ShowCatalog) -> QueryResult:
    log = schema.log_schema()
    comments = {column.name: column.comment for column in (*log.columns, *log.partitions)} if table == LOG else {}
    return _result(
        ("col_name", "data_type", "comment"),
        ((name, hive_type(type_), comments.get(name, "")) for name, type_ in catalogue.tables[table].items()),
    )


def hive_type(duckdb_type: str) -> str:
    """Return a type as Glue and Athena's DDL write it, such as `array<struct<address:string>>`."""
    written = exp.DataType.build(duckdb_type, dialect="duckdb").sql(dialect="hive")
    return written.lower().replace("`", "").replace(": ", ":").replace(", ", ",")


def _result(headings: Iterable[str], rows: Iterable[tuple[str | None, ...]]) -> QueryResult:
    return QueryResult(
        columns=tuple(ResultColumn(name=heading, type="string") for heading in headings),
        rows=list(rows),
        scanned_bytes=0,
    )
