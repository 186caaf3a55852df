"""Read the decisions of one request from the event log, by Athena."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from pipeline.aws.archive.athena import QueryResult, query
from pipeline.aws.archive.sql_files import sql_files
from pipeline.undo import PastDecisions, read_decisions

QUERY = "decisions_of_a_request"
EXAMPLE_ID, EXAMPLE_DAY = "019cbd709d0070008000000000000001", "2026-01-01"
CLOCK_TOLERANCE = timedelta(hours=1)  # between the request's clock and the hour of its arrival


def request_statement(request_id: str, *, decided_at: datetime) -> str:
    """Return the SQL that reads a request's decisions. It reads no day before that of the request.

    Args:
        request_id: 32 hex digits; see `decision_batch.parse_request_id`.
        decided_at: The time of the request.
    """
    sql = next(file.sql for file in sql_files("queries") if file.name == QUERY)
    return sql.replace(EXAMPLE_ID, request_id).replace(EXAMPLE_DAY, f"{decided_at - CLOCK_TOLERANCE:%Y-%m-%d}")


def decisions_of(request_id: str, *, decided_at: datetime, **options: Any) -> tuple[PastDecisions, QueryResult]:
    """Return the decisions of a request that the log shows, and the result of the query.

    Args:
        request_id: See `request_statement`.
        decided_at: The same.
        options: Arguments of `athena.query`, but for the SQL.

    Raises:
        QueryFailed, AccessDenied, NotFound, ArchiveUnavailable: See `athena.query`.
    """
    result = query(sql=request_statement(request_id, decided_at=decided_at), **options)
    raw = [column.name for column in result.columns].index("raw")
    return read_decisions((row[raw] or "").encode() for row in result.rows), result
