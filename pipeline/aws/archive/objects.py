"""S3 objects as input files, for ingesting existing events."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING

from pipeline.aws.errors import translated
from pipeline.errors import UsageError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

SCHEME = "s3://"
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


def _parse_uri(uri: str) -> tuple[str, str]:
    """Return bucket and key."""
    match = _URI.fullmatch(uri)
    if match is None:
        raise UsageError(f"not an S3 URI: {uri}; write s3://bucket/prefix")
    return match[1], match[2] or ""
