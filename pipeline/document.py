"""JSON documents in bytes that come from anywhere.

Pure, and careful: `Unsound` is the only thing raised here, whatever the bytes are.
"""

import json
from typing import Any, NoReturn

import msgspec

BOM = b"\xef\xbb\xbf"
# What msgspec raises for bytes that are not JSON, not UTF-8, or nested thousands deep.
NOT_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

_tree = msgspec.json.Decoder().decode
_skim = msgspec.json.Decoder(msgspec.Raw).decode


class Unsound(ValueError):
    """These bytes are not one JSON document."""


def trimmed(data: bytes) -> bytes:
    """Return `data` without a byte order mark and white space around it."""
    return data.strip().removeprefix(BOM).lstrip()


def sound(data: bytes) -> bytes:
    """Return `data` in a form that msgspec reads: as it is, or with half surrogate pairs replaced.

    Headers cut off in the middle of an emoji leave a lone surrogate, which RFC 8259 tolerates and msgspec does not.

    Raises:
        Unsound: It is not one JSON document in UTF-8.
    """
    try:
        data.isascii() or data.decode()
        _skim(data)
    except msgspec.DecodeError:
        return _resurrected(data)
    except NOT_JSON as error:
        raise Unsound from error
    return data


def tree(data: bytes) -> Any:
    """Return sound `data` as plain Python values; a number beyond all bounds is infinite.

    Raises:
        Unsound: It is nested too deep.
    """
    try:
        return _tree(data)
    except msgspec.ValidationError:
        return json.loads(data)
    except NOT_JSON as error:
        raise Unsound from error


def lines(data: bytes) -> list[tuple[int, bytes]]:
    """Return the lines of NDJSON that are not blank, numbered from 1; none if no line opens an object and closes it."""
    candidates = [(number, line) for number, text in enumerate(data.split(b"\n"), 1) if (line := trimmed(text))]
    if len(candidates) > 1 and any(is_whole(line) for _, line in candidates):
        return candidates
    return []


def is_whole(line: bytes) -> bool:
    """Tell whether a trimmed line is a JSON object with a key: what a line of a document spread over lines never is."""
    try:
        return line.startswith(b'{"') and bool(sound(line))
    except Unsound:
        return False


def _resurrected(data: bytes) -> bytes:
    try:
        text = json.dumps(json.loads(data, parse_constant=_refuse), ensure_ascii=False).encode(errors="replace")
        _skim(text)
    except (ValueError, RecursionError) as error:
        raise Unsound from error
    return text


def _refuse(constant: str) -> NoReturn:
    raise Unsound(constant)
