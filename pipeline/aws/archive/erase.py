"""Erase a person from the event log in S3: objects that name the person are rewritten, and their old versions deleted.

An object is first read back as it will be stored, and compared row by row; then it replaces the old one on the
condition that this did not change; then the old version is deleted. A run that is killed in between is repeated: old
versions that name the person are found again. docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html and
docs.aws.amazon.com/AmazonS3/latest/userguide/DeletingObjectVersions.html
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.aws.archive import parquet
from pipeline.aws.archive.skipped import DAMAGED, FOREIGN_COLUMNS, SkippedObject, is_marker, why_skipped
from pipeline.aws.errors import translated
from pipeline.batch import group_by_key
from pipeline.erase import ErasedLog, add_facts
from pipeline.erasure import Erasure, sources
from pipeline.errors import ArchiveUnavailable, MailfoldError
from pipeline.row import Row, row_facts

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ObjectVersionTypeDef

_encode = msgspec.json.Encoder().encode


class RewriteDisagrees(MailfoldError):
    """An object that was read back has other rows than were to be written. The log is as it was before this object."""


class ErasureCounts(msgspec.Struct, kw_only=True):
    """Counts of an erasure from the log.

    Attributes:
        objects: Objects that were read.
        rows: Rows that named the person.
        rewritten: Objects that contained them.
        old_versions: Old versions of objects that contained such rows, and were deleted.
        skipped: Objects that are not the log's, or are damaged. Nothing in them was erased.
    """

    objects: int = 0
    rows: int = 0
    rewritten: int = 0
    old_versions: int = 0
    skipped: list[SkippedObject] = msgspec.field(default_factory=list)


class LogEraser:
    """Erases a person from the log.

    Args:
        client: boto3's S3 client, with its time-outs and retries.
        bucket: The bucket, which must exist.
        erasure: The person.
        is_dry: Only count.
        progress: Called after each object.
        prefix: The prefix of every key of the log.

    Attributes:
        counts: What was done so far.
        log: The facts of the rows that were rewritten.
    """

    def __init__(
        self,
        client: S3Client,
        *,
        bucket: str,
        erasure: Erasure,
        is_dry: bool = False,
        progress: Callable[[ErasureCounts], None] = lambda _: None,
        prefix: str = "events/",
    ) -> None:
        self.counts, self.log = ErasureCounts(), ErasedLog()
        self._client, self._bucket, self._prefix = client, bucket, prefix
        self._erasure, self._is_dry, self._progress = erasure, is_dry, progress

    def erase(self) -> None:
        """Erase the person from every object.

        Raises:
            ArchiveUnavailable: The log is throttled or unreachable, or an object was replaced by another writer. Erase
                again.
            RewriteDisagrees: See there.
            AccessDenied, NotFound: The log may not be read or written, or does not exist.
        """
        for version in self._versions():
            why = why_skipped(version["Key"].removeprefix(self._prefix), version["Size"])
            why = why or self._erase_version(version)
            if why and not is_marker(version["Key"]):
                self.counts.skipped.append(SkippedObject(f"s3://{self._bucket}/{version['Key']}", why))
            self._progress(self.counts)

    def _versions(self) -> Iterator[ObjectVersionTypeDef]:
        """Yield every version of every object. The list is made first: what is rewritten would be listed again."""
        versions: list[ObjectVersionTypeDef] = []
        with self._translated("listing the versions of", self._prefix):
            pages = self._client.get_paginator("list_object_versions").paginate(
                Bucket=self._bucket, Prefix=self._prefix
            )
            for page in pages:
                versions += page.get("Versions", [])
        yield from versions

    def _erase_version(self, version: ObjectVersionTypeDef) -> str:
        """Erase the person from one version. Return why it is not the log's; "" if it is."""
        key = version["Key"]
        with self._translated("reading", key):
            response = self._client.get_object(Bucket=self._bucket, Key=key, VersionId=version["VersionId"])
            data = response["Body"].read()
        self.counts.objects += 1
        try:
            file = parquet.open_parquet(pa.BufferReader(data))
            if parquet.is_foreign(file):
                return FOREIGN_COLUMNS
            rows = parquet.decode_rows(data) if _may_name(file, self._erasure) else []
        except (pa.ArrowInvalid, OSError):
            return DAMAGED
        named = sum(map(self._erasure.concerns, rows))
        if not version["IsLatest"]:
            if named:
                self._delete(version)
            return ""
        erased = [self._erasure.row(row) for row in rows]
        self._remember(erased)
        if named:
            self.counts.rows += named
            self.counts.rewritten += 1
            self._replace(version, erased)
        return ""

    def _replace(self, version: ObjectVersionTypeDef, erased: Sequence[Row]) -> None:
        """Replace an object, and delete its old version."""
        if self._is_dry:
            return
        data = parquet.encode_rows(erased)
        if Counter(map(_encode, parquet.decode_rows(data))) != Counter(map(_encode, erased)):
            raise RewriteDisagrees(f"{version['Key']}, read back, has other rows than were to be written")
        with self._translated("replacing", version["Key"]):
            stored = self._client.put_object(
                Bucket=self._bucket, Key=version["Key"], Body=data, IfMatch=version["ETag"]
            )
        if stored.get("VersionId", version["VersionId"]) != version["VersionId"]:  # else it replaced itself
            self._delete(version)

    def _remember(self, erased: Iterable[Row]) -> None:
        """Keep the facts of rewritten rows, by which the tables are rewritten."""
        done = [row for row in erased if self._erasure.is_done(row)]
        self.log.sources.update(*map(sources, done))
        add_facts(self.log, group_by_key([fact for row in done for fact in row_facts(row)]))

    def _delete(self, version: ObjectVersionTypeDef) -> None:
        self.counts.old_versions += 1
        if not self._is_dry:
            with self._translated("deleting an old version of", version["Key"]):
                self._client.delete_object(Bucket=self._bucket, Key=version["Key"], VersionId=version["VersionId"])

    def _translated(self, verb: str, key: str) -> Any:
        return translated(
            f"{verb} s3://{self._bucket}/{key}", unavailable=ArchiveUnavailable, invalid=ArchiveUnavailable
        )


def _may_name(file: Any, erasure: Erasure) -> bool:
    """Return False if no row can name the person. Only two columns are read.

    The raw text has the address as it was received; `recipients` has it in canonical form.
    """
    for batch in file.iter_batches(columns=["raw", "recipients", "destinations"], use_threads=False):
        texts = pc.match_substring_regex(batch.column("raw"), erasure.needle, ignore_case=True)
        addresses = [
            pc.list_flatten(batch.column(name)) for name in ("recipients", "destinations") if name in batch.schema.names
        ]
        if pc.any(texts).as_py() or any(pc.is_in(erasure.address, each).as_py() for each in addresses):
            return True
    return False
