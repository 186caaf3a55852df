"""Athena on this machine: SQL written for it, run by DuckDB over the Parquet objects of the local S3.

Claims: the table `events` with its partitions, and the views of schemas/views; queries, SHOW and DESCRIBE; values and
column names as Athena shows them; the bytes read. What of Trino's SQL is not covered: see `pipeline.local.sql.rewrite`.
A statement reaches neither other files nor the network: see `pipeline.local.sql.engine`.

The log's Parquet objects as files in a folder, so that DuckDB can read them without reaching S3 itself.

A file's name stands for its object's key and ETag: an object that did not change is not fetched again.
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
from pipeline.aws.errors import error_code, redact_addresses
from pipeline.errors import ArchiveUnavailable, UsageError
from pipeline.local.client import ERRORS
from pipeline.local.sql.engine import LOG_FOLDER, open_engine, tables
from pipeline.local.sql.show import ShowCatalog, is_show, run_show
from pipeline.local.sql.translate import parse_trino, position, translate
from pipeline.local.sql.values import format_value, type_name

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# Names that begin with a dot or a low line are hidden from Athena too.
_KEY = re.compile(r"dt=(?P<dt>\d{4}-\d\d-\d\d)/hr=(?P<hr>\d\d)/[^/._][^/]*", re.ASCII)


class ParquetCache:
    """A folder that is made to hold what the log holds.

    Args:
        s3_client: boto3's, with its time-outs.
        bucket: The log's bucket.
        prefix: Where the log begins in it, with its slash.
        folder: An empty folder of this cache's own.
    """

    def __init__(self, s3_client: S3Client, *, bucket: str, prefix: str, folder: Path) -> None:
        self._s3 = s3_client
        self._bucket = bucket
        self._prefix = prefix
        self._folder = folder
        self._files: set[Path] = set()

    def refresh(self) -> None:
        """Fetch what is new, and remove what is gone.

        Raises:
            ArchiveUnavailable: S3 is throttled or unreachable, or the bucket is not there.
        """
        try:
            listed = dict(self._listed())
            for file in listed.keys() - self._files:
                self._fetch(listed[file], file)
                self._files.add(file)
        except ERRORS as error:
            raise ArchiveUnavailable(f"reading the log in bucket {self._bucket}: {error_code(error)}") from error
        for file in self._files - listed.keys():
            file.unlink()
            self._files.discard(file)

    def _listed(self) -> Iterator[tuple[Path, str]]:
        """Give each object's place in the folder, and its key."""
        for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=self._prefix):
            for entry in page.get("Contents", ()):
                if match := _KEY.fullmatch(entry["Key"].removeprefix(self._prefix)):
                    yield self._folder / _place(entry["Key"], entry["ETag"], match), entry["Key"]

    def _fetch(self, key: str, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read())


def _place(key: str, etag: str, match: re.Match[str]) -> str:
    """Return a file's name: of its own for each content, and for each of two objects with the same."""
    name = sha256(f"{key} {etag}".encode()).hexdigest()
    return f"dt={match['dt']}/hr={match['hr']}/{name}.parquet"


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

    def run(self, sql: str) -> QueryResult:
        """Return the answer to one statement, over the log as it is now.

        Raises:
            UsageError: It is no query, holds a mistake, needs what is not covered, or was stopped. It has line and
                column where it can.
            ArchiveUnavailable: S3 is throttled or unreachable.
        """
        with self._lock:
            catalogue = ShowCatalog(database=self._database, tables=tables(self._connection, self._database))
            if is_show(sql):
                return run_show(sql, catalogue)
            query = translate(parse_trino(sql), tables=catalogue.tables, database=self._database)
            self._cache.refresh()
            try:
                return self._answer(query)
            except duckdb.Error as error:
                raise UsageError(_explained(error, sql)) from error

    def _answer(self, query: str) -> QueryResult:
        relation = self._connection.sql(query)
        batches = relation.to_arrow_reader(ROWS_PER_BATCH)
        columns = tuple(
            ResultColumn(name=field.name, type=type_name(field.type, str(type_)))
            for field, type_ in zip(batches.schema, relation.types, strict=True)
        )
        rows = [row for batch in batches for row in _rows(batch)]
        return QueryResult(columns=columns, rows=rows, scanned_bytes=self._read_bytes())

    def _read_bytes(self) -> int:
        """Return what the last query read of files; one that is answered from their footers alone read nothing."""
        profile = json.loads(self._connection.get_profiling_information(format="json"))
        return int(profile.get("io", {}).get("total_bytes_read", 0))


def _rows(batch: Any) -> Iterator[tuple[str | None, ...]]:
    return zip(*(map(format_value(column.type), column.to_pylist()) for column in batch.columns), strict=True)


def _explained(error: duckdb.Error, sql: str) -> str:
    """Return DuckDB's reason for people: its first line, with the place in the statement as it was written."""
    if isinstance(error, duckdb.InterruptException):
        return "the query was stopped"
    _, _, reason = str(error).partition("\n")[0].rpartition(" Error: ")
    named = _NAMED.search(reason)
    place = position(sql, next(filter(None, named.groups()))) if named else ""
    return redact_addresses(f"{place}{reason}")
