"""The emulator behind the gateway, as a WSGI application: moto in this process, or another emulator over HTTP.

Claims: a forwarded request keeps its method, path, query, host and signature; the response keeps its bytes.
Leaves out: hop-by-hop headers. An operation that moto does not implement is answered with status 501.
docs.getmoto.org/en/latest/docs/server_mode.html
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Any

import urllib3
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from urllib3.exceptions import HTTPError
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request, Response
from werkzeug.wsgi import get_input_stream

from pipeline.errors import UsageError
from pipeline.local.gateway.moto_transactions import in_turn, without_copies_of_items

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

CONNECT_TIMEOUT_SECONDS = 3.0
READ_TIMEOUT_SECONDS = 60.0
CONNECTIONS_KEPT = 16
CHUNK_BYTES = 64 * 1024

# Headers of one connection, not of the message (RFC 9110, 7.6.1).
HOP_BY_HOP = frozenset(
    {"connection", "expect", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}
)

# Variables that name the user's AWS configuration, with their values while moto runs. None: unset.
USER_CONFIGURATION = {"AWS_PROFILE": None, "AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}

_moto_lock = Lock()  # moto's backends are global to the process

_log = logging.getLogger(__name__)


class Moto:
    """An empty moto in this process. A process can hold only one at a time.

    While it runs, boto3 ignores the user's AWS profile in this process. moto's code creates sessions, and a missing
    profile would make them fail.

    Raises:
        UsageError: Another one exists.
    """

    def __init__(self) -> None:
        if not _moto_lock.acquire(blocking=False):
            raise UsageError(
                "a local cloud runs in this process already: stop it, or pass another backend's endpoint URL"
            )
        self._resources = ExitStack()
        self._resources.callback(_moto_lock.release)
        self._resources.enter_context(_without_user_configuration())
        self._resources.enter_context(without_copies_of_items())
        self._application: WSGIApplication = DomainDispatcherApplication(create_backend_app)
        self._reset()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request, with status 501 if moto does not implement the operation."""
        try:
            with in_turn(environ):
                return self._application(environ, start_response)
        except NotImplementedError as error:
            return Response(f"moto: {error}", status=501, mimetype="text/plain")(environ, start_response)

    def close(self) -> None:
        """Delete all resources in moto, and restore the user's configuration."""
        self._reset()
        self._resources.close()

    def _reset(self) -> None:
        Response.from_app(self._application, EnvironBuilder(path="/moto-api/reset", method="POST").get_environ())


class Forwarder:
    """Another emulator, over HTTP. It gets each request as the client sent it: host, path and signature included.

    Args:
        url: The emulator's address, such as http://127.0.0.1:4566.
    """

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._pool = urllib3.PoolManager(
            maxsize=CONNECTIONS_KEPT,
            retries=False,
            timeout=urllib3.Timeout(connect=CONNECT_TIMEOUT_SECONDS, read=READ_TIMEOUT_SECONDS),
        )

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request. If the emulator is unreachable, answer with status 503, which clients retry."""
        request = Request(environ)
        try:
            response = self._forward(request)
        except HTTPError as error:
            _log.warning("%s is unreachable: %s", self._url, type(error).__name__)
            response = Response(f"{self._url} is unreachable", status=503)
        return response(environ, start_response)

    def close(self) -> None:
        """Close the connections."""
        self._pool.clear()

    def _forward(self, request: Request) -> Response:
        reply = self._pool.request(
            request.method,
            self._url + request.environ["RAW_URI"],
            headers=dict(_end_to_end(request.headers)),
            body=_body(request),
            preload_content=False,
            decode_content=False,
            redirect=False,
        )
        response = Response(
            reply.stream(CHUNK_BYTES, decode_content=False),
            status=reply.status,
            headers=_end_to_end(reply.headers.items()),
        )
        response.call_on_close(reply.release_conn)
        return response


@contextmanager
def _without_user_configuration() -> Iterator[None]:
    before = {name: os.environ.get(name) for name in USER_CONFIGURATION}
    _set_environment(USER_CONFIGURATION)
    try:
        yield
    finally:
        _set_environment(before)


def _set_environment(environment: Mapping[str, str | None]) -> None:
    for name, value in environment.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def _end_to_end(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(name, value) for name, value in headers if name.lower() not in HOP_BY_HOP]


def _body(request: Request) -> Any:
    """Return a stream of the request's body, or None if it has no body."""
    if request.content_length or "Transfer-Encoding" in request.headers:
        return get_input_stream(request.environ)
    return None
