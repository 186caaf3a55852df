"""Requests that the gateway does not answer itself reach the emulator behind it unchanged."""

import http.client
import os
import threading
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
    """An emulator that records what reaches it."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        request = Request(environ)
        self.requests.append((request.method, environ["RAW_URI"], dict(request.headers), request.get_data()))
        headers = {"X-Answer": "yes", "Content-Type": "text/plain"}
        return Response(b"an answer", status=418, headers=headers)(environ, start_response)


@pytest.fixture
def echo() -> Echo:
    return Echo()


@pytest.fixture
def address(echo: Echo) -> Iterator[str]:
    """Host and port of a gateway that forwards to the echo."""
    with Server(echo) as backend:
        forwarder = Forwarder(backend.url)
        with Server(Gateway(forwarder, answers=())) as gateway:
            yield urlsplit(gateway.url).netloc
        forwarder.close()


def send(address: str, method: str, path: str, **request: Any) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(address, timeout=10)
    try:
        connection.request(method, path, **request)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def test_a_request_is_forwarded_unchanged(echo: Echo, address: str) -> None:
    """Method, path, headers and body arrive as they were sent, so that the signature stays valid."""
    headers = {"Host": "bucket.s3.amazonaws.com", "Authorization": "AWS4-HMAC-SHA256 …".encode(), "X-Amz-Date": "now"}
    send(address, "PUT", "/a%2Fb//c?x=%20&y", body=b"body", headers=headers)
    ((method, path, seen, body),) = echo.requests
    assert (method, path, body) == ("PUT", "/a%2Fb//c?x=%20&y", b"body")
    assert (seen["Host"], seen["X-Amz-Date"]) == ("bucket.s3.amazonaws.com", "now")
    assert seen["Authorization"].startswith("AWS4-HMAC-SHA256 ")


def test_a_response_is_returned_unchanged(address: str) -> None:
    """Status, headers and body of the emulator's response reach the application."""
    status, headers, body = send(address, "GET", "/")
    assert (status, headers["X-Answer"], headers["Content-Type"], body) == (418, "yes", "text/plain", b"an answer")


def test_a_head_response_has_the_content_length_of_the_body(address: str) -> None:
    """The response to HEAD has no body, and the length that the body would have."""
    status, headers, body = send(address, "HEAD", "/")
    assert (status, headers["Content-Length"], body) == (418, "9", b"")


def test_a_chunked_body_is_forwarded_whole(echo: Echo, address: str) -> None:
    """A body in chunked transfer encoding arrives complete."""
    send(
        address,
        "POST",
        "/",
        body=iter([b"one ", b"two"]),
        headers={"Transfer-Encoding": "chunked"},
        encode_chunked=True,
    )
    assert echo.requests[0][3] == b"one two"


def test_an_unreachable_backend_answers_503() -> None:
    """An emulator that cannot be reached leads to 503, which boto3 retries."""
    with Server(Echo()) as closed_soon:
        url = closed_soon.url
    with Server(Gateway(Forwarder(url), answers=())) as gateway:
        status, _, body = send(urlsplit(gateway.url).netloc, "GET", "/")
    assert status == 503
    assert b"cannot be reached" in body


def test_a_handler_answers_before_the_backend(echo: Echo) -> None:
    """A handler that returns a response answers the request; the backend answers all others."""

    def answer(request: Request) -> Response | None:
        return Response("handled") if request.path == "/handled" else None

    with Server(Gateway(echo, answers=(answer,))) as gateway:
        assert send(urlsplit(gateway.url).netloc, "GET", "/handled")[2] == b"handled"
        assert send(urlsplit(gateway.url).netloc, "GET", "/other")[2] == b"an answer"


