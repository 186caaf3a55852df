"""Athena's API on this machine, called with boto3."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config

from pipeline.aws.archive.athena import QueryProgress, query
from pipeline.errors import ArchiveUnavailable, QueryFailed
from tests.support.athena_api import COUNTS, REGION, a_small_log, moto_s3, serve, start, wait
from tests.support.log_in_s3 import LONG_QUERY, a_bucket

if TYPE_CHECKING:
    from mypy_boto3_athena import AthenaClient
    from mypy_boto3_s3 import S3Client


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


def test_a_query_is_answered_as_by_athena(client: AthenaClient) -> None:
    """The product's own client of Athena gets columns, rows, bytes read and progress."""
    progress: list[QueryProgress] = []
    result = query(client, COUNTS, database="mailfold", progress=progress.append)
    assert [column.type for column in result.columns] == ["varchar", "varchar", "bigint"]
    assert result.rows == [("bounce", None, "1"), ("send", None, "2")]
    assert result.scanned_bytes > 0
    assert progress[-1].state == "SUCCEEDED"


def test_an_object_that_was_skipped_is_named(s3: S3Client) -> None:
    """By GetQueryExecution, as the reason of a query that succeeded."""
    bucket = a_bucket(s3)
    s3.put_object(Bucket=bucket, Key="events/readme.txt", Body=b"no Parquet")
    with serve(s3, bucket) as (client, _):
        result = query(client, COUNTS, database="mailfold")
    assert result.remark == f"skipped s3://{bucket}/events/readme.txt: its key is not one of the event log"


def test_an_execution_repeats_its_request(client: AthenaClient) -> None:
    """GetQueryExecution returns the statement, its type, the workgroup, times and bytes read."""
    execution = wait(client, start(client, COUNTS, WorkGroup="team"))
    assert (execution["Query"], execution["StatementType"], execution["WorkGroup"]) == (COUNTS, "DML", "team")
    assert execution["Status"]["SubmissionDateTime"] <= execution["Status"]["CompletionDateTime"]
    assert execution["Statistics"]["DataScannedInBytes"] > 0


def test_show_has_no_header_row(client: AthenaClient) -> None:
    """The first row of a SHOW is a value, not a column name."""
    assert query(client, "SHOW DATABASES", database="mailfold").rows == [("mailfold",)]


def test_a_long_result_has_several_pages(client: AthenaClient) -> None:
    """A result of more rows than a page holds arrives complete and in order."""
    result = query(client, "SELECT x FROM UNNEST(sequence(1, 2500)) AS t (x) ORDER BY x", database="mailfold")
    assert [row[0] for row in result.rows] == [str(number) for number in range(1, 2501)]


def test_a_page_has_the_requested_length(client: AthenaClient) -> None:
    """MaxResults counts the header row, and the last page has no NextToken."""
    execution_id = start(client, "SELECT x FROM UNNEST(sequence(1, 3)) AS t (x) ORDER BY x")
    wait(client, execution_id)
    first = client.get_query_results(QueryExecutionId=execution_id, MaxResults=2)
    last = client.get_query_results(QueryExecutionId=execution_id, NextToken=first["NextToken"])
    values = [[row["Data"][0]["VarCharValue"] for row in page["ResultSet"]["Rows"]] for page in (first, last)]
    assert values == [["x", "1"], ["2", "3"]]
    assert "NextToken" not in last


def test_a_mistake_fails_the_query_with_its_position(client: AthenaClient) -> None:
    """The reason of a failed query names line and column."""
    with pytest.raises(QueryFailed, match='the query failed: line 1:8: Referenced column "nope" not found'):
        query(client, "SELECT nope FROM events", database="mailfold")


def test_a_failed_query_has_no_results(client: AthenaClient) -> None:
    """A query that fails by its statement is not retryable, and asking for its results is an error."""
    execution_id = start(client, "SELECT nope FROM events")
    execution = wait(client, execution_id)
    assert execution["Status"]["State"] == "FAILED"
    assert execution["Status"]["AthenaError"]["Retryable"] is False
    with pytest.raises(client.exceptions.InvalidRequestException, match="has no results: its state is FAILED"):
        client.get_query_results(QueryExecutionId=execution_id)


def test_a_query_that_takes_too_long_is_stopped(client: AthenaClient) -> None:
    """The product's client stops a query at its time-out, so that the next one can run."""
    with pytest.raises(ArchiveUnavailable, match=r"more than 0\.2 s and was stopped"):
        query(client, LONG_QUERY, database="mailfold", timeout_seconds=0.2)
    assert query(client, "SELECT 1", database="mailfold", timeout_seconds=300).rows == [("1",)]


def test_the_same_token_is_the_same_query(client: AthenaClient) -> None:
    """A repeated ClientRequestToken returns the first query's id."""
    token = "a-token-of-at-least-thirty-two-characters"
    first = start(client, COUNTS, ClientRequestToken=token)
    assert start(client, COUNTS, ClientRequestToken=token) == first


