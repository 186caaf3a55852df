"""The two wire protocols that the gateway reads: AWS JSON 1.1 (Firehose, Athena) and AWS Query (SES API v1).

Claims: AWS JSON 1.1 has one path and names the operation in `X-Amz-Target`; AWS Query writes nested structures as flat
names with dots and numbers.
Leaves out: the check of signatures, and flattened or renamed lists, which these services do not use.
smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html, smithy.io/2.0/aws/protocols/aws-query-protocol.html
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import msgspec
from werkzeug.wrappers import Request, Response

from pipeline.errors import Unavailable, UsageError

Operation = Callable[[dict[str, Any]], Mapping[str, Any]]
"""Takes the members of a request and returns those of the response."""

TARGET = "X-Amz-Target"


class ApiError(Exception):
    """An error that an operation returns.

    Attributes:
        code: AWS's name for the error.
        status: The HTTP status of the response.
    """

    def __init__(self, code: str, message: str, *, status: int = HTTPStatus.BAD_REQUEST) -> None:
        self.code, self.status = code, status
        super().__init__(message)


def call_json(
    request: Request, operations: Mapping[str, Operation], *, invalid: str, unavailable: str
) -> Response | None:
    """Run the operation that a JSON request names, and return the response. Return None for any other operation.

    Args:
        request: The request.
        operations: The operations, by their `X-Amz-Target`.
        invalid: The service's error code for an invalid request.
        unavailable: Its error code for a request that the client may repeat.
    """
    operation = operations.get(request.headers.get(TARGET, ""))
    if operation is None:
        return None
    try:
        return _response(operation(msgspec.json.decode(request.get_data(), type=dict[str, Any])))
    except ApiError as error:
        return _error_response(error)
    except (UsageError, msgspec.DecodeError) as error:
        return _error_response(ApiError(invalid, str(error)))
    except Unavailable as error:
        return _error_response(ApiError(unavailable, str(error), status=HTTPStatus.SERVICE_UNAVAILABLE))


def _error_response(error: ApiError) -> Response:
    return _response({"__type": error.code, "message": str(error)}, status=error.status)


def _response(content: Mapping[str, Any], **options: Any) -> Response:
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
    """Return structures and lists as a flat form: the inverse of `unflatten`."""
    return dict(_flat_items("", request))


def _with_lists(node: Any) -> Any:
    if not isinstance(node, dict):
        return node
    if node.keys() == {"member"} and isinstance(node["member"], dict):
        members = node["member"]
        numbers = sorted((number for number in members if number.isdecimal()), key=int)
        return [_with_lists(members[number]) for number in numbers]
    return {name: _with_lists(value) for name, value in node.items()}


def _flat_items(prefix: str, node: Any) -> Iterable[tuple[str, str]]:
    match node:
        case Mapping():
            for name, value in node.items():
                yield from _flat_items(f"{prefix}.{name}" if prefix else name, value)
        case Sequence() if not isinstance(node, str):
            for number, value in enumerate(node, start=1):
                yield from _flat_items(f"{prefix}.member.{number}", value)
        case _:
            yield prefix, str(node)
