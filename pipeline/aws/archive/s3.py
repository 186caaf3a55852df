"""The log in S3: Parquet objects by the hour of arrival, which Firehose and `append` write, and replay reads.

Anything below the prefix that is not of that form is passed over, so that a misplaced error prefix is never taken for
the log. How Firehose names objects: docs.aws.amazon.com/firehose/latest/dev/s3-object-name.html

An object in S3 as a file that is read in parts.

A replay needs a twentieth of a file's bytes. What it does need lies together, at the file's end and at its start; so
a read fetches some more than it was asked for, and the next one mostly finds its bytes there.
docs.aws.amazon.com/AmazonS3/latest/userguide/range-get-olap.html
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import IO, TYPE_CHECKING, Any, TypeVar

import pyarrow as pa
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from pipeline.aws.archive import parquet
from pipeline.aws.archive.facts import scans
from pipeline.aws.archive.parquet import arrived_between, to_rows
from pipeline.errors import ArchiveUnavailable, UsageError
from pipeline.ports import FactScan
from pipeline.row import Row

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer
    from mypy_boto3_s3 import S3Client

READ_BYTES = 2**20  # S3 takes as long to begin an answer as to send this much; a smaller file comes whole


def open_seekable(s3: S3Client, bucket: str, key: str, size_bytes: int) -> IO[bytes]:
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


T = TypeVar("T")

ROWS_PER_LOT = 8_192  # about 40 MB as rows

# An object of Firehose lies in the hour of its oldest row, and gathers for at most 900 s, once before and once after
# the transform. (docs.aws.amazon.com/firehose/latest/dev/s3-prefixes.html, limits.html)
LATEST_AFTER_HOUR = timedelta(hours=1)
_EARLIEST = datetime.min.replace(tzinfo=UTC) + LATEST_AFTER_HOUR

# Names that begin so are hidden from Athena too.
_OBJECT = re.compile(r"dt=\d{4}-\d\d-\d\d/hr=\d\d/[^/._][^/]*", re.ASCII)

# What no later attempt puts right, by S3's error code; every other error is an outage.
# docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#ErrorCodeList
REMEDIES = {
    "AccessDenied": "allow s3:ListBucket on the bucket, s3:GetObject and s3:PutObject on its objects",
    "AllAccessDisabled": "the account's access to S3 is disabled",
    "InvalidAccessKeyId": "use credentials that exist",
    "InvalidBucketName": "no bucket can have this name: correct it",
    "NoSuchBucket": "create it, or correct its name",
    "PermanentRedirect": "use the region in which it is",
    "SignatureDoesNotMatch": "use the secret key that belongs to the access key",
}


class S3Archive:
    """The log in S3; see `ports.Archive`."""

    def __init__(self, client: S3Client, *, bucket: str, prefix: str = "events/") -> None:
        """Use a bucket that exists.

        Args:
            client: From `clients.client("s3")`; time-outs and retries are its own.
            bucket: The bucket's name.
            prefix: What every key of the log starts with.
        """
        self._client = client
        self._bucket = bucket
        self._prefix = prefix

    def append(self, rows: Sequence[Row]) -> None:
        """See `ports.Archive`. The same rows again, in any order, replace themselves."""
        by_hour: dict[str, list[Row]] = {}
        for row in rows:
            by_hour.setdefault(_hour(row.arrived_at), []).append(row)
        for hour, some in by_hour.items():
            data = parquet.encode_rows(some)
            name = sha256(data).hexdigest()[:32]
            key = f"{self._prefix}{hour}{name}.parquet"
            with self._asking(key):
                self._client.put_object(Bucket=self._bucket, Key=key, Body=data)

    def rows(self, *, since: datetime | None = None, until: datetime | None = None) -> Iterator[Sequence[Row]]:
        """See `ports.Archive`."""
        return self._read(since, until, lambda file: _lots(file, since, until))

    def scan_facts(self, *, since: datetime | None = None, until: datetime | None = None) -> Iterator[FactScan]:
        """See `ports.Archive`."""
        return self._read(since, until, lambda file: scans(file, since=since, until=until))

    def _read(self, since: datetime | None, until: datetime | None, take: Callable[[Any], Iterator[T]]) -> Iterator[T]:
        for key, size_bytes in self._objects(since, until):
            with self._asking(key), open_seekable(self._client, self._bucket, key, size_bytes) as source:
                yield from take(parquet.open_parquet(source))

    def _objects(self, since: datetime | None, until: datetime | None) -> Iterator[tuple[str, int]]:
        """Give key and size of each object that may hold such rows; S3 lists keys in order, so hours too."""
        first = self._prefix + (_hour(max(since, _EARLIEST) - LATEST_AFTER_HOUR) if since else "")
        last = self._prefix + _hour(max(until, _EARLIEST) - timedelta.resolution) if until else None
        with self._asking(self._prefix):
            for page in self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=self._prefix, StartAfter=first
            ):
                for entry in page.get("Contents", ()):
                    key = entry["Key"]
                    if last is not None and key[: len(last)] > last:
                        return
                    if _OBJECT.fullmatch(key.removeprefix(self._prefix)) and entry["Size"]:
                        yield key, entry["Size"]

    @contextmanager
    def _asking(self, key: str) -> Iterator[None]:
        """Translate what S3 and Arrow raise."""
        place = f"s3://{self._bucket}/{key}"
        try:
            yield
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in REMEDIES:
                raise UsageError(f"S3 refuses {place} with {code}: {REMEDIES[code]}") from error
            raise ArchiveUnavailable(f"S3 answers {code} for {place}: try again") from error
        except NoCredentialsError as error:
            raise UsageError(
                f"there are no AWS credentials for {place}: set them up as boto3 looks for them"
            ) from error
        except (BotoCoreError, ConnectionError, TimeoutError) as error:
            raise ArchiveUnavailable(f"S3 is not reached for {place} ({type(error).__name__}): try again") from error
        except (pa.ArrowException, OSError) as error:
            raise UsageError(f"{place} is no Parquet file of the log: move it away from there") from error


def _lots(file: Any, since: datetime | None, until: datetime | None) -> Iterator[Sequence[Row]]:
    for batch in file.iter_batches(ROWS_PER_LOT, use_threads=False):
        yield to_rows(arrived_between(batch, since, until))


def _hour(moment: datetime) -> str:
    """Return the folder of an hour, in UTC."""
    moment = moment.astimezone(UTC)
    return f"dt={moment.date().isoformat()}/hr={moment.hour:02d}/"
