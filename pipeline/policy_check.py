"""Check a policy that a person has written: its problems, each with its place, and what differs from another. Pure."""

from collections.abc import Iterator
from hashlib import sha256
from typing import Any, get_args

import msgspec

from pipeline.document import NOT_JSON
from pipeline.policy import Policy


def policy_hash(policy: Policy) -> str:
    """Return the SHA-256 of a policy's JSON with all fields, in hex: equal policies have equal hashes."""
    return sha256(msgspec.json.encode(policy)).hexdigest()


def policy_problems(document: bytes) -> list[str]:
    """Return every problem of a policy in JSON, each with its place; none if it is valid.

    schemas/policy.json describes it.
    """
    try:
        value = msgspec.json.decode(document)
    except NOT_JSON as error:
        return [f"it is not JSON: {error}"]
    return list(_problems(value, Policy, "$"))


def policy_changes(before: Policy, after: Policy) -> dict[str, tuple[Any, Any]]:
    """Return the fields of which two policies have different values, with both."""
    pairs = {name: (getattr(before, name), getattr(after, name)) for name in Policy.__struct_fields__}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _problems(value: Any, type_: Any, place: str) -> Iterator[str]:
    """Yield the problems of a value: those of its fields, or else its own."""
    struct = next((part for part in (type_, *get_args(type_)) if _is_struct(part)), None)
    if struct is None or not isinstance(value, dict):
        yield from _own_problem(value, type_, place)
        return
    fields = {field.encode_name: field for field in msgspec.structs.fields(struct)}
    yield from (f"{place}.{name}: there is no such field" for name in value if name not in fields)
    valid = {}
    for name, field in fields.items():
        if name not in value:
            continue
        problems = list(_problems(value[name], field.type, f"{place}.{name}"))
        yield from problems
        if not problems:
            valid[name] = value[name]
    missing = [name for name, field in fields.items() if field.required and name not in value]
    yield from (f"{place}.{name}: it is missing" for name in missing)
    if all(name in valid for name, field in fields.items() if field.required):
        yield from _own_problem(valid, struct, place)  # what its fields mean together


def _own_problem(value: Any, type_: Any, place: str) -> Iterator[str]:
    try:
        msgspec.convert(value, type_)
    except msgspec.ValidationError as error:
        text, _, path = str(error).partition(" - at `$")
        yield f"{place}{path.rstrip('`')}: {text}"


def _is_struct(type_: Any) -> bool:
    return isinstance(type_, type) and issubclass(type_, msgspec.Struct)
