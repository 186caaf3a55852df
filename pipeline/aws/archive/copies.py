"""Copies of records outside the event log that name a person: backups, errors, poison and results of queries.

Each object is read whole. What it contains in base64, gzip or an envelope is decoded, as far as the decoder reads it.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from pipeline.aws.archive.athena import RESULTS_PREFIX
from pipeline.aws.archive.objects import ListedObject, list_objects, open_object
from pipeline.aws.errors import translated
from pipeline.decode import decode
from pipeline.erasure import Erasure

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BACKUP = "source/"
DELETABLE = ("errors/", "quarantine/", "redriven/", "aws/lambda/", RESULTS_PREFIX)
"""Prefixes of objects that hold few records each, all of them copies or poison."""


def find_copies(
    s3: S3Client, *, bucket: str, erasure: Erasure, progress: Callable[[], None] = lambda: None
) -> Iterator[ListedObject]:
    """Yield each object beside the log that names the person; `progress` is called for each that was read.

    Raises:
        AccessDenied, NotFound: The bucket may not be read, or does not exist.
        ServiceUnavailable: S3 throttles or cannot be reached.
    """
    for prefix in (BACKUP, *DELETABLE):
        for listed in list_objects(s3, f"s3://{bucket}/{prefix}"):
            if _names(open_object(s3, listed.uri).read(), erasure):
                yield listed
            progress()


def delete_copies(s3: S3Client, *, bucket: str, key: str) -> None:
    """Delete every version of an object.

    Raises:
        AccessDenied: AWS denies it.
        ServiceUnavailable: S3 throttles or cannot be reached.
    """
    with translated(f"deleting s3://{bucket}/{key}"):
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=key):
            for version in (*page.get("Versions", []), *page.get("DeleteMarkers", [])):
                if version["Key"] == key:
                    s3.delete_object(Bucket=bucket, Key=key, VersionId=version["VersionId"])


def _names(data: bytes, erasure: Erasure) -> bool:
    data = _plain(data)
    texts = (data, *(outcome.raw for outcome in decode(data)))
    return any(erasure.is_named_in(text.decode(errors="replace")) for text in texts)


def _plain(data: bytes) -> bytes:
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error):
        return data
