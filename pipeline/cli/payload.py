"""What a file holds: one JSON document, or one on each line."""

from collections.abc import Iterator
from typing import IO

import msgspec

from pipeline.carrier import is_whole, lines
from pipeline.document import Unsound, sound, trimmed


class Payload(msgspec.Struct, frozen=True, kw_only=True):
    """One payload and where it stands.

    Attributes:
        data: Its bytes.
        line: The line it begins on, from 1.
    """

    data: bytes
    line: int


def split(stream: IO[bytes]) -> Iterator[Payload]:
    """Give the payloads in a stream of bytes, in order."""
    skipped, first = _first_line(stream)
    if is_whole(trimmed(first)):
        yield Payload(data=trimmed(first), line=skipped + 1)
        for number, line in enumerate(stream, skipped + 2):
            if text := trimmed(line):
                yield Payload(data=text, line=number)
    elif data := trimmed(first + stream.read()):
        yield from _split_whole(data, skipped)


def _first_line(stream: IO[bytes]) -> tuple[int, bytes]:
    """Return the first line that is not blank, and how many blank ones stood before it."""
    for number, line in enumerate(stream):
        if trimmed(line):
            return number, line
    return 0, b""


def _split_whole(data: bytes, skipped: int) -> Iterator[Payload]:
    try:
        sound(data)
    except Unsound:
        numbered = lines(data)
    else:
        numbered = []
    for number, line in numbered or [(1, data)]:
        yield Payload(data=line, line=skipped + number)
