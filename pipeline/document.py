"""JSON documents in bytes that come from anywhere.

Pure, and careful: `Unsound` is the only thing raised here, whatever the bytes are.
"""

import json
import math
import re
from typing import Any

import msgspec

BOM = b"\xef\xbb\xbf"
# What msgspec raises for bytes that are not JSON, not UTF-8, or nested nearly a thousand deep.
NOT_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
INT64_DIGITS = 18  # this many always fit

_tree = msgspec.json.Decoder().decode
_skim = msgspec.json.Decoder(msgspec.Raw).decode

# An escaped backslash and a whole pair are passed over; what is left, in a group, is half a pair.
_SURROGATES = re.compile(
    rb"\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)


class InvalidJSON(ValueError):
    """These bytes are not one JSON document."""


def strip_json(data: bytes) -> bytes:
    """Return `data` without a byte order mark and white space around it."""
    return data.strip().removeprefix(BOM).lstrip()


def is_utf8(data: bytes) -> bool:
    """Tell whether the bytes are UTF-8."""
    try:
        return data.isascii() or bool(data.decode())
    except UnicodeDecodeError:
        return False


def repair_json(data: bytes) -> bytes:
    """Return `data` in a form that msgspec reads: as it is, or with what is no text in it replaced.

    A mail's headers may hold bytes of another encoding, or be cut off in the middle of an emoji, which leaves half a
    surrogate pair. That is no reason to lose a bounce.

    Raises:
        Unsound: It is not one JSON document.
    """
    text = data if is_utf8(data) else data.decode(errors="replace").encode()
    try:
        try:
            _skim(text)
        except msgspec.DecodeError:
            text = _SURROGATES.sub(lambda found: b"\\ufffd" if found[1] else found[0], text)
            _skim(text)
    except NOT_JSON as error:
        raise InvalidJSON from error
    return text


def to_python(data: bytes) -> Any:
    """Return sound `data` as plain Python values; a number beyond 64 bits is its text.

    Raises:
        Unsound: It is nested too deep.
    """
    try:
        try:
            return _tree(data)
        except msgspec.ValidationError:
            return json.loads(data, parse_int=_int, parse_float=_float)
    except NOT_JSON as error:
        raise InvalidJSON from error


def _int(text: str) -> int | str:
    return int(text) if len(text) <= INT64_DIGITS else text


def _float(text: str) -> float | str:
    number = float(text)
    return number if math.isfinite(number) else text
