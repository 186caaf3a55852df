"""Athena's API, as far as it queries: a client starts a statement and polls it until it ends.

Claims: StartQueryExecution with execution parameters, GetQueryExecution, BatchGetQueryExecution, ListQueryExecutions,
GetQueryResults with its pages, StopQueryExecution; the result file at the output location, if the request names one.
Leaves out: settings of workgroups, reuse of results. The backend answers every other operation.
docs.aws.amazon.com/athena/latest/APIReference/API_StartQueryExecution.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

from werkzeug.wrappers import Request, Response

from pipeline.errors import UsageError
from pipeline.local.athena import Athena
from pipeline.local.gateway.athena_executions import DEFAULT_LIMITS, Executions, Limits
from pipeline.local.gateway.athena_results import (
    MAX_ROWS,
    Execution,
    PreparedStatement,
    describe_execution,
    result_page,
    to_result_file,
)
from pipeline.local.gateway.protocols import call_json
from pipeline.local.sql.show import is_show

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

SERVICE = "AmazonAthena"
MAX_LISTED = 50  # executions per ListQueryExecutions call
PRIMARY = "primary"  # the workgroup of a request that names none

INVALID = "InvalidRequestException"
INTERNAL = "InternalServerException"


class AthenaApi:
    """Handler of requests that query one database.

    Args:
        athena: Runs the statements.
        s3_client: A boto3 client with time-outs, for the result files.
        database: The database's name in SQL.
        limits: What queries may take.
    """

    def __init__(
        self, athena: Athena, s3_client: S3Client, *, database: str = "mailfold", limits: Limits = DEFAULT_LIMITS
    ) -> None:
        self._database = database
        self._executions = Executions(athena, s3_client, limits=limits)
        self._operations = {
            f"{SERVICE}.StartQueryExecution": self._start_query,
            f"{SERVICE}.GetQueryExecution": self._get_execution,
            f"{SERVICE}.BatchGetQueryExecution": self._get_executions,
            f"{SERVICE}.ListQueryExecutions": self._list_executions,
            f"{SERVICE}.GetQueryResults": self._get_results,
            f"{SERVICE}.StopQueryExecution": self._stop_query,
        }

    def handle(self, request: Request) -> Response | None:
        """Return the response to a request, or None if the request is for the backend."""
        return call_json(request, self._operations, invalid=INVALID, unavailable=INTERNAL)

    def close(self) -> None:
        """Stop the statements that run, and start no other."""
        self._executions.close()

    def _start_query(self, request: dict[str, Any]) -> dict[str, Any]:
        execution_id = str(uuid4())
        statement = _statement(request, execution_id, self._database)
        return {"QueryExecutionId": self._executions.start(execution_id, statement)}

    def _get_execution(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"QueryExecution": describe_execution(self._find(request))}

    def _get_executions(self, request: dict[str, Any]) -> dict[str, Any]:
        known = {execution.id: execution for execution in self._executions.all()}
        ids = request["QueryExecutionIds"]
        unknown = [
            {"QueryExecutionId": execution_id, "ErrorCode": INVALID, "ErrorMessage": "there is no such query"}
            for execution_id in ids
            if execution_id not in known
        ]
        executions = [describe_execution(known[execution_id]) for execution_id in ids if execution_id in known]
        return {"QueryExecutions": executions, "UnprocessedQueryExecutionIds": unknown}

    def _list_executions(self, request: dict[str, Any]) -> dict[str, Any]:
        workgroup = request.get("WorkGroup", PRIMARY)
        ids = [execution.id for execution in self._executions.all() if execution.statement.workgroup == workgroup]
        start, count = _page(request, MAX_LISTED)
        token = {"NextToken": str(start + count)} if start + count < len(ids) else {}
        return {"QueryExecutionIds": ids[start : start + count], **token}

    def _get_results(self, request: dict[str, Any]) -> dict[str, Any]:
        execution = self._find(request)
        start, max_rows = _page(request, MAX_ROWS)
        return result_page(execution, start=start, max_rows=max_rows)

    def _stop_query(self, request: dict[str, Any]) -> dict[str, Any]:
        self._executions.cancel(request.get("QueryExecutionId", ""))
        return {}

    def _find(self, request: dict[str, Any]) -> Execution:
        return self._executions.find(request.get("QueryExecutionId", ""))


def _page(request: dict[str, Any], maximum: int) -> tuple[int, int]:
    """Return the first index and the number of items of the page that a request asks for."""
    token, count = request.get("NextToken") or "0", request.get("MaxResults") or maximum
    if not (token.isdecimal() and 1 <= count <= maximum):
        raise UsageError(f"MaxResults is 1 to {maximum}, and NextToken is that of the previous page")
    return int(token), count


def _statement(request: dict[str, Any], execution_id: str, database: str) -> PreparedStatement:
    sql = request.get("QueryString", "")
    requested_database = request.get("QueryExecutionContext", {}).get("Database", database)
    if requested_database.lower() != database:
        raise UsageError(f"there is no database {requested_database}: {database} is the only one here")
    location = request.get("ResultConfiguration", {}).get("OutputLocation")
    return PreparedStatement(
        sql=sql,
        parameters=tuple(request.get("ExecutionParameters") or ()),
        is_show=is_show(sql),
        database=database,
        workgroup=request.get("WorkGroup", PRIMARY),
        output=to_result_file(location, execution_id, is_show=is_show(sql)) if location else None,
        token=request.get("ClientRequestToken"),
    )
