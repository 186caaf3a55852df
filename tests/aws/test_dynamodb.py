"""The suppression table in DynamoDB: its requests, and the types of its errors."""

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
from pipeline.aws.dynamodb import READ_ATTEMPTS, DynamoSuppressionStore
from pipeline.aws.dynamodb_item import key_attributes, to_attributes
from pipeline.batch import group_by_key
from pipeline.decode import decode
from pipeline.errors import (
    STOPS_BATCH,
    AccessDenied,
    Conflict,
    ItemRejected,
    MailfoldError,
    NotFound,
    StoreUnavailable,
    Unavailable,
)
from pipeline.event import Event
from pipeline.fact import facts
from pipeline.policy import DEFAULT_POLICY
from pipeline.ports import NO_ITEM, Item
from pipeline.projection import to_item
from pipeline.standing import Key
from tests.support.builders import ADA, a_bounce
from tests.support.items import save_item

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TABLE = "suppression"
KEY = Key(Address(ADA))
OPERATIONS: dict[str, Callable[[DynamoSuppressionStore], object]] = {
    "BatchGetItem": lambda store: store.load([KEY]),
    "PutItem": lambda store: save_item(store, an_item(), key=KEY),
    "Scan": lambda store: list(store.scan()),
}


def an_item() -> Item:
    (event,) = (outcome for outcome in decode(a_bounce()) if isinstance(outcome, Event))
    return to_item(KEY, group_by_key(facts(event))[KEY], DEFAULT_POLICY)


def some_keys(number: int) -> list[Key]:
    return [Key(Address(f"user{n}@example.com")) for n in range(number)]


def a_request(keys: Sequence[Key]) -> dict[str, Any]:
    return {TABLE: {"Keys": [key_attributes(key) for key in keys], "ConsistentRead": True}}


def a_response(keys: Sequence[Key], *, left_out: Sequence[Key] = ()) -> dict[str, Any]:
    """Return BatchGetItem's response."""
    items = [to_attributes(key, an_item()) for key in keys]
    return {"Responses": {TABLE: items}, "UnprocessedKeys": a_request(left_out) if left_out else {}}