def test_an_internal_error_is_answered_with_its_type_only() -> None:
    """An unexpected error in a handler leads to 500 with its type, and without any text of the request."""

    def fail(request: Request) -> Response | None:
        raise ValueError(request.get_data(as_text=True))

    with Server(Gateway(Echo(), answers=(fail,))) as gateway:
        status, _, body = send(urlsplit(gateway.url).netloc, "POST", "/", body=b"ann@example.com")
    assert status == 500
    assert b"ValueError" in body
    assert b"ann" not in body


@pytest.fixture
def moto() -> Iterator[Moto]:
    moto = Moto()
    yield moto
    moto.close()


def an_s3_client(url: str) -> "S3Client":
    client: S3Client = local_client("s3", endpoint_url=url, region="us-east-1")
    return client


def test_only_one_moto_runs_at_a_time(moto: Moto) -> None:
    """A second moto in the same process is a usage error."""
    with pytest.raises(UsageError, match="runs in this process already"):
        Moto()


def test_moto_starts_empty() -> None:
    """Each new moto holds nothing of the one before."""
    for _ in range(2):
        moto = Moto()
        with Server(moto) as server:
            s3 = an_s3_client(server.url)
            assert s3.list_buckets()["Buckets"] == []
            s3.create_bucket(Bucket="forgotten")
            s3.close()
        moto.close()


def test_moto_hides_the_users_profile_while_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """While moto runs, a missing profile does no harm; afterwards the environment is as before."""
    monkeypatch.setenv("AWS_PROFILE", "missing")
    monkeypatch.delenv("AWS_CONFIG_FILE", raising=False)
    moto = Moto()
    assert "us-east-1" in Session().get_available_regions("ses")
    moto.close()
    assert (os.environ["AWS_PROFILE"], os.environ.get("AWS_CONFIG_FILE")) == ("missing", None)
    with pytest.raises(ProfileNotFound):
        Session().get_available_regions("ses")


def test_an_action_that_moto_lacks_is_answered_with_501(moto: Moto) -> None:
    """An action that moto does not implement leads to 501 with moto's explanation."""
    with Server(moto) as server:
        headers = {
            "Authorization": "AWS4-HMAC-SHA256 Credential=local/20260301/us-east-1/ses/aws4_request",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        answer = send(urlsplit(server.url).netloc, "POST", "/", body=b"Action=SendBounce", headers=headers)
    assert answer[0] == 501
    assert answer[2].startswith(b"moto: ")


def test_objects_pass_the_gateway_byte_for_byte(moto: Moto) -> None:
    """An S3 object that is put and read through gateway and forwarder keeps each byte."""
    content = bytes(range(256)) * 4_096
    with Server(moto) as backend:
        forwarder = Forwarder(backend.url)
        with Server(Gateway(forwarder, answers=())) as gateway:
            s3 = an_s3_client(gateway.url)
            s3.create_bucket(Bucket="a-bucket")
            s3.put_object(Bucket="a-bucket", Key="a key/ü+%", Body=content)
            assert s3.get_object(Bucket="a-bucket", Key="a key/ü+%")["Body"].read() == content
            s3.close()
        forwarder.close()


def test_a_running_request_finishes_before_the_server_closes() -> None:
    """A request that a server has begun to answer gets its whole response although the server closes."""
    began, may_end, bodies = threading.Event(), threading.Event(), []

    def slow(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        began.set()
        may_end.wait(10)
        return Response("whole")(environ, start_response)

    server = Server(slow)
    request = threading.Thread(target=lambda: bodies.append(send(urlsplit(server.url).netloc, "GET", "/")[2]))
    request.start()
    assert began.wait(10)
    closing = threading.Thread(target=server.close)
    closing.start()
    may_end.set()
    closing.join(10)
    request.join(10)
    assert bodies == [b"whole"]


def test_a_server_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    """Not even an error in the application writes to the terminal, because it may quote an address."""

    def broken(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        raise ValueError("ann@example.com")

    with Server(broken) as server:
        assert send(urlsplit(server.url).netloc, "GET", "/")[0] == 500
    assert capfd.readouterr() == ("", "")
