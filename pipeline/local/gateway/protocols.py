"""The form of AWS's query protocol, which SES's first API speaks: names with dots and numbers for nested structures.

smithy.io/2.0/aws/protocols/aws-query-protocol.html

AWS's JSON protocol 1.1, by which Firehose and Athena are spoken to: one path, the operation in a header.

smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import msgspec
from werkzeug.wrappers import Request, Response

from pipeline.errors import ArchiveUnavailable, UsageError

Operation = Callable[[dict[str, Any]], Mapping[str, Any]]
"""Takes a request's members, returns the answer's."""

TARGET = "X-Amz-Target"


class ApiError(Exception):
    """An operation's own error.

    Attributes:
        code: AWS's name for it.
        status: Of the HTTP answer.
    """

    def __init__(self, code: str, message: str, *, status: int = HTTPStatus.BAD_REQUEST) -> None:
        self.code, self.status = code, status
        super().__init__(message)


def json_call(
    request: Request, operations: Mapping[str, Operation], *, wrong: str, unavailable: str
) -> Response | None:
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
    except ApiError as refusal:
        return _refused(refusal)
    except (UsageError, msgspec.DecodeError) as error:
        return _refused(ApiError(wrong, str(error)))
    except ArchiveUnavailable as error:
        return _refused(ApiError(unavailable, str(error), status=HTTPStatus.SERVICE_UNAVAILABLE))


def _refused(refusal: ApiError) -> Response:
    return _answer({"__type": refusal.code, "message": str(refusal)}, status=refusal.status)


def _answer(content: Mapping[str, Any], **options: Any) -> Response:
    return Response(msgspec.json.encode(content), mimetype="application/x-amz-json-1.1", **options)


def unflatten(form: Mapping[str, str]) -> dict[str, Any]:
    """Return a flat form as structures and lists: `A.member.1.B` becomes `{"A": [{"B": …}]}`."""
    tree: dict[str, Any] = {}
    for name, value in form.items():
        *parents, last = name.split(".")
        node = tree
        for parent in parents:
            child = node.setdefault(parent, {})
            node = child if isinstance(child, dict) else {}
        node[last] = value
    return {name: _with_lists(value) for name, value in tree.items()}


def flatten(request: Mapping[str, Any]) -> dict[str, str]:
    """Return structures and lists as a flat form: the opposite of `nested`."""
    return dict(_flattened("", request))


def _with_lists(node: Any) -> Any:
    if not isinstance(node, dict):
        return node
    if node.keys() == {"member"} and isinstance(node["member"], dict):
        members = node["member"]
        numbers = sorted((number for number in members if number.isdecimal()), key=int)
        return [_with_lists(members[number]) for number in numbers]
    return {name: _with_lists(value) for name, value in node.items()}


def _flattened(prefix: str, node: Any) -> Iterable[tuple[str, str]]:
    match node:
        case Mapping():
            for name, value in node.items():
                yield from _flattened(f"{prefix}.{name}" if prefix else name, value)
        case Sequence() if not isinstance(node, str):
            for number, value in enumerate(node, start=1):
                yield from _flattened(f"{prefix}.member.{number}", value)
        case _:
            yield prefix, str(node)
