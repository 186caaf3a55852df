"""S3 objects as files: whole, for ingesting existing events, or in parts, for reading the log."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING

from pipeline.aws.errors import translated
from pipeline.errors import UsageError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer
    from mypy_boto3_s3 import S3Client

SCHEME = "s3://"
READ_BYTES = 2**20  # S3 needs as long to begin a response as to send this much; a smaller object is read whole
_URI = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(.*))?", re.ASCII | re.DOTALL)


def object_uris(s3: S3Client, uri: str) -> Iterator[str]:
    """Yield the URI of every non-empty object whose key begins with that of `uri`, in order of key.

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
                if entry["Size"]:
                    yield f"{SCHEME}{bucket}/{entry['Key']}"


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
