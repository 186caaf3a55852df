"""Athena on this machine: SQL written for Athena, run by DuckDB over the Parquet objects of the local S3.

Claims: the table `events` with its partitions, and the views of `schemas/views`; queries, UNLOAD, SHOW and DESCRIBE,
several at once; values and column names as Athena prints them; the bytes read. A statement reaches no other file and no
network, but for the target of an UNLOAD.
An object that is not the log's, at which a query fails in Athena, is skipped, and the result names it.
Leaves out: the parts of Trino's SQL that `pipeline.local.sql.rewrite` lists.
docs.aws.amazon.com/athena/latest/ug/querying-athena-tables.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Self

import duckdb
import msgspec

from pipeline.aws.archive.athena import QueryResult, ResultColumn
from pipeline.aws.archive.athena_csv import Row
from pipeline.aws.errors import redact_addresses
from pipeline.aws.temporary_folder import temporary_folder
from pipeline.errors import UsageError
from pipeline.local.parquet_cache import ParquetCache
from pipeline.local.sql.engine import LOG_FOLDER, MEMORY_LIMIT, SPILL_LIMIT, open_engine, table_columns
from pipeline.local.sql.show import ShowCatalog, is_show, run_show
from pipeline.local.sql.translate import TableColumns, parse_trino, position, translate
from pipeline.local.sql.unload import Unload, check_unload_target, write_rows
from pipeline.local.sql.values import type_name, value_formatter

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ROWS_PER_BATCH = 2_048
SESSIONS = 4
"""Statements that run at a time."""
FOLDER_PREFIX = "mailfold-athena-"

Keep = Callable[[tuple[ResultColumn, ...], Iterator[Row]], Iterable[Row]]
"""Reads the rows of a result, and returns them."""

STATEMENT_ERRORS = (
    *(duckdb.BinderException, duckdb.CatalogException, duckdb.ConversionException, duckdb.InterruptException),
    *(duckdb.OutOfRangeException, duckdb.ParserException, duckdb.TypeMismatchException),
)
"""What DuckDB raises for a statement. Anything else it may raise for a file."""

INTERRUPTED = "INTERRUPT Error"
OUT_OF_MEMORY = "Out of Memory Error"
DIVISION_BY_ZERO = "Division by zero"

_NAME_IN_REASON = re.compile(r"\"([^\"]+)\"|with name ([\w.]+)|types '(\w+)\(")


def _as_list(_: tuple[ResultColumn, ...], rows: Iterator[Row]) -> list[Row]:
    return list(rows)


class Athena:
    """A database over the log in one bucket. Safe to use from several threads.

    Args:
        s3_client: A boto3 client with time-outs.
        bucket: The log's bucket.
        database: The database's name in SQL.
        prefix: The log's prefix in the bucket.
    """

    def __init__(
        self, s3_client: S3Client, *, bucket: str, database: str = "mailfold", prefix: str = "events/"
    ) -> None:
        self._free: SimpleQueue[Session] = SimpleQueue()
        with ExitStack() as resources:
            folder = resources.enter_context(temporary_folder(FOLDER_PREFIX))
            cache = ParquetCache(s3_client, bucket=bucket, prefix=prefix, folder=folder / LOG_FOLDER)
            for connection in open_engine(folder, database=database, sessions=SESSIONS):
                resources.callback(connection.close)
                self._free.put(Session(connection, cache, database=database))
            self._resources = resources.pop_all()

    def __enter__(self) -> Self:
        """Return the open database."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the database."""
        self.close()

    def close(self) -> None:
        """Wait for the statements that run, then close the engine and delete its files."""
        for _ in range(SESSIONS):
            self._free.get()
        self._resources.close()

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Yield a session that nothing else uses. Wait for one if all are in use."""
        session = self._free.get()
        try:
            yield session
        finally:
            self._free.put(session)

    def run(self, sql: str) -> QueryResult:
        """Run one statement in a session. See `Session.run`."""
        with self.session() as session:
            return session.run(sql)

    def tables(self) -> TableColumns:
        """Return the columns of the log and of each view, with their types in DuckDB."""
        with self.session() as session:
            return session.tables()


class Session:
    """A connection to the database, which runs one statement at a time.

    Args:
        connection: The connection.
        cache: The copies of the log's objects that it reads.
        database: The database's name in SQL.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, cache: ParquetCache, *, database: str) -> None:
        self._connection, self._cache, self._database = connection, cache, database

    def stop(self) -> None:
        """Interrupt the statement that runs, from another thread. Its `run` raises an error."""
        self._connection.interrupt()

    def tables(self) -> TableColumns:
        """Return the columns of the log and of each view, with their types in DuckDB."""
        return table_columns(self._connection, self._database)

    def run(self, sql: str, *, keep: Keep = _as_list) -> QueryResult:
        """Run one statement over the log as it is now.

        Args:
            sql: The statement.
            keep: Reads the rows while the statement runs, and returns them. It is called again if the statement starts
                again, without an object that is damaged.

        Raises:
            UsageError: The statement is not a query, is wrong, needs something that is not covered, or was stopped.
                The message names line and column where possible.
            ArchiveUnavailable: S3 is throttled or unreachable.
            NotFound: The bucket does not exist.
            AccessDenied: S3 denies reading the log.
        """
        catalog = ShowCatalog(database=self._database, tables=self.tables())
        if is_show(sql):
            shown = run_show(sql, catalog)
            return msgspec.structs.replace(shown, rows=keep(shown.columns, iter(shown.rows)))
        query = translate(parse_trino(sql), tables=catalog.tables, database=self._database)
        self._cache.refresh()
        return self._execute(query, sql, keep)

    def unload(self, unload: Unload, s3: S3Client) -> QueryResult:
        """Write the rows of a query over the log as it is now into S3. The result has no rows. Raises as `run`."""
        query = translate(parse_trino(unload.query), tables=self.tables(), database=self._database)
        check_unload_target(s3, unload)
        self._cache.refresh()
        try:
            with self._connection.sql(query).to_arrow_reader(ROWS_PER_BATCH) as batches:
                write_rows(s3, unload, (row for batch in batches for row in batch.to_pylist()))
        except (duckdb.Error, OSError) as error:
            raise UsageError(_explain(error, unload.query)) from error
        return QueryResult(columns=(), rows=[], scanned_bytes=self._scanned_bytes(), remark=self._cache.remark())

    def _execute(self, query: str, sql: str, keep: Keep) -> QueryResult:
        removals = self._cache.removals
        try:
            return self._result(query, keep)
        except (duckdb.Error, OSError) as error:  # Arrow raises the latter for what fails after the first rows
            if removals == self._cache.removals and (_is_of_statement(error) or not self._cache.skip_damaged()):
                raise UsageError(_explain(error, sql)) from error
        except OverflowError as error:
            raise UsageError(
                "a date or a time outside the years 1 to 9999 is not covered by the local Athena"
            ) from error
        return self._execute(query, sql, keep)  # without the objects that were skipped or are gone

    def _result(self, query: str, keep: Keep) -> QueryResult:
        relation = self._connection.sql(query)
        with relation.to_arrow_reader(ROWS_PER_BATCH) as batches:  # an open one would block the next query
            columns = tuple(
                ResultColumn(name=field.name, type=type_name(field.type, str(type_)))
                for field, type_ in zip(batches.schema, relation.types, strict=True)
            )
            rows = keep(columns, (row for batch in batches for row in _rows(batch)))
        return QueryResult(columns=columns, rows=rows, scanned_bytes=self._scanned_bytes(), remark=self._cache.remark())

    def _scanned_bytes(self) -> int:
        """Return the bytes that the last query read. A query that needs only file footers reads none."""
        profile = json.loads(self._connection.get_profiling_information(format="json"))
        return int(profile.get("io", {}).get("total_bytes_read", 0))


def _rows(batch: Any) -> Iterator[Row]:
    return zip(*(map(value_formatter(column.type), column.to_pylist()) for column in batch.columns), strict=True)


def _is_of_statement(error: Exception) -> bool:
    return isinstance(error, STATEMENT_ERRORS) or str(error).startswith((INTERRUPTED, OUT_OF_MEMORY))


def _explain(error: Exception, sql: str) -> str:
    """Return the first line of DuckDB's message, with the position in the original statement where it is known."""
    if isinstance(error, duckdb.InterruptException) or str(error).startswith(INTERRUPTED):
        return "the query was stopped"
    if str(error).startswith(OUT_OF_MEMORY):
        return (
            f"the query needs more than the {MEMORY_LIMIT} of memory and {SPILL_LIMIT} of disk that queries have here"
        )
    _, _, reason = str(error).partition("\n")[0].rpartition(" Error: ")
    if reason.startswith(DIVISION_BY_ZERO):  # what follows names DuckDB's own settings
        return DIVISION_BY_ZERO
    match = _NAME_IN_REASON.search(reason)
    prefix = position(sql, next(filter(None, match.groups()))) if match else ""
    return redact_addresses(f"{prefix}{reason}")
