"""Transactions of the local cloud's DynamoDB: all or nothing, and without copies of all items."""

from collections.abc import Iterator
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import Item
from moto.dynamodb.models.table import Table

from pipeline.aws.dynamodb import table_definition
from pipeline.local.client import local_client
from pipeline.local.gateway.backend import Moto
from pipeline.local.gateway.server import Server

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TABLE = "suppression"
A_WHILE_SECONDS, WAIT_SECONDS = 1.0, 60.0


@pytest.fixture
def dynamodb() -> Iterator["DynamoDBClient"]:
    """Yield a client of a moto with a table that holds Ada's item."""
    moto = Moto()
    with Server(moto) as server:
        client: DynamoDBClient = local_client("dynamodb", endpoint_url=server.url, region="us-east-1")
        client.create_table(**table_definition(TABLE))
        client.put_item(TableName=TABLE, Item=an_item("ada", "first"))
        yield client
        client.close()
    moto.close()


def a_key(person: str) -> dict[str, Any]:
    return {"address": {"S": person}, "scope": {"S": "*"}}


def an_item(person: str, value: str) -> dict[str, Any]:
    return {**a_key(person), "value": {"S": value}}


def a_put(person: str, value: str, **condition: str) -> Any:
    return {"Put": {"TableName": TABLE, "Item": an_item(person, value), **condition}}


def items(dynamodb: "DynamoDBClient") -> list[tuple[str, str]]:
    return sorted((item["address"]["S"], item["value"]["S"]) for item in dynamodb.scan(TableName=TABLE)["Items"])


AN_UPDATE: Any = {
    "Update": {
        "TableName": TABLE,
        "Key": a_key("ada"),
        "UpdateExpression": "SET #value = :value",
        "ExpressionAttributeNames": {"#value": "value"},
        "ExpressionAttributeValues": {":value": {"S": "second"}},
    }
}
REFUSED = a_put("zoe", "new", ConditionExpression="attribute_exists(address)")


def test_a_transaction_of_puts_is_written(dynamodb: "DynamoDBClient") -> None:
    """It replaces what exists, and adds what does not."""
    dynamodb.transact_write_items(TransactItems=[a_put("ada", "second"), a_put("bob", "new")])
    assert items(dynamodb) == [("ada", "second"), ("bob", "new")]


@pytest.mark.parametrize(
    "first", [a_put("ada", "second"), a_put("bob", "new"), AN_UPDATE], ids=["replace", "add", "update"]
)
def test_a_cancelled_transaction_changes_nothing(dynamodb: "DynamoDBClient", first: Any) -> None:
    """Its first write is taken back, also one that changes an item in place."""
    with pytest.raises(dynamodb.exceptions.TransactionCanceledException):
        dynamodb.transact_write_items(TransactItems=[first, REFUSED])
    assert items(dynamodb) == [("ada", "first")]
    dynamodb.transact_write_items(TransactItems=[a_put("bob", "new")])
    assert items(dynamodb) == [("ada", "first"), ("bob", "new")]


def test_a_transaction_of_puts_copies_a_table_once(dynamodb: "DynamoDBClient", monkeypatch: pytest.MonkeyPatch) -> None:
    """Moto copies it, with all its items, for each put: minutes for a table of 20,000 items."""
    copied: list[object] = []
    with monkeypatch.context() as patch:
        patch.setattr(Item, "__deepcopy__", lambda item, _: copied.append(item), raising=False)
        dynamodb.transact_write_items(TransactItems=[a_put(f"user{number}", "new") for number in range(50)])
    assert copied == []
    assert len(items(dynamodb)) == 51


def test_a_cancelled_transaction_takes_back_no_other_write(
    dynamodb: "DynamoDBClient", monkeypatch: pytest.MonkeyPatch
) -> None:
    """A put that comes during the transaction waits for its end, and stays."""
    put_item, others = DynamoDBBackend.put_item, []

    def put_another(backend: DynamoDBBackend, *arguments: Any, **options: Any) -> Any:
        monkeypatch.setattr(DynamoDBBackend, "put_item", put_item)
        others.append(Thread(target=lambda: dynamodb.put_item(TableName=TABLE, Item=an_item("bob", "new"))))
        others[0].start()
        others[0].join(A_WHILE_SECONDS)
        return put_item(backend, *arguments, **options)

    monkeypatch.setattr(DynamoDBBackend, "put_item", put_another)
    with pytest.raises(dynamodb.exceptions.TransactionCanceledException):
        dynamodb.transact_write_items(TransactItems=[a_put("ada", "second"), REFUSED])
    others[0].join(WAIT_SECONDS)

    assert items(dynamodb) == [("ada", "first"), ("bob", "new")]


def test_moto_is_as_before_afterwards() -> None:
    """Another moto in this process, such as a test's, is not changed."""
    Moto().close()
    assert not hasattr(Table, "__deepcopy__")
