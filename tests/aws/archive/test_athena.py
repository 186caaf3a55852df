"""Queries by Athena's API, against scripted answers of the service."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import EndpointConnectionError
from botocore.stub import Stubber

from pipeline.aws.archive.athena import QueryProgress, QueryResult, ResultColumn, query
from pipeline.errors import ArchiveUnavailable, UsageError

if TYPE_CHECKING:
    from mypy_boto3_athena import AthenaClient

ID = "0e5f9fd5-9bf4-4b1f-a5f4-2d2d9a0c1a52"
SQL = "SELECT event_type, count(*) AS n FROM events GROUP BY 1"


@pytest.fixture
def client() -> "AthenaClient":
    return boto3.client(
        "athena",
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}),
    )


@pytest.fixture
def athena(client: "AthenaClient") -> Iterator[Stubber]:
    with Stubber(client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def started(athena: Stubber) -> None:
    athena.add_response("start_query_execution", {"QueryExecutionId": ID})


def an_execution(state: str, **status: Any) -> dict[str, Any]:
    execution = {
        "QueryExecutionId": ID,
        "StatementType": "DML",
        "Status": {"State": state, **status},
        "Statistics": {"DataScannedInBytes": 1_000},
    }
    return {"QueryExecution": execution}


def a_page(*rows: tuple[str | None, ...], token: str | None = None) -> dict[str, Any]:
    columns = [{"Name": "event_type", "Type": "varchar"}, {"Name": "n", "Type": "bigint"}]
    data = [{"Data": [{} if value is None else {"VarCharValue": value} for value in row]} for row in rows]
    result = {"Rows": data, "ResultSetMetadata": {"ColumnInfo": columns}}
    return {"ResultSet": result} | ({"NextToken": token} if token else {})


def test_the_answer_is_all_rows_of_all_pages_without_the_heading(client: "AthenaClient", athena: Stubber) -> None:
    started(athena)
    athena.add_response("get_query_execution", an_execution("SUCCEEDED"))
    athena.add_response("get_query_results", a_page(("event_type", "n"), ("send", "2"), token="next"))
    athena.add_response("get_query_results", a_page((None, "1")))
    expected = QueryResult(
        columns=(ResultColumn(name="event_type", type="varchar"), ResultColumn(name="n", type="bigint")),
        rows=[("send", "2"), (None, "1")],
        scanned_bytes=1_000,
    )
    assert query(client, SQL, database="mailfold") == expected


def test_show_has_no_heading_to_leave_out(client: "AthenaClient", athena: Stubber) -> None:
    started(athena)
    execution = an_execution("SUCCEEDED")
    execution["QueryExecution"]["StatementType"] = "UTILITY"
    athena.add_response("get_query_execution", execution)
    athena.add_response("get_query_results", a_page(("events", None)))
    assert query(client, "SHOW TABLES", database="mailfold").rows == [("events", None)]


def test_database_workgroup_and_output_location_are_passed_on(client: "AthenaClient", athena: Stubber) -> None:
    athena.add_response(
        "start_query_execution",
        {"QueryExecutionId": ID},
        {
            "QueryString": SQL,
            "QueryExecutionContext": {"Database": "mailfold"},
            "WorkGroup": "team",
            "ResultConfiguration": {"OutputLocation": "s3://answers/"},
        },
    )
    athena.add_response("get_query_execution", an_execution("SUCCEEDED"), {"QueryExecutionId": ID})
    athena.add_response("get_query_results", a_page(("event_type", "n")))
    assert query(client, SQL, database="mailfold", workgroup="team", output_location="s3://answers/").rows == []


def test_progress_tells_every_state_that_was_seen(client: "AthenaClient", athena: Stubber) -> None:
    started(athena)
    for state in ("QUEUED", "RUNNING", "SUCCEEDED"):
        athena.add_response("get_query_execution", an_execution(state))
    athena.add_response("get_query_results", a_page(("event_type", "n")))
    seen: list[QueryProgress] = []
    query(client, SQL, database="mailfold", progress=seen.append)
    assert [progress.state for progress in seen] == ["QUEUED", "RUNNING", "SUCCEEDED"]
    assert seen[-1].scanned_bytes == 1_000
    assert seen[0].elapsed_seconds <= seen[-1].elapsed_seconds


def test_a_failed_query_is_misuse_with_athenas_reason_but_no_address(client: "AthenaClient", athena: Stubber) -> None:
    started(athena)
    reason = "INVALID_CAST_ARGUMENT: Cannot cast 'ada@example.com' to INT"
    athena.add_response("get_query_execution", an_execution("FAILED", StateChangeReason=reason))
    with pytest.raises(UsageError) as raised:
        query(client, SQL, database="mailfold")
    assert str(raised.value) == "the query failed: INVALID_CAST_ARGUMENT: Cannot cast '…@…' to INT"


def test_a_query_that_failed_by_no_fault_of_ours_is_an_outage(client: "AthenaClient", athena: Stubber) -> None:
    started(athena)
    error = {"ErrorCategory": 1, "Retryable": True}
    athena.add_response(
        "get_query_execution", an_execution("FAILED", StateChangeReason="Internal error", AthenaError=error)
    )
    with pytest.raises(ArchiveUnavailable, match="Internal error"):
        query(client, SQL, database="mailfold")


def test_a_query_that_somebody_stopped_is_misuse(client: "AthenaClient", athena: Stubber) -> None:
    started(athena)
    athena.add_response("get_query_execution", an_execution("CANCELLED"))
    with pytest.raises(UsageError, match="the query was stopped: Athena gives no reason"):
        query(client, SQL, database="mailfold")


def test_a_query_that_takes_too_long_is_stopped(client: "AthenaClient", athena: Stubber) -> None:
    started(athena)
    athena.add_response("get_query_execution", an_execution("RUNNING"))
    athena.add_response("stop_query_execution", {}, {"QueryExecutionId": ID})
    with pytest.raises(ArchiveUnavailable, match=r"more than 0 s and was stopped"):
        query(client, SQL, database="mailfold", timeout_seconds=0)


def test_an_interrupted_query_is_stopped(client: "AthenaClient", athena: Stubber) -> None:
    def interrupt(_: QueryProgress) -> None:
        raise KeyboardInterrupt

    started(athena)
    athena.add_response("get_query_execution", an_execution("RUNNING"))
    athena.add_response("stop_query_execution", {}, {"QueryExecutionId": ID})
    with pytest.raises(KeyboardInterrupt):
        query(client, SQL, database="mailfold", progress=interrupt)


def test_what_went_wrong_shows_although_stopping_fails_too(client: "AthenaClient", athena: Stubber) -> None:
    started(athena)
    athena.add_client_error("get_query_execution", "ThrottlingException")
    athena.add_client_error("stop_query_execution", "InternalServerException")
    with pytest.raises(ArchiveUnavailable, match="GetQueryExecution: ThrottlingException"):
        query(client, SQL, database="mailfold")


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("InvalidRequestException", UsageError),
        ("MetadataException", UsageError),
        ("ResourceNotFoundException", UsageError),
        ("TooManyRequestsException", ArchiveUnavailable),
        ("ThrottlingException", ArchiveUnavailable),
        ("InternalServerException", ArchiveUnavailable),
        ("AccessDeniedException", UsageError),
        ("ExpiredTokenException", UsageError),
    ],
)
def test_each_of_athenas_errors_is_one_of_ours(
    client: "AthenaClient", athena: Stubber, code: str, error: type[Exception]
) -> None:
    athena.add_client_error("start_query_execution", code, "no such thing")
    with pytest.raises(error, match="StartQueryExecution"):
        query(client, SQL, database="mailfold")


def test_an_unreachable_athena_is_an_outage(client: "AthenaClient") -> None:
    def refuse(**_: Any) -> None:
        raise EndpointConnectionError(endpoint_url="https://athena")

    client.meta.events.register("before-send.athena", refuse)
    with pytest.raises(ArchiveUnavailable, match="StartQueryExecution: EndpointConnectionError"):
        query(client, SQL, database="mailfold")


def test_a_query_that_reads_too_much_is_stopped(client: "AthenaClient", athena: Stubber) -> None:
    started(athena)
    for state in ("QUEUED", "RUNNING"):
        athena.add_response("get_query_execution", an_execution(state))
    athena.add_response("stop_query_execution", {}, {"QueryExecutionId": ID})
    bytes_read = iter([0, 1_000])

    def read(parsed: dict[str, Any], **_: Any) -> None:
        parsed["QueryExecution"]["Statistics"]["DataScannedInBytes"] = next(bytes_read)

    client.meta.events.register("after-call.athena.GetQueryExecution", read)
    with pytest.raises(
        UsageError, match=r"stopped when it had read 1,000 bytes, more than the limit of 999: filter on dt"
    ):
        query(client, SQL, database="mailfold", scan_limit_bytes=999)


@pytest.mark.parametrize(("state", "limit_bytes"), [("RUNNING", 1_000), ("SUCCEEDED", 10)])
def test_a_query_within_its_limit_or_that_has_ended_gives_its_answer(
    client: "AthenaClient", athena: Stubber, state: str, limit_bytes: int
) -> None:
    """What is read by then is billed all the same."""
    started(athena)
    if state == "RUNNING":
        athena.add_response("get_query_execution", an_execution(state))
    athena.add_response("get_query_execution", an_execution("SUCCEEDED"))
    athena.add_response("get_query_results", a_page(("event_type", "n"), ("send", "2")))
    assert query(client, SQL, database="mailfold", scan_limit_bytes=limit_bytes).rows == [("send", "2")]


@pytest.mark.parametrize("state", ["CANCELLED", "FAILED"])
def test_the_limit_of_the_workgroup_is_told_in_words(client: "AthenaClient", athena: Stubber, state: str) -> None:
    started(athena)
    execution = an_execution(state, StateChangeReason="Query cancelled! : Bytes scanned limit was exceeded")
    execution["QueryExecution"]["WorkGroup"] = "mail"
    athena.add_response("get_query_execution", execution)
    with pytest.raises(
        UsageError, match=r"limit of its workgroup, mail, when it had read 1,000 bytes.*QueryScanLimitBytes"
    ):
        query(client, SQL, database="mailfold")
