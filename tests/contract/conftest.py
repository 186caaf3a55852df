"""The implementations of each port that the contract suites run against."""

from collections.abc import Iterator

import pytest
from moto import mock_aws

from pipeline.aws.clients import create_client
from pipeline.aws.dynamodb import DynamoSuppressionStore, table_definition
from pipeline.memory import MemoryStore
from pipeline.ports import SuppressionStore
from tests.support.items import MakeStore


@pytest.fixture(params=["memory", "dynamodb"])
def make_store(request: pytest.FixtureRequest) -> Iterator[MakeStore]:
    """Return a function that creates an empty table."""
    if request.param == "memory":
        yield MemoryStore
        return
    with mock_aws():
        dynamodb = create_client("dynamodb", region="us-east-1")
        names = (f"suppression-{number}" for number in range(100))

        def make() -> SuppressionStore:
            name = next(names)
            dynamodb.create_table(**table_definition(name))
            return DynamoSuppressionStore(dynamodb, table=name)

        yield make


@pytest.fixture
def store(make_store: MakeStore) -> SuppressionStore:
    """Return an empty table."""
    return make_store()