@pytest.fixture
def dynamodb(monkeypatch: pytest.MonkeyPatch) -> "DynamoDBClient":
    """Return a client of an endpoint that does not exist."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "made-up")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "made-up")
    return Clients(partial(create_client, region="us-east-1", endpoint_url="http://127.0.0.1:9")).dynamodb


@pytest.fixture
def stub(dynamodb: "DynamoDBClient") -> Iterator[Stubber]:
    """Stub the client, and require that all expected calls are made, in order."""
    with Stubber(dynamodb) as stub:
        yield stub
        stub.assert_no_pending_responses()


@pytest.fixture
def waits() -> list[float]:
    """Return the waits in seconds, in order."""
    return []


@pytest.fixture
def store(dynamodb: "DynamoDBClient", waits: list[float]) -> DynamoSuppressionStore:
    return DynamoSuppressionStore(dynamodb, table=TABLE, wait=waits.append)


# Requests.


def test_keys_are_read_a_hundred_at_a_time(store: DynamoSuppressionStore, stub: Stubber) -> None:
    """That is the limit of BatchGetItem, and every read is strongly consistent."""
    keys = some_keys(201)
    for chunk in (keys[:100], keys[100:200], keys[200:]):
        stub.add_response("batch_get_item", a_response(chunk), {"RequestItems": a_request(chunk)})

    assert store.load(keys) == dict.fromkeys(keys, an_item())


def test_keys_left_out_of_a_response_are_requested_again(
    store: DynamoSuppressionStore, stub: Stubber, waits: list[float]
) -> None:
    """A busy table leaves keys out. Each further request follows a longer wait."""
    keys = some_keys(3)
    stub.add_response("batch_get_item", a_response(keys[:1], left_out=keys[1:]), {"RequestItems": a_request(keys)})
    stub.add_response("batch_get_item", a_response(keys[1:2], left_out=keys[2:]), {"RequestItems": a_request(keys[1:])})
    stub.add_response("batch_get_item", a_response([]), {"RequestItems": a_request(keys[2:])})

    assert store.load(keys) == {keys[0]: an_item(), keys[1]: an_item(), keys[2]: NO_ITEM}
    assert len(waits) == 2
    assert 0 < waits[0] <= waits[1]


def test_keys_left_out_of_every_response_are_an_outage(
    store: DynamoSuppressionStore, stub: Stubber, waits: list[float]
) -> None:
    """A limited number of attempts takes less than 15 s."""
    for _ in range(READ_ATTEMPTS):
        stub.add_response("batch_get_item", a_response([], left_out=[KEY]), {"RequestItems": a_request([KEY])})

    with pytest.raises(
        StoreUnavailable, match=f"the table {TABLE} left keys out of all {READ_ATTEMPTS} responses.*busy"
    ):
        store.load([KEY])
    assert sum(waits) < 15


def test_loading_no_keys_makes_no_call(store: DynamoSuppressionStore, stub: Stubber) -> None:
    """BatchGetItem would reject an empty request."""
    assert store.load([]) == {}


def test_a_key_that_is_too_long_is_not_requested(store: DynamoSuppressionStore, stub: Stubber) -> None:
    """No item can have it, and DynamoDB would reject the other keys with it."""
    longest, too_long = Key(KEY.address, "é" * 512), Key(KEY.address, "é" * 512 + "x")
    stub.add_response("batch_get_item", a_response([]), {"RequestItems": a_request([longest])})

    assert store.load([too_long, longest]) == {too_long: NO_ITEM, longest: NO_ITEM}


def test_a_new_item_is_put_only_if_there_is_none(store: DynamoSuppressionStore, stub: Stubber) -> None:
    """Another writer may create it first."""
    put = {"TableName": TABLE, "Item": to_attributes(KEY, an_item())}
    stub.add_response("put_item", {}, {**put, "ConditionExpression": "attribute_not_exists(facts_hash)"})

    save_item(store, an_item(), key=KEY)


def test_a_changed_item_is_put_only_as_loaded(store: DynamoSuppressionStore, stub: Stubber) -> None:
    """Its facts must be those that were loaded, and its policy must not be a newer one."""
    condition = {
        "ConditionExpression": "facts_hash = :facts_hash AND policy_version <= :policy_version",
        "ExpressionAttributeValues": {":facts_hash": {"S": "0" * 64}, ":policy_version": {"N": "1"}},
    }
    stub.add_response("put_item", {}, {"TableName": TABLE, "Item": to_attributes(KEY, an_item()), **condition})

    save_item(store, an_item(), key=KEY, expected="0" * 64)


def test_a_scan_reads_all_pages(store: DynamoSuppressionStore, stub: Stubber) -> None:
    """Every page is read strongly consistently."""
    first, second = some_keys(2)
    page: dict[str, Any] = {"TableName": TABLE, "ConsistentRead": True}
    more = {"Items": [to_attributes(first, an_item())], "LastEvaluatedKey": key_attributes(first)}
    stub.add_response("scan", more, page)
    last = {"Items": [to_attributes(second, an_item())]}
    stub.add_response("scan", last, {**page, "ExclusiveStartKey": key_attributes(first)})

    assert list(store.scan()) == [(first, an_item()), (second, an_item())]


# Errors.

KINDS: list[tuple[str, type[MailfoldError]]] = [
    ("ProvisionedThroughputExceededException", StoreUnavailable),
    ("ThrottlingException", StoreUnavailable),
    ("RequestLimitExceeded", StoreUnavailable),
    ("InternalServerError", StoreUnavailable),
    ("ServiceUnavailable", StoreUnavailable),
    ("LimitExceededException", StoreUnavailable),
    ("ReplicatedWriteConflictException", StoreUnavailable),
    ("SomethingThatAwsWillInvent", StoreUnavailable),
    # These last until they are corrected; then another attempt loses nothing.
    ("AccessDeniedException", AccessDenied),
    ("ExpiredTokenException", AccessDenied),
    ("UnrecognizedClientException", AccessDenied),
    ("ResourceNotFoundException", NotFound),
]
BY_CODE: list[tuple[str, str, type[MailfoldError]]] = [
    *((operation, code, error) for operation in OPERATIONS for code, error in KINDS),
    ("PutItem", "ConditionalCheckFailedException", Conflict),
    ("PutItem", "TransactionConflictException", Conflict),
    ("PutItem", "ValidationException", ItemRejected),
    # A rejected read says nothing about a single item.
    ("BatchGetItem", "ValidationException", StoreUnavailable),
    ("Scan", "ValidationException", StoreUnavailable),
]
ABOUT_THE_ITEM = (Conflict, ItemRejected)
CONNECTIONS: list[tuple[BotoCoreError, type[MailfoldError]]] = [
    (EndpointConnectionError(endpoint_url="https://dynamodb"), StoreUnavailable),
    (ConnectTimeoutError(endpoint_url="https://dynamodb"), StoreUnavailable),
    (ReadTimeoutError(endpoint_url="https://dynamodb"), StoreUnavailable),
    (ConnectionClosedError(endpoint_url="https://dynamodb"), StoreUnavailable),
    (NoCredentialsError(), AccessDenied),
]


def fail(dynamodb: "DynamoDBClient", operation: str, error: ClientError | BotoCoreError) -> None:
    """Make an operation fail, as if botocore's retries were used up."""

    def raise_error(**_: Any) -> None:
        raise error

    dynamodb.meta.events.register(f"before-call.dynamodb.{operation}", raise_error)


