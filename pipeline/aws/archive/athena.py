"""Athena queries: start one, wait for it, and read its result: the file of it in S3, or all pages of the API.

It works alike against AWS and the local cloud.
docs.aws.amazon.com/athena/latest/APIReference/API_GetQueryExecution.html
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, suppress
from io import BufferedReader, TextIOWrapper
from typing import TYPE_CHECKING, Any, cast

import msgspec

from pipeline.aws.archive.athena_csv import Row, read_csv
from pipeline.aws.errors import redact_addresses, translated
from pipeline.aws.retry import Backoff
from pipeline.errors import ArchiveUnavailable, MailfoldError, QueryFailed

if TYPE_CHECKING:
    from mypy_boto3_athena import AthenaClient
    from mypy_boto3_athena.type_defs import QueryExecutionTypeDef, ResultSetTypeDef, StartQueryExecutionInputTypeDef
    from mypy_boto3_s3 import S3Client

FIRST_POLL_SECONDS = 0.05  # the local cloud answers at once, Athena after half a second at best
LONGEST_POLL_SECONDS = 2.0  # an account may call GetQueryExecution 5 times a second in all
ROWS_PER_PAGE = 1_000  # the limit of GetQueryResults
RESULTS_PREFIX = "athena-results/"  # of result files in the bucket of the log, where no workgroup decides it
BUFFER_BYTES = 256 * 1024

# How Athena reports that a query exceeded its workgroup's limit: it has no code for it, only this text.
# docs.aws.amazon.com/athena/latest/ug/workgroups-setting-control-limits-cloudwatch.html
SCAN_LIMIT_EXCEEDED = "Bytes scanned limit was exceeded"


class ResultColumn(msgspec.Struct, frozen=True, kw_only=True):
    """A column of a query's result.

    Attributes:
        name: Its name; `_col0` and so on for a column without one.
        type: Its type, as in Athena's `ColumnInfo`: `varchar`, `bigint`, `array`, …
    """

    name: str
    type: str


class QueryResult(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a query.

    Attributes:
        columns: The columns of its rows.
        rows: Its rows. Those of a result file are read while they are iterated over, which can be done once.
        scanned_bytes: Bytes read from the event log, which Athena bills.
        remark: What Athena says of a query that succeeded. The local Athena names the objects that it skipped.
    """

    columns: tuple[ResultColumn, ...]
    rows: Iterable[Row]
    scanned_bytes: int
    remark: str = ""


class QueryProgress(msgspec.Struct, frozen=True, kw_only=True):
    """The progress of a query.

    Attributes:
        state: QUEUED, RUNNING, SUCCEEDED, FAILED or CANCELLED.
        scanned_bytes: Bytes read from the event log so far.
        elapsed_seconds: Time since the query was started.
    """

    state: str
    scanned_bytes: int
    elapsed_seconds: float


ProgressCallback = Callable[[QueryProgress], None]


def query(
    client: AthenaClient,
    sql: str,
    *,
    parameters: Sequence[str] = (),
    s3: S3Client | None = None,
    database: str,
    workgroup: str = "primary",
    output_location: str | None = None,
    timeout_seconds: float = 300.0,
    scan_limit_bytes: float = math.inf,
    progress: ProgressCallback = lambda _: None,
) -> QueryResult:
    """Run one statement and return its whole result.

    Args:
        client: boto3's Athena client.
        sql: One statement, in Athena's SQL.
        parameters: A text for each question mark in the statement, in their order. No text is ever part of the SQL.
        s3: boto3's S3 client, to read a large result from its file if it has one. The API returns a thousand rows a
            call.
        database: The database of tables that are named without one.
        workgroup: Athena's workgroup.
        output_location: `s3://…/` for the result's file; None if the workgroup has one or manages results itself.
        timeout_seconds: The query is stopped after this time, and on an interrupt.
        scan_limit_bytes: The query is stopped once Athena reports that it read more. Athena reports that seconds late;
            only the limit of the workgroup is exact.
        progress: Called after each look at the query's state.

    Raises:
        QueryFailed: Athena rejected, failed or cancelled the query, or it read too much.
        AccessDenied: AWS denies the query.
        NotFound: The workgroup or another named resource does not exist.
        ArchiveUnavailable: Athena throttles, fails temporarily or cannot be reached, or the query took too long.
    """
    request = _request(sql, database, workgroup, output_location)
    if parameters:
        request["ExecutionParameters"] = [_literal(text) for text in parameters]
    execution = _run(client, request, timeout_seconds, scan_limit_bytes, progress)
    columns, rows = _read_result(client, execution, s3)
    remark = execution["Status"].get("StateChangeReason", "")
    return QueryResult(columns=columns, rows=rows, scanned_bytes=_scanned_bytes(execution), remark=remark)


