"""Errors of S3 while the event log is read or written."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import boto3
import pytest
from botocore.exceptions import ConnectTimeoutError, EndpointConnectionError, NoCredentialsError, ReadTimeoutError
from botocore.response import StreamingBody
from botocore.stub import Stubber

from pipeline.aws.archive.s3 import REMEDIES, S3Archive
from pipeline.errors import AccessDenied, ArchiveUnavailable, InvalidInput, MailfoldError, NotFound
from tests.support.rows import a_row

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BUCKET = "mailfold-log"
LISTED: dict[str, Any] = {"Contents": [{"Key": "events/dt=2026-03-01/hr=12/file", "Size": 9_999}]}

CODES: list[tuple[str, type[MailfoldError]]] = [
    *(
        (code, ArchiveUnavailable)
        for code in ("InternalError", "RequestTimeout", "ServiceUnavailable", "SlowDown", "Throttling", "503")
    ),
    *(
        (code, AccessDenied)
        for code in ("AccessDenied", "AllAccessDisabled", "ExpiredToken", "InvalidAccessKeyId", "SignatureDoesNotMatch")
    ),
    ("NoSuchBucket", NotFound),
    *((code, InvalidInput) for code in ("InvalidBucketName", "PermanentRedirect", "SomethingThatAwsWillInvent")),
]
CONNECTIONS: list[tuple[Exception, type[MailfoldError]]] = [
    (ConnectionResetError(), ArchiveUnavailable),
    (EndpointConnectionError(endpoint_url="https://s3"), ArchiveUnavailable),
    (ConnectTimeoutError(endpoint_url="https://s3"), ArchiveUnavailable),
    (ReadTimeoutError(endpoint_url="https://s3"), ArchiveUnavailable),
    (NoCredentialsError(), AccessDenied),
]
CALLS: list[tuple[str, Callable[[S3Archive], object]]] = [
    ("put_object", lambda archive: archive.append([a_row()])),
    ("list_objects_v2", lambda archive: list(archive.rows())),
    ("list_objects_v2", lambda archive: list(archive.scan_facts())),
    ("get_object", lambda archive: list(archive.rows())),
    ("get_object", lambda archive: list(archive.scan_facts())),
]


@pytest.fixture(scope="module")
def bare_s3() -> S3Client:
    """Return a client without a service behind it."""
    return boto3.client("s3", region_name="us-east-1", aws_access_key_id="id", aws_secret_access_key="key")


@pytest.fixture
def stubbed(bare_s3: S3Client) -> Iterator[tuple[S3Archive, Stubber]]:
    """Yield an archive whose S3 is stubbed."""
    with Stubber(bare_s3) as stub:
        yield S3Archive(bare_s3, bucket=BUCKET), stub


@pytest.mark.parametrize(("operation", "call"), CALLS)
@pytest.mark.parametrize(("code", "error"), CODES)
def test_a_code_has_its_type(
    stubbed: tuple[S3Archive, Stubber],
    operation: str,
    call: Callable[[S3Archive], object],
    code: str,
    error: type[MailfoldError],
) -> None:
    """Writing, listing and reading translate alike. No message holds an address."""
    archive, stub = stubbed
    if operation == "get_object":
        stub.add_response("list_objects_v2", LISTED)
    stub.add_client_error(operation, code, "<person@example.com>")

    with pytest.raises(error, match=f"s3://{BUCKET}/events/") as raised:
        call(archive)
    assert "person" not in str(raised.value)
    assert REMEDIES.get(code, "") in str(raised.value)


class UnreachableS3:
    """S3 behind a connection that fails at one operation."""

    def __init__(self, operation: str, cause: Exception) -> None:
        self._operation = operation
        self._cause = cause

    def put_object(self, **_: Any) -> None:
        self._call("put_object")

    def get_object(self, **_: Any) -> None:
        self._call("get_object")

    def get_paginator(self, _: str) -> UnreachableS3:
        return self

    def paginate(self, **_: Any) -> Iterator[Mapping[str, Any]]:
        self._call("list_objects_v2")
        yield LISTED

    def _call(self, operation: str) -> None:
        if operation == self._operation:
            raise self._cause


@pytest.mark.parametrize(("cause", "error"), CONNECTIONS)
@pytest.mark.parametrize(("operation", "call"), CALLS)
def test_a_failed_connection_has_its_type(
    operation: str, call: Callable[[S3Archive], object], cause: Exception, error: type[MailfoldError]
) -> None:
    """An unreachable S3 is an outage; missing credentials are not."""
    archive = S3Archive(cast("S3Client", UnreachableS3(operation, cause)), bucket=BUCKET)

    with pytest.raises(error):
        call(archive)


class _Broken(io.BytesIO):
    """The body of a response whose connection fails."""

    def read(self, *_: Any, **__: Any) -> bytes:
        raise ReadTimeoutError(endpoint_url="https://s3")


@pytest.mark.parametrize("call", [lambda archive: list(archive.rows()), lambda archive: list(archive.scan_facts())])
def test_a_connection_lost_in_a_body_is_an_outage(
    stubbed: tuple[S3Archive, Stubber], call: Callable[[S3Archive], Sequence[object]]
) -> None:
    """The response has begun by then, so boto3 does not try again."""
    archive, stub = stubbed
    stub.add_response("list_objects_v2", LISTED)
    stub.add_response("get_object", {"Body": StreamingBody(_Broken(), 9_999)})

    with pytest.raises(ArchiveUnavailable, match="ReadTimeoutError"):
        call(archive)
