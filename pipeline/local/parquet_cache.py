"""Copies of the log's objects on this machine, for DuckDB to read."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import pyarrow as pa

from pipeline.aws.archive.parquet import is_foreign, open_parquet
from pipeline.aws.archive.skipped import (
    DAMAGED,
    FOREIGN_COLUMNS,
    OBJECT_KEY,
    SkippedObject,
    is_marker,
    why_skipped,
)
from pipeline.aws.errors import translated
from pipeline.errors import ArchiveUnavailable

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class ParquetCache:
    """Copies of the log's Parquet objects in a folder, so that DuckDB need not reach S3. Several threads may use it.

    A file's name is derived from its object's key and ETag, so an unchanged object is fetched once. An object that is
    not the log's, or that is damaged, is not kept.

    Args:
        s3_client: A boto3 client with time-outs.
        bucket: The log's bucket.
        prefix: The log's prefix in the bucket, with its slash.
        folder: A folder that only this cache uses.

    Attributes:
        removals: Number of files that were deleted. If it changes while a query runs, a file may be missing to it.
    """

    def __init__(self, s3_client: S3Client, *, bucket: str, prefix: str, folder: Path) -> None:
        self._s3, self._bucket, self._prefix = s3_client, bucket, prefix
        self._folder = folder
        self._keys: dict[Path, str] = {}
        self._skipped: dict[Path, SkippedObject] = {}
        self._lock = Lock()
        self.removals = 0

    def refresh(self) -> None:
        """Fetch new objects, and delete the files of objects that are gone.

        Raises:
            ArchiveUnavailable: S3 is throttled or unreachable.
            NotFound: The bucket does not exist.
            AccessDenied: S3 denies reading the log.
        """
        with self._lock, translated(f"reading the log in bucket {self._bucket}", unavailable=ArchiveUnavailable):
            self._refresh()

    def skip_damaged(self) -> bool:
        """Read every file to its end, skip those that are damaged, and return True if there are any."""
        with self._lock:
            before = len(self._skipped)
            for file, key in self._keys.items():
                if file not in self._skipped and not _is_whole(file):
                    self._skip(file, key, DAMAGED)
            return len(self._skipped) > before

    def remark(self) -> str:
        """Return a sentence for each object that is skipped; "" if none is."""
        with self._lock:
            return "; ".join(f"skipped {skipped.uri}: {skipped.why}" for _, skipped in sorted(self._skipped.items()))

    def _refresh(self) -> None:
        listed = dict(self._list())
        for file in listed.keys() - self._keys.keys():
            self._fetch(listed[file], file)
        for file in self._keys.keys() - listed.keys():
            file.unlink(missing_ok=True)
            del self._keys[file]
            self._skipped.pop(file, None)
            self.removals += 1

    def _list(self) -> Iterator[tuple[Path, str]]:
        """Yield the file and the key of each object."""
        for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=self._prefix):
            for entry in page.get("Contents", ()):
                if not is_marker(entry["Key"]):
                    yield self._file(entry["Key"], entry["ETag"]), entry["Key"]

    def _file(self, key: str, etag: str) -> Path:
        """Return a file that differs for each content, and for two objects of the same content."""
        name = sha256(f"{key} {etag}".encode()).hexdigest()
        match = OBJECT_KEY.fullmatch(key.removeprefix(self._prefix))
        return self._folder / (f"dt={match['dt']}/hr={match['hr']}/{name}.parquet" if match else name)

    def _fetch(self, key: str, file: Path) -> None:
        self._keys[file] = key
        body = self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        if why := why_skipped(key.removeprefix(self._prefix), len(body)):
            self._skip(file, key, why)
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(body)
        if why := _why_foreign(file):
            self._skip(file, key, why)

    def _skip(self, file: Path, key: str, why: str) -> None:
        file.unlink(missing_ok=True)
        self._skipped[file] = SkippedObject(f"s3://{self._bucket}/{key}", why)


def _why_foreign(file: Path) -> str:
    """Return why a file is not the log's, judged by its end; "" if it is."""
    try:
        return FOREIGN_COLUMNS if is_foreign(open_parquet(file)) else ""
    except (pa.ArrowException, OSError):
        return DAMAGED


def _is_whole(file: Path) -> bool:
    try:
        for _ in open_parquet(file).iter_batches():
            pass
    except (pa.ArrowException, OSError):
        return False
    return True
