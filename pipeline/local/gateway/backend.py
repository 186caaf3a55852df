"""The emulator behind the front, as a WSGI application: moto in this process, or another one by HTTP."""

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

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

CONNECT_TIMEOUT_SECONDS = 3.0
READ_TIMEOUT_SECONDS = 60.0
CONNECTIONS_KEPT = 16
CHUNK_BYTES = 64 * 1024

# What belongs to one connection and not to the message (RFC 9110, 7.6.1).
HOP_BY_HOP = frozenset(
    {"connection", "expect", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}
)

# What tells boto3 where the user's own AWS is, and what it is while moto runs. None: unset.
OF_THE_USER = {"AWS_PROFILE": None, "AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}

_moto_is_free = Lock()

_log = logging.getLogger(__name__)


class Moto:
    """moto in this process, empty. There is only one moto in a process, and so one of these at a time.

    While it runs, boto3 finds none of the user's profiles in this process: moto's own code makes sessions, and would
    fail at a profile that is not there.

    Raises:
        UsageError: There is one already.
    """

    def __init__(self) -> None:
        if not _moto_is_free.acquire(blocking=False):
            raise UsageError(
                "a local cloud runs in this process already: stop it, or give another backend's endpoint URL"
            )
        self._resources = ExitStack()
        self._resources.callback(_moto_is_free.release)
        self._resources.enter_context(_nothing_of_the_user())
        self._application: WSGIApplication = DomainDispatcherApplication(create_backend_app)
        self._reset()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request; what moto does not know, with 501."""
        try:
            return self._application(environ, start_response)
        except NotImplementedError as error:
            return Response(f"moto: {error}", status=501, mimetype="text/plain")(environ, start_response)

    def close(self) -> None:
        """Forget everything."""
        self._reset()
        self._resources.close()

    def _reset(self) -> None:
        Response.from_app(self._application, EnvironBuilder(path="/moto-api/reset", method="POST").get_environ())


class Forwarder:
    """Another emulator by HTTP. Requests arrive there as they were sent: host, path and signature included.

    Args:
        url: Where it is, such as http://127.0.0.1:4566.
    """

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._pool = urllib3.PoolManager(
            maxsize=CONNECTIONS_KEPT,
            retries=False,
            timeout=urllib3.Timeout(connect=CONNECT_TIMEOUT_SECONDS, read=READ_TIMEOUT_SECONDS),
        )

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request; if the emulator cannot be reached, with 503, which clients try again."""
        request = Request(environ)
        try:
            answer = self._pool.request(
                request.method,
                self._url + environ["RAW_URI"],
                headers={name: value for name, value in request.headers if name.lower() not in HOP_BY_HOP},
                body=_body(request),
                preload_content=False,
                decode_content=False,
                redirect=False,
            )
        except HTTPError as error:
            _log.warning("%s cannot be reached: %s", self._url, type(error).__name__)
            return Response(f"{self._url} cannot be reached", status=503)(environ, start_response)
        response = Response(
            answer.stream(CHUNK_BYTES, decode_content=False),
            status=answer.status,
            headers=[(name, value) for name, value in answer.headers.items() if name.lower() not in HOP_BY_HOP],
        )
        response.call_on_close(answer.release_conn)
        return response(environ, start_response)

    def close(self) -> None:
        """Close its connections."""
        self._pool.clear()


@contextmanager
def _nothing_of_the_user() -> Iterator[None]:
    before = {name: os.environ.get(name) for name in OF_THE_USER}
    _export(OF_THE_USER)
    try:
        yield
    finally:
        _export(before)


def _export(environment: Mapping[str, str | None]) -> None:
    for name, value in environment.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def _body(request: Request) -> Any:
    """Return a request's body to read from; None if it has none."""
    if request.content_length or "Transfer-Encoding" in request.headers:
        return get_input_stream(request.environ)
    return None
