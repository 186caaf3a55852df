"""Athena queries against stubbed responses."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import EndpointConnectionError
from botocore.stub import Stubber

from pipeline.aws.archive.athena import QueryProgress, QueryResult, ResultColumn, query
from pipeline.errors import AccessDenied, ArchiveUnavailable, NotFound, QueryFailed

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


def expect_start(athena: Stubber) -> None:
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


def test_a_result_is_the_rows_of_all_pages(client: "AthenaClient", athena: Stubber) -> None:
    """The first row of the first page holds the columns' names and is left out."""
    expect_start(athena)
    athena.add_response("get_query_execution", an_execution("SUCCEEDED"))
    athena.add_response("get_query_results", a_page(("event_type", "n"), ("send", "2"), token="next"))
    athena.add_response("get_query_results", a_page((None, "1")))
    expected = QueryResult(
        columns=(ResultColumn(name="event_type", type="varchar"), ResultColumn(name="n", type="bigint")),
        rows=[("send", "2"), (None, "1")],
        scanned_bytes=1_000,
    )
    assert query(client, SQL, database="mailfold") == expected


def test_a_parameter_is_a_value_and_never_a_part_of_the_statement(client: "AthenaClient", athena: Stubber) -> None:
    """A text is passed beside the SQL, as a literal in which a quote ends nothing."""
    request = {
        "QueryString": "SELECT ?",
        "ExecutionParameters": ["'o''hara@example.com'"],
        "QueryExecutionContext": {"Database": "mailfold"},
        "WorkGroup": "primary",
    }
    athena.add_response("start_query_execution", {"QueryExecutionId": ID}, request)
    athena.add_response("get_query_execution", an_execution("SUCCEEDED"))
    athena.add_response("get_query_results", a_page(("event_type", "n")))
    query(client, "SELECT ?", parameters=["o'hara@example.com"], database="mailfold")


def test_a_utility_statement_has_no_header(client: "AthenaClient", athena: Stubber) -> None:
    """The first row of SHOW is data."""
    expect_start(athena)
    execution = an_execution("SUCCEEDED")
    execution["QueryExecution"]["StatementType"] = "UTILITY"
    athena.add_response("get_query_execution", execution)
    athena.add_response("get_query_results", a_page(("events", None)))
    assert query(client, "SHOW TABLES", database="mailfold").rows == [("events", None)]


def test_database_workgroup_and_location_are_passed(client: "AthenaClient", athena: Stubber) -> None:
    """StartQueryExecution gets them with the statement."""
    athena.add_response(
        "start_query_execution",
        {"QueryExecutionId": ID},
        {
            "QueryString": SQL,
            "QueryExecutionContext": {"Database": "mailfold"},
            "WorkGroup": "team",
            "ResultConfiguration": {"OutputLocation": "s3://results/"},
        },
    )
    athena.add_response("get_query_execution", an_execution("SUCCEEDED"), {"QueryExecutionId": ID})
    athena.add_response("get_query_results", a_page(("event_type", "n")))
    assert query(client, SQL, database="mailfold", workgroup="team", output_location="s3://results/").rows == []


def test_progress_is_called_for_every_poll(client: "AthenaClient", athena: Stubber) -> None:
    """It gets state, bytes read and elapsed time."""
    expect_start(athena)
    for state in ("QUEUED", "RUNNING", "SUCCEEDED"):
        athena.add_response("get_query_execution", an_execution(state))
    athena.add_response("get_query_results", a_page(("event_type", "n")))
    polls: list[QueryProgress] = []
    query(client, SQL, database="mailfold", progress=polls.append)
    assert [progress.state for progress in polls] == ["QUEUED", "RUNNING", "SUCCEEDED"]
    assert polls[-1].scanned_bytes == 1_000
    assert polls[0].elapsed_seconds <= polls[-1].elapsed_seconds


def test_a_failed_query_has_athenas_reason(client: "AthenaClient", athena: Stubber) -> None:
    """Addresses in it are redacted."""
    expect_start(athena)
    reason = "INVALID_CAST_ARGUMENT: Cannot cast 'ada@example.com' to INT"
    athena.add_response("get_query_execution", an_execution("FAILED", StateChangeReason=reason))
    with pytest.raises(QueryFailed) as raised:
        query(client, SQL, database="mailfold")
    assert str(raised.value) == "the query failed: INVALID_CAST_ARGUMENT: Cannot cast '…@…' to INT"


def test_a_query_that_may_be_retried_is_an_outage(client: "AthenaClient", athena: Stubber) -> None:
    """Athena marks its internal errors as retryable."""
    expect_start(athena)
    error = {"ErrorCategory": 1, "Retryable": True}
    athena.add_response(
        "get_query_execution", an_execution("FAILED", StateChangeReason="Internal error", AthenaError=error)
    )
    with pytest.raises(ArchiveUnavailable, match="Internal error"):
        query(client, SQL, database="mailfold")


def test_a_cancelled_query_failed(client: "AthenaClient", athena: Stubber) -> None:
    """It may have been stopped in the console, without a reason."""
    expect_start(athena)
    athena.add_response("get_query_execution", an_execution("CANCELLED"))
    with pytest.raises(QueryFailed, match="the query was stopped: Athena gives no reason"):
        query(client, SQL, database="mailfold")


