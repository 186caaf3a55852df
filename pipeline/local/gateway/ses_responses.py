"""SES's answers: the first API's XML, the second's JSON, and one made of the other.

docs.aws.amazon.com/ses/latest/APIReference/API_SendEmail.html#API_SendEmail_Examples

The second API's templates told to the backend in the first API's words: no emulator knows them in the second's.

docs.aws.amazon.com/ses/latest/APIReference/API_SendTemplatedEmail.html
"""

import re
from collections.abc import Callable, Mapping
from html import escape, unescape
from http import HTTPStatus
from typing import Any

import msgspec
from werkzeug.wrappers import Response

from pipeline.errors import UsageError
from pipeline.local.gateway.protocols import flatten

TemplateFields = Mapping[str, Any]

VERSION = "2010-12-01"  # of SES's first API


def action_form(action: str, request: TemplateFields) -> dict[str, str]:
    """Return a request of the first API; what is None is left out."""
    given = {name: value for name, value in request.items() if value is not None}
    return flatten({"Action": action, "Version": VERSION, **given})


def templated_form(request: TemplateFields) -> dict[str, str]:
    """Return a SendEmail that is made of a template as a SendTemplatedEmail.

    Raises:
        UsageError: The template is not a stored one.
    """
    return action_form(
        "SendTemplatedEmail",
        {
            **_sender(request),
            "Destination": request.get("Destination") or {},
            "Tags": request.get("EmailTags") or (),
            "Template": _name(request["Content"]["Template"]),
            "TemplateData": request["Content"]["Template"].get("TemplateData") or "{}",
        },
    )


def bulk_form(request: TemplateFields) -> dict[str, str]:
    """Return a SendBulkEmail as a SendBulkTemplatedEmail.

    Raises:
        UsageError: The template is not a stored one.
    """
    template = request.get("DefaultContent", {}).get("Template", {})
    return action_form(
        "SendBulkTemplatedEmail",
        {
            **_sender(request),
            "Template": _name(template),
            "DefaultTemplateData": template.get("TemplateData") or "{}",
            "DefaultTags": request.get("DefaultEmailTags") or (),
            "Destinations": [_entry(entry) for entry in request.get("BulkEmailEntries", ())],
        },
    )


def template_form(action: str, name: str, content: TemplateFields) -> dict[str, str]:
    """Return a CreateEmailTemplate or UpdateEmailTemplate as a CreateTemplate or UpdateTemplate."""
    parts = {
        "TemplateName": name,
        "SubjectPart": content.get("Subject") or "",
        "TextPart": content.get("Text") or "",
        "HtmlPart": content.get("Html") or "",
    }
    return action_form(action, {"Template": parts})


def _sender(request: TemplateFields) -> dict[str, Any]:
    return {
        "Source": request.get("FromEmailAddress"),
        "ReplyToAddresses": request.get("ReplyToAddresses") or (),
        "ConfigurationSetName": request.get("ConfigurationSetName"),
    }


def _entry(entry: TemplateFields) -> dict[str, Any]:
    own = entry.get("ReplacementEmailContent", {}).get("ReplacementTemplate", {})
    return {
        "Destination": entry.get("Destination") or {},
        "ReplacementTags": entry.get("ReplacementTags") or (),
        "ReplacementTemplateData": own.get("ReplacementTemplateData") or "",
    }


def _name(template: TemplateFields) -> str:
    name = template.get("TemplateName")
    if not name:
        raise UsageError("only stored templates can be sent here: store it with CreateEmailTemplate, and name it")
    return str(name)


_MEMBER = re.compile(r"<member>(.*?)</member>", re.DOTALL)

_CODES = {
    "AlreadyExists": "AlreadyExistsException",
    "MessageRejected": "MessageRejected",
    "TemplateDoesNotExist": "NotFoundException",
    "TemplateNameAlreadyExists": "AlreadyExistsException",
    "Throttling": "TooManyRequestsException",
}
"""The second API's name for an error of the first; any other is its BadRequestException."""


class SesError(msgspec.Struct, frozen=True, kw_only=True):
    """Why SES refuses a request.

    Attributes:
        code: In the first API's word.
        message: For people.
    """

    code: str
    message: str


def to_ses_error(reply: Response) -> SesError | None:
    """Return what an answer of the first API says that went wrong; None if nothing did."""
    if reply.status_code < HTTPStatus.BAD_REQUEST:
        return None
    text = reply.get_data(as_text=True)
    return SesError(code=_element("Code", text) or "InternalFailure", message=_element("Message", text))


def message_ids(reply: Response, *, bulk: bool = False) -> list[str]:
    """Return the ids of the messages that the first API accepted; "" for one of many that it did not."""
    text = reply.get_data(as_text=True)
    return [_element("MessageId", part) for part in (_MEMBER.findall(text) if bulk else [text])]


def subject(reply: Response) -> str:
    """Return the subject of a rendered template, as TestRenderTemplate answers it."""
    rendered = _element("RenderedTemplate", reply.get_data(as_text=True))
    found = re.search(r"^Subject: (.*)$", rendered, re.MULTILINE)
    return found[1].strip() if found else ""


def is_rejected(reply: Response) -> bool:
    """Tell whether either API refused a message, as it does if its sender is not verified."""
    return reply.status_code >= HTTPStatus.BAD_REQUEST and (
        "MessageRejected" in reply.headers.get("x-amzn-ErrorType", "")
        or "MessageRejected" in reply.get_data(as_text=True)
    )


def xml_error(message: str) -> Response:
    """Return the first API's answer to a request that is wrong."""
    body = (
        '<ErrorResponse xmlns="http://ses.amazonaws.com/doc/2010-12-01/"><Error><Type>Sender</Type>'
        f"<Code>InvalidParameterValue</Code><Message>{escape(message)}</Message></Error></ErrorResponse>"
    )
    return Response(body, status=400, mimetype="text/xml")


def json_error(why: SesError) -> Response:
    """Return the second API's answer for what went wrong, in the first API's words."""
    code = _CODES.get(why.code, "BadRequestException")
    return json_response({"message": why.message}, status=HTTPStatus.BAD_REQUEST, headers={"x-amzn-ErrorType": code})


def ses_error_json(reply: Response, content: Callable[[], Any]) -> Response:
    """Return an answer of the first API as one of the second; `content` gives what it says if nothing went wrong."""
    why = to_ses_error(reply)
    return json_error(why) if why else json_response(content())


def json_response(content: Any, **options: Any) -> Response:
    """Return an answer of the second API; `options` are werkzeug's."""
    return Response(msgspec.json.encode(content), mimetype="application/json", **options)


def _element(name: str, text: str) -> str:
    found = re.search(rf"<{name}>(.*?)</{name}>", text, re.DOTALL)
    return unescape(found[1]).strip() if found else ""