@pytest.mark.parametrize(("operation", "code", "expected"), BY_CODE)
def test_a_code_has_its_type(
    dynamodb: "DynamoDBClient",
    store: DynamoSuppressionStore,
    operation: str,
    code: str,
    expected: type[MailfoldError],
) -> None:
    """The type decides what happens to the batch; the message names the table and holds no address."""
    response: Any = {"Error": {"Code": code, "Message": f"one or more values of {ADA} are invalid"}}
    fail(dynamodb, operation, ClientError(response, operation))

    with pytest.raises(expected) as raised:
        OPERATIONS[operation](store)
    assert ADA not in str(raised.value)
    assert issubclass(expected, STOPS_BATCH) is not issubclass(expected, ABOUT_THE_ITEM)
    assert issubclass(expected, Conflict) or f"the table {TABLE}" in str(raised.value)


@pytest.mark.parametrize(("error", "expected"), CONNECTIONS, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_failed_connection_has_its_type(
    dynamodb: "DynamoDBClient",
    store: DynamoSuppressionStore,
    operation: str,
    error: BotoCoreError,
    expected: type[MailfoldError],
) -> None:
    """An unreachable DynamoDB is an outage; missing credentials are not."""
    fail(dynamodb, operation, error)

    with pytest.raises(expected, match=f"the table {TABLE}"):
        OPERATIONS[operation](store)


@pytest.mark.parametrize(
    "damage",
    [
        {"facts": {"S": "no JSON"}},
        {"reasons": {"L": [{"M": {"reason": {"S": "whim"}, "certain": {"BOOL": True}}}]}},
        {"policy_version": {"N": "one"}},
        {"contract": {"N": "2"}},
    ],
)
def test_an_unreadable_item_is_an_outage(store: DynamoSuppressionStore, stub: Stubber, damage: dict[str, Any]) -> None:
    """It stops the batch, so that it is never overwritten."""
    answer = {"Responses": {TABLE: [{**to_attributes(KEY, an_item()), **damage}]}, "UnprocessedKeys": {}}
    stub.add_response("batch_get_item", answer, {"RequestItems": a_request([KEY])})

    with pytest.raises(Unavailable, match=rf"the table {TABLE} is not as schemas/item\.json") as raised:
        store.load([KEY])
    assert ADA not in str(raised.value)
