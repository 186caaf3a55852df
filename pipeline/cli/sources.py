"""SES payloads in files, folders, standard input and S3 objects, plain or gzip, in UTF-8, UTF-16 or UTF-32.

A file holds one JSON document, one on each line (NDJSON), or one after the other. A Parquet file is an archive: each of
its rows is a record.
"""

from __future__ import annotations

import gzip
import io
import os
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import file_digest, sha256
from io import BufferedReader
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypeVar

import msgspec

from pipeline.aws.archive.objects import SCHEME, ListedObject, list_objects
from pipeline.aws.archive.skipped import is_marker
from pipeline.document import InvalidJSON, repair_json, strip_json
from pipeline.errors import AccessDenied, InvalidInput, NotFound, UsageError
from pipeline.framing import GZIP_MAGIC, split_documents, to_text

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

T = TypeVar("T")

STANDARD_INPUT = "-"
PARQUET_MAGIC = b"PAR1"
MAX_WHOLE_BYTES = 512 * 2**20  # of a line, or of a file that is not NDJSON

UNREADABLE = (UsageError, InvalidInput, AccessDenied, NotFound)
"""Errors that concern one source alone: other sources can still be read."""

ConnectS3 = Callable[[], "S3Client"]
"""Returns boto3's S3 client. Called only for a source in S3."""


OpenURI = Callable[[str], IO[bytes]]
"""Opens an object of S3, as `pipeline.aws.archive.objects.open_object` does."""


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """A file, an object in S3, or standard input.

    Attributes:
        name: Its path, its URI, or `-`.
        listed: The object, if it is one.
    """

    name: str
    listed: ListedObject | None = None

    def content_id(self) -> str:
        """Return what identifies the content; "" for standard input, a pipe, and a file that cannot be read."""
        if self.listed:
            return sha256(f"{self.listed.uri}\n{self.listed.etag}\n{self.listed.size_bytes}".encode()).hexdigest()[:32]
        try:
            if not Path(self.name).is_file():
                return ""
            with Path(self.name).open("rb") as stream:
                return file_digest(stream, "sha256").hexdigest()[:32]
        except OSError:
            return ""


class Payload(msgspec.Struct, frozen=True, kw_only=True):
    """One payload and its place.

    Attributes:
        data: Its bytes.
        line: The number of its first line, from 1.
    """

    data: bytes
    line: int


def find_sources(names: Sequence[str], *, s3: ConnectS3) -> list[Source]:
    """Return every single source: the files in folders, and the objects below an S3 prefix.

    Local names come first, so that a mistake in one is found without a cloud.

    Args:
        names: Files, folders, `s3://bucket/prefix`, or `-` for standard input.
        s3: Returns the S3 client.

    Raises:
        UsageError: A name has no source, or a folder cannot be read.
        MailfoldError: S3 cannot be listed; see `pipeline.aws.errors.translated`.
    """
    files = {name: _local_sources(name) for name in names if not name.startswith(SCHEME)}
    return [source for name in names for source in files.get(name) or _objects(name, s3)]


def payloads(source: str, *, open_uri: OpenURI) -> Iterator[Payload]:
    """Yield the payloads of a file, of an S3 object, or of standard input for `-`, in order.

    NDJSON is read line by line, so that a file may be larger than the memory. Any other file is read whole. Blank lines
    yield nothing.

    Raises:
        UsageError: The file cannot be read, is broken gzip, or is too large to be read whole, or for the memory.
        MailfoldError: The S3 object cannot be read; see `pipeline.aws.errors.translated`.
    """
    try:
        with _open(source, open_uri) as stream:
            if isinstance(stream, BufferedReader) and stream.peek(len(PARQUET_MAGIC)).startswith(PARQUET_MAGIC):
                yield from _parquet_payloads(stream)
            else:
                yield from split_payloads(stream, name=source)
    except (OSError, EOFError, zlib.error) as error:
        raise _unreadable(source, error) from error
    except MemoryError as error:
        raise UsageError(f"the memory is too small for {source}: write one document on each line") from error


def standard_input() -> IO[bytes]:
    """Return standard input as bytes.

    Raises:
        UsageError: It is closed, as a daemon's may be.
    """
    if sys.stdin is None:
        raise UsageError("standard input is closed: name a file")
    return sys.stdin.buffer


def _parquet_payloads(stream: BufferedReader) -> Iterator[Payload]:
    """Yield the rows of a Parquet file. Its place in an archive is its number, and not a line."""
    from pipeline.aws.archive.foreign import parquet_payloads  # noqa: PLC0415 - pyarrow is an extra, and heavy

    # A Parquet file is read from its end, which standard input cannot do.
    source = stream if stream.seekable() else io.BytesIO(stream.read())
    for number, data in enumerate(parquet_payloads(source), 1):
        yield Payload(data=data, line=number)


def split_payloads(stream: IO[bytes], *, name: str) -> Iterator[Payload]:
    """Yield the payloads in a stream of bytes, in order.

    Raises:
        UsageError: A line, or a file that is not NDJSON, is larger than `MAX_WHOLE_BYTES`.
    """
    blank_lines, first = _first_line(stream, name)
    if _is_document(first):
        yield Payload(data=strip_json(first), line=blank_lines + 1)
        yield from _split_lines(stream, name, lines_before=blank_lines + 1)
    else:
        yield from _split_whole(to_text(first + _read(stream.read, name)), blank_lines)


