"""The manifest in S3, beside the log: an object says how far an ingestion got with some sources.

An object is JSON: the progress by the source's id, which is a hash. So it names no file and no address. What else lies
there is skipped: what a damaged entry said was ingested is ingested again, under the same names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import msgspec

from pipeline.aws.archive.objects import READERS
from pipeline.aws.archive.s3 import REMEDIES
from pipeline.aws.archive.skipped import SkippedObject, is_marker
from pipeline.aws.errors import translated
from pipeline.errors import ArchiveUnavailable
from pipeline.manifest import SourceProgress, furthest

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_ENTRY = msgspec.json.Decoder(dict[str, SourceProgress])


class S3Manifest:
    """The manifest in S3; see `ports.Manifest`.

    Args:
        client: boto3's S3 client, with its time-outs and retries.
        bucket: The log's bucket, which must exist.
        prefix: The prefix of every key.

    Attributes:
        skipped: The objects that are no entries.
    """

    def __init__(self, client: S3Client, *, bucket: str, prefix: str = "ingested/") -> None:
        self.skipped: list[SkippedObject] = []
        self._client, self._bucket, self._prefix = client, bucket, prefix

    def load(self) -> Mapping[str, SourceProgress]:
        """See `ports.Manifest`."""
        with ThreadPoolExecutor(READERS) as executor:
            return furthest(executor.map(self._entry, self._keys()))

    def save(self, name: str, progress: Mapping[str, SourceProgress]) -> None:
        """See `ports.Manifest`."""
        key = f"{self._prefix}{name}.json"
        with translated(f"writing {self._uri(key)}", unavailable=ArchiveUnavailable, remedies=REMEDIES):
            body = msgspec.json.encode(progress)
            self._client.put_object(Bucket=self._bucket, Key=key, Body=body, ContentType="application/json")

    def _keys(self) -> Iterator[str]:
        with translated(f"listing {self._uri(self._prefix)}", unavailable=ArchiveUnavailable, remedies=REMEDIES):
            paginator = self._client.get_paginator("list_objects_v2")
            for page in paginator.paginate(Bucket=self._bucket, Prefix=self._prefix):
                for entry in page.get("Contents", ()):
                    if not is_marker(entry["Key"]):
                        yield entry["Key"]

    def _entry(self, key: str) -> Mapping[str, SourceProgress]:
        with translated(f"reading {self._uri(key)}", unavailable=ArchiveUnavailable, remedies=REMEDIES):
            body = self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        try:
            return _ENTRY.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            self.skipped.append(SkippedObject(self._uri(key), "it is no entry of the manifest of ingested files"))
            return {}

    def _uri(self, key: str) -> str:
        return f"s3://{self._bucket}/{key}"
