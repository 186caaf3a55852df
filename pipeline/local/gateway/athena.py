"""Athena's API, as far as it queries: a client starts a statement and polls it until it ends.

Claims: StartQueryExecution, GetQueryExecution, GetQueryResults with its pages, StopQueryExecution; the result file at
the output location, if the request names one. One statement runs at a time; the others are QUEUED.
Leaves out: settings of workgroups, execution parameters, reuse of results. Only the newest `MAX_EXECUTIONS` are kept.
docs.aws.amazon.com/athena/latest/APIReference/API_StartQueryExecution.html
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime
from threading import Lock
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import msgspec
from werkzeug.wrappers import Request, Response

from pipeline.errors import MailfoldError, Unavailable, UsageError, describe
from pipeline.local.athena import Athena
from pipeline.local.gateway.athena_results import (
    MAX_ROWS,
    Execution,
    PreparedStatement,
    describe_execution,
    result_page,
    save_result,
    to_result_file,
)
from pipeline.local.gateway.protocols import call_json
from pipeline.local.sql.show import is_show

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

SERVICE = "AmazonAthena"
MAX_EXECUTIONS = 100
STOP_AGAIN_SECONDS = 0.05

INVALID = "InvalidRequestException"
INTERNAL = "InternalServerException"


class AthenaApi:
    """Handler of requests that query one database.

    Args:
        athena: Runs the statements.
        s3_client: A boto3 client with time-outs, for the result files.
        database: The database's name in SQL.
    """

    def __init__(self, athena: Athena, s3_client: S3Client, *, database: str = "mailfold") -> None:
        self._athena = athena
        self._s3 = s3_client
        self._database = database
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="athena")
        self._lock = Lock()
        self._executions: dict[str, Execution] = {}
        self._futures: dict[str, Future[None]] = {}
        self._operations = {
            f"{SERVICE}.StartQueryExecution": self._start_query,
            f"{SERVICE}.GetQueryExecution": self._get_execution,
            f"{SERVICE}.GetQueryResults": self._get_results,
            f"{SERVICE}.StopQueryExecution": self._stop_query,
        }

    def handle(self, request: Request) -> Response | None:
        """Return the response to a request, or None if the request is for the backend."""
        return call_json(request, self._operations, invalid=INVALID, unavailable=INTERNAL)

    def close(self) -> None:
        """Stop the statement that runs, and start no other."""
        self._worker.shutdown(wait=False, cancel_futures=True)
        for execution in list(self._executions.values()):
            self._cancel(execution.id)
        self._worker.shutdown()

    def _start_query(self, request: dict[str, Any]) -> dict[str, Any]:
        if request.get("ExecutionParameters"):
            raise UsageError("execution parameters are not covered here: write the values into the statement")
        execution_id = str(uuid4())
        statement = _statement(request, execution_id, self._database)
        with self._lock:
            for execution in self._executions.values():
                if statement.token and execution.statement.token == statement.token:
                    return {"QueryExecutionId": execution.id}
            self._executions[execution_id] = Execution(
                id=execution_id, statement=statement, submitted_at=datetime.now(UTC)
            )
            self._futures[execution_id] = self._worker.submit(self._run, execution_id)
            self._evict()
        return {"QueryExecutionId": execution_id}

    def _get_execution(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"QueryExecution": describe_execution(self._find(request))}

    def _get_results(self, request: dict[str, Any]) -> dict[str, Any]:
        execution = self._find(request)
        if execution.result is None:
            raise UsageError(f"the query has no results: its state is {execution.state}")
        token, max_rows = request.get("NextToken") or "0", request.get("MaxResults") or MAX_ROWS
        if not (token.isdecimal() and 1 <= max_rows <= MAX_ROWS):
            raise UsageError(f"MaxResults is 1 to {MAX_ROWS}, and NextToken is that of the previous page")
        return result_page(execution, execution.result, start=int(token), max_rows=max_rows)

    def _stop_query(self, request: dict[str, Any]) -> dict[str, Any]:
        self._cancel(self._find(request).id)
        return {}

    def _find(self, request: dict[str, Any]) -> Execution:
        execution = self._executions.get(request.get("QueryExecutionId", ""))
        if execution is None:
            raise UsageError("there is no query with this QueryExecutionId")
        return execution

    def _cancel(self, execution_id: str) -> None:
        with self._lock:
            execution = self._executions[execution_id]
            if not execution.is_over:
                self._update(execution_id, state="CANCELLED", completed_at=datetime.now(UTC))
        if execution.state == "RUNNING":
            self._interrupt(self._futures[execution_id])

    def _interrupt(self, future: Future[None]) -> None:
        """Stop the running statement. Repeat it until the worker is done, because DuckDB may not have begun yet."""
        while not wait([future], STOP_AGAIN_SECONDS).done:
            with self._lock:  # so that the next statement cannot begin and be stopped in its place
                if not future.done():
                    self._athena.stop()

    def _run(self, execution_id: str) -> None:
        """Run a statement. The worker calls this."""
        with self._lock:
            execution = self._executions[execution_id]
            if execution.is_over:
                return
            self._update(execution_id, state="RUNNING")
        changes = self._execute(execution.statement)
        with self._lock:
            if not self._executions[execution_id].is_over:
                self._update(execution_id, completed_at=datetime.now(UTC), **changes)

    def _execute(self, statement: PreparedStatement) -> dict[str, Any]:
        """Run a statement and return its end state as changes to its execution."""
        try:
            result = self._athena.run(statement.sql)
            if statement.output:
                save_result(self._s3, statement.output, result, is_show=statement.is_show)
        except MailfoldError as error:
            return {"state": "FAILED", "reason": str(error), "retryable": isinstance(error, Unavailable)}
        except Exception as error:  # noqa: BLE001 - a thread's entry point: GetQueryExecution returns the reason
            return {"state": "FAILED", "reason": describe(error)}
        return {"state": "SUCCEEDED", "result": result}

    def _update(self, execution_id: str, **changes: Any) -> None:
        self._executions[execution_id] = msgspec.structs.replace(self._executions[execution_id], **changes)

    def _evict(self) -> None:
        """Delete the oldest completed executions beyond `MAX_EXECUTIONS`."""
        completed = [execution.id for execution in self._executions.values() if execution.is_over]
        for execution_id in completed[: max(0, len(self._executions) - MAX_EXECUTIONS)]:
            del self._executions[execution_id], self._futures[execution_id]


def _statement(request: dict[str, Any], execution_id: str, database: str) -> PreparedStatement:
    sql = request.get("QueryString", "")
    requested_database = request.get("QueryExecutionContext", {}).get("Database", database)
    if requested_database.lower() != database:
        raise UsageError(f"there is no database {requested_database}: {database} is the only one here")
    location = request.get("ResultConfiguration", {}).get("OutputLocation")
    return PreparedStatement(
        sql=sql,
        is_show=is_show(sql),
        database=database,
        workgroup=request.get("WorkGroup", "primary"),
        output=to_result_file(location, execution_id, is_show=is_show(sql)) if location else None,
        token=request.get("ClientRequestToken"),
    )