def unload(
    client: AthenaClient,
    sql: str,
    *,
    database: str,
    workgroup: str = "primary",
    output_location: str | None = None,
    timeout_seconds: float = 300.0,
    progress: ProgressCallback = lambda _: None,
) -> int:
    """Run an UNLOAD, whose rows Athena writes into S3, and return the bytes that it read. See `query`."""
    request = _request(sql, database, workgroup, output_location)
    return _scanned_bytes(_run(client, request, timeout_seconds, math.inf, progress))


def _request(sql: str, database: str, workgroup: str, output_location: str | None) -> StartQueryExecutionInputTypeDef:
    request: StartQueryExecutionInputTypeDef = {
        "QueryString": sql,
        "QueryExecutionContext": {"Database": database},
        "WorkGroup": workgroup,
    }
    if output_location:
        request["ResultConfiguration"] = {"OutputLocation": output_location}
    return request


def _run(
    client: AthenaClient,
    request: StartQueryExecutionInputTypeDef,
    timeout_seconds: float,
    scan_limit_bytes: float,
    progress: ProgressCallback,
) -> QueryExecutionTypeDef:
    """Start a query and return its execution once it has succeeded."""
    with _translated("starting the query"):
        execution_id = client.start_query_execution(**request)["QueryExecutionId"]
    try:
        execution = _await_end(client, execution_id, timeout_seconds, scan_limit_bytes, progress)
    except BaseException:  # an interrupt too: the result is not read any more, and the query may cost money
        _stop(client, execution_id)
        raise
    _check_succeeded(execution)
    return execution


def _literal(text: str) -> str:
    """Return a text as a parameter's value, which Athena expects as SQL writes it.

    docs.aws.amazon.com/athena/latest/ug/querying-with-prepared-statements.html
    """
    return "'" + text.replace("'", "''") + "'"


def _await_end(
    client: AthenaClient, execution_id: str, timeout_seconds: float, scan_limit_bytes: float, progress: ProgressCallback
) -> QueryExecutionTypeDef:
    """Return the execution once it has ended."""
    started_at_seconds = time.monotonic()
    backoff = Backoff(
        timeout_seconds, first_wait_seconds=FIRST_POLL_SECONDS, longest_wait_seconds=LONGEST_POLL_SECONDS, wait=_sleep
    )
    while True:
        with _translated("following the query"):
            execution = client.get_query_execution(QueryExecutionId=execution_id)["QueryExecution"]
        state, scanned_bytes = execution["Status"]["State"], _scanned_bytes(execution)
        elapsed_seconds = time.monotonic() - started_at_seconds
        progress(QueryProgress(state=state, scanned_bytes=scanned_bytes, elapsed_seconds=elapsed_seconds))
        if state not in {"QUEUED", "RUNNING"}:
            return execution
        if scanned_bytes > scan_limit_bytes:
            raise QueryFailed(
                f"the query was stopped after it had read {scanned_bytes:,} bytes, more than the limit of "
                f"{scan_limit_bytes:,}: filter on dt, name only the columns you need, or raise the limit"
            )
        if not backoff.wait():
            raise ArchiveUnavailable(_too_long(state, timeout_seconds))


