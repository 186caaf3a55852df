"""Athena on this machine: SQL written for it, run by DuckDB over the Parquet objects of the local S3.

Claims: the table `events` with its partitions, and the views of schemas/views; queries, SHOW and DESCRIBE; values and
column names as Athena shows them; the bytes read. What of Trino's SQL is not covered: see `pipeline.local.sql.dialect`.
A statement reaches neither other files nor the network: see `pipeline.local.sql.engine`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import TYPE_CHECKING, Any, Self

import duckdb

from pipeline.aws.athena import Column, Result
from pipeline.aws.refusal import without_addresses
from pipeline.errors import Misuse
from pipeline.local.parquet_cache import ParquetCache
from pipeline.local.sql.cell import shown, type_name
from pipeline.local.sql.engine import LOG_FOLDER, open_engine, tables
from pipeline.local.sql.show import Catalogue, is_show, show
from pipeline.local.sql.trino import parse, position, translate

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ROWS_PER_BATCH = 2_048

_NAMED = re.compile(r"\"([^\"]+)\"|with name ([\w.]+)|types '(\w+)\(")


class Athena:
    """One database over one bucket's log. Safe to use from several threads: one statement runs at a time.

    Args:
        s3_client: boto3's, with its time-outs.
        bucket: The log's bucket.
        database: What SQL calls the database.
        prefix: Where the log begins in the bucket.
    """

    def __init__(
        self, s3_client: S3Client, *, bucket: str, database: str = "mailfold", prefix: str = "events/"
    ) -> None:
        self._database = database
        self._lock = Lock()
        with ExitStack() as undo:
            folder = Path(undo.enter_context(TemporaryDirectory(prefix="mailfold-athena-")))
            self._connection = undo.enter_context(open_engine(folder, database=database))
            self._cache = ParquetCache(s3_client, bucket=bucket, prefix=prefix, folder=folder / LOG_FOLDER)
            self._resources = undo.pop_all()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Wait for what runs, and remove the files. Nothing can be asked afterwards."""
        with self._lock:
            self._resources.close()

    def stop(self) -> None:
        """Stop the statement that runs, if one does: it fails."""
        self._connection.interrupt()

    def run(self, sql: str) -> Result:
        """Return the answer to one statement, over the log as it is now.

        Raises:
            Misuse: It is no query, holds a mistake, needs what is not covered, or was stopped. Its text gives line and
                column where it can.
            ArchiveUnavailable: S3 is throttled or unreachable.
        """
        with self._lock:
            catalogue = Catalogue(database=self._database, tables=tables(self._connection, self._database))
            if is_show(sql):
                return show(sql, catalogue)
            query = translate(parse(sql), tables=catalogue.tables, database=self._database)
            self._cache.refresh()
            try:
                return self._answer(query)
            except duckdb.Error as error:
                raise Misuse(_explained(error, sql)) from error

    def _answer(self, query: str) -> Result:
        relation = self._connection.sql(query)
        batches = relation.to_arrow_reader(ROWS_PER_BATCH)
        columns = tuple(
            Column(name=field.name, type=type_name(field.type, str(type_)))
            for field, type_ in zip(batches.schema, relation.types, strict=True)
        )
        rows = [row for batch in batches for row in _rows(batch)]
        return Result(columns=columns, rows=rows, scanned_bytes=self._read_bytes())

    def _read_bytes(self) -> int:
        """Return what the last query read of files; one that is answered from their footers alone read nothing."""
        profile = json.loads(self._connection.get_profiling_information(format="json"))
        return int(profile.get("io", {}).get("total_bytes_read", 0))


def _rows(batch: Any) -> Iterator[tuple[str | None, ...]]:
    return zip(*(map(shown(column.type), column.to_pylist()) for column in batch.columns), strict=True)


def _explained(error: duckdb.Error, sql: str) -> str:
    """Return DuckDB's reason for people: its first line, with the place in the statement as it was written."""
    if isinstance(error, duckdb.InterruptException):
        return "the query was stopped"
    _, _, reason = str(error).partition("\n")[0].rpartition(" Error: ")
    named = _NAMED.search(reason)
    place = position(sql, next(filter(None, named.groups()))) if named else ""
    return without_addresses(f"{place}{reason}")