def test_a_result_is_written_as_csv(client: AthenaClient, s3: S3Client, bucket: str) -> None:
    """The file at the output location has every value in quotes, and nothing for null."""
    sql = "SELECT 'say \"hi\", Ann' AS a, NULL AS b, 1 AS c"
    execution = wait(client, start(client, sql, ResultConfiguration={"OutputLocation": f"s3://{bucket}/results/"}))
    location = execution["ResultConfiguration"]["OutputLocation"]
    assert location == f"s3://{bucket}/results/{execution['QueryExecutionId']}.csv"
    key = location.removeprefix(f"s3://{bucket}/")
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == b'"a","b","c"\n"say ""hi"", Ann",,"1"\n'


def test_the_result_of_show_is_written_as_text(client: AthenaClient, s3: S3Client, bucket: str) -> None:
    """The file of a SHOW has no header and no quotes."""
    execution = wait(client, start(client, "SHOW DATABASES", ResultConfiguration={"OutputLocation": f"s3://{bucket}"}))
    key = f"{execution['QueryExecutionId']}.txt"
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == b"mailfold\n"


def test_a_missing_output_bucket_fails_the_query(client: AthenaClient) -> None:
    """The reason names the bucket, and the failure is not retryable."""
    execution = wait(client, start(client, "SELECT 1", ResultConfiguration={"OutputLocation": "s3://not-there/"}))
    assert "writing the result to bucket not-there: NoSuchBucket" in execution["Status"]["StateChangeReason"]
    assert execution["Status"]["AthenaError"]["Retryable"] is False


def test_an_unreachable_log_fails_the_query_for_now() -> None:
    """A query that cannot reach S3 fails and is retryable."""
    s3: S3Client = boto3.client(
        "s3",
        endpoint_url="http://127.0.0.1:1",
        region_name=REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}),
    )
    with serve(s3, "any") as (client, _), pytest.raises(ArchiveUnavailable, match="may succeed if tried again"):
        query(client, "SELECT 1", database="mailfold")


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"QueryExecutionContext": {"Database": "other"}}, "there is no database other: mailfold is the only one"),
        ({"ResultConfiguration": {"OutputLocation": "results"}}, "has to be of the form s3://bucket/prefix/"),
    ],
)
def test_an_invalid_request_is_rejected(client: AthenaClient, request_: dict[str, Any], message: str) -> None:
    """What is not covered, or is invalid, is an InvalidRequestException with its reason."""
    with pytest.raises(client.exceptions.InvalidRequestException, match=message):
        start(client, "SELECT 1", **request_)


def test_an_unknown_execution_is_rejected(client: AthenaClient) -> None:
    """An id that no query has is an InvalidRequestException."""
    with pytest.raises(client.exceptions.InvalidRequestException, match="there is no query with this"):
        client.get_query_execution(QueryExecutionId="none")


def test_parameters_have_their_values(client: AthenaClient) -> None:
    """They replace question marks in their order, but none in a text, and the execution returns them."""
    sql = "SELECT '?', ? AS a, count(*) FROM events WHERE event_type = ?"
    execution_id = start(client, sql, ExecutionParameters=["1", "'send'"])
    execution = wait(client, execution_id)
    assert (execution["Query"], execution["ExecutionParameters"]) == (sql, ["1", "'send'"])
    _, row = client.get_query_results(QueryExecutionId=execution_id)["ResultSet"]["Rows"]
    assert [value["VarCharValue"] for value in row["Data"]] == ["?", "1", "2"]


@pytest.mark.parametrize("values", [[], ["1", "2"]])
def test_a_query_has_as_many_values_as_parameters(client: AthenaClient, values: list[str]) -> None:
    """With more or fewer it fails."""
    execution = wait(client, start(client, "SELECT ?", **({"ExecutionParameters": values} if values else {})))
    assert execution["Status"]["StateChangeReason"] == (
        f"Incorrect number of parameters: expected 1 but found {len(values)}"
    )


def test_a_result_of_any_text_is_read_back(client: AthenaClient, s3: S3Client, bucket: str) -> None:
    """By the API and from the file, quotes, commas, line ends, nulls and texts of no characters are the same."""
    sql = "SELECT * FROM (VALUES ('a\"b,c', NULL, ''), ('\n', ',\r\n', NULL), (NULL, '\"\"', 'é')) AS t (a, b, c)"
    expected = [('a"b,c', None, ""), ("\n", ",\r\n", None), (None, '""', "é")]
    location = f"s3://{bucket}/results/"
    assert list(query(client, sql, database="mailfold", output_location=location, s3=s3).rows) == expected
    assert query(client, sql, database="mailfold").rows == expected
    alone = query(client, "SELECT NULL AS a", database="mailfold", output_location=location, s3=s3)
    assert list(alone.rows) == [(None,)]
