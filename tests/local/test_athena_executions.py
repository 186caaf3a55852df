"""Queries of the local Athena run side by side, end at their limits, and their results expire."""

from __future__ import annotations

import threading
import time
import tracemalloc
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from pipeline.aws.archive.athena import query
from pipeline.errors import UsageError
from pipeline.local.athena import SESSIONS
from pipeline.local.gateway.athena_executions import Limits
from pipeline.local.gateway.athena_rows import ResultRows
from pipeline.local.sql import engine
from tests.support.athena_api import COUNTS, a_small_log, gone, moto_s3, run_to_end, serve, start, state, wait
from tests.support.log_in_s3 import LONG_QUERY
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from mypy_boto3_athena import AthenaClient
    from mypy_boto3_s3 import S3Client


RUNAWAY = "WITH RECURSIVE t (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT count(*) FROM t"
GREEDY = """
    SELECT x * y AS z FROM UNNEST(sequence(1, 100000)) AS a (x) CROSS JOIN UNNEST(sequence(1, 200)) AS b (y) ORDER BY z
"""


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Client]:
    with moto_s3() as s3:
        yield s3


@pytest.fixture(scope="module")
def bucket(s3: S3Client) -> str:
    return a_small_log(s3)


@pytest.fixture(scope="module")
def client(s3: S3Client, bucket: str) -> Iterator[AthenaClient]:
    with serve(s3, bucket) as (client, _):
        yield client


def test_stopping_a_running_query_starts_the_next(client: AthenaClient) -> None:
    """A stopped query is CANCELLED, and the query that waited behind it runs."""
    running, waiting = [start(client, LONG_QUERY) for _ in range(SESSIONS)], start(client, COUNTS)
    assert state(client, waiting) == "QUEUED"
    client.stop_query_execution(QueryExecutionId=running[0])
    assert wait(client, running[0])["Status"]["State"] == "CANCELLED"
    assert wait(client, waiting)["Status"]["State"] == "SUCCEEDED"
    for execution_id in running:
        client.stop_query_execution(QueryExecutionId=execution_id)


def test_a_waiting_query_can_be_stopped(client: AthenaClient) -> None:
    """A query that is stopped while QUEUED never runs."""
    running, waiting = [start(client, LONG_QUERY) for _ in range(SESSIONS)], start(client, COUNTS)
    for execution_id in (waiting, *running):
        client.stop_query_execution(QueryExecutionId=execution_id)
    assert wait(client, waiting)["Status"]["State"] == "CANCELLED"


def test_a_query_runs_beside_one_that_never_ends(client: AthenaClient) -> None:
    """A runaway recursion, whose client may be gone, does not keep others from their results."""
    runaway = start(client, RUNAWAY)
    assert query(client, "SELECT 1", database="mailfold").rows == [("1",)]
    assert state(client, runaway) == "RUNNING"
    client.stop_query_execution(QueryExecutionId=runaway)


def test_a_query_has_a_time_limit(s3: S3Client, bucket: str) -> None:
    """It fails as in Athena, and its session runs the next query."""
    with serve(s3, bucket, limits=Limits(run_seconds=0.2)) as (client, _):
        failed = [wait(client, start(client, RUNAWAY)) for _ in range(SESSIONS + 1)]
    assert {execution["Status"]["State"] for execution in failed} == {"FAILED"}
    assert "Query timeout: the local Athena stops a query after 0.2 s" in failed[0]["Status"]["StateChangeReason"]


