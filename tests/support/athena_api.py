"""Athena's API over a log in moto, called with boto3."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from werkzeug.wrappers import Response

from pipeline.local.athena import Athena
from pipeline.local.client import local_client
from pipeline.local.gateway.athena import AthenaApi
from pipeline.local.gateway.athena_executions import DEFAULT_LIMITS, Limits
from pipeline.local.gateway.backend import Moto
from pipeline.local.gateway.server import Gateway, Server
from tests.support.builders import a_bounce, a_send
from tests.support.log_in_s3 import a_bucket, keep
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from mypy_boto3_athena import AthenaClient
    from mypy_boto3_s3 import S3Client

REGION = "us-east-1"
COUNTS = "SELECT event_type, subject, count(*) AS n FROM events GROUP BY 1, 2 ORDER BY 1"


@contextmanager
def moto_s3() -> Iterator[S3Client]:
    """Yield a client of S3 in a moto of its own."""
    moto = Moto()
    with Server(moto) as backend:
        client: S3Client = local_client("s3", endpoint_url=backend.url, region=REGION)
        yield client
        client.close()
    moto.close()


def a_small_log(s3: S3Client) -> str:
    """Return a new bucket with a log of two sends and a bounce."""
    bucket = a_bucket(s3)
    keep(s3, bucket, a_send(), a_send(messageId="other"), a_bounce())
    return bucket


@contextmanager
def serve(s3: S3Client, bucket: str, *, limits: Limits = DEFAULT_LIMITS) -> Iterator[tuple[AthenaClient, AthenaApi]]:
    """Yield a client of the API over a bucket's log, and the API."""
    with Athena(s3, bucket=bucket) as athena:
        api = AthenaApi(athena, s3, limits=limits)
        with Server(Gateway(Response(status=404), handlers=(api.handle,))) as gateway:
            client: AthenaClient = local_client("athena", endpoint_url=gateway.url, region=REGION)
            yield client, api
            client.close()
        api.close()


def start(client: AthenaClient, sql: str, **request: Any) -> str:
    return client.start_query_execution(QueryString=sql, **request)["QueryExecutionId"]


def state(client: AthenaClient, execution_id: str) -> str:
    return client.get_query_execution(QueryExecutionId=execution_id)["QueryExecution"]["Status"]["State"]


def gone(client: AthenaClient, execution_id: str) -> bool:
    return execution_id not in client.list_query_executions()["QueryExecutionIds"]


def run_to_end(client: AthenaClient, sql: str, location: str | None = None) -> str:
    """Run a query, with a result file at a location, and return its id."""
    output: Any = {"ResultConfiguration": {"OutputLocation": location}} if location else {}
    execution_id = start(client, sql, **output)
    assert eventually(lambda: state(client, execution_id) not in {"QUEUED", "RUNNING"}, what="the query's end")
    return execution_id


def wait(client: AthenaClient, execution_id: str) -> dict[str, Any]:
    """Wait until a query is over, and return its execution."""

    def completed() -> Any:
        execution = client.get_query_execution(QueryExecutionId=execution_id)["QueryExecution"]
        return None if execution["Status"]["State"] in {"QUEUED", "RUNNING"} else execution

    return dict(eventually(completed, what="the query's end"))
