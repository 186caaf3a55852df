"""Athena's UNLOAD: a query whose rows are written into S3, as lines of JSON in several gzip files.

Claims: format JSON with gzip, which is the default for it; a target that must be empty; rows in any order, spread over
several files; column names in lower case.
Leaves out: the other formats and compressions, `partitioned_by`, the data manifest, and columns of types that JSON
lacks, such as dates and decimals.
docs.aws.amazon.com/athena/latest/ug/unload.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from gzip import GzipFile
from itertools import cycle
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any, BinaryIO
from uuid import uuid4

import msgspec

from pipeline.aws.errors import translated
from pipeline.errors import ArchiveUnavailable, UsageError
from pipeline.local.sql.translate import strip_statement

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

FILES = 4
"""Files of an UNLOAD with at least so many rows. Athena has one for each of its writers, up to 30."""

_UNLOAD = re.compile(
    r"UNLOAD\s*\((?P<query>.*)\)\s*TO\s*'s3://(?P<bucket>[^/']+)/(?P<prefix>[^']*)'\s*WITH\s*\((?P<options>[^()]*)\)",
    re.DOTALL | re.IGNORECASE,
)
_OPTION = re.compile(r"\s*(\w+)\s*=\s*'(\w+)'\s*")
_COVERED = ({"format": "JSON"}, {"format": "JSON", "compression": "GZIP"})


class Unload(msgspec.Struct, frozen=True, kw_only=True):
    """An UNLOAD.

    Attributes:
        query: The query whose rows are written.
        bucket: The bucket of its target.
        prefix: The prefix of its target; it ends with a slash.
    """

    query: str
    bucket: str
    prefix: str


def parse_unload(sql: str) -> Unload | None:
    """Return an UNLOAD, or None if the statement is another.

    Raises:
        UsageError: It is an UNLOAD that is wrong, or that is not covered.
    """
    statement = strip_statement(sql)
    if not re.match(r"UNLOAD\b", statement, re.IGNORECASE):
        return None
    match = _UNLOAD.fullmatch(statement)
    if match is None:
        raise UsageError("write UNLOAD (SELECT …) TO 's3://bucket/prefix/' WITH (format = 'JSON')")
    found = [_OPTION.fullmatch(option) for option in match["options"].split(",")]
    options = {option[1].lower(): option[2].upper() for option in found if option}
    if None in found or options not in _COVERED:
        raise UsageError("not covered by the local Athena: an UNLOAD other than of format JSON with compression gzip")
    return Unload(query=match["query"], bucket=match["bucket"], prefix=match["prefix"].rstrip("/") + "/")


def check_unload_target(s3: S3Client, unload: Unload) -> None:
    """Check that there is nothing at the target.

    Raises:
        UsageError: There is an object.
        ArchiveUnavailable, NotFound, AccessDenied: S3 does not answer, has no such bucket, or denies it.
    """
    with translated(f"listing the target of the UNLOAD in bucket {unload.bucket}", unavailable=ArchiveUnavailable):
        page = s3.list_objects_v2(Bucket=unload.bucket, Prefix=unload.prefix, MaxKeys=1)
    if page.get("Contents"):
        raise UsageError("HIVE_PATH_ALREADY_EXISTS: the target of an UNLOAD must be empty")


def write_rows(s3: S3Client, unload: Unload, rows: Iterator[dict[str, Any]]) -> None:
    """Write rows to the target.

    Raises:
        UsageError: A value has a type that JSON lacks.
        ArchiveUnavailable, NotFound, AccessDenied: S3 does not answer, has no such bucket, or denies it.
    """
    with ExitStack() as resources:
        files = [resources.enter_context(TemporaryFile()) for _ in range(FILES)]
        _write_lines(files, rows)
        for file in files:
            if file.tell():
                file.seek(0)
                with translated(f"writing the UNLOAD to bucket {unload.bucket}", unavailable=ArchiveUnavailable):
                    s3.put_object(Bucket=unload.bucket, Key=f"{unload.prefix}{uuid4()}.gz", Body=file)


def _write_lines(files: Sequence[BinaryIO], rows: Iterator[dict[str, Any]]) -> None:
    """Write lines to one file after the other. A file without lines stays empty."""
    opened: dict[int, GzipFile] = {}
    with ExitStack() as resources:
        for number, row in zip(cycle(range(len(files))), rows, strict=False):
            if number not in opened:
                opened[number] = resources.enter_context(GzipFile(fileobj=files[number], mode="wb"))
            opened[number].write(_line(row))


def _line(row: dict[str, Any]) -> bytes:
    if any(not isinstance(value, str | int | float | list | None) for value in row.values()):
        raise UsageError("not covered by the local Athena: an UNLOAD of columns that are no text, number or array")
    return msgspec.json.encode({name.lower(): value for name, value in row.items()}) + b"\n"
