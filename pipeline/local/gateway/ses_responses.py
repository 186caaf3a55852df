"""Responses of SES: the XML of API v1, the JSON of API v2, and one converted into the other.

Claims: the errors that sending can return, by both APIs' names.
Leaves out: every other part of a response, which the backend's own response keeps.
docs.aws.amazon.com/ses/latest/APIReference/CommonErrors.html,
docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html#API_SendEmail_Errors
"""

import re
from collections.abc import Callable, Mapping
from html import escape, unescape
from http import HTTPStatus
from typing import Any

import msgspec
from werkzeug.wrappers import Response

from pipeline.local.gateway.protocols import ApiError

ROOT = "/v2/email"
SCOPE = re.compile(r"/(?:ses|email)/aws4_request")
"""Part of the signature of every request to SES."""
BAD_REQUEST = "BadRequestException"
ERROR_TYPE = "x-amzn-ErrorType"
NAMESPACE = "http://ses.amazonaws.com/doc/2010-12-01/"
INVALID_VALUE = "InvalidParameterValue"

_V2_CODES = {
    "AlreadyExists": "AlreadyExistsException",
    "MessageRejected": "MessageRejected",
    "TemplateDoesNotExist": "NotFoundException",
    "TemplateNameAlreadyExists": "AlreadyExistsException",
    "Throttling": "TooManyRequestsException",
}
"""Error codes of API v2, by those of API v1. Any other is a `BadRequestException`."""

_MEMBER = re.compile(r"<member>(.*?)</member>", re.DOTALL)


def to_api_error(reply: Response) -> ApiError | None:
    """Return the error of an API v1 response, with API v1's code, or None if the request succeeded."""
    if reply.status_code < HTTPStatus.BAD_REQUEST:
        return None
    text = reply.get_data(as_text=True)
    return ApiError(_element("Code", text) or "InternalFailure", _element("Message", text))


def is_rejected(reply: Response) -> bool:
    """Return True if either API rejected a message, as it does for an unverified sender."""
    return reply.status_code >= HTTPStatus.BAD_REQUEST and (
        "MessageRejected" in reply.headers.get(ERROR_TYPE, "") or "MessageRejected" in reply.get_data(as_text=True)
    )


def message_ids(reply: Response, *, bulk: bool = False) -> list[str]:
    """Return the message ids of an API v1 response; "" for a bulk destination that was not accepted."""
    text = reply.get_data(as_text=True)
    return [_element("MessageId", part) for part in (_MEMBER.findall(text) if bulk else [text])]


def rendered_subject(reply: Response) -> str:
    """Return the subject of a template that TestRenderTemplate rendered; "" if it has none."""
    rendered = _element("RenderedTemplate", reply.get_data(as_text=True))
    match = re.search(r"^Subject: (.*)$", rendered, re.MULTILINE)
    return match[1].strip() if match else ""


def with_bulk_status(reply: Response) -> Response:
    """Add to each destination of a bulk response its status, which SES returns and moto does not."""
    text = reply.get_data(as_text=True)
    if text.count("<Status>") == 1:  # that around all destinations
        reply.set_data(text.replace("<member>", "<member><Status>Success</Status>"))
    return reply


def xml_response(action: str, fields: Mapping[str, Any]) -> Response:
    """Return API v1's response of an operation."""
    content = "".join(f"<{name}>{escape(str(value))}</{name}>" for name, value in fields.items())
    body = (
        f'<{action}Response xmlns="{NAMESPACE}"><{action}Result>{content}</{action}Result>'
        f"<ResponseMetadata><RequestId/></ResponseMetadata></{action}Response>"
    )
    return Response(body, mimetype="text/xml")


def xml_error(code: str, message: str) -> Response:
    """Return API v1's response for an error of the sender's."""
    body = (
        f'<ErrorResponse xmlns="{NAMESPACE}"><Error><Type>Sender</Type>'
        f"<Code>{code}</Code><Message>{escape(message)}</Message></Error></ErrorResponse>"
    )
    return Response(body, status=400, mimetype="text/xml")


def json_error(error: ApiError) -> Response:
    """Return API v2's response for an error."""
    return json_response({"message": str(error)}, status=error.status, headers={ERROR_TYPE: error.code})


def json_response(content: Any, **options: Any) -> Response:
    """Return a response of API v2; `options` are werkzeug's."""
    return Response(msgspec.json.encode(content), mimetype="application/json", **options)


def to_json_response(reply: Response, content: Callable[[], Any]) -> Response:
    """Convert a response of API v1 to one of API v2. Call `content` for the body if the request succeeded."""
    if error := to_api_error(reply):
        return json_error(ApiError(_V2_CODES.get(error.code, BAD_REQUEST), str(error)))
    return json_response(content())


def _element(name: str, text: str) -> str:
    match = re.search(rf"<{name}>(.*?)</{name}>", text, re.DOTALL)
    return unescape(match[1]).strip() if match else ""
