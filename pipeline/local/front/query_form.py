"""The form of AWS's query protocol, which SES's first API speaks: names with dots and numbers for nested structures.

smithy.io/2.0/aws/protocols/aws-query-protocol.html
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any


def nested(form: Mapping[str, str]) -> dict[str, Any]:
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


def flat(request: Mapping[str, Any]) -> dict[str, str]:
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
