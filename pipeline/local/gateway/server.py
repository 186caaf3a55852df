"""An HTTP server for a WSGI application, on a free port of 127.0.0.1, that leaves nothing behind when it is closed.

What applications speak to: one address for all of AWS's APIs, as far as the backend or this project knows them.

Sends of SES, records for Firehose and queries of Athena are answered here; everything else goes to the backend as it
came. Requests are told apart as AWS's endpoints would by their host: by path, target and the signature's scope.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from socket import SHUT_RDWR, socket
from threading import Thread, current_thread
from typing import TYPE_CHECKING, Any, Self

from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler
from werkzeug.wrappers import Request, Response

from pipeline.errors import describe

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

RequestHandler = Callable[[Request], Response | None]
"""Answers a request, or gives None: then it is for somebody else."""

_log = logging.getLogger(__name__)


class Gateway:
    """A WSGI application.

    Args:
        backend: What answers whatever nobody here does.
        answers: Who is asked first, in order.
    """

    def __init__(self, backend: WSGIApplication, *, answers: Sequence[RequestHandler]) -> None:
        self._backend = backend
        self._answers = answers

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        request = Request(environ)
        try:
            response = next((found for answer in self._answers if (found := answer(request))), None)
        except Exception as error:  # noqa: BLE001 - an entry point: the sender gets an answer, whatever is wrong
            _log.error("%s %s: %s", request.method, request.path, describe(error))
            response = Response(describe(error), status=500, mimetype="text/plain")
        return (response or self._backend)(environ, start_response)


LISTEN = "127.0.0.1"
STOP_CHECK_SECONDS = 0.1
GRACE_SECONDS = 2.0  # for requests under way when the server is closed; then their connections are cut

_server_log = logging.getLogger(__name__)


class Server:
    """Serves an application, each request in a thread of its own, from when it is made until it is closed.

    Attributes:
        url: Where it is.
    """

    def __init__(self, application: WSGIApplication) -> None:
        self._server = _ThreadedServer(LISTEN, 0, application, handler=_Handler)
        self.url = f"http://{LISTEN}:{self._server.port}"
        self._thread = Thread(target=self._server.serve_forever, args=(STOP_CHECK_SECONDS,), name=self.url, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Take no more requests, and wait a moment for those under way."""
        self._server.shutdown()
        self._thread.join(GRACE_SECONDS)
        self._server.finish(GRACE_SECONDS)


class _ThreadedServer(ThreadedWSGIServer):
    """Knows the requests under way, and logs where this project does."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self._under_way: dict[Thread, socket] = {}
        super().__init__(*args, **options)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        self._under_way[current_thread()] = request
        try:
            super().process_request_thread(request, client_address)
        finally:
            del self._under_way[current_thread()]

    def finish(self, grace_seconds: float) -> None:
        end_s = time.monotonic() + grace_seconds
        under_way = dict(self._under_way)
        for thread, connection in under_way.items():
            thread.join(max(0.0, end_s - time.monotonic()))
            with suppress(OSError):  # closed by now
                connection.shutdown(SHUT_RDWR)
        for thread in under_way:
            thread.join(grace_seconds)

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - werkzeug's name
        _note(type, message, *args)


class _Handler(WSGIRequestHandler):
    """Does not print a line for each request."""

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - werkzeug's name
        _note(type, message, *args)


def _note(kind: str, message: str, *args: Any) -> None:
    # A request's line may hold an address, and so may a traceback: neither is shown unless asked for.
    _server_log.debug(f"{kind}: {message}", *args)
