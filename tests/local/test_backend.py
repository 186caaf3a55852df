"""What the front does not answer itself reaches the emulator behind it, and its answer comes back."""

import http.client
import os
import threading
import time
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
    """An emulator that tells what reached it."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, dict[str, str], bytes]] = []

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        request = Request(environ)
        self.seen.append((request.method, environ["RAW_URI"], dict(request.headers), request.get_data()))
        headers = {"X-Answer": "yes", "Content-Type": "text/plain"}
        return Response(b"an answer", status=418, headers=headers)(environ, start_response)


@pytest.fixture
def echo() -> Echo:
    return Echo()


@pytest.fixture
def address(echo: Echo) -> Iterator[str]:
    """A front that forwards to the echo: its host and port."""
    with Server(echo) as backend:
        forwarder = Forwarder(backend.url)
        with Server(Gateway(forwarder, answers=())) as front:
            yield urlsplit(front.url).netloc
        forwarder.close()


def ask(address: str, method: str, path: str, **request: Any) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(address, timeout=10)
    try:
        connection.request(method, path, **request)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def test_a_request_is_forwarded_as_it_was_sent_so_that_its_signature_still_fits(echo: Echo, address: str) -> None:
    headers = {"Host": "bucket.s3.amazonaws.com", "Authorization": "AWS4-HMAC-SHA256 …".encode(), "X-Amz-Date": "now"}
    ask(address, "PUT", "/a%2Fb//c?x=%20&y", body=b"body", headers=headers)
    ((method, path, seen, body),) = echo.seen
    assert (method, path, body) == ("PUT", "/a%2Fb//c?x=%20&y", b"body")
    assert (seen["Host"], seen["X-Amz-Date"]) == ("bucket.s3.amazonaws.com", "now")
    assert seen["Authorization"].startswith("AWS4-HMAC-SHA256 ")


def test_an_answer_comes_back_as_it_was_given(address: str) -> None:
    status, headers, body = ask(address, "GET", "/")
    assert (status, headers["X-Answer"], headers["Content-Type"], body) == (418, "yes", "text/plain", b"an answer")


def test_a_head_has_the_length_of_what_it_does_not_bring(address: str) -> None:
    status, headers, body = ask(address, "HEAD", "/")
    assert (status, headers["Content-Length"], body) == (418, "9", b"")


def test_a_body_in_chunks_is_forwarded_whole(echo: Echo, address: str) -> None:
    ask(
        address,
        "POST",
        "/",
        body=iter([b"one ", b"two"]),
        headers={"Transfer-Encoding": "chunked"},
        encode_chunked=True,
    )
    assert echo.seen[0][3] == b"one two"


def test_a_backend_that_is_away_is_unavailable() -> None:
    with Server(Echo()) as closed_soon:
        url = closed_soon.url
    with Server(Gateway(Forwarder(url), answers=())) as front:
        status, _, body = ask(urlsplit(front.url).netloc, "GET", "/")
    assert status == 503
    assert b"cannot be reached" in body


def test_who_is_asked_first_may_answer(echo: Echo) -> None:
    def answer(request: Request) -> Response | None:
        return Response("mine") if request.path == "/mine" else None

    with Server(Gateway(echo, answers=(answer,))) as front:
        assert ask(urlsplit(front.url).netloc, "GET", "/mine")[2] == b"mine"
        assert ask(urlsplit(front.url).netloc, "GET", "/other")[2] == b"an answer"


def test_a_fault_of_ours_is_answered_by_its_kind_and_without_what_was_sent() -> None:
    def fail(request: Request) -> Response | None:
        raise ValueError(request.get_data(as_text=True))

    with Server(Gateway(Echo(), answers=(fail,))) as front:
        status, _, body = ask(urlsplit(front.url).netloc, "POST", "/", body=b"ann@example.com")
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


def test_there_is_one_moto_at_a_time(moto: Moto) -> None:
    with pytest.raises(UsageError, match="runs in this process already"):
        Moto()


def test_moto_begins_empty_and_forgets_everything_at_the_end() -> None:
    for _ in range(2):
        moto = Moto()
        with Server(moto) as server:
            s3 = an_s3_client(server.url)
            assert s3.list_buckets()["Buckets"] == []
            s3.create_bucket(Bucket="forgotten")
            s3.close()
        moto.close()


def test_while_moto_runs_boto3_finds_no_profile_and_afterwards_it_does_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    monkeypatch.delenv("AWS_CONFIG_FILE", raising=False)
    moto = Moto()
    assert "us-east-1" in Session().get_available_regions("ses")
    moto.close()
    assert (os.environ["AWS_PROFILE"], os.environ.get("AWS_CONFIG_FILE")) == ("nobody", None)
    with pytest.raises(ProfileNotFound):
        Session().get_available_regions("ses")


def test_what_moto_does_not_know_is_said_to_be_so(moto: Moto) -> None:
    with Server(moto) as server:
        headers = {
            "Authorization": "AWS4-HMAC-SHA256 Credential=local/20260301/us-east-1/ses/aws4_request",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        answer = ask(urlsplit(server.url).netloc, "POST", "/", body=b"Action=SendBounce", headers=headers)
    assert answer[0] == 501
    assert answer[2].startswith(b"moto: ")


def test_objects_pass_through_the_front_byte_for_byte(moto: Moto) -> None:
    content = bytes(range(256)) * 4_096
    with Server(moto) as backend:
        forwarder = Forwarder(backend.url)
        with Server(Gateway(forwarder, answers=())) as front:
            s3 = an_s3_client(front.url)
            s3.create_bucket(Bucket="a-bucket")
            s3.put_object(Bucket="a-bucket", Key="a key/ü+%", Body=content)
            assert s3.get_object(Bucket="a-bucket", Key="a key/ü+%")["Body"].read() == content
            s3.close()
        forwarder.close()


def test_a_request_under_way_is_finished_before_a_server_closes() -> None:
    began, answers = threading.Event(), []

    def slow(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        began.set()
        time.sleep(0.3)
        return Response("done")(environ, start_response)

    server = Server(slow)
    asking = threading.Thread(target=lambda: answers.append(ask(urlsplit(server.url).netloc, "GET", "/")[2]))
    asking.start()
    assert began.wait(5)
    server.close()
    asking.join(5)
    assert answers == [b"done"]


def test_a_server_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    def broken(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        raise ValueError("ann@example.com")

    with Server(broken) as server:
        assert ask(urlsplit(server.url).netloc, "GET", "/")[0] == 500
    assert capfd.readouterr() == ("", "")
