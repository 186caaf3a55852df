"""The file in S3 that Athena writes of every answer.

CSV with every value in quotes and nothing at all for null; for SHOW and DESCRIBE, text parted by tabs.
docs.aws.amazon.com/athena/latest/ug/querying-finding-output-files.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from pipeline.aws.athena import Result
from pipeline.aws.refusal import code_of
from pipeline.errors import ArchiveUnavailable, Misuse
from pipeline.local.aws_error import ERRORS

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_LOCATION = re.compile(r"s3://(?P<bucket>[^/]+)(?:/(?P<prefix>.*?))?/?", re.DOTALL)


class AnswerFile(msgspec.Struct, frozen=True, kw_only=True):
    """Where an answer's file is.

    Attributes:
        bucket: Its bucket.
        key: Its key.
    """

    bucket: str
    key: str

    @property
    def uri(self) -> str:
        """The same as one URI."""
        return f"s3://{self.bucket}/{self.key}"


def answer_file(location: str, execution_id: str, *, is_show: bool) -> AnswerFile:
    """Return where an answer's file is to be.

    Raises:
        Misuse: The output location is not of the form `s3://bucket/prefix/`.
    """
    match = _LOCATION.fullmatch(location)
    if match is None:
        raise Misuse("the output location has to be of the form s3://bucket/prefix/")
    name = f"{execution_id}.{'txt' if is_show else 'csv'}"
    return AnswerFile(bucket=match["bucket"], key=f"{match['prefix']}/{name}" if match["prefix"] else name)


def keep_answer(s3: S3Client, file: AnswerFile, result: Result, *, is_show: bool) -> None:
    """Write an answer's file.

    Raises:
        ArchiveUnavailable: S3 did not take it.
    """
    text = _text(result) if is_show else _csv(result)
    try:
        s3.put_object(Bucket=file.bucket, Key=file.key, Body=text.encode())
    except ERRORS as error:
        raise ArchiveUnavailable(f"writing the answer into bucket {file.bucket}: {code_of(error)}") from error


def _csv(result: Result) -> str:
    heading = tuple(column.name for column in result.columns)
    return "".join(f"{','.join(map(_quoted, row))}\n" for row in (heading, *result.rows))


def _quoted(value: str | None) -> str:
    return "" if value is None else '"{}"'.format(value.replace('"', '""'))


def _text(result: Result) -> str:
    return "".join("\t".join(value or "" for value in row) + "\n" for row in result.rows)
