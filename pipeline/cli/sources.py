"""Where payloads come from: files, folders, standard input, S3; plain or gzip.

What a file holds: one JSON document, or one on each line.
"""

import gzip
import os
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import IO, Any

import msgspec

from pipeline.document import InvalidJSON, repair_json, strip_json
from pipeline.envelope import is_container, ndjson_lines
from pipeline.errors import UsageError


class Payload(msgspec.Struct, frozen=True, kw_only=True):
    """One payload and where it stands.

    Attributes:
        data: Its bytes.
        line: The line it begins on, from 1.
    """

    data: bytes
    line: int


def split_payloads(stream: IO[bytes]) -> Iterator[Payload]:
    """Give the payloads in a stream of bytes, in order."""
    skipped, first = _first_line(stream)
    if is_container(strip_json(first)):
        yield Payload(data=strip_json(first), line=skipped + 1)
        for number, line in enumerate(stream, skipped + 2):
            if text := strip_json(line):
                yield Payload(data=text, line=number)
    elif data := strip_json(first + stream.read()):
        yield from _split_whole(data, skipped)


def _first_line(stream: IO[bytes]) -> tuple[int, bytes]:
    """Return the first line that is not blank, and how many blank ones stood before it."""
    for number, line in enumerate(stream):
        if strip_json(line):
            return number, line
    return 0, b""


def _split_whole(data: bytes, skipped: int) -> Iterator[Payload]:
    try:
        repair_json(data)
    except InvalidJSON:
        numbered = ndjson_lines(data)
    else:
        numbered = []
    for number, line in numbered or [(1, data)]:
        yield Payload(data=line, line=skipped + number)


STANDARD_INPUT = "-"
S3_SCHEME = "s3://"
GZIP_MAGIC = b"\x1f\x8b"

S3 = Callable[[], Any]
"""Gives boto3's S3 client, when the first name turns out to need it."""


def find_sources(names: Iterable[str], *, s3: S3) -> list[str]:
    """Return every single source in what was named: the files in folders, the objects under an S3 prefix.

    Args:
        names: Files, folders, s3://bucket/prefix, "-".
        s3: Where S3 is.

    Raises:
        UsageError: A name names nothing, or a folder cannot be read.
    """
    return [source for name in names for source in _sources(name, s3)]


def _sources(name: str, s3: S3) -> list[str]:
    if name == STANDARD_INPUT:
        return [name]
    if name.startswith(S3_SCHEME):
        from pipeline.aws.archive.objects import object_uris  # noqa: PLC0415 - boto3 takes a third of a second

        found = list(object_uris(s3(), name))
    else:
        found = _files(name)
    if not found:
        raise UsageError(f"nothing to read at {name}")
    return found


def _files(name: str) -> list[str]:
    """Return a file itself, or all files in a folder and its folders."""
    try:
        Path(name).stat()
        if not Path(name).is_dir():
            return [name]
        walked = os.walk(name, onerror=_refuse)
        return sorted(str(Path(folder) / file) for folder, _, files in walked for file in files)
    except OSError as error:
        raise _unreadable(name, error) from error


def _refuse(error: OSError) -> None:
    raise error


def payloads(name: str, *, s3: S3) -> Iterator[Payload]:
    """Give the payloads of a file, of an S3 object, or of standard input for "-", in order.

    NDJSON is read line by line, so a file may be larger than the memory; unless its first line is broken, since only
    the whole can then show that it is no JSON document. Blank lines give nothing.

    Raises:
        UsageError: The file cannot be read, or is broken gzip.
    """
    try:
        with _opened(name, s3) as stream:
            yield from split_payloads(stream)
    except (OSError, EOFError, zlib.error) as error:
        raise _unreadable(name, error) from error


def _unreadable(name: str, error: Exception) -> UsageError:
    return UsageError(f"cannot read {name}: {getattr(error, 'strerror', None) or error}")


@contextmanager
def _opened(name: str, s3: S3) -> Iterator[IO[bytes]]:
    if name == STANDARD_INPUT:
        yield unzipped(sys.stdin.buffer)
    else:
        with _from_s3(name, s3) if name.startswith(S3_SCHEME) else Path(name).open("rb") as stream:
            yield unzipped(stream)


def _from_s3(uri: str, s3: S3) -> IO[bytes]:
    from pipeline.aws.archive.objects import open_object  # noqa: PLC0415 - boto3 takes a third of a second

    return open_object(s3(), uri)


def unzipped(stream: IO[bytes]) -> IO[bytes]:
    """Return a stream without its gzip, if it has one."""
    buffered = stream if isinstance(stream, BufferedReader) else BufferedReader(stream)  # type: ignore[type-var]  # IO has all that is read of a raw stream
    if buffered.peek(len(GZIP_MAGIC)).startswith(GZIP_MAGIC):
        return gzip.open(buffered)  # type: ignore[return-value]  # a GzipFile is read as IO is
    return buffered
