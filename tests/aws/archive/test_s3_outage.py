"""What S3 may raise while the log is read or written: an outage, or a mistake of whoever asks."""

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
from pipeline.errors import ArchiveUnavailable, MailfoldError, UsageError
from tests.support.rows import a_row

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BUCKET = "mailfold-log"
LISTED: dict[str, Any] = {"Contents": [{"Key": "events/dt=2026-03-01/hr=12/file", "Size": 9_999}]}

OUTAGES = [
    *("InternalError", "RequestTimeout", "ServiceUnavailable", "SlowDown", "ExpiredToken", "Throttling", "503"),
    "SomethingThatAwsWillInvent",
]
CODES: list[tuple[str, type[MailfoldError]]] = [
    *((code, ArchiveUnavailable) for code in OUTAGES),
    *((code, UsageError) for code in REMEDIES),
]
LOST: list[tuple[Exception, type[MailfoldError]]] = [
    (ConnectionResetError(), ArchiveUnavailable),
    (EndpointConnectionError(endpoint_url="https://s3"), ArchiveUnavailable),
    (ConnectTimeoutError(endpoint_url="https://s3"), ArchiveUnavailable),
    (ReadTimeoutError(endpoint_url="https://s3"), ArchiveUnavailable),
    (NoCredentialsError(), UsageError),
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
    """Return S3 that nothing answers for."""
    return boto3.client("s3", region_name="us-east-1", aws_access_key_id="id", aws_secret_access_key="key")


@pytest.fixture
def stubbed(bare_s3: S3Client) -> Iterator[tuple[S3Archive, Stubber]]:
    """Give an archive whose S3 answers as it is told."""
    with Stubber(bare_s3) as stub:
        yield S3Archive(bare_s3, bucket=BUCKET), stub


@pytest.mark.parametrize(("operation", "call"), CALLS)
@pytest.mark.parametrize(("code", "error"), CODES)
def test_s3s_error_is_translated(
    stubbed: tuple[S3Archive, Stubber],
    operation: str,
    call: Callable[[S3Archive], object],
    code: str,
    error: type[MailfoldError],
) -> None:
    archive, stub = stubbed
    if operation == "get_object":
        stub.add_response("list_objects_v2", LISTED)
    stub.add_client_error(operation, code, "<person@example.com>")

    with pytest.raises(error, match=code) as raised:
        call(archive)
    assert "@" not in str(raised.value)


class LostS3:
    """S3 behind a connection that is lost at one operation."""

    def __init__(self, operation: str, cause: Exception) -> None:
        self._operation = operation
        self._cause = cause

    def put_object(self, **_: Any) -> None:
        self._reach("put_object")

    def get_object(self, **_: Any) -> None:
        self._reach("get_object")

    def get_paginator(self, _: str) -> LostS3:
        return self

    def paginate(self, **_: Any) -> Iterator[Mapping[str, Any]]:
        self._reach("list_objects_v2")
        yield LISTED

    def _reach(self, operation: str) -> None:
        if operation == self._operation:
            raise self._cause


@pytest.mark.parametrize(("cause", "error"), LOST)
@pytest.mark.parametrize(("operation", "call"), CALLS)
def test_a_lost_connection_is_translated(
    operation: str, call: Callable[[S3Archive], object], cause: Exception, error: type[MailfoldError]
) -> None:
    archive = S3Archive(cast("S3Client", LostS3(operation, cause)), bucket=BUCKET)

    with pytest.raises(error):
        call(archive)


class _Broken(io.BytesIO):
    """A connection that is cut while an object is on its way."""

    def read(self, *_: Any, **__: Any) -> bytes:
        raise ReadTimeoutError(endpoint_url="https://s3")


@pytest.mark.parametrize("call", [lambda archive: list(archive.rows()), lambda archive: list(archive.scan_facts())])
def test_a_connection_cut_while_an_object_is_read_is_an_outage(
    stubbed: tuple[S3Archive, Stubber], call: Callable[[S3Archive], Sequence[object]]
) -> None:
    archive, stub = stubbed
    stub.add_response("list_objects_v2", LISTED)
    stub.add_response("get_object", {"Body": StreamingBody(_Broken(), 9_999)})

    with pytest.raises(ArchiveUnavailable, match="ReadTimeoutError"):
        call(archive)