def _too_long(state: str, timeout_seconds: float) -> str:
    if state == "QUEUED":
        return f"the query waited {timeout_seconds:g} s for others to end, never ran and was stopped: try again later"
    return f"the query took more than {timeout_seconds:g} s and was stopped: read fewer days (dt), or wait longer"


def _sleep(seconds: float) -> bool:
    time.sleep(seconds)
    return True


def _stop(client: AthenaClient, execution_id: str) -> None:
    """Stop a query. A failure to do so must not hide why it is stopped."""
    with suppress(MailfoldError), _translated("stopping the query"):
        client.stop_query_execution(QueryExecutionId=execution_id)


def _check_succeeded(execution: QueryExecutionTypeDef) -> None:
    """Raise the error of a query that failed or was cancelled."""
    status = execution["Status"]
    state, reason = status["State"], redact_addresses(status.get("StateChangeReason", "Athena gives no reason"))
    if state not in {"CANCELLED", "FAILED"}:
        return
    if SCAN_LIMIT_EXCEEDED in reason:
        raise QueryFailed(
            f"Athena stopped the query at the limit of its workgroup, {execution.get('WorkGroup', 'primary')}, after "
            f"it had read {_scanned_bytes(execution):,} bytes: filter on dt, name only the columns you need, or raise "
            "the limit (of a stack, with `mailfold deploy --param QueryScanLimitBytes=…`)"
        )
    if state == "CANCELLED":
        raise QueryFailed(f"the query was stopped: {reason}")
    if status.get("AthenaError", {}).get("Retryable"):
        raise ArchiveUnavailable(f"the query failed, and may succeed if tried again: {reason}")
    raise QueryFailed(f"the query failed: {reason}")


def _read_result(
    client: AthenaClient, execution: QueryExecutionTypeDef, s3: S3Client | None
) -> tuple[tuple[ResultColumn, ...], Iterable[Row]]:
    """Return columns and rows. The first row of a SELECT's result holds the columns' names."""
    has_header = execution.get("StatementType") == "DML"
    location = execution.get("ResultConfiguration", {}).get("OutputLocation", "")
    execution_id = execution["QueryExecutionId"]
    if s3 and has_header and location:
        with _translated("reading the query's columns"):
            first = client.get_query_results(QueryExecutionId=execution_id, MaxResults=1)["ResultSet"]
        return _columns(first), _read_file(s3, location)
    with _translated("reading the query's result"):
        pages = client.get_paginator("get_query_results").paginate(
            QueryExecutionId=execution_id, PaginationConfig={"PageSize": ROWS_PER_PAGE}
        )
        results = [page["ResultSet"] for page in pages]
    rows = [row for result in results for row in _rows(result)]
    return _columns(results[0]), rows[1:] if has_header else rows


def _read_file(s3: S3Client, location: str) -> Iterator[Row]:
    """Yield the rows of a result file, without the column names."""
    bucket, _, key = location.removeprefix("s3://").partition("/")
    with _translated("reading the query's result file"):
        body = cast("Any", s3.get_object(Bucket=bucket, Key=key)["Body"])  # the stubs lack that it is a raw stream
        with closing(body), TextIOWrapper(BufferedReader(body, BUFFER_BYTES), encoding="utf-8", newline="\n") as lines:
            rows = read_csv(lines)
            next(rows)
            yield from rows


def _columns(result: ResultSetTypeDef) -> tuple[ResultColumn, ...]:
    columns = result.get("ResultSetMetadata", {}).get("ColumnInfo", [])
    return tuple(ResultColumn(name=column["Name"], type=column["Type"]) for column in columns)


def _rows(result: ResultSetTypeDef) -> Iterator[Row]:
    for row in result.get("Rows", []):
        yield tuple(value.get("VarCharValue") for value in row.get("Data", []))


def _scanned_bytes(execution: QueryExecutionTypeDef) -> int:
    return execution.get("Statistics", {}).get("DataScannedInBytes", 0)


def _translated(action: str) -> AbstractContextManager[None]:
    return translated(action, unavailable=ArchiveUnavailable, invalid=QueryFailed)
