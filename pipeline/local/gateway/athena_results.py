"""A query execution of Athena's API: its state, the pages of its result, and the result file in S3.

Claims: the first row of a SELECT's result holds the column names, as in Athena. The result file is CSV with every value
in quotes and null as nothing; the file of a SHOW or DESCRIBE is text separated by tabs. A result file that commands
of Mailfold read is deleted once its execution expires.
Leaves out: the `.metadata` file, and statistics other than the bytes read and the time taken.
docs.aws.amazon.com/athena/latest/APIReference/API_QueryExecution.html,
docs.aws.amazon.com/athena/latest/ug/querying-finding-output-files.html
"""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from pipeline.aws.archive.athena import RESULTS_PREFIX, QueryResult
from pipeline.aws.errors import translated
from pipeline.errors import ArchiveUnavailable, MailfoldError, UsageError
from pipeline.local.gateway.athena_rows import ResultRows

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MAX_ROWS = 1_000  # per GetQueryResults call, the row of column names included
SYSTEM, USER = 1, 2  # AthenaError's categories

_LOCATION = re.compile(r"s3://(?P<bucket>[^/]+)(?:/(?P<prefix>.*?))?/?", re.DOTALL)


class ResultFile(msgspec.Struct, frozen=True, kw_only=True):
    """Location of a result file in S3."""

    bucket: str
    key: str

    @property
    def uri(self) -> str:
        """The location as a URI."""
        return f"s3://{self.bucket}/{self.key}"


class PreparedStatement(msgspec.Struct, frozen=True, kw_only=True):
    """A statement as a client submitted it.

    Attributes:
        sql: The statement.
        parameters: Values of its parameters.
        is_show: Whether it is a SHOW or DESCRIBE.
        database: The default database for table names.
        workgroup: The workgroup's name. It is returned to the client and has no other effect.
        output: Where the result file is written; None for no file.
        token: The client's request token. The same token again means the same query.
    """

    sql: str
    parameters: tuple[str, ...]
    is_show: bool
    database: str
    workgroup: str
    output: ResultFile | None
    token: str | None


class Execution(msgspec.Struct, frozen=True, kw_only=True):
    """An execution of a statement.

    Attributes:
        id: Its UUID.
        statement: The statement.
        submitted_at: When the client submitted it.
        completed_at: When it ended; None before that.
        state: QUEUED, RUNNING, SUCCEEDED, FAILED or CANCELLED.
        reason: Why it failed or was cancelled; "" otherwise.
        retryable: Whether it failed but may succeed if it is started again.
        result: The result of a statement that succeeded.
        rows: Its rows.
    """

    id: str
    statement: PreparedStatement
    submitted_at: datetime
    completed_at: datetime | None = None
    state: str = "QUEUED"
    reason: str = ""
    retryable: bool = False
    result: QueryResult | None = None
    rows: ResultRows | None = None

    @property
    def is_over(self) -> bool:
        """Whether the state is final."""
        return self.state not in {"QUEUED", "RUNNING"}

    @property
    def size_bytes(self) -> int:
        """Size of its rows."""
        return 0 if self.rows is None else self.rows.size_bytes

    def close(self) -> None:
        """Delete its rows."""
        if self.rows is not None:
            self.rows.close()


def describe_execution(execution: Execution) -> dict[str, Any]:
    """Return an execution as GetQueryExecution does."""
    statement = execution.statement
    description: dict[str, Any] = {
        "QueryExecutionId": execution.id,
        "Query": statement.sql,
        "StatementType": "UTILITY" if statement.is_show else "DML",
        "QueryExecutionContext": {"Database": statement.database, "Catalog": "awsdatacatalog"},
        "WorkGroup": statement.workgroup,
        "EngineVersion": {"SelectedEngineVersion": "AUTO", "EffectiveEngineVersion": "Athena engine version 3"},
        "Status": _status(execution),
        "Statistics": _statistics(execution),
    }
    if statement.parameters:
        description["ExecutionParameters"] = statement.parameters
    if statement.output:
        description["ResultConfiguration"] = {"OutputLocation": statement.output.uri}
    return description


def _status(execution: Execution) -> dict[str, Any]:
    status: dict[str, Any] = {"State": execution.state, "SubmissionDateTime": execution.submitted_at.timestamp()}
    if execution.completed_at:
        status["CompletionDateTime"] = execution.completed_at.timestamp()
    if execution.result and execution.result.remark:
        status["StateChangeReason"] = execution.result.remark
    if execution.reason:
        status["StateChangeReason"] = execution.reason
    if execution.state == "FAILED":
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


def result_page(execution: Execution, *, start: int, max_rows: int) -> dict[str, Any]:
    """Return a page of a result as GetQueryResults does.

    Args:
        execution: The execution.
        start: Index of the first row. A row of column names counts.
        max_rows: Maximum number of rows.

    Raises:
        UsageError: The query has no result, or it has expired.
    """
    result, rows = execution.result, execution.rows
    if result is None or rows is None:
        raise UsageError(f"the query has no results: its state is {execution.state}")
    header = [] if execution.statement.is_show else [tuple(column.name for column in result.columns)]
    stop = start + max_rows
    page = [*header[start:stop], *rows.part(max(0, start - len(header)), stop - len(header))]
    columns = [{"Name": column.name, "Label": column.name, "Type": column.type} for column in result.columns]
    page_rows = [{"Data": [_datum(value) for value in row]} for row in page]
    token = {"NextToken": str(stop)} if stop < len(header) + len(rows) else {}
    return {"ResultSet": {"Rows": page_rows, "ResultSetMetadata": {"ColumnInfo": columns}}, **token}


def _datum(value: str | None) -> dict[str, str]:
    return {} if value is None else {"VarCharValue": value}


def to_result_file(location: str, execution_id: str, *, is_show: bool) -> ResultFile:
    """Return the location of an execution's result file.

    Raises:
        UsageError: The output location is not of the form `s3://bucket/prefix/`.
    """
    match = _LOCATION.fullmatch(location)
    if match is None:
        raise UsageError("the output location has to be of the form s3://bucket/prefix/")
    name = f"{execution_id}.{'txt' if is_show else 'csv'}"
    return ResultFile(bucket=match["bucket"], key=f"{match['prefix']}/{name}" if match["prefix"] else name)


def save_result(s3: S3Client, file: ResultFile, rows: ResultRows, *, is_show: bool) -> None:
    """Write a result file.

    Raises:
        ArchiveUnavailable: S3 is throttled or unreachable.
        NotFound: The bucket does not exist.
        AccessDenied: S3 denies it.
        InvalidInput: S3 rejects the bucket name or the key.
    """
    with translated(f"writing the result to bucket {file.bucket}", unavailable=ArchiveUnavailable):
        if is_show:
            text = "".join("\t".join(value or "" for value in row) + "\n" for row in rows)
            s3.put_object(Bucket=file.bucket, Key=file.key, Body=text.encode())
        else:
            with rows.open_file() as csv:
                s3.put_object(Bucket=file.bucket, Key=file.key, Body=csv)


def delete_result(s3: S3Client, file: ResultFile) -> None:
    """Delete a result file of Mailfold's commands. Those at another location remain, as in Athena."""
    if file.key.startswith(RESULTS_PREFIX):
        with suppress(MailfoldError), translated("deleting a result that has expired"):
            s3.delete_object(Bucket=file.bucket, Key=file.key)
