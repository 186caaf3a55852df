"""DuckDB set up like Athena: the log as table `events`, the views, and no access to anything else.

Claims: the files of `schemas/views` run unchanged. SQL reaches no other file, no network, no extension and no setting.
Leaves out: other catalogs and databases.
docs.aws.amazon.com/athena/latest/ug/creating-views.html,
duckdb.org/docs/stable/operations_manual/securing_duckdb/overview
"""

from importlib import resources
from pathlib import Path

import duckdb
import sqlglot
from sqlglot import exp

from pipeline.aws.archive import schema
from pipeline.aws.archive.schema import schemas_folder
from pipeline.local.sql.translate import READ, TableColumns, translate

CATALOG = "awsdatacatalog"  # Athena's name for the Glue Data Catalog
LOG_FOLDER = "log"
MEMORY_LIMIT = "400MB"  # of all statements together; beyond it DuckDB spills into its folder
SPILL_LIMIT = "4GB"  # a statement that needs more fails
THREADS = 2


def open_engine(folder: Path, *, database: str, sessions: int) -> list[duckdb.DuckDBPyConnection]:
    """Return connections to a new engine that reads only `folder`. Each runs one statement at a time.

    The log is what Parquet files exist in `log/dt=…/hr=…/` when a query runs.

    Args:
        folder: An empty folder.
        database: The database's name in SQL.
        sessions: Number of connections.
    """
    connection = duckdb.connect()
    _create_log(connection, folder, database)
    for name, query in views().items():
        select = translate(query, tables=table_columns(connection, database), database=database)
        connection.execute(f'CREATE VIEW "{name}" AS {select}')
    connections = [connection, *(_open_session(connection, database) for _ in range(sessions - 1))]
    _restrict(connection, folder)
    return connections


def table_columns(connection: duckdb.DuckDBPyConnection, database: str) -> TableColumns:
    """Return the columns of each table and view, with their types in DuckDB."""
    tables: dict[str, dict[str, str]] = {}
    columns = connection.execute(
        "SELECT table_name, column_name, data_type FROM duckdb_columns() WHERE schema_name = ? "
        "ORDER BY table_name, column_index",
        [database],
    )
    for table, column, type_ in columns.fetchall():
        tables.setdefault(table, {})[column] = type_
    return tables


def views() -> dict[str, exp.Expr]:
    """Return the queries of `schemas/views`, parsed, by the view's name. A view follows those that it reads."""
    files = sorted(schemas_folder().joinpath("views").glob("*.sql"))
    statements = [sqlglot.parse_one(file.read_text(encoding="utf-8"), read=READ) for file in files]
    return {statement.this.name: statement.expression for statement in statements}


def _create_log(connection: duckdb.DuckDBPyConnection, folder: Path, database: str) -> None:
    empty_hour = folder / LOG_FOLDER / "dt=0000-00-00" / "hr=00"
    empty_hour.mkdir(parents=True)
    for statement in (
        f"ATTACH ':memory:' AS {CATALOG}",
        f'CREATE SCHEMA {CATALOG}."{database}"',
        "SET GLOBAL TimeZone = 'UTC'",
        "SET GLOBAL integer_division = true",  # in Trino 7 / 2 is 3
    ):
        connection.execute(statement)
    _set_up(connection, database)
    for statement in (
        resources.files("pipeline.local.sql").joinpath("functions.sql").read_text(encoding="utf-8"),
        # A pattern that matches no file is an error in DuckDB, and a new log has no file.
        f"COPY (SELECT 1 AS nothing WHERE false) TO '{empty_hour}/nothing.parquet' (FORMAT parquet)",
        schema.duckdb_view("events", f"{folder}/{LOG_FOLDER}/dt=*/hr=*/*.parquet"),
    ):
        connection.execute(statement)


def _open_session(connection: duckdb.DuckDBPyConnection, database: str) -> duckdb.DuckDBPyConnection:
    session = connection.cursor()
    _set_up(session, database)
    return session


def _set_up(session: duckdb.DuckDBPyConnection, database: str) -> None:
    """Apply the settings that a session does not share with others."""
    session.execute(f'USE {CATALOG}."{database}"')
    session.execute("SET enable_profiling = 'no_output'")  # counts the bytes read


def _restrict(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Restrict SQL to the folder: no other file, no network, no extension, no setting."""
    for setting, value in {
        "threads": THREADS,
        "memory_limit": f"'{MEMORY_LIMIT}'",
        "temp_directory": f"'{folder}/spill'",
        "max_temp_directory_size": f"'{SPILL_LIMIT}'",
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        "allowed_directories": f"['{folder}']",
        "enable_external_access": "false",
        "lock_configuration": "true",
    }.items():
        connection.execute(f"SET {setting} = {value}")
