"""The log's Parquet objects as files in a folder, so that DuckDB can read them without reaching S3 itself.

A file's name stands for its object's key and ETag: an object that did not change is not fetched again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.aws.refusal import code_of
from pipeline.errors import ArchiveUnavailable
from pipeline.local.aws_error import ERRORS

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
            raise ArchiveUnavailable(f"reading the log in bucket {self._bucket}: {code_of(error)}") from error
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
