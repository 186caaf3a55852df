"""SES's answers: the first API's XML, the second's JSON, and one made of the other.

docs.aws.amazon.com/ses/latest/APIReference/API_SendEmail.html#API_SendEmail_Examples
"""

import re
from collections.abc import Callable
from html import escape, unescape
from http import HTTPStatus
from typing import Any

import msgspec
from werkzeug.wrappers import Response

_MEMBER = re.compile(r"<member>(.*?)</member>", re.DOTALL)

_CODES = {
    "AlreadyExists": "AlreadyExistsException",
    "MessageRejected": "MessageRejected",
    "TemplateDoesNotExist": "NotFoundException",
    "TemplateNameAlreadyExists": "AlreadyExistsException",
    "Throttling": "TooManyRequestsException",
}
"""The second API's name for an error of the first; any other is its BadRequestException."""


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """Why SES refuses a request.

    Attributes:
        code: In the first API's word.
        message: For people.
    """

    code: str
    message: str


def failure(reply: Response) -> Failure | None:
    """Return what an answer of the first API says that went wrong; None if nothing did."""
    if reply.status_code < HTTPStatus.BAD_REQUEST:
        return None
    text = reply.get_data(as_text=True)
    return Failure(code=_element("Code", text) or "InternalFailure", message=_element("Message", text))


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


def xml_refusal(message: str) -> Response:
    """Return the first API's answer to a request that is wrong."""
    body = (
        '<ErrorResponse xmlns="http://ses.amazonaws.com/doc/2010-12-01/"><Error><Type>Sender</Type>'
        f"<Code>InvalidParameterValue</Code><Message>{escape(message)}</Message></Error></ErrorResponse>"
    )
    return Response(body, status=400, mimetype="text/xml")


def json_refusal(why: Failure) -> Response:
    """Return the second API's answer for what went wrong, in the first API's words."""
    code = _CODES.get(why.code, "BadRequestException")
    return json_answer({"message": why.message}, status=HTTPStatus.BAD_REQUEST, headers={"x-amzn-ErrorType": code})


def as_json(reply: Response, content: Callable[[], Any]) -> Response:
    """Return an answer of the first API as one of the second; `content` gives what it says if nothing went wrong."""
    why = failure(reply)
    return json_refusal(why) if why else json_answer(content())


def json_answer(content: Any, **options: Any) -> Response:
    """Return an answer of the second API; `options` are werkzeug's."""
    return Response(msgspec.json.encode(content), mimetype="application/json", **options)


def _element(name: str, text: str) -> str:
    found = re.search(rf"<{name}>(.*?)</{name}>", text, re.DOTALL)
    return unescape(found[1]).strip() if found else ""