def test_a_query_that_takes_too_long_is_stopped(client: "AthenaClient", athena: Stubber) -> None:
    """Its bytes cost money although its result is not read."""
    expect_start(athena)
    athena.add_response("get_query_execution", an_execution("RUNNING"))
    athena.add_response("stop_query_execution", {}, {"QueryExecutionId": ID})
    with pytest.raises(ArchiveUnavailable, match=r"more than 0 s and was stopped"):
        query(client, SQL, database="mailfold", timeout_seconds=0)


def test_an_interrupted_query_is_stopped(client: "AthenaClient", athena: Stubber) -> None:
    """Ctrl-C stops it in Athena too."""

    def interrupt(_: QueryProgress) -> None:
        raise KeyboardInterrupt

    expect_start(athena)
    athena.add_response("get_query_execution", an_execution("RUNNING"))
    athena.add_response("stop_query_execution", {}, {"QueryExecutionId": ID})
    with pytest.raises(KeyboardInterrupt):
        query(client, SQL, database="mailfold", progress=interrupt)


def test_a_failed_stop_does_not_hide_the_first_error(client: "AthenaClient", athena: Stubber) -> None:
    """The error that made the query stop is raised."""
    expect_start(athena)
    athena.add_client_error("get_query_execution", "ThrottlingException")
    athena.add_client_error("stop_query_execution", "InternalServerException")
    with pytest.raises(ArchiveUnavailable, match="throttles following the query with ThrottlingException"):
        query(client, SQL, database="mailfold")


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("InvalidRequestException", QueryFailed),
        ("MetadataException", QueryFailed),
        ("ResourceNotFoundException", NotFound),
        ("TooManyRequestsException", ArchiveUnavailable),
        ("ThrottlingException", ArchiveUnavailable),
        ("InternalServerException", ArchiveUnavailable),
        ("AccessDeniedException", AccessDenied),
        ("ExpiredTokenException", AccessDenied),
    ],
)
def test_a_code_has_its_type(client: "AthenaClient", athena: Stubber, code: str, error: type[Exception]) -> None:
    """The type distinguishes a rejected query, an outage and a denial."""
    athena.add_client_error("start_query_execution", code, "no")
    with pytest.raises(error, match="starting the query"):
        query(client, SQL, database="mailfold")


def test_an_unreachable_athena_is_an_outage(client: "AthenaClient") -> None:
    """The query may be tried again."""

    def refuse(**_: Any) -> None:
        raise EndpointConnectionError(endpoint_url="https://athena")

    client.meta.events.register("before-send.athena", refuse)
    with pytest.raises(ArchiveUnavailable, match="starting the query: EndpointConnectionError"):
        query(client, SQL, database="mailfold")


def test_a_query_that_reads_too_much_is_stopped(client: "AthenaClient", athena: Stubber) -> None:
    """It is stopped once Athena reports more bytes than the limit, and the message says how to read fewer."""
    expect_start(athena)
    for state in ("QUEUED", "RUNNING"):
        athena.add_response("get_query_execution", an_execution(state))
    athena.add_response("stop_query_execution", {}, {"QueryExecutionId": ID})
    bytes_read = iter([0, 1_000])

    def read(parsed: dict[str, Any], **_: Any) -> None:
        parsed["QueryExecution"]["Statistics"]["DataScannedInBytes"] = next(bytes_read)

    client.meta.events.register("after-call.athena.GetQueryExecution", read)
    with pytest.raises(
        QueryFailed, match=r"stopped after it had read 1,000 bytes, more than the limit of 999: filter on dt"
    ):
        query(client, SQL, database="mailfold", scan_limit_bytes=999)


@pytest.mark.parametrize(("state", "limit_bytes"), [("RUNNING", 1_000), ("SUCCEEDED", 10)])
def test_a_query_within_its_limit_has_its_result(
    client: "AthenaClient", athena: Stubber, state: str, limit_bytes: int
) -> None:
    """So has one that ended above its limit: its bytes are billed anyway."""
    expect_start(athena)
    if state == "RUNNING":
        athena.add_response("get_query_execution", an_execution(state))
    athena.add_response("get_query_execution", an_execution("SUCCEEDED"))
    athena.add_response("get_query_results", a_page(("event_type", "n"), ("send", "2")))
    assert query(client, SQL, database="mailfold", scan_limit_bytes=limit_bytes).rows == [("send", "2")]


@pytest.mark.parametrize("state", ["CANCELLED", "FAILED"])
def test_the_limit_of_the_workgroup_is_explained(client: "AthenaClient", athena: Stubber, state: str) -> None:
    """Athena has only a text for it, whether it reports the query as cancelled or as failed."""
    expect_start(athena)
    execution = an_execution(state, StateChangeReason="Query cancelled! : Bytes scanned limit was exceeded")
    execution["QueryExecution"]["WorkGroup"] = "mail"
    athena.add_response("get_query_execution", execution)
    with pytest.raises(
        QueryFailed, match=r"limit of its workgroup, mail, after it had read 1,000 bytes.*QueryScanLimitBytes"
    ):
        query(client, SQL, database="mailfold")
