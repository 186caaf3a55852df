"""A line for each request to the local cloud: what was called, its status and its duration.

Leaves out: bodies and addresses, also those in a path.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from io import BytesIO
from typing import TYPE_CHECKING, Any

from werkzeug.wrappers import Request

from pipeline.aws.errors import redact_addresses
from pipeline.local.gateway.protocols import TARGET
from pipeline.local.gateway.ses_backend import FORM

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_SERVICE = re.compile(r"/([\w-]+)/aws4_request")


class RequestLog:
    """A WSGI application that reports each request of another one.

    Args:
        application: Answers the requests.
        report: Gets a line, without its end. Threads may call it at the same time.
    """

    def __init__(self, application: WSGIApplication, *, report: Callable[[str], None]) -> None:
        self._application = application
        self._report = report

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        called, started_at_s, statuses = _called(Request(environ)), time.monotonic(), list[str]()

        def start(status: str, *arguments: Any) -> Callable[[bytes], object]:
            statuses.append(status)
            return start_response(status, *arguments)

        try:
            return self._application(environ, start)
        finally:
            duration_ms = 1_000 * (time.monotonic() - started_at_s)
            self._report(f"{called} {' '.join(statuses)[:3] or '500'} {duration_ms:.0f} ms")


def _called(request: Request) -> str:
    """Return a request's service and operation, or its method and path."""
    match = _SERVICE.search(request.headers.get("Authorization", request.args.get("X-Amz-Credential", "")))
    service = match[1] if match else "?"
    if target := request.headers.get(TARGET):
        return f"{service} {target.rpartition('.')[2]}"
    if request.mimetype == FORM:
        request.environ["wsgi.input"] = BytesIO(request.get_data())  # the application reads it too
        return f"{service} {request.form.get('Action', '?')}"
    return redact_addresses(f"{service} {request.method} {request.path}")
