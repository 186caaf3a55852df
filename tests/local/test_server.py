"""The gateway asks its handlers before the backend, and its server ends cleanly."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
import urllib3
from werkzeug.wrappers import Request, Response

from pipeline.errors import UsageError
from pipeline.local.gateway.server import Gateway, Server
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

BACKEND = Response("from the backend")


def test_a_handler_may_answer_before_the_backend() -> None:
    """A request that a handler answers does not reach the backend; any other does."""

    def handle(request: Request) -> Response | None:
        return Response("from the handler") if request.path == "/handled" else None

    with Server(Gateway(BACKEND, handlers=(handle,))) as server:
        assert urllib3.request("GET", f"{server.url}/handled").data == b"from the handler"
        assert urllib3.request("GET", f"{server.url}/other").data == b"from the backend"


def test_an_internal_error_has_no_payload() -> None:
    """A handler's exception is answered with status 500 and its type, without the text, which may quote the request."""

    def fail(request: Request) -> Response | None:
        raise ValueError(request.get_data(as_text=True))

    with Server(Gateway(BACKEND, handlers=(fail,))) as server:
        reply = urllib3.request("POST", server.url, body=b"ann@example.com", retries=False)
    assert reply.status == 500
    assert b"ValueError" in reply.data
    assert b"ann" not in reply.data


def test_a_request_in_progress_is_finished_before_the_server_closes() -> None:
    """A server that is closing accepts no connection, but completes the request that it has."""
    began, release = threading.Event(), threading.Event()
    bodies: list[bytes] = []

    def slow(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        began.set()
        assert release.wait(120)
        return Response("done")(environ, start_response)

    server = Server(slow)
    requesting = threading.Thread(target=lambda: bodies.append(urllib3.request("GET", server.url).data))
    closing = threading.Thread(target=server.close)
    requesting.start()
    assert began.wait(120)
    closing.start()
    eventually(lambda: not _accepts(server.url), what="the server to accept no more connections")
    release.set()
    for thread in (requesting, closing):
        thread.join(5)
    assert bodies == [b"done"]


def _accepts(url: str) -> bool:
    address = urlsplit(url)
    try:
        socket.create_connection((address.hostname or "", address.port or 0), 1).close()
    except OSError:
        return False
    return True


def test_a_server_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    """Neither a request line nor a traceback is printed, because both can contain an address."""

    def broken(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        raise ValueError("ann@example.com")

    with Server(broken) as server:
        connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=120)
        connection.request("GET", "/")
        assert connection.getresponse().status == 500
        connection.close()
    assert capfd.readouterr() == ("", "")


def test_a_server_has_the_requested_port() -> None:
    """If another program has it, the reason names the port."""
    with Server(BACKEND) as first:
        port = urlsplit(first.url).port or 0
        with pytest.raises(UsageError, match=f"port {port} of 127.0.0.1 cannot be used: Address already in use"):
            Server(BACKEND, port=port)
    with Server(BACKEND, port=port) as second:
        assert second.url == first.url
        assert urllib3.request("GET", second.url).data == b"from the backend"
