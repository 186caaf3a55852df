"""An object in S3 as a file that is read in parts.

A replay needs a twentieth of a file's bytes. What it does need lies together, at the file's end and at its start; so
a read fetches some more than it was asked for, and the next one mostly finds its bytes there.
docs.aws.amazon.com/AmazonS3/latest/userguide/range-get-olap.html
"""

from __future__ import annotations

import io
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer
    from mypy_boto3_s3 import S3Client

READ_BYTES = 2**20  # S3 takes as long to begin an answer as to send this much; a smaller file comes whole


def open_object(s3: S3Client, bucket: str, key: str, size_bytes: int) -> IO[bytes]:
    """Return an object as a file to read; what botocore raises comes through.

    Args:
        s3: boto3's, with its time-outs and retries.
        bucket: The object's bucket.
        key: Its key.
        size_bytes: Its size, as listed.
    """
    return io.BufferedReader(_Object(s3, bucket, key, size_bytes), READ_BYTES)


class _Object(io.RawIOBase):
    """One GET for each read."""

    def __init__(self, s3: S3Client, bucket: str, key: str, size_bytes: int) -> None:
        super().__init__()
        self._s3 = s3
        self._bucket = bucket
        self._key = key
        self._size_bytes = size_bytes
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size_bytes}[whence]
        return self._at

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        if self._at >= self._size_bytes:
            return 0
        into = memoryview(buffer)
        part = f"bytes={self._at}-{self._at + len(into) - 1}"  # S3 stops at the object's end
        data = self._s3.get_object(Bucket=self._bucket, Key=self._key, Range=part)["Body"].read()
        into[: len(data)] = data
        self._at += len(data)
        return len(data)
