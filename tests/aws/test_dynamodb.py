"""The suppression table in DynamoDB, where it is DynamoDB's own affair: what is asked, and what its errors mean."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
)
from botocore.stub import Stubber

from pipeline.address import Address
from pipeline.aws.clients import Clients, create_client
from pipeline.aws.dynamodb import READ_ATTEMPTS, DynamoSuppressionStore, key_attributes, to_attributes
from pipeline.batch import group_by_key
from pipeline.decode import decode
from pipeline.errors import Conflict, ItemRejected, MailfoldError, StoreUnavailable, Unavailable
from pipeline.event import Event
from pipeline.fact import facts
from pipeline.policy import DEFAULT_POLICY
from pipeline.ports import NO_ITEM, Item
from pipeline.projection import to_item
from pipeline.standing import Key
from tests.support.builders import ADA, a_bounce

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TABLE = "suppression"
KEY = Key(Address(ADA))
OPERATIONS: dict[str, Callable[[DynamoSuppressionStore], object]] = {
    "BatchGetItem": lambda store: store.load([KEY]),
    "PutItem": lambda store: store.save(KEY, an_item(), expected=""),
    "Scan": lambda store: list(store.scan()),
}


def an_item() -> Item:
    (event,) = (outcome for outcome in decode(a_bounce()) if isinstance(outcome, Event))
    return to_item(KEY, group_by_key(facts(event))[KEY], DEFAULT_POLICY)


def some_keys(number: int) -> list[Key]:
    return [Key(Address(f"user{n}@example.com")) for n in range(number)]


def asked(keys: Sequence[Key]) -> dict[str, Any]:
    return {TABLE: {"Keys": [key_attributes(key) for key in keys], "ConsistentRead": True}}


def answered(keys: Sequence[Key], *, left_out: Sequence[Key] = ()) -> dict[str, Any]:
    """Return BatchGetItem's answer."""
    found = [to_attributes(key, an_item()) for key in keys]
    return {"Responses": {TABLE: found}, "UnprocessedKeys": asked(left_out) if left_out else {}}


