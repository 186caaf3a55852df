"""Find the JSON documents in bytes: one document, one on each line, or one after the other without anything between.

Firehose writes documents without a delimiter by default, and CloudWatch Logs puts a time before each. Bytes may be gzip
of one member or several, or text in UTF-16. What is no document is returned too, so that nothing is lost. Linear in
the length of the bytes. Pure.
"""

import codecs
import json
import re
import zlib
from collections.abc import Iterator

import msgspec

from pipeline.document import strip_json

GZIP_MAGIC = b"\x1f\x8b"
# Of one gzip inside a record: reading it takes several times as much memory, and a Lambda has 512 MB. CloudWatch Logs,
# which compresses what it puts into a stream, accepts batches of 1 MiB
# (docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html).
MAX_DECOMPRESSED_BYTES = 16 * 1_024 * 1_024

# How often a character may be read again, while the beginning of the next document is looked for. A payload that was
# made to take longer is broken from there on.
ATTEMPTS_PER_CHARACTER = 16

_GZIP = 31  # zlib's window bits for gzip
_GZIP_CHUNK_BYTES = 4 * 1_024  # zlib copies what follows a member: at most so much for each member
_BOMS = {  # the longer first, because UTF-32's begins with UTF-16's
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
_NO_BOM = {b"{\x00": "utf-16-le", b"[\x00": "utf-16-le", b"\x00{": "utf-16-be", b"\x00[": "utf-16-be"}

# A time that CloudWatch Logs or a log shipper puts before a document.
_TIME = re.compile(r"\s*\d{4}-\d\d-\d\d[T ][0-9:.,]+(?:Z|[+-]\d\d:?\d\d)?[\s:]+(?=[{\[\"])")
# Where a document may begin after one that is broken: on a new line without indentation, directly after another object,
# or at a key that only the outermost object of a record or an envelope has.
_NEXT = re.compile(
    r"\n(?=[^\s}\]])"
    r"|[}\]]\s*(?=\{\s*\")"
    r"|(?=\{\s*\"(?:eventType|notificationType|mail|bounce|complaint|delivery|Type|version|Records|records|attemptsMade"
    r"|messageType)\"\s*:)"
)
_SEPARATORS = re.compile("[ \t\r\n\v\f\x00\x1e\ufeff,]*")  # \x1e: RFC 7464
_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]]', re.DOTALL)


class Part(msgspec.Struct, frozen=True, gc=False):
    """A part of some bytes.

    Attributes:
        data: Its bytes, without white space around them.
        line: The number of the line that it begins on, from 1.
        is_document: True for one JSON document.
    """

    data: bytes
    line: int
    is_document: bool

    @property
    def is_container(self) -> bool:
        """True for a document that may hold records: an object, a list, or a text with an object in it."""
        return self.is_document and self.data.startswith((b"{", b"[", b'"{'))


def to_text(data: bytes) -> bytes:
    """Return bytes in UTF-16 or UTF-32 as UTF-8, without a byte order mark; others unchanged."""
    for mark, encoding in _BOMS.items():
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, errors="replace").encode()
    encoding = _NO_BOM.get(data[:2], "")
    return data.decode(encoding, errors="replace").encode() if encoding else data


class Decompressed(msgspec.Struct, frozen=True, gc=False):
    """The content of gzip.

    Attributes:
        data: What could be decompressed.
        problem: What is wrong with the rest; "" if nothing is.
    """

    data: bytes
    problem: str


def decompress(data: bytes, *, limit_bytes: int = MAX_DECOMPRESSED_BYTES) -> Decompressed:
    """Return the content of gzip, which may consist of several members one after the other."""
    content, start = bytearray(), 0
    while data.startswith(GZIP_MAGIC, start):
        member = zlib.decompressobj(_GZIP)
        while not member.eof and start < len(data):
            chunk = data[start : start + _GZIP_CHUNK_BYTES]
            try:
                content += member.decompress(chunk, limit_bytes + 1 - len(content))
            except zlib.error:
                return Decompressed(bytes(content), "damaged gzip")
            if len(content) > limit_bytes:
                return Decompressed(b"", f"gzip with more than {limit_bytes} bytes in it")
            start += len(chunk) - len(member.unused_data)
        if not member.eof:
            return Decompressed(bytes(content), "gzip that is cut off")
    return Decompressed(bytes(content), "bytes after the end of gzip" if data[start:].strip(b"\x00 \r\n\t") else "")


def split_documents(data: bytes) -> list[Part]:
    """Return the documents in `data`, and what is between them line by line, in order.

    Data that is one document need not be split. A document that is cut off or broken ends where the next one begins.
    """
    text = data.decode(errors="surrogateescape")
    parts, line, counted_to = [], 1, 0
    for start, end, is_document in _split(text):
        line += text.count("\n", counted_to, start)
        counted_to = start
        part = strip_json(text[start:end].encode(errors="surrogateescape"))
        parts.append(Part(data=part, line=line, is_document=is_document))
    return parts


def _split(text: str) -> Iterator[tuple[int, int, bool]]:
    """Yield start and end of each part, and True if it is a document."""
    position, patience = 0, ATTEMPTS_PER_CHARACTER * len(text)
    while (start := _skip(text, position)) < len(text):
        end, is_document = _document_end(text, start)
        if is_document:
            position = end
        else:
            patience -= end - start
            position = _next_start(text, start) if patience > 0 else len(text)
        yield start, position, is_document


def _next_start(text: str, start: int) -> int:
    """Return where the next document may begin after one that is broken, or after a line of other text."""
    following = _NEXT.search(text, start + 1)
    position = following.end() if following else len(text)
    if text[start] in '{["':
        return position
    line_end = text.find("\n", start)
    return position if line_end < 0 else min(position, line_end + 1)


def _skip(text: str, position: int) -> int:
    """Return the position after white space, byte order marks, separators and a time."""
    match = _TIME.match(text, position)
    separators = _SEPARATORS.match(text, match.end() if match else position)
    return separators.end() if separators else position


def _document_end(text: str, start: int) -> tuple[int, bool]:
    """Return the end of the document at `start` and True, or how far it was read and False."""
    if text[start] not in '{["':
        return start, False
    try:
        return _DECODER.raw_decode(text, start)[1], True
    except json.JSONDecodeError as error:
        return error.pos, False
    except RecursionError:  # an extent is found without recursion; its depth is for the caller to reject
        end = _balanced_end(text, start)
        return (len(text) * ATTEMPTS_PER_CHARACTER, False) if end is None else (end, True)


def _balanced_end(text: str, start: int) -> int | None:
    depth = 0
    for match in _BRACKETS.finditer(text, start):
        depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(match[0], 0)
        if depth == 0:
            return match.end()
    return None


def _keep(text: str) -> str:
    return text


_DECODER = json.JSONDecoder(strict=False, parse_int=_keep, parse_float=_keep, parse_constant=_keep)