def test_a_query_has_a_memory_limit(s3: S3Client, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It fails with a reason that names the limit."""
    monkeypatch.setattr(engine, "MEMORY_LIMIT", "50MB")
    monkeypatch.setattr(engine, "SPILL_LIMIT", "20MB")
    with serve(s3, bucket) as (client, _):
        execution = wait(client, start(client, GREEDY))
    assert execution["Status"]["StateChangeReason"].startswith("the query needs more than the 400MB of memory and 4GB")


def test_a_query_whose_client_is_gone_makes_room(s3: S3Client, bucket: str) -> None:
    """Nothing is stopped before another query waits."""
    with serve(s3, bucket, limits=Limits(unasked_seconds=0.2)) as (client, api):
        abandoned = [start(client, LONG_QUERY) for _ in range(SESSIONS)]
        time.sleep(1)
        assert {execution.state for execution in api._executions.all()} == {"RUNNING"}
        assert query(client, "SELECT 1", database="mailfold").rows == [("1",)]
        reason = wait(client, abandoned[0])["Status"]["StateChangeReason"]
    assert reason == "no client asked about the query any more, and another query waited"


@pytest.mark.parametrize(
    "limits", [Limits(executions=2), Limits(result_seconds=0.0), Limits(results_bytes=30)], ids=str
)
def test_results_expire(s3: S3Client, bucket: str, limits: Limits) -> None:
    """The oldest are deleted, and their files too if they are of Mailfold's commands. The newest is kept."""
    with serve(s3, bucket, limits=limits) as (client, _):
        locations = [f"s3://{bucket}/athena-results/", f"s3://{bucket}/own/"]
        expired = [run_to_end(client, "SELECT 1", location) for location in locations]
        kept = run_to_end(client, "SELECT 2", locations[0])
        eventually(lambda: gone(client, expired[0]), what="the first result's end")
        start(client, "SELECT 1")
        eventually(lambda: gone(client, expired[1]), what="the second result's end")
        files = {entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]}
    assert f"athena-results/{expired[0]}.csv" not in files
    assert f"own/{expired[1]}.csv" in files
    assert f"athena-results/{kept}.csv" in files or limits.result_seconds == 0


def test_a_result_that_expires_while_it_is_read_is_an_invalid_request() -> None:
    """The client's next page is refused with the reason."""
    rows = ResultRows().write((), iter([("1",)]))
    rows.close()
    with pytest.raises(UsageError, match="has expired: run it again"):
        rows.part(0, 1)


def test_executions_are_listed(s3: S3Client, bucket: str) -> None:
    """By workgroup and in pages, the newest first, and several are described at a time."""
    with serve(s3, bucket) as (client, _):
        first, second = (run_to_end(client, "SELECT 1") for _ in range(2))
        start(client, "SELECT 1", WorkGroup="other")
        page = client.list_query_executions(MaxResults=1)
        rest = client.list_query_executions(NextToken=page["NextToken"])
        assert (page["QueryExecutionIds"], rest["QueryExecutionIds"]) == ([second], [first])
        assert "NextToken" not in rest
        described = client.batch_get_query_execution(QueryExecutionIds=[first, "none"])
    assert [execution["QueryExecutionId"] for execution in described["QueryExecutions"]] == [first]
    assert [unknown["QueryExecutionId"] for unknown in described["UnprocessedQueryExecutionIds"]] == ["none"]


@pytest.mark.slow
def test_a_large_result_takes_little_memory(s3: S3Client, bucket: str) -> None:
    """While it is computed, its rows are in a file, and none of them in this process."""
    sql = "SELECT x, x, x, x, x FROM UNNEST(sequence(1, 100000)) AS t (x)"
    with serve(s3, bucket) as (client, api):
        tracemalloc.start()
        execution_id = run_to_end(client, sql)
        _, peak_bytes = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert len(api._executions.find(execution_id).rows or ()) == 100_000
    assert peak_bytes < 30 * 1024**2  # 5 texts of 50 bytes and a tuple for each row would be 35 MB


def test_closing_stops_running_queries(s3: S3Client, bucket: str) -> None:
    """Closing the API ends queries that would run for hours, and leaves no thread."""
    before = set(threading.enumerate())
    with serve(s3, bucket) as (client, api):
        for _ in range(SESSIONS + 2):
            start(client, LONG_QUERY)
        api.close()
    assert set(threading.enumerate()) <= before
