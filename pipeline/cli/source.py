"""Where payloads come from: files, folders, standard input, S3; plain or gzip."""

import gzip
import os
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import IO, Any

from pipeline.cli.payload import Payload, split
from pipeline.errors import Misuse

STANDARD_INPUT = "-"
S3_SCHEME = "s3://"
GZIP_MAGIC = b"\x1f\x8b"

S3 = Callable[[], Any]
"""Gives boto3's S3 client, when the first name turns out to need it."""


def sources(names: Iterable[str], *, s3: S3) -> list[str]:
    """Return every single source in what was named: the files in folders, the objects under an S3 prefix.

    Args:
        names: Files, folders, s3://bucket/prefix, "-".
        s3: Where S3 is.

    Raises:
        Misuse: A name names nothing, or a folder cannot be read.
    """
    return [source for name in names for source in _sources(name, s3)]


def _sources(name: str, s3: S3) -> list[str]:
    if name == STANDARD_INPUT:
        return [name]
    if name.startswith(S3_SCHEME):
        from pipeline.aws.objects_s3 import object_uris  # noqa: PLC0415 - boto3 takes a third of a second

        found = list(object_uris(s3(), name))
    else:
        found = _files(name)
    if not found:
        raise Misuse(f"nothing to read at {name}")
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
        Misuse: The file cannot be read, or is broken gzip.
    """
    try:
        with _opened(name, s3) as stream:
            yield from split(stream)
    except (OSError, EOFError, zlib.error) as error:
        raise _unreadable(name, error) from error


def _unreadable(name: str, error: Exception) -> Misuse:
    return Misuse(f"cannot read {name}: {getattr(error, 'strerror', None) or error}")


@contextmanager
def _opened(name: str, s3: S3) -> Iterator[IO[bytes]]:
    if name == STANDARD_INPUT:
        yield unzipped(sys.stdin.buffer)
    else:
        with _from_s3(name, s3) if name.startswith(S3_SCHEME) else Path(name).open("rb") as stream:
            yield unzipped(stream)


def _from_s3(uri: str, s3: S3) -> IO[bytes]:
    from pipeline.aws.objects_s3 import open_object  # noqa: PLC0415 - boto3 takes a third of a second

    return open_object(s3(), uri)


def unzipped(stream: IO[bytes]) -> IO[bytes]:
    """Return a stream without its gzip, if it has one."""
    buffered = stream if isinstance(stream, BufferedReader) else BufferedReader(stream)  # type: ignore[type-var]  # IO has all that is read of a raw stream
    if buffered.peek(len(GZIP_MAGIC)).startswith(GZIP_MAGIC):
        return gzip.open(buffered)  # type: ignore[return-value]  # a GzipFile is read as IO is
    return buffered
