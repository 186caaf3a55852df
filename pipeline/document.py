"""Parse JSON from untrusted bytes.

Pure. `InvalidJSON` is the only exception raised here, whatever the bytes are.
"""

import json
import math
import re
from typing import Any

import msgspec

BOM = b"\xef\xbb\xbf"
# What msgspec raises for bytes that are not JSON, not UTF-8, or nested nearly a thousand deep.
NOT_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
INT64_DIGITS = 18  # a number of this many digits always fits 64 bits

# An escaped backslash and a whole surrogate pair match outside the group; the group matches half a pair.
_SURROGATES = re.compile(
    rb"\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)

_parse = msgspec.json.Decoder().decode
_validate = msgspec.json.Decoder(msgspec.Raw).decode


# Levels of objects and lists in one document. SES's records have at most 7. The bound is far below what any parser can
# read, so the result never depends on how deep the caller's own stack is.
MAX_NESTING = 128

_BRACKETS = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}\[\]]', re.DOTALL)


class InvalidJSON(ValueError):
    """The bytes are not one JSON document."""


def is_too_deep(data: bytes) -> bool:
    """Return True if objects and lists are nested deeper than `MAX_NESTING`."""
    if data.count(b"{") + data.count(b"[") <= MAX_NESTING:
        return False
    depth = 0
    for match in _BRACKETS.finditer(data):
        depth += 1 if match[0] in {b"{", b"["} else -1 if match[0] in {b"}", b"]"} else 0
        if depth > MAX_NESTING:
            return True
    return False


def repair_json(data: bytes) -> bytes:
    """Return `data` in a form that msgspec parses: unchanged, or with U+FFFD in place of what is not text.

    The headers of a mail may contain bytes of another encoding. They may also be cut off inside an emoji, which leaves
    half a surrogate pair. Neither must lose a bounce.

    Raises:
        InvalidJSON: The bytes are not one JSON document.
    """
    text = data if is_utf8(data) else data.decode(errors="replace").encode()
    try:
        try:
            _validate(text)
        except msgspec.DecodeError:
            text = _SURROGATES.sub(lambda match: b"\\ufffd" if match[1] else match[0], text)
            _validate(text)
    except NOT_JSON as error:
        raise InvalidJSON from error
    return text


def to_python(data: bytes) -> Any:
    """Return valid JSON of bounded depth as plain Python values; a number beyond 64 bits becomes its text."""
    try:
        return _parse(data)
    except msgspec.ValidationError:
        return json.loads(data, parse_int=_int, parse_float=_float)


def strip_json(data: bytes) -> bytes:
    """Return `data` without a byte order mark and surrounding white space."""
    return data.strip().removeprefix(BOM).lstrip()


def is_utf8(data: bytes) -> bool:
    """Return True if the bytes are UTF-8."""
    try:
        return data.isascii() or bool(data.decode())
    except UnicodeDecodeError:
        return False


def _int(text: str) -> int | str:
    return int(text) if len(text) <= INT64_DIGITS else text


def _float(text: str) -> float | str:
    number = float(text)
    return number if math.isfinite(number) else text
