"""AWS's JSON protocol 1.1, by which Firehose and Athena are spoken to: one path, the operation in a header.

smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html
"""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from werkzeug.wrappers import Request, Response

from pipeline.errors import ArchiveUnavailable, Misuse

Operation = Callable[[dict[str, Any]], Mapping[str, Any]]
"""Takes a request's members, returns the answer's."""

TARGET = "X-Amz-Target"


class Refusal(Exception):
    """An operation's own error.

    Attributes:
        code: AWS's name for it.
        status: Of the HTTP answer.
    """

    def __init__(self, code: str, message: str, *, status: int = HTTPStatus.BAD_REQUEST) -> None:
        self.code, self.status = code, status
        super().__init__(message)


def call(request: Request, operations: Mapping[str, Operation], *, wrong: str, unavailable: str) -> Response | None:
    """Return the answer to a request; None if the operation it names is none of these.

    Args:
        request: What was asked.
        operations: By what `X-Amz-Target` calls them.
        wrong: The service's name for a request that is wrong.
        unavailable: Its name for a request that may be tried again.
    """
    operation = operations.get(request.headers.get(TARGET, ""))
    if operation is None:
        return None
    try:
        return _answer(operation(msgspec.json.decode(request.get_data(), type=dict[str, Any])))
    except Refusal as refusal:
        return _refused(refusal)
    except (Misuse, msgspec.DecodeError) as error:
        return _refused(Refusal(wrong, str(error)))
    except ArchiveUnavailable as error:
        return _refused(Refusal(unavailable, str(error), status=HTTPStatus.SERVICE_UNAVAILABLE))


def _refused(refusal: Refusal) -> Response:
    return _answer({"__type": refusal.code, "message": str(refusal)}, status=refusal.status)


def _answer(content: Mapping[str, Any], **options: Any) -> Response:
    return Response(msgspec.json.encode(content), mimetype="application/x-amz-json-1.1", **options)
