"""The backend's SES: requests that the gateway makes for the application whose request it handles.

Claims: operations on templates of API v2, as requests of API v1, because no emulator has them in API v2.
Leaves out: inline templates, and headers and attachments beside a template.
docs.aws.amazon.com/ses/latest/APIReference/API_SendTemplatedEmail.html,
docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendBulkEmail.html
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from io import BytesIO
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote, urlencode

from werkzeug.wrappers import Request, Response

from pipeline.address import bare
from pipeline.errors import UsageError
from pipeline.local.gateway.protocols import ApiError, flatten
from pipeline.local.gateway.ses_requests import RequestFields
from pipeline.local.gateway.ses_responses import ROOT, SCOPE, is_rejected

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

FORM = "application/x-www-form-urlencoded"
API_V1 = "2010-12-01"

# Keys of a WSGI environment that belong to the application's request only.
_STALE_KEYS = ("HTTP_TRANSFER_ENCODING", "wsgi.input_terminated", "werkzeug.request")


def api_version(request: Request) -> Literal[1, 2] | None:
    """Return the version of SES's API that a request is for; None if it is for another service."""
    if SCOPE.search(request.headers.get("Authorization", "")) is None:
        return None
    if request.path.startswith(ROOT):
        return 2
    return 1 if request.mimetype == FORM else None


class SesBackend:
    """The SES of an emulator.

    Args:
        application: The emulator.
        verify_senders: True to verify every sender that is not verified, so that an application needs no set-up.
    """

    def __init__(self, application: WSGIApplication, *, verify_senders: bool = True) -> None:
        self._application = application
        self._verify_senders = verify_senders

    def send(self, request: Request, *, sender: str, form: Mapping[str, str] | None = None) -> Response:
        """Make a request that sends, and return the response. If it is rejected, the sender may be verified first.

        Args:
            request: The application's request.
            sender: The sender of the e-mail.
            form: An API v1 request to make in place of `request`; None for `request` itself.

        Raises:
            ApiError: The sender is not verified.
        """
        reply = self._send(request, form)
        if not is_rejected(reply):
            return reply
        if not self._verify_senders:
            raise ApiError(
                "MessageRejected",
                "Email address is not verified. The sender failed the check: verify the address or its domain here, or "
                "start the local cloud without --require-verified",
            )
        # The application's credentials and region apply, so the identity is verified where the application sends from.
        # An identity is an address without a display name.
        self.call(request, action_form("VerifyEmailIdentity", {"EmailAddress": bare(sender)}))
        return self._send(request, form)

    def repeat(self, request: Request) -> Response:
        """Make the application's request, and return the response."""
        return self._call(request, {}, request.get_data())

    def has_configuration_set(self, request: Request, name: str) -> bool:
        """Return True if a configuration set exists, where the application sends from."""
        path = f"{ROOT}/configuration-sets/{name}"
        target = {"REQUEST_METHOD": "GET", "PATH_INFO": path, "RAW_URI": quote(path), "QUERY_STRING": ""}
        target |= {"CONTENT_TYPE": "application/json"}
        return self._call(request, target, b"").status_code == HTTPStatus.OK

    def call(self, request: Request, form: Mapping[str, str]) -> Response:
        """Make an API v1 request with the credentials of `request`, and return the response."""
        target = {"REQUEST_METHOD": "POST", "PATH_INFO": "/", "RAW_URI": "/", "QUERY_STRING": "", "CONTENT_TYPE": FORM}
        return self._call(request, target, urlencode(form).encode())

    def _send(self, request: Request, form: Mapping[str, str] | None) -> Response:
        return self.call(request, form) if form else self.repeat(request)

    def _call(self, request: Request, target: Mapping[str, str], body: bytes) -> Response:
        environ: dict[str, Any] = {**request.environ, **target}
        environ |= {"wsgi.input": BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        for key in _STALE_KEYS:
            environ.pop(key, None)
        return Response.from_app(self._application, environ, buffered=True)


def action_form(action: str, fields: RequestFields) -> dict[str, str]:
    """Return an API v1 request. Fields that are None are left out."""
    present = {name: value for name, value in fields.items() if value is not None}
    return flatten({"Action": action, "Version": API_V1, **present})


def templated_form(request: RequestFields) -> dict[str, str]:
    """Return an API v2 SendEmail that uses a template as a SendTemplatedEmail.

    Raises:
        UsageError: The template is not a stored one.
    """
    template = request["Content"]["Template"]
    return action_form(
        "SendTemplatedEmail",
        {
            **_sender(request),
            "Destination": request.get("Destination") or {},
            "Tags": request.get("EmailTags") or (),
            "Template": _template_name(template),
            "TemplateData": template.get("TemplateData") or "{}",
        },
    )


def bulk_form(request: RequestFields) -> dict[str, str]:
    """Return an API v2 SendBulkEmail as a SendBulkTemplatedEmail.

    Raises:
        UsageError: The template is not a stored one.
    """
    template = request.get("DefaultContent", {}).get("Template", {})
    return action_form(
        "SendBulkTemplatedEmail",
        {
            **_sender(request),
            "Template": _template_name(template),
            "DefaultTemplateData": template.get("TemplateData") or "{}",
            "DefaultTags": request.get("DefaultEmailTags") or (),
            "Destinations": [_destination(entry) for entry in request.get("BulkEmailEntries", ())],
        },
    )


def template_form(action: str, name: str, content: RequestFields) -> dict[str, str]:
    """Return a CreateEmailTemplate or UpdateEmailTemplate as a CreateTemplate or UpdateTemplate."""
    parts = {
        "TemplateName": name,
        "SubjectPart": content.get("Subject") or "",
        "TextPart": content.get("Text") or "",
        "HtmlPart": content.get("Html") or "",
    }
    return action_form(action, {"Template": parts})


def _sender(request: RequestFields) -> dict[str, Any]:
    return {
        "Source": request.get("FromEmailAddress"),
        "ReplyToAddresses": request.get("ReplyToAddresses") or (),
        "ConfigurationSetName": request.get("ConfigurationSetName"),
    }


def _destination(entry: RequestFields) -> dict[str, Any]:
    replacement = entry.get("ReplacementEmailContent", {}).get("ReplacementTemplate", {})
    return {
        "Destination": entry.get("Destination") or {},
        "ReplacementTags": entry.get("ReplacementTags") or (),
        "ReplacementTemplateData": replacement.get("ReplacementTemplateData") or "",
    }


def _template_name(template: RequestFields) -> str:
    name = template.get("TemplateName")
    if not name:
        raise UsageError("only stored templates can be sent here: store it with CreateEmailTemplate, and name it")
    return str(name)
