"""What applications speak to: one address for all of AWS's APIs, as far as the backend or this project knows them.

Sends of SES, records for Firehose and queries of Athena are answered here; everything else goes to the backend as it
came. Requests are told apart as AWS's endpoints would by their host: by path, target and the signature's scope.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from werkzeug.wrappers import Request, Response

from pipeline.fault import fault

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

Answer = Callable[[Request], Response | None]
"""Answers a request, or gives None: then it is for somebody else."""

_log = logging.getLogger(__name__)


class Front:
    """A WSGI application.

    Args:
        backend: What answers whatever nobody here does.
        answers: Who is asked first, in order.
    """

    def __init__(self, backend: WSGIApplication, *, answers: Sequence[Answer]) -> None:
        self._backend = backend
        self._answers = answers

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        request = Request(environ)
        try:
            response = next((found for answer in self._answers if (found := answer(request))), None)
        except Exception as error:  # noqa: BLE001 - an entry point: the sender gets an answer, whatever is wrong
            _log.error("%s %s: %s", request.method, request.path, fault(error))
            response = Response(fault(error), status=500, mimetype="text/plain")
        return (response or self._backend)(environ, start_response)
