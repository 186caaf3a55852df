"""Parse a record whose JSON is sound but whose types are not what SES documents.

Fixtures, proxies and old SDKs write a string where an array belongs, a number where a string does, an object
where a list does. The value is bent into the documented shape where its meaning is plain, and left out where it is not;
then the one typed parser reads it. So there is no second decoder to keep in step.
"""

import re
from typing import Any

import msgspec
from msgspec import inspect

from pipeline.wire import Record

_NUMBER = re.compile(r"-?\d{1,18}", re.ASCII)  # 18 digits always fit a bigint
_SHAPE = inspect.type_info(Record)


def mended(tree: object) -> Record:
    """Return `tree` (parsed JSON) as a record; fields that make no sense are absent in it. Never raises."""
    return msgspec.convert(_mend(tree, _SHAPE) or {}, Record)


def _mend(value: Any, shape: inspect.Type) -> Any:
    """Return `value` in the form that `shape` wants, or None."""
    match shape:
        case inspect.UnionType():  # every union here is "X or None"
            return _mend(value, next(t for t in shape.types if not isinstance(t, inspect.NoneType)))
        case inspect.StructType():
            return _mend_object(value, shape)
        case inspect.ListType():
            if value is None:
                return None
            mended_items = [_mend(item, shape.item_type) for item in (value if isinstance(value, list) else [value])]
            if isinstance(shape.item_type, inspect.StructType):  # somebody is meant, even if nobody can tell who
                return [item or {} for item in mended_items]
            return [item for item in mended_items if item is not None]
        case inspect.DictType() if isinstance(value, dict):
            mended_values = {key: _mend(item, shape.value_type) for key, item in value.items()}
            return {key: item for key, item in mended_values.items() if item is not None}
        case _:
            return _mend_scalar(value, shape)


def _mend_object(value: Any, shape: inspect.StructType) -> Any:
    known = {field.encode_name: field.type for field in shape.fields}
    if isinstance(value, str) and "emailAddress" in known:  # a bare address in place of {"emailAddress": …}
        return {"emailAddress": value}
    if not isinstance(value, dict):
        return None
    return {name: _mend(value[name], shape_) for name, shape_ in known.items() if name in value}


def _mend_scalar(value: Any, shape: inspect.Type) -> Any:
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
