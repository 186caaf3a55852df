"""Athena on this machine: SQL written for Athena, run by DuckDB over the Parquet objects of the local S3.

Claims: the table `events` with its partitions, and the views of `schemas/views`; queries, SHOW and DESCRIBE; values and
column names as Athena prints them; the bytes read. A statement reaches no other file and no network.
Leaves out: the parts of Trino's SQL that `pipeline.local.sql.rewrite` lists.
docs.aws.amazon.com/athena/latest/ug/querying-athena-tables.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import TYPE_CHECKING, Any, Self

import duckdb

from pipeline.aws.archive.athena import QueryResult, ResultColumn
from pipeline.aws.errors import redact_addresses, translated
from pipeline.errors import ArchiveUnavailable, UsageError
from pipeline.local.sql.engine import LOG_FOLDER, open_engine, table_columns
from pipeline.local.sql.show import ShowCatalog, is_show, run_show
from pipeline.local.sql.translate import parse_trino, position, translate
from pipeline.local.sql.values import type_name, value_formatter

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ROWS_PER_BATCH = 2_048

# Athena also ignores names that begin with a dot or an underscore.
_KEY = re.compile(r"dt=(?P<dt>\d{4}-\d\d-\d\d)/hr=(?P<hr>\d\d)/[^/._][^/]*", re.ASCII)

_NAME_IN_REASON = re.compile(r"\"([^\"]+)\"|with name ([\w.]+)|types '(\w+)\(")


class Athena:
    """A database over the log in one bucket. Safe to use from several threads: one statement runs at a time.

    Args:
        s3_client: A boto3 client with time-outs.
        bucket: The log's bucket.
        database: The database's name in SQL.
        prefix: The log's prefix in the bucket.
    """

    def __init__(
        self, s3_client: S3Client, *, bucket: str, database: str = "mailfold", prefix: str = "events/"
    ) -> None:
        self._database = database
        self._lock = Lock()
        with ExitStack() as resources:
            folder = Path(resources.enter_context(TemporaryDirectory(prefix="mailfold-athena-")))
            self._connection = resources.enter_context(open_engine(folder, database=database))
            self._cache = ParquetCache(s3_client, bucket=bucket, prefix=prefix, folder=folder / LOG_FOLDER)
            self._resources = resources.pop_all()

    def __enter__(self) -> Self:
        """Return the open database."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the database."""
        self.close()

    def close(self) -> None:
        """Wait for the statement that runs, then close the engine and delete its files."""
        with self._lock:
            self._resources.close()

    def stop(self) -> None:
        """Interrupt the statement that runs, if there is one. Its `run` raises an error."""
        self._connection.interrupt()

    def run(self, sql: str) -> QueryResult:
        """Run one statement over the log as it is now.

        Raises:
            UsageError: The statement is not a query, is wrong, needs something that is not covered, or was stopped.
                The message names line and column where possible.
            ArchiveUnavailable: S3 is throttled or unreachable.
            NotFound: The bucket does not exist.
            AccessDenied: S3 denies reading the log.
        """
        with self._lock:
            catalog = ShowCatalog(database=self._database, tables=table_columns(self._connection, self._database))
            if is_show(sql):
                return run_show(sql, catalog)
            query = translate(parse_trino(sql), tables=catalog.tables, database=self._database)
            self._cache.refresh()
            try:
                return self._execute(query)
            except duckdb.Error as error:
                raise UsageError(_explain(error, sql)) from error

    def _execute(self, query: str) -> QueryResult:
        relation = self._connection.sql(query)
        batches = relation.to_arrow_reader(ROWS_PER_BATCH)
        columns = tuple(
            ResultColumn(name=field.name, type=type_name(field.type, str(type_)))
            for field, type_ in zip(batches.schema, relation.types, strict=True)
        )
        rows = [row for batch in batches for row in _rows(batch)]
        return QueryResult(columns=columns, rows=rows, scanned_bytes=self._scanned_bytes())

    def _scanned_bytes(self) -> int:
        """Return the bytes that the last query read. A query that needs only file footers reads none."""
        profile = json.loads(self._connection.get_profiling_information(format="json"))
        return int(profile.get("io", {}).get("total_bytes_read", 0))


def _rows(batch: Any) -> Iterator[tuple[str | None, ...]]:
    return zip(*(map(value_formatter(column.type), column.to_pylist()) for column in batch.columns), strict=True)


def _explain(error: duckdb.Error, sql: str) -> str:
    """Return the first line of DuckDB's message, with the position in the original statement where it is known."""
    if isinstance(error, duckdb.InterruptException):
        return "the query was stopped"
    _, _, reason = str(error).partition("\n")[0].rpartition(" Error: ")
    match = _NAME_IN_REASON.search(reason)
    prefix = position(sql, next(filter(None, match.groups()))) if match else ""
    return redact_addresses(f"{prefix}{reason}")


class ParquetCache:
    """Copies of the log's Parquet objects in a folder, so that DuckDB need not reach S3.

    A file's name is derived from its object's key and ETag, so an unchanged object is fetched once.

    Args:
        s3_client: A boto3 client with time-outs.
        bucket: The log's bucket.
        prefix: The log's prefix in the bucket, with its slash.
        folder: A folder that only this cache uses.
    """

    def __init__(self, s3_client: S3Client, *, bucket: str, prefix: str, folder: Path) -> None:
        self._s3, self._bucket, self._prefix = s3_client, bucket, prefix
        self._folder = folder
        self._files: set[Path] = set()

    def refresh(self) -> None:
        """Fetch new objects, and delete the files of objects that are gone.

        Raises:
            ArchiveUnavailable: S3 is throttled or unreachable.
            NotFound: The bucket does not exist.
            AccessDenied: S3 denies reading the log.
        """
        with translated(f"reading the log in bucket {self._bucket}", unavailable=ArchiveUnavailable):
            keys = dict(self._list())
            for file in keys.keys() - self._files:
                self._fetch(keys[file], file)
                self._files.add(file)
        for file in self._files - keys.keys():
            file.unlink()
            self._files.discard(file)

    def _list(self) -> Iterator[tuple[Path, str]]:
        """Yield the file and the key of each object."""
        for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=self._prefix):
            for entry in page.get("Contents", ()):
                if match := _KEY.fullmatch(entry["Key"].removeprefix(self._prefix)):
                    yield self._folder / _file_name(entry["Key"], entry["ETag"], match), entry["Key"]

    def _fetch(self, key: str, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read())


def _file_name(key: str, etag: str, match: re.Match[str]) -> str:
    """Return a file name that differs for each content, and for two objects of the same content."""
    name = sha256(f"{key} {etag}".encode()).hexdigest()
    return f"dt={match['dt']}/hr={match['hr']}/{name}.parquet"
