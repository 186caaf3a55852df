"""The gateway: one local address for all of AWS's APIs, and the HTTP server that serves it.

Claims: a handler answers sends of SES, records for Firehose and queries of Athena. Handlers distinguish requests by
path, `X-Amz-Target` and the scope of the signature, because they share one host.
Leaves out: everything else. The backend gets such a request unchanged.
docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from socket import SHUT_RDWR, create_server, socket
from threading import Thread, current_thread
from typing import TYPE_CHECKING, Any, Self

from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler
from werkzeug.wrappers import Request, Response

from pipeline.errors import UsageError, describe

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

RequestHandler = Callable[[Request], Response | None]
"""Returns the response to a request, or None if the request is not for this handler."""

LISTEN = "127.0.0.1"
BACKLOG = 128  # as werkzeug's own
STOP_CHECK_SECONDS = 0.1
GRACE_SECONDS = 2.0  # for requests in progress when the server closes; then their connections are cut

_log = logging.getLogger(__name__)


class Gateway:
    """A WSGI application that calls its handlers in order, then the backend.

    Args:
        backend: Answers every request that no handler answers.
        handlers: The handlers.
    """

    def __init__(self, backend: WSGIApplication, *, handlers: Sequence[RequestHandler]) -> None:
        self._backend = backend
        self._handlers = handlers

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request. An unexpected exception is answered with status 500 and its type."""
        request = Request(environ)
        try:
            responses = (handler(request) for handler in self._handlers)
            response = next((response for response in responses if response is not None), None)
        except Exception as error:  # noqa: BLE001 - an entry point: the client gets a response in any case
            _log.error("%s %s: %s", request.method, request.path, describe(error))
            response = Response(describe(error), status=500, mimetype="text/plain")
        return (response or self._backend)(environ, start_response)


class Server:
    """An HTTP server on a port of 127.0.0.1, with a thread for each request. It runs until it is closed.

    Args:
        application: Answers the requests.
        port: Its port; 0 for a free one.

    Attributes:
        url: The server's address.

    Raises:
        UsageError: Another program uses the port, or this user may not.
    """

    def __init__(self, application: WSGIApplication, *, port: int = 0) -> None:
        with _listener(port) as listener:
            port = listener.getsockname()[1]
            self._server = _ThreadedServer(LISTEN, port, application, handler=_QuietHandler, fd=listener.fileno())
        self.url = f"http://{LISTEN}:{port}"
        self._thread = Thread(target=self._server.serve_forever, args=(STOP_CHECK_SECONDS,), name=self.url, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        """Return the running server."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the server."""
        self.close()

    def close(self) -> None:
        """Accept no more requests. Wait `GRACE_SECONDS` for those in progress."""
        self._server.shutdown()
        self._thread.join(GRACE_SECONDS)
        self._server.finish_requests(GRACE_SECONDS)


def _listener(port: int) -> socket:
    try:
        return create_server((LISTEN, port), backlog=BACKLOG)
    except OSError as error:
        raise UsageError(f"port {port} of {LISTEN} cannot be used: {error.strerror}. Name another one") from error


class _ThreadedServer(ThreadedWSGIServer):
    """Werkzeug's server, which also knows the requests in progress."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self._connections: dict[Thread, socket] = {}
        super().__init__(*args, **options)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        self._connections[current_thread()] = request
        try:
            super().process_request_thread(request, client_address)
        finally:
            del self._connections[current_thread()]

    def finish_requests(self, grace_seconds: float) -> None:
        end_s = time.monotonic() + grace_seconds
        connections = dict(self._connections)
        for thread, connection in connections.items():
            thread.join(max(0.0, end_s - time.monotonic()))
            with suppress(OSError):  # closed by now
                connection.shutdown(SHUT_RDWR)
        for thread in connections:
            thread.join(grace_seconds)

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - werkzeug's name
        _log_debug(type, message, *args)


class _QuietHandler(WSGIRequestHandler):
    """Werkzeug's handler, without the line for each request."""

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - werkzeug's name
        _log_debug(type, message, *args)


def _log_debug(kind: str, message: str, *args: Any) -> None:
    # A request line and a traceback can contain an address, so neither is shown by default.
    _log.debug(f"{kind}: {message}", *args)
