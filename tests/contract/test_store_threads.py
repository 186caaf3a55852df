"""The table in DynamoDB with a thread pool: threads do not change the result."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from moto import mock_aws

from pipeline.aws.clients import create_client
from pipeline.aws.dynamodb import DynamoSuppressionStore, table_definition
from pipeline.batch import StreamRecord
from pipeline.errors import StoreUnavailable
from pipeline.memory import MemoryStore
from pipeline.replay import store_digest
from tests.support.builders import a_bounce, a_complaint
from tests.support.scenario import a_batch, project

THREADS = 4
PEOPLE = 400  # one transaction for each thread
WAIT_SECONDS = 120.0
TABLE = "suppression"


def feedback(people: int = PEOPLE) -> list[StreamRecord]:
    """Return a bounce and a complaint of each person."""
    names = [f"user{number}@example.com" for number in range(people)]
    return a_batch(*[make(recipients=[name], feedback_id=name) for make in (a_bounce, a_complaint) for name in names])


@pytest.fixture
def dynamodb() -> Iterator[Any]:
    with mock_aws():
        client = create_client("dynamodb", region="us-east-1")
        client.create_table(**table_definition(TABLE))
        yield client


@pytest.fixture
def store(dynamodb: Any) -> Iterator[DynamoSuppressionStore]:
    with ThreadPoolExecutor(THREADS) as pool:
        yield DynamoSuppressionStore(dynamodb, table=TABLE, each=pool.map)


def test_threads_do_not_change_the_table(store: DynamoSuppressionStore) -> None:
    """Items saved by several threads equal those saved one after the other."""
    sequential = MemoryStore()
    project(feedback(), store=sequential)

    first, second = project(feedback(), store=store), project(feedback(), store=store)

    assert (first.counts.written, second.counts.unchanged) == (PEOPLE, PEOPLE)
    assert store_digest(store) == store_digest(sequential)


@pytest.mark.parametrize("operation", ["BatchGetItem", "TransactWriteItems"])
def test_calls_are_made_at_the_same_time(dynamodb: Any, store: DynamoSuppressionStore, operation: str) -> None:
    """Calls that wait for each other all succeed."""
    barrier = Barrier(THREADS)

    def wait(**_: Any) -> None:
        barrier.wait(WAIT_SECONDS)

    dynamodb.meta.events.register(f"before-call.dynamodb.{operation}", wait)

    assert project(feedback(), store=store).counts.written == PEOPLE


def test_an_outage_stops_at_the_first_pending_record(dynamodb: Any, store: DynamoSuppressionStore) -> None:
    """Other threads may have saved later records, which are saved again without effect."""

    def fail(*, params: Any, **_: Any) -> None:
        if b"user250@example.com" in params["body"]:
            raise EndpointConnectionError(endpoint_url="https://dynamodb")

    dynamodb.meta.events.register("before-call.dynamodb.TransactWriteItems", fail)

    result = project(feedback(), store=store)

    assert isinstance(result.cause, StoreUnavailable)
    assert result.failed_at is not None
    assert result.failed_at <= 250
    stored = {key.address for key, _ in store.scan()}
    assert {f"user{number}@example.com" for number in range(result.failed_at)} <= stored
