"""Athena's API on this machine, asked with boto3."""

import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.aws.archive.athena import QueryProgress, query
from pipeline.errors import ArchiveUnavailable, QueryFailed
from pipeline.local.athena import Athena
from pipeline.local.client import local_client
from pipeline.local.gateway.athena import AthenaApi
from pipeline.local.gateway.backend import Moto
from pipeline.local.gateway.server import Gateway, Server
from tests.support.builders import a_bounce, a_send
from tests.support.log_in_s3 import a_bucket, keep
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment
    from mypy_boto3_athena import AthenaClient
    from mypy_boto3_s3 import S3Client

REGION = "us-east-1"
COUNTED = "SELECT event_type, subject, count(*) AS n FROM events GROUP BY 1, 2 ORDER BY 1"
LONG_QUERY = """
    SELECT count(*) FROM UNNEST(sequence(1, 100000)) AS a (x) CROSS JOIN UNNEST(sequence(1, 1000000)) AS b (y)
    WHERE x * y % 7 = 3
"""


@pytest.fixture(scope="module")
def s3() -> "Iterator[S3Client]":
    moto = Moto()
    with Server(moto) as backend:
        client: S3Client = local_client("s3", endpoint_url=backend.url, region=REGION)
        yield client
        client.close()
    moto.close()


@pytest.fixture(scope="module")
def bucket(s3: "S3Client") -> str:
    bucket = a_bucket(s3)
    keep(s3, bucket, a_send(), a_send(messageId="other"), a_bounce())
    return bucket


def nobody(environ: "WSGIEnvironment", start_response: "StartResponse") -> list[bytes]:
    start_response("404 Not Found", [("Content-Type", "text/plain")])
    return [b"the backend was asked"]


@pytest.fixture(scope="module")
def client(s3: "S3Client", bucket: str) -> "Iterator[AthenaClient]":
    with Athena(s3, bucket=bucket) as athena:
        api = AthenaApi(athena, s3)
        with Server(Gateway(nobody, answers=(api.answer,))) as front:
            yield local_client("athena", endpoint_url=front.url, region=REGION)
        api.close()


def start(client: "AthenaClient", sql: str, **request: Any) -> str:
    return client.start_query_execution(QueryString=sql, **request)["QueryExecutionId"]


def wait(client: "AthenaClient", execution_id: str) -> dict[str, Any]:
    """Wait until a query is over, and return what is told of it."""

    def over() -> Any:
        execution = client.get_query_execution(QueryExecutionId=execution_id)["QueryExecution"]
        return None if execution["Status"]["State"] in {"QUEUED", "RUNNING"} else execution

    return dict(eventually(over, what="the query's end"))


def test_a_query_is_answered_as_by_athena(client: "AthenaClient") -> None:
    seen: list[QueryProgress] = []
    answer = query(client, COUNTED, database="mailfold", progress=seen.append)
    assert [column.type for column in answer.columns] == ["varchar", "varchar", "bigint"]
    assert answer.rows == [("bounce", None, "1"), ("send", None, "2")]
    assert answer.scanned_bytes > 0
    assert seen[-1].state == "SUCCEEDED"


def test_what_was_asked_is_told_again(client: "AthenaClient") -> None:
    execution = wait(client, start(client, COUNTED, WorkGroup="team"))
    assert (execution["Query"], execution["StatementType"], execution["WorkGroup"]) == (COUNTED, "DML", "team")
    assert execution["Status"]["SubmissionDateTime"] <= execution["Status"]["CompletionDateTime"]
    assert execution["Statistics"]["DataScannedInBytes"] > 0


def test_show_has_no_heading(client: "AthenaClient") -> None:
    assert query(client, "SHOW DATABASES", database="mailfold").rows == [("mailfold",)]


def test_an_answer_comes_in_pages(client: "AthenaClient") -> None:
    answer = query(client, "SELECT x FROM UNNEST(sequence(1, 2500)) AS t (x) ORDER BY x", database="mailfold")
    assert [row[0] for row in answer.rows] == [str(number) for number in range(1, 2501)]


def test_a_page_is_as_long_as_was_asked_and_the_heading_counts(client: "AthenaClient") -> None:
    execution_id = start(client, "SELECT x FROM UNNEST(sequence(1, 3)) AS t (x) ORDER BY x")
    wait(client, execution_id)
    first = client.get_query_results(QueryExecutionId=execution_id, MaxResults=2)
    rest = client.get_query_results(QueryExecutionId=execution_id, NextToken=first["NextToken"])
    values = [[row["Data"][0]["VarCharValue"] for row in page["ResultSet"]["Rows"]] for page in (first, rest)]
    assert values == [["x", "1"], ["2", "3"]]
    assert "NextToken" not in rest


def test_a_mistake_fails_the_query_with_its_place(client: "AthenaClient") -> None:
    with pytest.raises(QueryFailed, match='the query failed: line 1:8: Referenced column "nope" not found'):
        query(client, "SELECT nope FROM events", database="mailfold")


def test_a_failed_query_has_no_results(client: "AthenaClient") -> None:
    execution_id = start(client, "SELECT nope FROM events")
    execution = wait(client, execution_id)
    assert execution["Status"]["State"] == "FAILED"
    assert execution["Status"]["AthenaError"]["Retryable"] is False
    with pytest.raises(client.exceptions.InvalidRequestException, match="there are no results: the query is FAILED"):
        client.get_query_results(QueryExecutionId=execution_id)