@pytest.fixture
def dynamodb(monkeypatch: pytest.MonkeyPatch) -> "DynamoDBClient":
    """Return a client of nothing at all."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "made-up")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "made-up")
    return Clients(partial(create_client, region="us-east-1", endpoint_url="http://127.0.0.1:9")).dynamodb


@pytest.fixture
def stub(dynamodb: "DynamoDBClient") -> Iterator[Stubber]:
    """Expect calls, in order, and all of them."""
    with Stubber(dynamodb) as stub:
        yield stub
        stub.assert_no_pending_responses()


@pytest.fixture
def waits() -> list[float]:
    """Return the seconds that were waited, one after the other."""
    return []


@pytest.fixture
def store(dynamodb: "DynamoDBClient", waits: list[float]) -> DynamoSuppressionStore:
    return DynamoSuppressionStore(dynamodb, table=TABLE, wait=waits.append)


# What is asked.


def test_keys_are_read_consistently_a_hundred_at_a_time(store: DynamoSuppressionStore, stub: Stubber) -> None:
    keys = some_keys(201)
    for chunk in (keys[:100], keys[100:200], keys[200:]):
        stub.add_response("batch_get_item", answered(chunk), {"RequestItems": asked(chunk)})

    assert store.load(keys) == dict.fromkeys(keys, an_item())


def test_keys_that_an_answer_left_out_are_asked_for_again_after_a_wait(
    store: DynamoSuppressionStore, stub: Stubber, waits: list[float]
) -> None:
    keys = some_keys(3)
    stub.add_response("batch_get_item", answered(keys[:1], left_out=keys[1:]), {"RequestItems": asked(keys)})
    stub.add_response("batch_get_item", answered(keys[1:2], left_out=keys[2:]), {"RequestItems": asked(keys[1:])})
    stub.add_response("batch_get_item", answered([]), {"RequestItems": asked(keys[2:])})

    assert store.load(keys) == {keys[0]: an_item(), keys[1]: an_item(), keys[2]: NO_ITEM}
    assert len(waits) == 2
    assert 0 < waits[0] <= waits[1]


def test_a_table_that_leaves_keys_out_of_every_answer_is_an_outage_in_the_end(
    store: DynamoSuppressionStore, stub: Stubber, waits: list[float]
) -> None:
    for _ in range(READ_ATTEMPTS):
        stub.add_response("batch_get_item", answered([], left_out=[KEY]), {"RequestItems": asked([KEY])})

    with pytest.raises(StoreUnavailable, match=f"the table {TABLE} left keys out .* busy"):
        store.load([KEY])
    assert sum(waits) < 15


def test_nothing_is_asked_for_no_keys(store: DynamoSuppressionStore, stub: Stubber) -> None:
    assert store.load([]) == {}


def test_a_key_longer_than_dynamodb_allows_is_not_asked_for(store: DynamoSuppressionStore, stub: Stubber) -> None:
    longest, too_long = Key(KEY.address, "é" * 512), Key(KEY.address, "é" * 512 + "x")
    stub.add_response("batch_get_item", answered([]), {"RequestItems": asked([longest])})

    assert store.load([too_long, longest]) == {too_long: NO_ITEM, longest: NO_ITEM}


def test_a_new_item_is_put_only_if_there_is_none(store: DynamoSuppressionStore, stub: Stubber) -> None:
    put = {"TableName": TABLE, "Item": to_attributes(KEY, an_item())}
    stub.add_response("put_item", {}, {**put, "ConditionExpression": "attribute_not_exists(facts_hash)"})

    store.save(KEY, an_item(), expected="")


def test_a_changed_item_is_put_only_if_nobody_else_changed_it_and_no_newer_policy_judged_it(
    store: DynamoSuppressionStore, stub: Stubber
) -> None:
    condition = {
        "ConditionExpression": "facts_hash = :facts_hash AND policy_version <= :policy_version",
        "ExpressionAttributeValues": {":facts_hash": {"S": "0" * 64}, ":policy_version": {"N": "1"}},
    }
    stub.add_response("put_item", {}, {"TableName": TABLE, "Item": to_attributes(KEY, an_item()), **condition})

    store.save(KEY, an_item(), expected="0" * 64)


def test_a_scan_reads_all_pages_consistently(store: DynamoSuppressionStore, stub: Stubber) -> None:
    first, second = some_keys(2)
    page: dict[str, Any] = {"TableName": TABLE, "ConsistentRead": True}
    more = {"Items": [to_attributes(first, an_item())], "LastEvaluatedKey": key_attributes(first)}
    stub.add_response("scan", more, page)
    last = {"Items": [to_attributes(second, an_item())]}
    stub.add_response("scan", last, {**page, "ExclusiveStartKey": key_attributes(first)})

    assert list(store.scan()) == [(first, an_item()), (second, an_item())]


# What errors mean.

OUTAGES = [
    "ProvisionedThroughputExceededException",
    "ThrottlingException",
    "RequestLimitExceeded",
    "InternalServerError",
    "ServiceUnavailable",
    "LimitExceededException",
    "TransactionConflictException",
    "ReplicatedWriteConflictException",
    # These do not go away by themselves; but once mended, another try loses nothing.
    "AccessDeniedException",
    "ResourceNotFoundException",
    "ExpiredTokenException",
    "UnrecognizedClientException",
    "SomethingThatAwsWillInvent",
]
BY_CODE: list[tuple[str, str, type[MailfoldError]]] = [
    *((operation, code, StoreUnavailable) for operation in OPERATIONS for code in OUTAGES),
    ("PutItem", "ConditionalCheckFailedException", Conflict),
    ("PutItem", "ValidationException", ItemRejected),
    # A read that is refused says nothing about any one item: the table's keys are not ours.
    ("BatchGetItem", "ValidationException", StoreUnavailable),
    ("Scan", "ValidationException", StoreUnavailable),
]
CONNECTIONS: list[BotoCoreError] = [
    EndpointConnectionError(endpoint_url="https://dynamodb"),
    ConnectTimeoutError(endpoint_url="https://dynamodb"),
    ReadTimeoutError(endpoint_url="https://dynamodb"),
    ConnectionClosedError(endpoint_url="https://dynamodb"),
    NoCredentialsError(),
]


def failing(dynamodb: "DynamoDBClient", operation: str, error: ClientError | BotoCoreError) -> None:
    """Let an operation end in an error, as if botocore's own retries were used up."""

    def fail(**_: Any) -> None:
        raise error

    dynamodb.meta.events.register(f"before-call.dynamodb.{operation}", fail)


@pytest.mark.parametrize(("operation", "code", "expected"), BY_CODE)
def test_an_error_of_dynamodb_means(
    dynamodb: "DynamoDBClient",
    store: DynamoSuppressionStore,
    operation: str,
    code: str,
    expected: type[MailfoldError],
) -> None:
    """What to do about it follows from our type; its text says what happened, to which table, nothing of anybody."""
    response: Any = {"Error": {"Code": code, "Message": f"one or more values of {ADA} are invalid"}}
    failing(dynamodb, operation, ClientError(response, operation))

    with pytest.raises(expected) as raised:
        OPERATIONS[operation](store)
    assert ADA not in str(raised.value)
    assert isinstance(raised.value, Conflict) or f"{operation} on the table {TABLE} ended in {code}" in str(
        raised.value
    )


@pytest.mark.parametrize("error", CONNECTIONS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_connection_that_fails_is_an_outage(
    dynamodb: "DynamoDBClient", store: DynamoSuppressionStore, operation: str, error: BotoCoreError
) -> None:
    failing(dynamodb, operation, error)

    with pytest.raises(StoreUnavailable, match=f"the table {TABLE} ended in {type(error).__name__}"):
        OPERATIONS[operation](store)


@pytest.mark.parametrize(
    "damage", [{"facts": {"S": "no JSON"}}, {"reason": {"S": "whim"}}, {"policy_version": {"N": "one"}}]
)
def test_an_item_that_cannot_be_read_is_an_outage_and_never_overwritten(
    store: DynamoSuppressionStore, stub: Stubber, damage: dict[str, Any]
) -> None:
    answer = {"Responses": {TABLE: [{**to_attributes(KEY, an_item()), **damage}]}, "UnprocessedKeys": {}}
    stub.add_response("batch_get_item", answer, {"RequestItems": asked([KEY])})

    with pytest.raises(Unavailable, match=rf"the table {TABLE} is not as schemas/item\.json") as raised:
        store.load([KEY])
    assert ADA not in str(raised.value)