def _split_lines(stream: IO[bytes], name: str, *, lines_before: int) -> Iterator[Payload]:
    """Yield the payloads of NDJSON. A document that goes on over several lines ends before the next complete line."""
    opened = io.BytesIO()
    opened_after = number = lines_before
    while line := _read(stream.readline, name):
        number += 1
        if opened.tell() and not _is_complete(line):
            opened.write(line)
            _check_size(opened.tell(), name)
            continue
        yield from _split_whole(opened.getvalue(), opened_after)
        opened, opened_after = io.BytesIO(), number - 1
        if _is_open(line):
            opened.write(line)
        elif data := strip_json(line):
            yield Payload(data=data, line=number)
    yield from _split_whole(opened.getvalue(), opened_after)


def _is_open(line: bytes) -> bool:
    """Return True if a document begins in a line, but likely does not end in it."""
    data = strip_json(line)
    return data.endswith((b"{", b"[")) or (data.startswith((b"{", b"[")) and not data.endswith((b"}", b"]")))


def _is_complete(line: bytes) -> bool:
    """Return True if a line without indentation is likely a document."""
    return line.startswith((b"{", b"[")) and line.rstrip().endswith((b"}", b"]"))


def _read(read: Callable[[int], bytes], name: str) -> bytes:
    """Read a line or a file.

    Raises:
        UsageError: It is too large.
    """
    data = read(MAX_WHOLE_BYTES + 1)
    _check_size(len(data), name)
    return data


def _check_size(size_bytes: int, name: str) -> None:
    if size_bytes > MAX_WHOLE_BYTES:
        raise UsageError(
            f"{name} has a document, or several without line breaks between them, of more than "
            f"{MAX_WHOLE_BYTES // 2**20} MiB: write one document on each line"
        )


def _local_sources(name: str) -> list[Source]:
    return [Source(name=file) for file in _found(name, [name] if name == STANDARD_INPUT else _files(name))]


def _objects(name: str, s3: ConnectS3) -> list[Source]:
    return [Source(name=listed.uri, listed=listed) for listed in _found(name, list(list_objects(s3(), name)))]


def _found(name: str, sources: list[T]) -> list[T]:
    if not sources:
        raise UsageError(
            f"nothing to read at {name}: name a file, a folder with files, or an s3:// prefix with objects"
        )
    return sources


def _files(name: str) -> list[str]:
    """Return a file itself, or all files below a folder. Pipes, devices and Hadoop's markers there are passed over."""
    try:
        Path(name).stat()
        if not Path(name).is_dir():
            return [name]
        folders = os.walk(name, onerror=_raise)
        files = (Path(folder) / file for folder, _, files in folders for file in files)
        return sorted(str(file) for file in files if (file.is_file() or not file.exists()) and not is_marker(file.name))
    except OSError as error:
        raise _unreadable(name, error) from error


def _raise(error: OSError) -> None:
    raise error


def _unreadable(name: str, error: Exception) -> UsageError:
    return UsageError(f"cannot read {name}: {getattr(error, 'strerror', None) or error}")


@contextmanager
def _open(source: str, open_uri: OpenURI) -> Iterator[IO[bytes]]:
    if source == STANDARD_INPUT:
        yield _unzip(standard_input())
    else:
        with open_uri(source) if source.startswith(SCHEME) else Path(source).open("rb") as stream:
            yield _unzip(stream)


def _unzip(stream: IO[bytes]) -> IO[bytes]:
    """Return a stream's content: decompressed if it is gzip."""
    buffered = stream if isinstance(stream, BufferedReader) else BufferedReader(stream)  # type: ignore[type-var]  # IO has all that is read of a raw stream
    if buffered.peek(len(GZIP_MAGIC)).startswith(GZIP_MAGIC):
        return gzip.open(buffered)  # type: ignore[return-value]  # a GzipFile is read as IO is
    return buffered


def _first_line(stream: IO[bytes], name: str) -> tuple[int, bytes]:
    """Return the first line that is not blank, and the number of blank lines before it."""
    number = 0
    while line := _read(stream.readline, name):
        if strip_json(line):
            return number, line
        number += 1
    return 0, b""


def _is_document(line: bytes) -> bool:
    """Return True if a line is one JSON object or list that is not empty, so that the file is NDJSON."""
    data = strip_json(line)
    try:
        return data[:1] in {b"{", b"["} and data[1:].strip() not in {b"}", b"]"} and bool(repair_json(data))
    except InvalidJSON:
        return False


def _split_whole(text: bytes, lines_before: int) -> Iterator[Payload]:
    """Yield the payloads of a text: none if it is blank."""
    if not (data := strip_json(text)):
        return
    try:
        repair_json(data)
    except InvalidJSON:
        parts = split_documents(data)
    else:
        parts = []
    if not any(part.is_container for part in parts):
        yield Payload(data=data, line=lines_before + 1)
        return
    for part in parts:
        yield Payload(data=part.data, line=lines_before + part.line)
