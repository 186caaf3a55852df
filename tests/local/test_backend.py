"""Requests that no handler answers reach the emulator, and its responses come back unchanged."""

from __future__ import annotations

import http.client
import os
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from boto3.session import Session
from botocore.exceptions import ProfileNotFound
from werkzeug.wrappers import Request, Response

from pipeline.errors import UsageError
from pipeline.local.client import local_client
from pipeline.local.gateway.backend import Forwarder, Moto
from pipeline.local.gateway.server import Gateway, Server

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment
    from mypy_boto3_s3 import S3Client


class Echo:
    """An emulator that records its requests.

    Attributes:
        requests: Method, URI, headers and body of each request.
    """

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        self.requests.append((request.method, environ["RAW_URI"], dict(request.headers), request.get_data()))
        headers = {"X-Answer": "yes", "Content-Type": "text/plain"}
        return Response(b"a response", status=418, headers=headers)(environ, start_response)


@pytest.fixture
def echo() -> Echo:
    return Echo()


@pytest.fixture
def address(echo: Echo) -> Iterator[str]:
    """Host and port of a gateway that forwards to the echo."""
    with Server(echo) as backend:
        forwarder = Forwarder(backend.url)
        with Server(Gateway(forwarder, handlers=())) as gateway:
            yield urlsplit(gateway.url).netloc
        forwarder.close()


@pytest.fixture
def moto() -> Iterator[Moto]:
    moto = Moto()
    yield moto
    moto.close()


def call(address: str, method: str, path: str, **request: Any) -> tuple[int, dict[str, str], bytes]:
    """Make an HTTP request, and return status, headers and body."""
    connection = http.client.HTTPConnection(address, timeout=120)
    try:
        connection.request(method, path, **request)
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read()
    finally:
        connection.close()


def an_s3_client(url: str) -> S3Client:
    client: S3Client = local_client("s3", endpoint_url=url, region="us-east-1")
    return client


def test_a_request_is_forwarded_unchanged(echo: Echo, address: str) -> None:
    """Method, path, query, host and signature arrive as they were sent, so that the signature is still valid."""
    headers = {"Host": "bucket.s3.amazonaws.com", "Authorization": "AWS4-HMAC-SHA256 …".encode(), "X-Amz-Date": "now"}
    call(address, "PUT", "/a%2Fb//c?x=%20&y", body=b"body", headers=headers)
    ((method, path, received, body),) = echo.requests
    assert (method, path, body) == ("PUT", "/a%2Fb//c?x=%20&y", b"body")
    assert (received["Host"], received["X-Amz-Date"]) == ("bucket.s3.amazonaws.com", "now")
    assert received["Authorization"].startswith("AWS4-HMAC-SHA256 ")


def test_a_response_comes_back_unchanged(address: str) -> None:
    """Status, headers and body are those of the emulator."""
    status, headers, body = call(address, "GET", "/")
    assert (status, headers["X-Answer"], headers["Content-Type"], body) == (418, "yes", "text/plain", b"a response")


def test_a_head_response_keeps_its_length(address: str) -> None:
    """The response to HEAD has the length of the body that it does not contain."""
    status, headers, body = call(address, "HEAD", "/")
    assert (status, headers["Content-Length"], body) == (418, "10", b"")


def test_a_chunked_body_is_forwarded_whole(echo: Echo, address: str) -> None:
    """A body without a length arrives complete."""
    chunks = iter([b"one ", b"two"])
    call(address, "POST", "/", body=chunks, headers={"Transfer-Encoding": "chunked"}, encode_chunked=True)
    assert echo.requests[0][3] == b"one two"


def test_an_unreachable_emulator_is_answered_with_503() -> None:
    """Clients retry status 503."""
    with Server(Echo()) as closed:
        url = closed.url
    with Server(Gateway(Forwarder(url), handlers=())) as gateway:
        status, _, body = call(urlsplit(gateway.url).netloc, "GET", "/")
    assert status == 503
    assert b"is unreachable" in body


def test_there_is_one_moto_at_a_time(moto: Moto) -> None:
    """A second moto in the same process is refused, because moto's state is global."""
    with pytest.raises(UsageError, match="runs in this process already"):
        Moto()


def test_moto_is_empty_at_start_and_end() -> None:
    """A new moto has nothing of the previous one."""
    for _ in range(2):
        moto = Moto()
        with Server(moto) as server:
            s3 = an_s3_client(server.url)
            assert s3.list_buckets()["Buckets"] == []
            s3.create_bucket(Bucket="forgotten")
            s3.close()
        moto.close()


def test_boto3_ignores_the_users_profile_while_moto_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A profile that does not exist is ignored while moto runs, and is in effect again afterwards."""
    monkeypatch.setenv("AWS_PROFILE", "missing")
    monkeypatch.delenv("AWS_CONFIG_FILE", raising=False)
    moto = Moto()
    assert "us-east-1" in Session().get_available_regions("ses")
    moto.close()
    assert (os.environ["AWS_PROFILE"], os.environ.get("AWS_CONFIG_FILE")) == ("missing", None)
    with pytest.raises(ProfileNotFound):
        Session().get_available_regions("ses")


def test_an_operation_that_moto_lacks_is_answered_with_501(moto: Moto) -> None:
    """The response says that moto does not implement the operation."""
    with Server(moto) as server:
        headers = {
            "Authorization": "AWS4-HMAC-SHA256 Credential=local/20260301/us-east-1/ses/aws4_request",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        status, _, body = call(urlsplit(server.url).netloc, "POST", "/", body=b"Action=SendBounce", headers=headers)
    assert status == 501
    assert body.startswith(b"moto: ")


def test_objects_pass_through_the_gateway_unchanged(moto: Moto) -> None:
    """A megabyte of every byte value, under a key of special characters, is read as it was written."""
    content = bytes(range(256)) * 4_096
    with Server(moto) as backend:
        forwarder = Forwarder(backend.url)
        with Server(Gateway(forwarder, handlers=())) as gateway:
            s3 = an_s3_client(gateway.url)
            s3.create_bucket(Bucket="a-bucket")
            s3.put_object(Bucket="a-bucket", Key="a key/ü+%", Body=content)
            assert s3.get_object(Bucket="a-bucket", Key="a key/ü+%")["Body"].read() == content
            s3.close()
        forwarder.close()
