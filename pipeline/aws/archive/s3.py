"""The event log in S3: Parquet objects by hour. Firehose and `append` write them, a replay reads them.

Firehose puts an object into the hour of its arrival, `append` into the hour of its events. An object below the prefix
that is not the log's is skipped, and named in `S3Archive.skipped`: one whose key has another form, such as a misplaced
error prefix; one that is not Parquet, or is damaged; one that lacks the log's columns.
How Firehose names objects: docs.aws.amazon.com/firehose/latest/dev/s3-object-name.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any, TypeVar

import pyarrow as pa

from pipeline.aws.archive import facts, parquet
from pipeline.aws.archive.objects import open_seekable
from pipeline.aws.archive.parquet import between, to_rows
from pipeline.aws.archive.skipped import DAMAGED, FOREIGN_COLUMNS, SkippedObject, is_marker, why_skipped
from pipeline.aws.errors import translated
from pipeline.errors import ArchiveUnavailable
from pipeline.ports import EventScan, FactScan
from pipeline.row import Row, event_time

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

T = TypeVar("T")

ROWS_PER_BATCH = 8_192  # about 40 MB as rows

# Firehose puts an object into the hour of its oldest row, and buffers for at most 900 s, once before and once after
# the transform. (docs.aws.amazon.com/firehose/latest/dev/s3-prefixes.html, limits.html)
LATEST_AFTER_HOUR = timedelta(hours=1)
# Feedback may be published days after its event, for example a complaint that a mailbox provider reports late.
LATEST_ARRIVAL = timedelta(days=7)
_EARLIEST = datetime.min.replace(tzinfo=UTC) + LATEST_AFTER_HOUR
_LATEST = datetime.max.replace(tzinfo=UTC) - LATEST_ARRIVAL

# By S3's error code. docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#ErrorCodeList
REMEDIES = {
    "AccessDenied": "Allow s3:ListBucket on the bucket, s3:GetObject and s3:PutObject on its objects",
    "NoSuchBucket": "Create the bucket, or correct its name",
    "PermanentRedirect": "Use the bucket's region",
}


class S3Archive:
    """The event log in S3; see `ports.Archive`.

    A bounded read finds each row of an ingestion, and each row that Firehose received up to 7 days after its event.

    Args:
        client: boto3's S3 client, with its time-outs and retries.
        bucket: The bucket, which must exist.
        prefix: The prefix of every key of the log.

    Attributes:
        skipped: The objects that were skipped so far.
    """

    def __init__(self, client: S3Client, *, bucket: str, prefix: str = "events/") -> None:
        self.skipped: list[SkippedObject] = []
        self._client, self._bucket, self._prefix = client, bucket, prefix

    def append(self, rows: Sequence[Row], *, name: str = "") -> None:
        """See `ports.Archive`. Rows without a name that are appended again, in any order, replace themselves."""
        rows_by_hour: dict[str, list[Row]] = {}
        for row in rows:
            rows_by_hour.setdefault(_hour_folder(event_time(row)), []).append(row)
        for folder, rows_of_hour in rows_by_hour.items():
            data = parquet.encode_rows(rows_of_hour)
            key = f"{self._prefix}{folder}{name or sha256(data).hexdigest()[:32]}.parquet"
            with self._translated("writing", key):
                self._client.put_object(Bucket=self._bucket, Key=key, Body=data)

    def rows(self, *, since: datetime | None = None, until: datetime | None = None) -> Iterator[Sequence[Row]]:
        """See `ports.Archive`."""
        return self._read(self._event_hours(since, until), lambda file: _batches(file, since, until))

    def scan_facts(self, *, since: datetime | None = None, until: datetime | None = None) -> Iterator[FactScan]:
        """See `ports.Archive`."""
        hours = self._event_hours(since, until)
        return self._read(hours, lambda file: facts.scan_facts(file, since=since, until=until))

    def scan_hours(self, *, since: datetime | None = None, until: datetime | None = None) -> Iterator[FactScan]:
        """See `ports.Archive`."""
        return self._read(self._hours(since, until), facts.scan_facts)

    def scan_events(self, ids: frozenset[str], *, since: datetime | None = None) -> Iterator[EventScan]:
        """See `ports.Archive`."""
        return self._read(self._hours(since, None), lambda file: facts.scan_events(file, ids))

    def _read(self, hours: tuple[str, str | None], scan: Callable[[Any], Iterator[T]]) -> Iterator[T]:
        for key, size_bytes in self._objects(*hours):
            try:
                with (
                    self._translated("reading", key),
                    open_seekable(self._client, self._bucket, key, size_bytes) as source,
                ):
                    file = parquet.open_parquet(source)
                    if parquet.is_foreign(file):
                        self._skip(key, FOREIGN_COLUMNS)
                    else:
                        yield from scan(file)
            except _DamagedError:
                self._skip(key, DAMAGED)

    def _event_hours(self, since: datetime | None, until: datetime | None) -> tuple[str, str | None]:
        """Return the prefixes of the hours that may hold rows with these event times."""
        return self._hours(
            max(since, _EARLIEST) - LATEST_AFTER_HOUR if since else None,
            min(until, _LATEST) + LATEST_ARRIVAL if until else None,
        )

    def _hours(self, since: datetime | None, until: datetime | None) -> tuple[str, str | None]:
        """Return the prefix of the first hour, and of the last one unless the log is read to its end."""
        return self._prefix + (_hour_folder(since) if since else ""), self._prefix + _hour_folder(
            until
        ) if until else None

    def _objects(self, first: str, last: str | None) -> Iterator[tuple[str, int]]:
        """Yield key and size of each object in these hours. S3 lists keys, and so hours, in order."""
        with self._translated("listing", self._prefix):
            for page in self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=self._prefix, StartAfter=first
            ):
                for entry in page.get("Contents", ()):
                    key = entry["Key"]
                    if last is not None and key[: len(last)] > last:
                        return
                    if why := why_skipped(key.removeprefix(self._prefix), entry["Size"]):
                        self._skip(key, why)
                    else:
                        yield key, entry["Size"]

    def _skip(self, key: str, why: str) -> None:
        if not is_marker(key):
            self.skipped.append(SkippedObject(f"s3://{self._bucket}/{key}", why))

    @contextmanager
    def _translated(self, verb: str, key: str) -> Iterator[None]:
        """Translate the errors of S3 and of Arrow."""
        uri = f"s3://{self._bucket}/{key}"
        try:
            with translated(f"{verb} {uri}", unavailable=ArchiveUnavailable, remedies=REMEDIES):
                yield
        except (ConnectionError, TimeoutError) as error:
            raise ArchiveUnavailable(
                f"the connection to S3 failed while {verb} {uri}: {type(error).__name__}: try again later"
            ) from error
        except (pa.ArrowInvalid, OSError) as error:
            raise _DamagedError from error


class _DamagedError(Exception):
    """Arrow cannot read an object."""


def _batches(file: Any, since: datetime | None, until: datetime | None) -> Iterator[Sequence[Row]]:
    for batch in file.iter_batches(ROWS_PER_BATCH, use_threads=False):
        yield to_rows(between(batch, since, until))


def _hour_folder(moment: datetime) -> str:
    """Return the folder of an hour, in UTC."""
    moment = moment.astimezone(UTC)
    return f"dt={moment.date().isoformat()}/hr={moment.hour:02d}/"
