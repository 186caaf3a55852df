"""Objects in S3 as files to read: for taking in events that exist already."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from pipeline.errors import UsageError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

SCHEME = "s3://"
_URI = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(.*))?", re.ASCII | re.DOTALL)


def object_uris(s3: S3Client, uri: str) -> Iterator[str]:
    """Give the URI of every object that is not empty and whose key begins with that of `uri`, in order of key.

    Raises:
        UsageError: It is no S3 URI, or the bucket cannot be listed.
    """
    bucket, prefix = _parts(uri)
    try:
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for entry in page.get("Contents", []):
                if entry["Size"]:
                    yield f"{SCHEME}{bucket}/{entry['Key']}"
    except (BotoCoreError, ClientError) as error:
        raise UsageError(f"cannot list {uri}: {error}") from error


def open_object(s3: S3Client, uri: str) -> IO[bytes]:
    """Return an object's bytes, read whole, so that a lost connection shows before anything is taken from it.

    Raises:
        UsageError: It cannot be read.
    """
    bucket, key = _parts(uri)
    try:
        return io.BytesIO(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    except (BotoCoreError, ClientError) as error:
        raise UsageError(f"cannot read {uri}: {error}") from error


def _parts(uri: str) -> tuple[str, str]:
    match = _URI.fullmatch(uri)
    if match is None:
        raise UsageError(f"not an S3 URI: {uri}; write s3://bucket/prefix")
    return match[1], match[2] or ""
