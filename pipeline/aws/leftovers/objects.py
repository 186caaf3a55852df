"""Leftovers in the log's bucket: what the quarantine, Firehose and Lambda wrote below their prefixes.

An object that was redriven is copied below `redriven/`, with its key behind that, and then deleted. A process that ends
in between leaves both, and the next redrive replaces the copy. Versions of deleted objects stay for the days that the
bucket's lifecycle sets.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

import msgspec

from pipeline.aws.archive.objects import READERS, SCHEME, ListedObject, ObjectReader, list_objects
from pipeline.aws.errors import missing_ok, translated
from pipeline.aws.leftovers.batch_records import read_batch_records
from pipeline.aws.leftovers.contents import (
    Contents,
    NotALeftover,
    delivery_error_contents,
    failed_call_contents,
    quarantined_contents,
)
from pipeline.errors import NotFound, QuarantineUnavailable
from pipeline.leftover import ForeignObject, Kept, Leftover, Place

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient
    from mypy_boto3_s3 import S3Client

REDRIVEN_PREFIX = "redriven/"
KEYS_PER_DELETE = 1_000  # S3's limit for DeleteObjects


class ReadContents(Protocol):
    """Returns the contents of an object."""

    def __call__(self, data: bytes, *, name: str) -> Contents:
        """Raise `NotALeftover` if it is none."""
        ...


class ObjectPlace(msgspec.Struct, frozen=True, kw_only=True):
    """A prefix of the log's bucket, and the format of the objects below it."""

    prefix: str
    read: ReadContents


OBJECT_PLACES = {
    Place.QUARANTINE: ObjectPlace(prefix="quarantine/", read=quarantined_contents),
    Place.FIREHOSE: ObjectPlace(prefix="errors/", read=delivery_error_contents),
    Place.LAMBDA: ObjectPlace(prefix="aws/lambda/", read=failed_call_contents),
}


class S3Leftovers:
    """The leftovers below one prefix; see `leftover.Leftovers`. An id is the key of an object.

    Args:
        s3: boto3's S3 client, with its time-outs and retries.
        kinesis: boto3's Kinesis client, for batches whose records are in the stream alone.
        bucket: The log's bucket.
        place: The place.
    """

    def __init__(self, s3: S3Client, kinesis: KinesisClient, *, bucket: str, place: Place) -> None:
        self._s3, self._kinesis, self._bucket, self._place = s3, kinesis, bucket, place
        self._format = OBJECT_PLACES[place]

    def waiting(self, ids: Collection[str] = ()) -> Iterator[Kept]:
        """See `leftover.Leftovers`."""
        return self._kept("", ids)

    def redriven(self, ids: Collection[str] = ()) -> Iterator[Kept]:
        """See `leftover.Leftovers`."""
        return self._kept(REDRIVEN_PREFIX, ids)

    def mark(self, leftovers: Sequence[Leftover]) -> None:
        """See `leftover.Leftovers`."""
        keys = [leftover.id for leftover in leftovers]
        with self._translated("keeping redriven objects"), ThreadPoolExecutor(READERS) as executor:
            list(executor.map(self._copy, keys))
        for start in range(0, len(keys), KEYS_PER_DELETE):
            self._delete(keys[start : start + KEYS_PER_DELETE])

    def release(self) -> None:
        """See `leftover.Leftovers`."""

    def _kept(self, root: str, ids: Collection[str]) -> Iterator[Kept]:
        listed = self._named(root, ids) if ids else list_objects(self._s3, self._uri(root + self._format.prefix))
        return read_kept(self._s3, listed, read=lambda item, data: self._read(root, item, data))

    def _named(self, root: str, ids: Collection[str]) -> Iterator[ListedObject]:
        for key in sorted(key for key in ids if key.startswith(self._format.prefix)):
            uri = self._uri(root + key)
            yield from (listed for listed in list_objects(self._s3, uri) if listed.uri == uri)

    def _read(self, root: str, listed: ListedObject, data: bytes) -> Kept:
        key = listed.uri.removeprefix(self._uri(root))
        try:
            contents = self._format.read(data, name=key)
        except NotALeftover as error:
            return ForeignObject(id=root + key, why=str(error))
        records, expired = contents.records, 0
        if contents.reference and not root:
            records = read_batch_records(self._kinesis, contents.reference)
            expired = max(0, contents.reference.batch_size - len(records))
        return Leftover(
            id=key,
            place=self._place,
            at=listed.modified_at or datetime.now(UTC),
            reason=contents.reason,
            position=contents.position,
            size_bytes=listed.size_bytes,
            records=records,
            in_log=contents.in_log,
            expired=expired,
            is_redriven=bool(root),
        )

    def _copy(self, key: str) -> None:
        """Copy an object. Another process may have redriven and deleted it meanwhile."""
        missing_ok(
            lambda: self._s3.copy_object(
                Bucket=self._bucket, Key=REDRIVEN_PREFIX + key, CopySource={"Bucket": self._bucket, "Key": key}
            )
        )

    def _delete(self, keys: Sequence[str]) -> None:
        with self._translated("removing redriven objects from their place"):
            answer = self._s3.delete_objects(
                Bucket=self._bucket, Delete={"Objects": [{"Key": key} for key in keys], "Quiet": True}
            )
        if errors := answer.get("Errors"):
            raise QuarantineUnavailable(
                f"S3 left {len(errors)} redriven objects in their place ({errors[0].get('Code')}): redrive again, "
                "which changes nothing else"
            )

    def _translated(self, action: str) -> AbstractContextManager[None]:
        return translated(
            f"{action} in the bucket {self._bucket}", unavailable=QuarantineUnavailable, invalid=QuarantineUnavailable
        )

    def _uri(self, key: str) -> str:
        return f"{SCHEME}{self._bucket}/{key}"


def read_kept(
    s3: S3Client, listed: Iterable[ListedObject], *, read: Callable[[ListedObject, bytes], Kept]
) -> Iterator[Kept]:
    """Yield what the objects hold, read several at once. One that was deleted meanwhile is passed over."""
    objects = list(listed)
    with ObjectReader(s3, objects) as reader:
        for item in objects:
            try:
                data = reader.open(item.uri).read()
            except NotFound:
                continue
            yield read(item, data)
