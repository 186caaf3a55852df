"""Where payloads come from: files, standard input; plain or gzip; one JSON document, or one on each line."""

import gzip
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from io import BufferedReader
from pathlib import Path
from typing import IO

import msgspec

from pipeline.document import Unsound, is_whole, lines, sound, trimmed
from pipeline.errors import Misuse

STANDARD_INPUT = "-"
GZIP_MAGIC = b"\x1f\x8b"


class Payload(msgspec.Struct, frozen=True, kw_only=True):
    """One payload and where it stands.

    Attributes:
        data: Its bytes.
        line: The line it begins on, from 1.
    """

    data: bytes
    line: int


def payloads(name: str) -> Iterator[Payload]:
    """Give the payloads of a file, or of standard input for "-", in order.

    NDJSON is read line by line, so a file may be larger than the memory. Blank lines give nothing.

    Raises:
        Misuse: The file cannot be read, or is broken gzip.
    """
    try:
        with _opened(name) as stream:
            yield from split(stream)
    except (OSError, EOFError) as error:
        raise Misuse(f"cannot read {name}: {getattr(error, 'strerror', None) or error}") from error


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


@contextmanager
def _opened(name: str) -> Iterator[IO[bytes]]:
    with nullcontext(sys.stdin.buffer) if name == STANDARD_INPUT else Path(name).open("rb") as stream:
        yield unzipped(stream)


def unzipped(stream: IO[bytes]) -> IO[bytes]:
    """Return a stream without its gzip, if it has one."""
    buffered = stream if isinstance(stream, BufferedReader) else BufferedReader(stream)  # type: ignore[type-var]
    if buffered.peek(len(GZIP_MAGIC)).startswith(GZIP_MAGIC):
        return gzip.open(buffered)  # type: ignore[return-value]
    return buffered
