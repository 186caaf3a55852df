"""What the front asks of the emulator's SES, in the name of the application whose request it answers."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from werkzeug.wrappers import Request, Response

from pipeline.local.front.ses_reply import is_rejected
from pipeline.local.front.ses_template import action_form

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

FORM = "application/x-www-form-urlencoded"


class SesBackend:
    """An emulator's SES.

    Args:
        application: The emulator.
    """

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application

    def send(self, request: Request, *, sender: str, form: Mapping[str, str] | None = None) -> Response:
        """Return the answer to a request that sends. If it is refused, its sender is verified, and it is made again.

        Args:
            request: As the application made it.
            sender: Whom the e-mail is from.
            form: What to ask instead, in the first API's words; None: the request itself.
        """
        reply = self._asked(request, form)
        if not is_rejected(reply):
            return reply
        # Credentials and region are the application's, and so the identity is verified where it sends from.
        self.ask(request, action_form("VerifyEmailIdentity", {"EmailAddress": sender}))
        return self._asked(request, form)

    def ask(self, request: Request, form: Mapping[str, str]) -> Response:
        """Return the answer to a request of the first API, made in the name of who made `request`."""
        target = {"REQUEST_METHOD": "POST", "PATH_INFO": "/", "RAW_URI": "/", "QUERY_STRING": "", "CONTENT_TYPE": FORM}
        return self._call(request, target, urlencode(form).encode())

    def _asked(self, request: Request, form: Mapping[str, str] | None) -> Response:
        return self.ask(request, form) if form else self._call(request, {}, request.get_data())

    def _call(self, request: Request, target: Mapping[str, str], body: bytes) -> Response:
        environ: dict[str, Any] = {**request.environ, **target}
        environ |= {"wsgi.input": BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        for cached in ("HTTP_TRANSFER_ENCODING", "wsgi.input_terminated", "werkzeug.request"):
            environ.pop(cached, None)
        return Response.from_app(self._application, environ, buffered=True)
