"""Split a field of a record or of a user into the texts of its mailboxes.

A field may be a header of a mail, a part of a delivery status notification, a URI, or what a person pasted. Nothing
here decides whether a text is an address: see `pipeline.address`. Pure. Linear in the
length of the field, but for nested quotes.
Forms: RFC 5322, section 3.4; RFC 3464, section 2.3.1 (type prefix); RFC 6068 (mailto).
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

# Format characters: without width, or marks of direction. Programs and people copy them with an address.
_INVISIBLE = dict.fromkeys(
    [
        *(0xAD, 0x34F, 0x61C, 0xFEFF, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070)),
        *(*range(0xFFF9, 0xFFFC), *range(0xE0000, 0xE1000)),
        # Further code points that Unicode calls default ignorable, and a blank pattern of Braille.
        *(0x115F, 0x1160, 0x17B4, 0x17B5, *range(0x180B, 0x1810), 0x2800, 0x3164, *range(0xFE00, 0xFE10), 0xFFA0),
        *(*range(0x1BCA0, 0x1BCA4), *range(0x1D173, 0x1D17B)),
    ]
)
_FOLD = re.compile(r"\r?\n[ \t]+")  # a line break inside a header; RFC 5322, section 2.2.3
_EDGES = " \t\r\n\v\f\x00\x85\xa0\u3000."
_TYPE_PREFIX = re.compile(r"\s*(?:rfc822|utf-8)\s*", re.IGNORECASE | re.ASCII)
_LABEL = re.compile(r"[^@:]*:(.*)", re.DOTALL)  # the name of a group, or a scheme
_ROUTE = re.compile(r"@[^:]*:(.*)", re.DOTALL)  # RFC 5321, appendix C: to be ignored
_WRAPPED = re.compile(r"(['\"])(.*@.*)\1", re.DOTALL)
_COMMENT = re.compile(r"\\.|[()]", re.DOTALL)
_MAILTO = "mailto:"
_AUTHORITY = "//"  # of a URI, such as ftp://ann@example.com; RFC 3986, section 3.2
_PERCENT = re.compile(r"(?:%[0-9a-f]{2})+", re.IGNORECASE | re.ASCII)


def split_mailboxes(text: str) -> list[str]:
    """Return the text of each mailbox; an empty list for a field without any."""
    visible = _FOLD.sub("", text.translate(_INVISIBLE))
    if visible.lstrip(" <").lower().startswith(_MAILTO):
        visible = visible.partition("?")[0]  # what follows are headers of the mail, and no recipients
    try:
        parts = list(_split(visible))
    except _UnbalancedQuoteError:
        parts = list(_split(visible, quotes=False))
    return [text for text in map(_strip, _without_names(parts)) if text]


class _UnbalancedQuoteError(Exception):
    """A quote opens and never closes."""


class _Part(NamedTuple):
    """A part of a field.

    Attributes:
        text: What angle brackets contain, or what is between separators.
        is_bracketed: True for angle brackets.
    """

    text: str
    is_bracketed: bool


def _without_names(parts: Sequence[_Part]) -> list[str]:
    """Return the parts without those of a display name with a comma, such as: Lovelace, Ada <ada@example.com>."""
    kept: list[str] = []
    is_named = False
    for part in reversed(parts):
        is_named = part.is_bracketed or (is_named and "@" not in part.text)
        if part.is_bracketed or not is_named:
            kept.append(part.text)
    return kept[::-1]


def _split(text: str, *, quotes: bool = True) -> Iterator[_Part]:
    """Yield each part of a list; comments are left out, and so is text beside brackets, which is a display name."""
    outside: list[str] = []  # of brackets, since the last separator
    inside: list[str] | None = None
    has_brackets = False
    position, end = 0, len(text)
    while position < end:
        character = text[position]
        stop = position + 1
        if character == "(":
            stop = _end_of_comment(text, position)
        elif character == '"' and quotes:
            stop = _end_of_quotes(text, position)
            (outside if inside is None else inside).append(text[position:stop])
        elif character == "<":
            inside = []
        elif character in ">,;":
            if inside is not None:
                yield _Part("".join(inside) or "<>", is_bracketed=True)
                outside, inside, has_brackets = [], None, True
            if character != ">":
                yield from _outside(outside, has_brackets, separator=character)
                outside, has_brackets = [], False
        else:
            (outside if inside is None else inside).append(character)
        position = stop
    if inside is not None:
        yield _Part("".join(inside), is_bracketed=True)
        outside = []
    yield from _outside(outside, has_brackets or inside is not None, separator="")


def _outside(characters: list[str], has_brackets: bool, *, separator: str) -> Iterator[_Part]:
    """Yield a part that has no brackets. Beside brackets it is a name, unless it follows them and is an address too."""
    text = "".join(characters)
    is_name = has_brackets and "@" not in text
    if not is_name and not (separator == ";" and _TYPE_PREFIX.fullmatch(text)):
        yield _Part(text, is_bracketed=False)


def _end_of_quotes(text: str, start: int) -> int:
    """Return the position after a quoted string."""
    position = start + 1
    while position < len(text):
        if text[position] == "\\":
            position += 1
        elif text[position] == '"':
            return position + 1
        position += 1
    raise _UnbalancedQuoteError


def _end_of_comment(text: str, start: int) -> int:
    """Return the position after a comment, which may contain others. An open one reaches to the end of the text."""
    depth = 0
    for match in _COMMENT.finditer(text, start):
        depth += {"(": 1, ")": -1}.get(match[0], 0)
        if depth == 0:
            return match.end()
    return len(text)


def _strip(part: str) -> str:
    """Return a part without white space, quotes around it, a scheme, the name of a group, a route or a final dot."""
    text = part.strip(_EDGES) if not part.lstrip().startswith(".") else part.strip()
    while wrapped := _WRAPPED.fullmatch(text):
        text = wrapped[2].strip()
    if text.lower().startswith(_MAILTO):
        return _PERCENT.sub(_decode_percent, text[len(_MAILTO) :].lstrip("/")).strip(_EDGES)
    match = _ROUTE.fullmatch(text) or (None if text.startswith('"') else _LABEL.fullmatch(text))
    stripped = match[1].strip(_EDGES) if match else text
    return text if match and stripped.startswith(_AUTHORITY) else stripped  # its colon makes a URI no address


def _decode_percent(match: re.Match[str]) -> str:
    """Return the text of percent-encoded UTF-8."""
    return bytes.fromhex(match[0].replace("%", "")).decode(errors="replace")
