"""S3 objects as files: whole and several at once, for ingesting existing events, or in parts, for reading the log."""

from __future__ import annotations

import io
import re
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from typing import IO, TYPE_CHECKING, Self

import msgspec

from pipeline.aws.archive.skipped import is_marker
from pipeline.aws.errors import translated
from pipeline.errors import UsageError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ObjectTypeDef

SCHEME = "s3://"
READERS = 8  # botocore keeps 10 connections
READ_AHEAD_BYTES = 256 * 2**20
READ_BYTES = 2**20  # S3 needs as long to begin a response as to send this much; a smaller object is read whole
_URI = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(.*))?", re.ASCII | re.DOTALL)


class ListedObject(msgspec.Struct, frozen=True):
    """An object as S3 lists it.

    Attributes:
        uri: Its URI.
        etag: Changes whenever its content does. docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html
        size_bytes: Its size.
        modified_at: When it was put; None if unknown.
    """

    uri: str
    etag: str
    size_bytes: int
    modified_at: datetime | None = None


def list_objects(s3: S3Client, uri: str) -> Iterator[ListedObject]:
    """Yield every object with data whose key begins with that of `uri`, in order of key.

    Raises:
        UsageError: `uri` is not an S3 URI.
        AccessDenied: AWS denies listing the bucket.
        NotFound: The bucket does not exist.
        ServiceUnavailable: S3 throttles or cannot be reached.
    """
    bucket, key_prefix = _parse_uri(uri)
    with translated(f"listing {uri}"):
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=key_prefix):
            for entry in page.get("Contents", []):
                if entry["Size"] and not is_marker(entry["Key"]):
                    yield _listed(bucket, entry)


def _listed(bucket: str, entry: ObjectTypeDef) -> ListedObject:
    return ListedObject(f"{SCHEME}{bucket}/{entry['Key']}", entry["ETag"], entry["Size"], entry["LastModified"])


class ObjectReader:
    """Reads objects in a given order, several at once, and no more than `READ_AHEAD_BYTES` ahead.

    Args:
        s3: boto3's S3 client. It is safe to use from several threads.
        objects: The objects in the order in which they are opened. One that is not opened is passed over.
    """

    def __init__(self, s3: S3Client, objects: Iterable[ListedObject]) -> None:
        self._s3, self._waiting = s3, deque(objects)
        self._reads: deque[tuple[ListedObject, Future[IO[bytes]]]] = deque()
        self._executor = ThreadPoolExecutor(READERS, thread_name_prefix="read-ahead")

    def __enter__(self) -> Self:
        """Return the reader."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop reading ahead."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def open(self, uri: str) -> IO[bytes]:
        """Return an object's bytes. Raises as `open_object` does."""
        while True:
            self._read_ahead()
            listed, read = self._reads.popleft()
            if listed.uri == uri:
                return read.result()

    def _read_ahead(self) -> None:
        while self._waiting and (not self._reads or self._fits(self._waiting[0])):
            listed = self._waiting.popleft()
            self._reads.append((listed, self._executor.submit(open_object, self._s3, listed.uri)))

    def _fits(self, listed: ListedObject) -> bool:
        size_bytes = listed.size_bytes + sum(ahead.size_bytes for ahead, _ in self._reads)
        return len(self._reads) < READERS and size_bytes <= READ_AHEAD_BYTES


def open_object(s3: S3Client, uri: str) -> IO[bytes]:
    """Return an object's bytes. It is read whole, so that a lost connection shows before any of it is used.

    Raises:
        UsageError: `uri` is not an S3 URI.
        AccessDenied: AWS denies reading the object.
        NotFound: The object does not exist.
        ServiceUnavailable: S3 throttles or cannot be reached.
    """
    bucket, key = _parse_uri(uri)
    with translated(f"reading {uri}"):
        return io.BytesIO(s3.get_object(Bucket=bucket, Key=key)["Body"].read())


def open_seekable(s3: S3Client, bucket: str, key: str, size_bytes: int) -> IO[bytes]:
    """Return an object as a file that is read in parts; botocore's errors are not translated.

    A replay needs a twentieth of a file's bytes, and these are at its end and at its start. Each read fetches more than
    requested, so that the next one mostly finds its bytes in the buffer.
    docs.aws.amazon.com/AmazonS3/latest/userguide/range-get-olap.html

    Args:
        s3: boto3's S3 client, with its time-outs and retries.
        bucket: The object's bucket.
        key: The object's key.
        size_bytes: The object's size, as listed.
    """
    return io.BufferedReader(_ObjectReader(s3, bucket, key, size_bytes), READ_BYTES)


def _parse_uri(uri: str) -> tuple[str, str]:
    """Return bucket and key."""
    match = _URI.fullmatch(uri)
    if match is None:
        raise UsageError(f"not an S3 URI: {uri}; write s3://bucket/prefix")
    return match[1], match[2] or ""


class _ObjectReader(io.RawIOBase):
    """An object as a file: one GET for each read."""

    def __init__(self, s3: S3Client, bucket: str, key: str, size_bytes: int) -> None:
        super().__init__()
        self._s3, self._bucket, self._key = s3, bucket, key
        self._size_bytes = size_bytes
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, origin: int = io.SEEK_SET, /) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size_bytes}[origin]
        self._position = start + offset
        return self._position

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        if self._position >= self._size_bytes:
            return 0
        target = memoryview(buffer)
        part = f"bytes={self._position}-{self._position + len(target) - 1}"  # S3 stops at the object's end
        data = self._s3.get_object(Bucket=self._bucket, Key=self._key, Range=part)["Body"].read()
        target[: len(data)] = data
        self._position += len(data)
        return len(data)
