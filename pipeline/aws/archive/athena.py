"""SQL over the log, by Athena's API: start, wait, read all pages of the answer.

The same against AWS and against the cloud on this machine.
docs.aws.amazon.com/athena/latest/APIReference/API_GetQueryExecution.html
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from pipeline.aws.errors import ErrorKind, classify, redact_addresses
from pipeline.errors import ArchiveUnavailable, MailfoldError, UsageError

if TYPE_CHECKING:
    from mypy_boto3_athena import AthenaClient
    from mypy_boto3_athena.type_defs import QueryExecutionTypeDef, ResultSetTypeDef, StartQueryExecutionInputTypeDef

FIRST_WAIT_SECONDS = 0.05  # the local cloud answers at once, Athena after half a second at best
LONGEST_WAIT_SECONDS = 2.0  # GetQueryExecution may be called 5 times a second, by everybody in the account together
ROWS_PER_PAGE = 1_000  # the limit of GetQueryResults

# What the caller can put right; anything else that a call may answer is an outage.
WRONG_REQUESTS = frozenset(
    {"InvalidRequestException", "MetadataException", "ResourceNotFoundException", "ValidationException"}
)

# What only whoever gives leave, or signs in again, can put right: waiting does not.

# Where a workgroup's own limit ended a query, only Athena's words say so: it has no code for it.
# docs.aws.amazon.com/athena/latest/ug/workgroups-setting-control-limits-cloudwatch.html
CUT_OFF = "Bytes scanned limit was exceeded"


class ResultColumn(msgspec.Struct, frozen=True, kw_only=True):
    """A column of an answer.

    Attributes:
        name: Its name, `_col0` and so on for one without.
        type: Its type, as Athena's `ColumnInfo` writes it: `varchar`, `bigint`, `array`, …
    """

    name: str
    type: str


class QueryResult(msgspec.Struct, frozen=True, kw_only=True):
    """An answer.

    Attributes:
        columns: What its rows hold.
        rows: Each value as Athena's text for it, None for null.
        scanned_bytes: What was read of the log, which is what Athena bills.
    """

    columns: tuple[ResultColumn, ...]
    rows: Sequence[tuple[str | None, ...]]
    scanned_bytes: int


class QueryProgress(msgspec.Struct, frozen=True, kw_only=True):
    """How a query is getting on.

    Attributes:
        state: QUEUED, RUNNING, SUCCEEDED, FAILED or CANCELLED.
        scanned_bytes: What was read of the log so far.
        elapsed_seconds: Since it was started here.
    """

    state: str
    scanned_bytes: int
    elapsed_seconds: float


class QueryWaits(NamedTuple):
    """How long a query may take, and how much it may read."""

    seconds: float
    scan_bytes: float


def query(
    client: AthenaClient,
    sql: str,
    *,
    database: str,
    workgroup: str = "primary",
    output_location: str | None = None,
    timeout_seconds: float = 300.0,
    scan_limit_bytes: float = math.inf,
    progress: Callable[[QueryProgress], None] = lambda _: None,
) -> QueryResult:
    """Run one statement and return its whole answer.

    Args:
        client: From `clients.client("athena")`.
        sql: One statement, in Athena's SQL.
        database: Where tables without a database are looked for.
        workgroup: Athena's workgroup.
        output_location: `s3://…/` for the answer's file; None where the workgroup has one, or keeps answers itself.
        timeout_seconds: How long it may take; then, and when interrupted, the query is stopped.
        scan_limit_bytes: How much it may read; once Athena says that it read more, it is stopped. Athena says so late,
            by seconds; what it never passes is the limit of the workgroup.
        progress: Called whenever the state was looked at.

    Raises:
        UsageError: Athena refuses the statement, AWS denies it, it failed, or somebody stopped it, with its reason; or
            it read too much.
        ArchiveUnavailable: Athena is throttled, unreachable, failed by no fault of ours, or took too long.
    """
    request: StartQueryExecutionInputTypeDef = {
        "QueryString": sql,
        "QueryExecutionContext": {"Database": database},
        "WorkGroup": workgroup,
    }
    if output_location:
        request["ResultConfiguration"] = {"OutputLocation": output_location}
    with _translated("StartQueryExecution"):
        execution_id = client.start_query_execution(**request)["QueryExecutionId"]
    execution = _finished(client, execution_id, QueryWaits(timeout_seconds, scan_limit_bytes), progress)
    columns, rows = _answer(client, execution_id, has_header=execution.get("StatementType") == "DML")
    return QueryResult(columns=columns, rows=rows, scanned_bytes=_scanned_bytes(execution))


def _finished(
    client: AthenaClient, execution_id: str, patience: QueryWaits, progress: Callable[[QueryProgress], None]
) -> QueryExecutionTypeDef:
    """Wait until it succeeded; stop it if it will not be waited for."""
    try:
        execution = _awaited(client, execution_id, patience, progress)
    except BaseException:  # an interrupt too: nobody will read the answer, and it may cost
        with suppress(MailfoldError), _translated("StopQueryExecution"):
            client.stop_query_execution(QueryExecutionId=execution_id)
        raise
    _check(execution)
    return execution


def _awaited(
    client: AthenaClient, execution_id: str, patience: QueryWaits, progress: Callable[[QueryProgress], None]
) -> QueryExecutionTypeDef:
    began, wait_seconds = time.monotonic(), FIRST_WAIT_SECONDS
    while True:
        with _translated("GetQueryExecution"):
            execution = client.get_query_execution(QueryExecutionId=execution_id)["QueryExecution"]
        state, elapsed_seconds = execution["Status"]["State"], time.monotonic() - began
        scanned_bytes = _scanned_bytes(execution)
        progress(QueryProgress(state=state, scanned_bytes=scanned_bytes, elapsed_seconds=elapsed_seconds))
        if state not in {"QUEUED", "RUNNING"}:
            return execution
        if scanned_bytes > patience.scan_bytes:
            raise UsageError(
                f"the query was stopped when it had read {scanned_bytes:,} bytes, more than the limit of "
                f"{patience.scan_bytes:,}: filter on dt, name the columns that you want, or let it read more"
            )
        if elapsed_seconds >= patience.seconds:
            raise ArchiveUnavailable(
                f"the query took more than {patience.seconds:g} s and was stopped: read fewer days (dt), or wait longer"
            )
        time.sleep(max(0.0, min(wait_seconds, patience.seconds - elapsed_seconds)))
        wait_seconds = min(wait_seconds * 1.5, LONGEST_WAIT_SECONDS)


def _check(execution: QueryExecutionTypeDef) -> None:
    status = execution["Status"]
    reason = redact_addresses(status.get("StateChangeReason", "Athena gives no reason"))
    if CUT_OFF in reason and status["State"] in {"CANCELLED", "FAILED"}:
        raise UsageError(
            f"Athena stopped the query at the limit of its workgroup, {execution.get('WorkGroup', 'primary')}, when it "
            f"had read {_scanned_bytes(execution):,} bytes: filter on dt, name the columns that you want, or raise the "
            "limit (of a stack, with `mailfold deploy --param QueryScanLimitBytes=…`)"
        )
    if status["State"] == "CANCELLED":
        raise UsageError(f"the query was stopped: {reason}")
    if status["State"] == "FAILED" and status.get("AthenaError", {}).get("Retryable"):
        raise ArchiveUnavailable(f"the query failed, and may succeed if tried again: {reason}")
    if status["State"] == "FAILED":
        raise UsageError(f"the query failed: {reason}")


def _answer(
    client: AthenaClient, execution_id: str, *, has_header: bool
) -> tuple[tuple[ResultColumn, ...], list[tuple[str | None, ...]]]:
    """Return columns and rows. The first row of a SELECT's answer holds the columns' names."""
    with _translated("GetQueryResults"):
        pages = client.get_paginator("get_query_results").paginate(
            QueryExecutionId=execution_id, PaginationConfig={"PageSize": ROWS_PER_PAGE}
        )
        results = [page["ResultSet"] for page in pages]
    rows = [row for result in results for row in _rows(result)]
    columns = results[0].get("ResultSetMetadata", {}).get("ColumnInfo", [])
    described = tuple(ResultColumn(name=column["Name"], type=column["Type"]) for column in columns)
    return described, rows[1:] if has_header else rows


def _rows(result: ResultSetTypeDef) -> Iterator[tuple[str | None, ...]]:
    for row in result.get("Rows", []):
        yield tuple(value.get("VarCharValue") for value in row.get("Data", []))


def _scanned_bytes(execution: QueryExecutionTypeDef) -> int:
    return execution.get("Statistics", {}).get("DataScannedInBytes", 0)


@contextmanager
def _translated(operation: str) -> Iterator[None]:
    """Raise what boto3 raises as an error of ours."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - heavy: see `pipeline.aws.clients`

    try:
        yield
    except ClientError as error:
        code = error.response["Error"]["Code"]
        message = redact_addresses(error.response["Error"].get("Message", code))
        if code in WRONG_REQUESTS:
            raise UsageError(f"Athena refuses {operation}: {message}") from error
        if classify(error) in {ErrorKind.DENIED, ErrorKind.CREDENTIALS}:
            raise UsageError(f"AWS denies Athena's {operation}, these credentials may not do it: {message}") from error
        raise ArchiveUnavailable(f"Athena {operation}: {code}") from error
    except BotoCoreError as error:
        raise ArchiveUnavailable(f"Athena {operation}: {type(error).__name__}") from error
