"""Access to the local cloud: only clients that know its access key, and never a web page.

A browser on this machine reaches 127.0.0.1 for every page that it shows. So a request is refused if a browser made it
for a page (`Origin`, `Sec-Fetch-Site`), if it names another host, as after DNS rebinding, or if it is not signed with
the access key. A preflight is refused too, without a header of CORS.
Claims: the access key of AWS's signatures, versions 2 and 4, in a header or in a presigned URL.
Leaves out: the check of the signature itself. The access key is random, and only this user can read it.
fetch.spec.whatwg.org/#origin-header, w3.org/TR/fetch-metadata/#sec-fetch-site-header,
docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-authentication-methods.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from hmac import compare_digest
from html import escape
from http import HTTPStatus
from secrets import token_hex
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec
from werkzeug.wrappers import Request, Response

from pipeline.local.gateway.protocols import TARGET, ApiError
from pipeline.local.gateway.ses_responses import ROOT, json_error

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

# A container reaches this machine by the third name, which is Docker's, and is in a domain that no one can register.
LOCAL_HOSTS = frozenset({"127.0.0.1", "localhost", "host.docker.internal"})
LOCAL_DOMAIN = ".localhost"  # S3's buckets are subdomains; no DNS server is asked for it (RFC 6761, 6.3)
TYPED_BY_A_PERSON = "none"  # Sec-Fetch-Site of an address that a person opens

_ACCESS_KEY_ID = re.compile(r"(?:\bCredential=|^AWS )([^/:,\s]+)")


def new_access_key_id() -> str:
    """Return a random access key. No emulator reads an account out of it."""
    return f"local{token_hex(16)}"


class AccessControl:
    """A WSGI application that passes on the requests of a cloud's own clients, and refuses others with status 403.

    Args:
        application: Answers the requests of clients.
        access_key_id: The cloud's access key.
    """

    def __init__(self, application: WSGIApplication, *, access_key_id: str) -> None:
        self._application = application
        self._access_key_id = access_key_id

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        request = Request(environ)
        if error := self._refusal(request):
            return _error_response(request, error)(environ, start_response)
        return self._application(environ, start_response)

    def _refusal(self, request: Request) -> ApiError | None:
        """Return the error that refuses a request, or None if it is a client's."""
        if _is_of_web_page(request):
            return _denied("a web page made this request: the local cloud answers none of them")
        if not _is_local(request.headers.get("Host", "")):
            return _denied("the request names another host: the local cloud is 127.0.0.1 or localhost")
        if not compare_digest(_access_key_id(request).encode(), self._access_key_id.encode()):
            message = "the request is not signed with the access key that `mailfold up` prints: export what it prints"
            return ApiError("InvalidClientTokenId", message, status=HTTPStatus.FORBIDDEN)
        return None


def _denied(message: str) -> ApiError:
    return ApiError("AccessDeniedException", message, status=HTTPStatus.FORBIDDEN)


def _is_of_web_page(request: Request) -> bool:
    site = request.headers.get("Sec-Fetch-Site", TYPED_BY_A_PERSON)
    return "Origin" in request.headers or site != TYPED_BY_A_PERSON


def _is_local(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    return name in LOCAL_HOSTS or name.endswith(LOCAL_DOMAIN)


def _access_key_id(request: Request) -> str:
    """Return the access key that a request is signed with; "" if there is none."""
    if header := request.headers.get("Authorization"):
        match = _ACCESS_KEY_ID.search(header)
        return match[1] if match else ""
    credential = request.args.get("X-Amz-Credential") or request.args.get("AWSAccessKeyId") or ""
    return credential.partition("/")[0]


def _error_response(request: Request, error: ApiError) -> Response:
    """Return an error in the form of the API that a request is for, as far as the request tells."""
    if request.path.startswith(ROOT):
        return json_error(error)
    if TARGET in request.headers:
        content = msgspec.json.encode({"__type": error.code, "message": str(error)})
        return Response(content, status=error.status, mimetype=request.mimetype)
    body = (  # S3 and the Query APIs have this form in common
        f"<ErrorResponse><Error><Type>Sender</Type><Code>{error.code}</Code><Message>{escape(str(error))}</Message>"
        "</Error><RequestId/></ErrorResponse>"
    )
    return Response(body, status=error.status, mimetype="text/xml")
