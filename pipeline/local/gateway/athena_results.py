"""A query that was started by Athena's API: its state, its answer, and how the API tells of them.

docs.aws.amazon.com/athena/latest/APIReference/API_QueryExecution.html

The file in S3 that Athena writes of every answer.

CSV with every value in quotes and nothing at all for null; for SHOW and DESCRIBE, text parted by tabs.
docs.aws.amazon.com/athena/latest/ug/querying-finding-output-files.html
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from pipeline.aws.archive.athena import QueryResult
from pipeline.aws.errors import error_code
from pipeline.errors import ArchiveUnavailable, UsageError
from pipeline.local.client import ERRORS

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_LOCATION = re.compile(r"s3://(?P<bucket>[^/]+)(?:/(?P<prefix>.*?))?/?", re.DOTALL)


class ResultFile(msgspec.Struct, frozen=True, kw_only=True):
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


def to_result_file(location: str, execution_id: str, *, is_show: bool) -> ResultFile:
    """Return where an answer's file is to be.

    Raises:
        UsageError: The output location is not of the form `s3://bucket/prefix/`.
    """
    match = _LOCATION.fullmatch(location)
    if match is None:
        raise UsageError("the output location has to be of the form s3://bucket/prefix/")
    name = f"{execution_id}.{'txt' if is_show else 'csv'}"
    return ResultFile(bucket=match["bucket"], key=f"{match['prefix']}/{name}" if match["prefix"] else name)


def save_result(s3: S3Client, file: ResultFile, result: QueryResult, *, is_show: bool) -> None:
    """Write an answer's file.

    Raises:
        ArchiveUnavailable: S3 did not take it.
    """
    text = _text(result) if is_show else _csv(result)
    try:
        s3.put_object(Bucket=file.bucket, Key=file.key, Body=text.encode())
    except ERRORS as error:
        raise ArchiveUnavailable(f"writing the answer into bucket {file.bucket}: {error_code(error)}") from error


def _csv(result: QueryResult) -> str:
    heading = tuple(column.name for column in result.columns)
    return "".join(f"{','.join(map(_quoted, row))}\n" for row in (heading, *result.rows))


def _quoted(value: str | None) -> str:
    return "" if value is None else '"{}"'.format(value.replace('"', '""'))


def _text(result: QueryResult) -> str:
    return "".join("\t".join(value or "" for value in row) + "\n" for row in result.rows)


MAX_ROWS = 1_000  # a GetQueryResults call, the heading among them
SYSTEM, USER = 1, 2  # AthenaError's categories


class PreparedStatement(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked.

    Attributes:
        sql: The statement.
        is_show: Whether it asks for the catalogue rather than for the log.
        database: Where it looks for tables.
        workgroup: Echoed, and nothing else.
        output: Where the answer's file is to be; None if none is wanted.
        token: The client's; the same once more means the same query.
    """

    sql: str
    is_show: bool
    database: str
    workgroup: str
    output: ResultFile | None
    token: str | None


class Execution(msgspec.Struct, frozen=True, kw_only=True):
    """A statement on its way to an answer.

    Attributes:
        id: Its UUID.
        statement: What was asked.
        submitted_at: When it was.
        completed_at: When it ended.
        state: QUEUED, RUNNING, SUCCEEDED, FAILED or CANCELLED.
        reason: Why it failed.
        retryable: Whether it may succeed if it is started again.
        result: The answer.
    """

    id: str
    statement: PreparedStatement
    submitted_at: datetime
    completed_at: datetime | None = None
    state: str = "QUEUED"
    reason: str = ""
    retryable: bool = False
    result: QueryResult | None = None

    @property
    def is_over(self) -> bool:
        """Whether its state is its last one."""
        return self.state not in {"QUEUED", "RUNNING"}


def describe_execution(execution: Execution) -> dict[str, Any]:
    """Return an execution as GetQueryExecution tells of it."""
    statement = execution.statement
    answer: dict[str, Any] = {
        "QueryExecutionId": execution.id,
        "Query": statement.sql,
        "StatementType": "UTILITY" if statement.is_show else "DML",
        "QueryExecutionContext": {"Database": statement.database, "Catalog": "awsdatacatalog"},
        "WorkGroup": statement.workgroup,
        "EngineVersion": {"SelectedEngineVersion": "AUTO", "EffectiveEngineVersion": "Athena engine version 3"},
        "Status": _status(execution),
        "Statistics": _statistics(execution),
    }
    if statement.output:
        answer["ResultConfiguration"] = {"OutputLocation": statement.output.uri}
    return answer


def result_page(execution: Execution, result: QueryResult, *, start: int, max_rows: int) -> dict[str, Any]:
    """Return a part of the answer as GetQueryResults gives it.

    Args:
        execution: What was run.
        result: Its answer.
        start: The first row, the heading counted as one where there is one.
        max_rows: How many rows at most.
    """
    heading = [] if execution.statement.is_show else [tuple(column.name for column in result.columns)]
    rows = [*heading, *result.rows]
    columns = [{"Name": column.name, "Label": column.name, "Type": column.type} for column in result.columns]
    shown = [{"Data": [_cell(value) for value in row]} for row in rows[start : start + max_rows]]
    answer: dict[str, Any] = {"ResultSet": {"Rows": shown, "ResultSetMetadata": {"ColumnInfo": columns}}}
    if start + max_rows < len(rows):
        answer["NextToken"] = str(start + max_rows)
    return answer


def _cell(value: str | None) -> dict[str, str]:
    return {} if value is None else {"VarCharValue": value}


def _status(execution: Execution) -> dict[str, Any]:
    status: dict[str, Any] = {
        "State": execution.state,
        "SubmissionDateTime": execution.submitted_at.timestamp(),
    }
    if execution.completed_at:
        status["CompletionDateTime"] = execution.completed_at.timestamp()
    if execution.reason:
        status["StateChangeReason"] = execution.reason
        status["AthenaError"] = {
            "ErrorCategory": SYSTEM if execution.retryable else USER,
            "Retryable": execution.retryable,
            "ErrorMessage": execution.reason,
        }
    return status


def _statistics(execution: Execution) -> dict[str, int]:
    statistics = {"DataScannedInBytes": execution.result.scanned_bytes if execution.result else 0}
    if execution.completed_at:
        elapsed = execution.completed_at - execution.submitted_at
        statistics["TotalExecutionTimeInMillis"] = int(elapsed.total_seconds() * 1_000)
    return statistics