def test_a_running_query_can_be_stopped_and_what_waits_behind_it_runs(client: "AthenaClient") -> None:
    running, waiting = start(client, LONG_QUERY), start(client, COUNTED)
    assert client.get_query_execution(QueryExecutionId=waiting)["QueryExecution"]["Status"]["State"] == "QUEUED"
    client.stop_query_execution(QueryExecutionId=running)
    assert wait(client, running)["Status"]["State"] == "CANCELLED"
    assert wait(client, waiting)["Status"]["State"] == "SUCCEEDED"


def test_a_waiting_query_can_be_stopped(client: "AthenaClient") -> None:
    running, waiting = start(client, LONG_QUERY), start(client, COUNTED)
    client.stop_query_execution(QueryExecutionId=waiting)
    client.stop_query_execution(QueryExecutionId=running)
    assert wait(client, waiting)["Status"]["State"] == "CANCELLED"


def test_a_query_that_takes_too_long_is_stopped(client: "AthenaClient") -> None:
    with pytest.raises(ArchiveUnavailable, match=r"more than 0\.2 s and was stopped"):
        query(client, LONG_QUERY, database="mailfold", timeout_seconds=0.2)
    assert query(client, "SELECT 1", database="mailfold", timeout_seconds=10).rows == [("1",)]


def test_the_same_token_is_the_same_query(client: "AthenaClient") -> None:
    token = "a-token-of-at-least-thirty-two-characters"
    first = start(client, COUNTED, ClientRequestToken=token)
    assert start(client, COUNTED, ClientRequestToken=token) == first


def test_the_answer_is_a_file_at_the_output_location_too(client: "AthenaClient", s3: "S3Client", bucket: str) -> None:
    sql = "SELECT 'say \"hi\", Ann' AS a, NULL AS b, 1 AS c"
    execution = wait(client, start(client, sql, ResultConfiguration={"OutputLocation": f"s3://{bucket}/answers/"}))
    location = execution["ResultConfiguration"]["OutputLocation"]
    assert location == f"s3://{bucket}/answers/{execution['QueryExecutionId']}.csv"
    key = location.removeprefix(f"s3://{bucket}/")
    content = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    assert content == b'"a","b","c"\n"say ""hi"", Ann",,"1"\n'


def test_the_answer_to_show_is_a_text_file(client: "AthenaClient", s3: "S3Client", bucket: str) -> None:
    execution = wait(client, start(client, "SHOW DATABASES", ResultConfiguration={"OutputLocation": f"s3://{bucket}"}))
    key = f"{execution['QueryExecutionId']}.txt"
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == b"mailfold\n"


def test_a_file_that_cannot_be_written_fails_the_query_for_now(client: "AthenaClient") -> None:
    with pytest.raises(ArchiveUnavailable, match="writing the answer into bucket not-there: NoSuchBucket"):
        query(client, "SELECT 1", database="mailfold", output_location="s3://not-there/")


@pytest.mark.parametrize(
    ("request_", "sentence"),
    [
        ({"QueryExecutionContext": {"Database": "other"}}, "there is no database other: mailfold is the only one"),
        ({"ExecutionParameters": ["1"]}, "execution parameters are not covered here"),
        ({"ResultConfiguration": {"OutputLocation": "answers"}}, "has to be of the form s3://bucket/prefix/"),
    ],
)
def test_what_is_not_covered_is_refused(client: "AthenaClient", request_: dict[str, Any], sentence: str) -> None:
    with pytest.raises(client.exceptions.InvalidRequestException, match=sentence):
        start(client, "SELECT 1", **request_)


def test_an_unknown_query_is_said_to_be_unknown(client: "AthenaClient") -> None:
    with pytest.raises(client.exceptions.InvalidRequestException, match="there is no such query here"):
        client.get_query_execution(QueryExecutionId="none")


def test_a_log_that_is_away_fails_a_query_that_may_be_tried_again(s3: "S3Client") -> None:
    with Athena(s3, bucket="not-there") as athena:
        api = AthenaApi(athena, s3)
        with Server(Gateway(nobody, answers=(api.answer,))) as front:
            client: AthenaClient = local_client("athena", endpoint_url=front.url, region=REGION)
            with pytest.raises(ArchiveUnavailable, match="may succeed if tried again"):
                query(client, "SELECT 1", database="mailfold")
        api.close()


def test_only_the_newest_queries_are_remembered(client: "AthenaClient") -> None:
    first = start(client, "SHOW DATABASES")
    wait(client, first)
    for _ in range(100):
        newest = start(client, "SHOW DATABASES")
    assert wait(client, newest)["Status"]["State"] == "SUCCEEDED"
    with pytest.raises(client.exceptions.InvalidRequestException, match="there is no such query here"):
        client.get_query_execution(QueryExecutionId=first)


def test_closing_stops_what_runs(s3: "S3Client", bucket: str) -> None:
    before = set(threading.enumerate())
    with Athena(s3, bucket=bucket) as athena:
        api = AthenaApi(athena, s3)
        with Server(Gateway(nobody, answers=(api.answer,))) as front:
            client: AthenaClient = local_client("athena", endpoint_url=front.url, region=REGION)
            for _ in range(3):
                start(client, LONG_QUERY)
        began = time.monotonic()
        api.close()
    assert time.monotonic() - began < 5
    assert set(threading.enumerate()) <= before
