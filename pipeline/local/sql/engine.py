"""DuckDB set up as Athena would be: the log as table `events`, views beside it, and the doors shut.

The views of schemas/views: SQL for Athena, one file each, to be run there as it stands.
"""

from importlib import resources
from pathlib import Path

import duckdb
import msgspec
import sqlglot
from sqlglot import exp

from pipeline.aws.archive import schema
from pipeline.aws.archive.schema import schemas_folder
from pipeline.local.sql.translate import READ, TableColumns, translate


class View(msgspec.Struct, frozen=True, kw_only=True):
    """A view.

    Attributes:
        name: What SQL calls it.
        query: What it shows, in Trino's SQL, parsed.
    """

    name: str
    query: exp.Expr


def views() -> list[View]:
    """Return the views, each after those that it reads from."""
    files = sorted(schemas_folder().joinpath("views").glob("*.sql"))
    created = [sqlglot.parse_one(file.read_text(encoding="utf-8"), read=READ) for file in files]
    return [View(name=create.this.name, query=create.expression) for create in created]


CATALOG = "awsdatacatalog"  # Athena's name for the Glue Data Catalog
MEMORY = "400MB"  # beyond it DuckDB spills into its folder
THREADS = 2
LOG_FOLDER = "log"


def open_engine(folder: Path, *, database: str) -> duckdb.DuckDBPyConnection:
    """Return a connection to an engine of its own, which reads nothing but `folder`.

    The log is what Parquet files there are in `log/dt=…/hr=…/` when a query runs.

    Args:
        folder: An empty folder.
        database: What SQL calls the database.
    """
    connection = duckdb.connect()
    _define(connection, folder, database)
    for view in views():
        select = translate(view.query, tables=tables(connection, database), database=database)
        connection.execute(f'CREATE VIEW "{view.name}" AS {select}')
    _lock(connection, folder)
    return connection


def tables(connection: duckdb.DuckDBPyConnection, database: str) -> TableColumns:
    """Return the columns and their types in DuckDB, by table and view."""
    found: dict[str, dict[str, str]] = {}
    columns = connection.execute(
        "SELECT table_name, column_name, data_type FROM duckdb_columns() WHERE schema_name = ? "
        "ORDER BY table_name, column_index",
        [database],
    )
    for table, column, type_ in columns.fetchall():
        found.setdefault(table, {})[column] = type_
    return found


def _define(connection: duckdb.DuckDBPyConnection, folder: Path, database: str) -> None:
    nothing = folder / LOG_FOLDER / "dt=0000-00-00" / "hr=00"
    nothing.mkdir(parents=True)
    for statement in (
        f"ATTACH ':memory:' AS {CATALOG}",
        f'CREATE SCHEMA {CATALOG}."{database}"',
        f'USE {CATALOG}."{database}"',
        "SET TimeZone = 'UTC'",
        "SET integer_division = true",  # in Trino 7 / 2 is 3
        "SET enable_profiling = 'no_output'",  # counts the bytes that are read
        resources.files("pipeline.local.sql").joinpath("functions.sql").read_text(encoding="utf-8"),
        # A pattern that matches no file is an error in DuckDB, and a new log has none.
        f"COPY (SELECT 1 AS nothing WHERE false) TO '{nothing}/nothing.parquet' (FORMAT parquet)",
        schema.duckdb_view("events", f"{folder}/{LOG_FOLDER}/dt=*/hr=*/*.parquet"),
    ):
        connection.execute(statement)


def _lock(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Leave SQL nothing but the folder: no other file, no network, no extension, no setting."""
    for setting, value in {
        "threads": THREADS,
        "memory_limit": f"'{MEMORY}'",
        "temp_directory": f"'{folder}/spill'",
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        "allowed_directories": f"['{folder}']",
        "enable_external_access": "false",
        "lock_configuration": "true",
    }.items():
        connection.execute(f"SET {setting} = {value}")
