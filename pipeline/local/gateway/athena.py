"""Athena's API, as far as it queries: a statement is started, runs by itself, and is asked for until it is over.

Claims: StartQueryExecution, GetQueryExecution, GetQueryResults with its pages, StopQueryExecution; the answer's file at
the output location, if one is given. Leaves out: workgroups' settings, execution parameters, reuse of results.
One statement runs at a time, the others are QUEUED; the last hundred are remembered.
docs.aws.amazon.com/athena/latest/APIReference/
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime
from threading import Lock
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import msgspec
from werkzeug.wrappers import Request, Response

from pipeline.errors import ArchiveUnavailable, UsageError, describe
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
from pipeline.local.gateway.protocols import json_call
from pipeline.local.sql.show import is_show

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

SERVICE = "AmazonAthena"
KEPT = 100
STOP_AGAIN_SECONDS = 0.05

INVALID = "InvalidRequestException"
INTERNAL = "InternalServerException"


class AthenaApi:
    """Answers requests that query, over one database.

    Args:
        athena: What runs the statements.
        s3_client: boto3's, with its time-outs: for the answers' files.
        database: What SQL calls the database.
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
            f"{SERVICE}.StartQueryExecution": self._start,
            f"{SERVICE}.GetQueryExecution": self._get,
            f"{SERVICE}.GetQueryResults": self._results,
            f"{SERVICE}.StopQueryExecution": self._stop,
        }

    def answer(self, request: Request) -> Response | None:
        """Return the answer to a request; None if it is for the backend alone."""
        return json_call(request, self._operations, wrong=INVALID, unavailable=INTERNAL)

    def close(self) -> None:
        """Stop what runs, and start nothing more."""
        self._worker.shutdown(wait=False, cancel_futures=True)
        for execution in list(self._executions.values()):
            self._cancel(execution.id)
        self._worker.shutdown()

    def _start(self, request: dict[str, Any]) -> dict[str, Any]:
        if request.get("ExecutionParameters"):
            raise UsageError("execution parameters are not covered here: write the values into the statement")
        execution_id = str(uuid4())
        statement = _statement(request, execution_id, self._database)
        with self._lock:
            for known in self._executions.values():
                if statement.token and known.statement.token == statement.token:
                    return {"QueryExecutionId": known.id}
            self._executions[execution_id] = Execution(
                id=execution_id, statement=statement, submitted_at=datetime.now(UTC)
            )
            self._futures[execution_id] = self._worker.submit(self._run, execution_id)
            self._forget()
        return {"QueryExecutionId": execution_id}

    def _get(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"QueryExecution": describe_execution(self._execution(request))}

    def _results(self, request: dict[str, Any]) -> dict[str, Any]:
        execution = self._execution(request)
        if execution.result is None:
            raise UsageError(f"there are no results: the query is {execution.state}")
        token, max_rows = request.get("NextToken") or "0", request.get("MaxResults") or MAX_ROWS
        if not (token.isdecimal() and 1 <= max_rows <= MAX_ROWS):
            raise UsageError(f"MaxResults is 1 to {MAX_ROWS}, and NextToken one that was given before")
        return result_page(execution, execution.result, start=int(token), max_rows=max_rows)

    def _stop(self, request: dict[str, Any]) -> dict[str, Any]:
        self._cancel(self._execution(request).id)
        return {}

    def _cancel(self, execution_id: str) -> None:
        with self._lock:
            execution = self._executions[execution_id]
            if not execution.is_over:
                self._note(execution_id, state="CANCELLED", completed_at=datetime.now(UTC))
        if execution.state == "RUNNING":
            self._interrupt(self._futures[execution_id])

    def _interrupt(self, future: Future[None]) -> None:
        """Stop the statement that runs, again and again, since it may not have begun when it is told to stop."""
        while not wait([future], STOP_AGAIN_SECONDS).done:
            with self._lock:  # so that the next one cannot begin and be stopped in its place
                if not future.done():
                    self._athena.stop()

    def _execution(self, request: dict[str, Any]) -> Execution:
        execution = self._executions.get(request.get("QueryExecutionId", ""))
        if execution is None:
            raise UsageError("there is no such query here")
        return execution

    def _run(self, execution_id: str) -> None:
        """Run a statement: what the worker does."""
        with self._lock:
            execution = self._executions[execution_id]
            if execution.is_over:
                return
            self._note(execution_id, state="RUNNING")
        outcome = self._outcome(execution.statement)
        with self._lock:
            if not self._executions[execution_id].is_over:
                self._note(execution_id, completed_at=datetime.now(UTC), **outcome)

    def _outcome(self, statement: PreparedStatement) -> dict[str, Any]:
        """Return what has become of a statement, as changes to its execution."""
        try:
            result = self._athena.run(statement.sql)
            if statement.output:
                save_result(self._s3, statement.output, result, is_show=statement.is_show)
        except UsageError as error:
            return {"state": "FAILED", "reason": str(error)}
        except ArchiveUnavailable as error:
            return {"state": "FAILED", "reason": str(error), "retryable": True}
        except Exception as error:  # noqa: BLE001 - a thread's entry point: the reason is told by GetQueryExecution
            return {"state": "FAILED", "reason": describe(error)}
        return {"state": "SUCCEEDED", "result": result}

    def _note(self, execution_id: str, **changes: Any) -> None:
        self._executions[execution_id] = msgspec.structs.replace(self._executions[execution_id], **changes)

    def _forget(self) -> None:
        """Forget the oldest executions that are over, beyond those that are kept."""
        over = [execution.id for execution in self._executions.values() if execution.is_over]
        for execution_id in over[: max(0, len(self._executions) - KEPT)]:
            del self._executions[execution_id], self._futures[execution_id]


def _statement(request: dict[str, Any], execution_id: str, database: str) -> PreparedStatement:
    sql = request.get("QueryString", "")
    asked = request.get("QueryExecutionContext", {}).get("Database", database)
    if asked.lower() != database:
        raise UsageError(f"there is no database {asked}: {database} is the only one here")
    location = request.get("ResultConfiguration", {}).get("OutputLocation")
    return PreparedStatement(
        sql=sql,
        is_show=is_show(sql),
        database=database,
        workgroup=request.get("WorkGroup", "primary"),
        output=to_result_file(location, execution_id, is_show=is_show(sql)) if location else None,
        token=request.get("ClientRequestToken"),
    )
