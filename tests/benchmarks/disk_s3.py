"""S3 in a folder: all of boto3 except for the network, so that no emulator's work is measured."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qs, unquote, urlsplit

import boto3
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_RANGE = re.compile(r"(?:b')?bytes=(\d+)-(\d+)'?")


class _Raw(io.BytesIO):
    """A response's body, as botocore reads it."""

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()


def disk_s3(root: Path) -> S3Client:
    """Return a client that lists and gets objects below `root`, whose folders are buckets."""
    s3 = boto3.client(
        "s3",
        region_name="us-east-1",
        endpoint_url="http://disk",
        aws_access_key_id="id",
        aws_secret_access_key="key",
        config=Config(s3={"addressing_style": "path"}),
    )

    def answer(request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        url = urlsplit(request.url)
        bucket, _slash, key = unquote(url.path).removeprefix("/").partition("/")
        if key:
            return _object(root / bucket / key, request)
        return _listing(root / bucket, parse_qs(url.query), request)

    s3.meta.events.register("before-send.s3", cast("Callable[..., None]", answer))
    return s3


def _object(file: Path, request: AWSPreparedRequest) -> AWSResponse:
    match = _RANGE.fullmatch(str(request.headers["Range"]))
    assert match
    first, last = map(int, match.groups())
    with file.open("rb") as opened:
        opened.seek(first)
        return _response(request, 206, opened.read(last - first + 1))


def _listing(bucket: Path, query: Mapping[str, Sequence[str]], request: AWSPreparedRequest) -> AWSResponse:
    """Answer ListObjectsV2 in one page."""
    prefix, after = (query.get(name, [""])[0] for name in ("prefix", "start-after"))
    files = {file.relative_to(bucket).as_posix(): file for file in bucket.rglob("*") if file.is_file()}
    entries = "".join(
        f"<Contents><Key>{key}</Key><Size>{files[key].stat().st_size}</Size></Contents>"
        for key in sorted(files)
        if key.startswith(prefix) and key > after
    )
    return _response(request, 200, f"<ListBucketResult>{entries}</ListBucketResult>".encode())


def _response(request: AWSPreparedRequest, status: int, body: bytes) -> AWSResponse:
    headers = HTTPHeaders()
    headers["content-length"] = str(len(body))
    return AWSResponse(request.url, status, headers, _Raw(body))
