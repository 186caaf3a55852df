"""Convert records that deviate from SES's shape into it, so that one typed parser reads every record. Pure.

Fixtures, proxies, exports and old SDKs deviate: a string in place of an array, a number in place of a string, an object
in place of a list, keys in another case, an object as its text.
"""

import re
from typing import Any

import msgspec
from msgspec import inspect

from pipeline.wire import Decision, Record, TableEvidence

_NUMBER = re.compile(r"-?\d{1,18}", re.ASCII)  # 18 digits always fit a bigint
_SHAPE = inspect.type_info(Record)
_EXACT = (Decision, TableEvidence)


def coerce(tree: object) -> Record:
    """Return parsed JSON as a record. Never raises.

    A value is converted where its meaning is plain, and left out where it is not.
    """
    return msgspec.convert(_coerce(tree, _SHAPE) or {}, Record)


def _coerce(value: Any, shape: inspect.Type) -> Any:
    """Return `value` in the form of `shape`, or None."""
    match shape:
        case inspect.UnionType():  # every union here is "X or None"
            return _coerce(value, next(t for t in shape.types if not isinstance(t, inspect.NoneType)))
        case inspect.RawType():
            return msgspec.Raw(msgspec.json.encode(value))
        case inspect.StructType():
            return _coerce_object(value, shape)
        case inspect.ListType():
            return _coerce_list(value, shape)
        case inspect.DictType() if isinstance(value, dict):
            items = {key: _coerce(item, shape.value_type) for key, item in value.items()}
            return {key: item for key, item in items.items() if item is not None}
        case _:
            return _coerce_scalar(value, shape)


def _coerce_object(value: Any, shape: inspect.StructType) -> Any:
    types = {field.encode_name: field.type for field in shape.fields}
    if isinstance(value, str) and "emailAddress" in types:  # a bare address in place of {"emailAddress": …}
        return {"emailAddress": value}
    if isinstance(value, str) and value.lstrip().startswith("{"):  # a column that holds an object as its text
        value = _parsed(value)
    if not isinstance(value, dict):
        return None
    values = {_plain(key): item for key, item in reversed(value.items()) if item is not None} | value
    found = ((name, type_, _first(values.get(name), values.get(_plain(name)))) for name, type_ in types.items())
    coerced = {name: _coerce(item, type_) for name, type_, item in found if item is not None}
    # What an operator writes must not change: without its scope, a release would lift more than its author wanted.
    return None if shape.cls in _EXACT and None in coerced.values() else coerced


def _first(value: Any, other: Any) -> Any:
    return other if value is None else value


def _parsed(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return None


def _plain(key: str) -> str:
    """Return a key without case and underscores. Athena writes keys in lower case, Amazon Pinpoint in snake_case."""
    return key.replace("_", "").lower()


def _coerce_list(value: Any, shape: inspect.ListType) -> Any:
    if value is None:
        return None
    items = [_coerce(item, shape.item_type) for item in (value if isinstance(value, list) else [value])]
    if isinstance(shape.item_type, inspect.StructType):  # an unreadable recipient still counts as one
        return [item or {} for item in items]
    return [item for item in items if item is not None]


def _coerce_scalar(value: Any, shape: inspect.Type) -> Any:
    match shape, value:
        case inspect.StrType(), str():
            return value
        case inspect.StrType(), bool():
            return None
        case inspect.StrType(), int() | float():
            return str(value)
        case inspect.IntType(), str() if _NUMBER.fullmatch(value):
            return int(value)
        case inspect.IntType(), int() if not isinstance(value, bool) and abs(value) < 10**18:
            return value
        case inspect.BoolType(), bool():
            return value
        case inspect.BoolType(), str() if value.lower() in {"true", "false"}:
            return value.lower() == "true"
        case _:
            return None
