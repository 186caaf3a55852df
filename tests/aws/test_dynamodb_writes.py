"""Writes to the suppression table in DynamoDB: what one put's failure does to the puts beside it."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ClientError, EndpointConnectionError
from moto import mock_aws

from pipeline.address import Address
from pipeline.aws.clients import create_client
from pipeline.aws.dynamodb import DynamoSuppressionStore, table_definition
from pipeline.aws.dynamodb_writes import FEWEST_PUTS, PUTS_PER_TRANSACTION, WRITE_ATTEMPTS
from pipeline.errors import Conflict, ItemRejected, MailfoldError, NotFound, StoreUnavailable
from pipeline.policy import DEFAULT_POLICY
from pipeline.ports import Put
from pipeline.projection import to_item
from pipeline.standing import Evidence, FactKind, Key, fold
from tests.support.builders import a_bounce
from tests.support.items import all_items, an_item, save_item

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TABLE = "suppression"
ITEM = an_item(a_bounce())
OTHER_ITEM = an_item(a_bounce(feedback_id="another"))

Answer = Callable[[Sequence[str]], Mapping[str, Any]]
"""Returns DynamoDB's error to a transaction on some people's items, or {} if they shall be written."""


class Table:
    """A table in moto whose transactions fail by a script.

    Attributes:
        calls: The number of puts in each transaction, and 1 for each single put.
        waits: The waits, in seconds.
    """

    def __init__(self, client: "DynamoDBClient") -> None:
        client.create_table(**table_definition(TABLE))
        self.calls: list[int] = []
        self.waits: list[float] = []
        self.store = DynamoSuppressionStore(client, table=TABLE, wait=self.waits.append)
        self._answers: Iterator[Answer] = iter(())
        hooks: Any = client.meta.events  # the stubs say that a hook returns nothing
        hooks.register("before-call.dynamodb.TransactWriteItems", self._transact)
        hooks.register("before-call.dynamodb.PutItem", lambda **_: self.calls.append(1))

    def answer(self, *answers: Answer) -> None:
        """Answer the next transactions so."""
        self._answers = iter(answers)

    def save(self, *people: str) -> dict[str, type[MailfoldError]]:
        """Save a new item of each person, and return the types of errors."""
        errors = self.store.save([Put(key=a_key(person), item=ITEM, expected="") for person in people])
        return {name(key.address): type(error) for key, error in errors.items()}

    def people(self) -> list[str]:
        """Return whose items exist."""
        return sorted(name(key.address) for key, _ in self.store.scan())

    def _transact(self, params: Any, **_: Any) -> tuple[AWSResponse, Mapping[str, Any]] | None:
        items = json.loads(params["body"])["TransactItems"]
        people = [name(item["Put"]["Item"]["address"]["S"]) for item in items]
        self.calls.append(len(people))
        error = next(self._answers, written)(people)
        return (AWSResponse("", 400, HTTPHeaders(), None), error) if error else None


@pytest.fixture
def table() -> Iterator[Table]:
    """Return an empty table."""
    with mock_aws():
        yield Table(create_client("dynamodb", region="us-east-1"))


def a_key(person: str) -> Key:
    return Key(Address(f"{person}@example.com"))


def name(address: str) -> str:
    return address.partition("@")[0]


def some_people(number: int) -> list[str]:
    return [f"user{n:03}" for n in range(number)]


def written(_: Sequence[str]) -> Mapping[str, Any]:
    """Let a transaction be written."""
    return {}


def cancelled(codes: Mapping[str, str]) -> Answer:
    """Cancel a transaction because of some people's items."""

    def answer(people: Sequence[str]) -> Mapping[str, Any]:
        reasons = [{"Code": codes.get(person, "None")} for person in people]
        return {**failed("TransactionCanceledException")(people), "CancellationReasons": reasons}

    return answer


def failed(code: str) -> Answer:
    """Fail the whole call."""
    return lambda _: {"Error": {"Code": code, "Message": "failed"}, "ResponseMetadata": {"HTTPStatusCode": 400}}


def test_a_hundred_items_are_one_transaction(table: Table) -> None:
    """That is DynamoDB's limit."""
    people = some_people(2 * PUTS_PER_TRANSACTION + FEWEST_PUTS)

    assert table.save(*people) == {}
    assert (table.calls, table.people()) == ([PUTS_PER_TRANSACTION, PUTS_PER_TRANSACTION, FEWEST_PUTS], people)


def test_a_few_items_are_put_singly(table: Table) -> None:
    """A transaction would cost twice as much."""
    people = some_people(FEWEST_PUTS - 1)

    assert table.save(*people) == {}
    assert (table.calls, table.people()) == ([1] * len(people), people)


def test_large_items_are_in_transactions_of_less_than_four_megabytes(table: Table) -> None:
    """DynamoDB rejects a larger transaction as a whole."""
    large = to_item(
        a_key("ada"), fold([(FactKind.HARD, Evidence(at_ms=1, event_id="e", diagnostic="x" * 60_000))]), DEFAULT_POLICY
    )
    puts = [Put(key=a_key(person), item=large, expected="") for person in some_people(90)]

    assert table.store.save(puts) == {}
    assert max(table.calls) * 70_000 < 4_000_000
    assert len(table.calls) == 2


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("ConditionalCheckFailed", Conflict),
        ("TransactionConflict", Conflict),
        ("ValidationError", ItemRejected),
        ("ItemCollectionSizeLimitExceeded", ItemRejected),
        ("SomethingThatAwsWillInvent", StoreUnavailable),
    ],
)
def test_an_item_that_cancels_a_transaction_fails_alone(table: Table, code: str, error: type[MailfoldError]) -> None:
    """Another transaction writes the others."""
    people = some_people(60)
    table.answer(cancelled({"user003": code, "user007": code}))

    assert table.save(*people) == {"user003": error, "user007": error}
    assert table.people() == [person for person in people if person not in {"user003", "user007"}]
    assert table.calls == [60, 58]


def test_real_conflicts_fail_alone(table: Table) -> None:
    """Here the emulator cancels the transaction, because of items that exist and of one that does not."""
    kept = {person: save_item(table.store, OTHER_ITEM, key=a_key(person)) for person in ("user001", "user004")}
    puts = [Put(key=a_key(person), item=ITEM, expected="") for person in some_people(40)]

    errors = table.store.save([*puts, Put(key=a_key("zoe"), item=ITEM, expected="0" * 64)])

    assert {name(key.address): type(error) for key, error in errors.items()} == {
        "user001": Conflict,
        "user004": Conflict,
        "zoe": Conflict,
    }
    written_items = {a_key(person): kept.get(person, ITEM) for person in some_people(40)}
    assert all_items(table.store) == written_items


def test_the_transaction_of_another_writer_is_waited_for(table: Table) -> None:
    """It lasts some milliseconds; the caller then loads the item again."""
    table.answer(cancelled({"user000": "TransactionConflict"}))

    table.save(*some_people(40))

    assert len(table.waits) == 1


@pytest.mark.parametrize("code", ["ThrottlingError", "ProvisionedThroughputExceeded"])
def test_a_throttled_item_is_tried_again(table: Table, code: str) -> None:
    """The others do not wait for it."""
    throttled = dict.fromkeys(some_people(30), code)
    table.answer(cancelled(throttled), written, cancelled(throttled), written)

    assert table.save(*some_people(60)) == {}
    assert (table.people(), table.calls) == (some_people(60), [60, 30, 30, 30])
    assert len(table.waits) == 2


def test_an_item_that_stays_throttled_fails_alone(table: Table) -> None:
    """All other items are written, and the attempts end."""
    throttled = dict.fromkeys(some_people(30), "ThrottlingError")
    answers = [cancelled(throttled), written, *[cancelled(throttled)] * (WRITE_ATTEMPTS - 1)]
    table.answer(*answers)

    assert table.save(*some_people(60)) == dict.fromkeys(some_people(30), StoreUnavailable)
    assert table.people() == some_people(60)[30:]
    assert len(table.waits) == WRITE_ATTEMPTS - 1


@pytest.mark.parametrize(
    "answer",
    [failed("ValidationException"), cancelled({})],
    ids=["the request is invalid", "no item is named"],
)
def test_items_are_put_singly_if_none_is_named(table: Table, answer: Answer) -> None:
    """So the one that is at fault shows, and no other one fails."""
    save_item(table.store, OTHER_ITEM, key=a_key("user002"))
    table.calls.clear()
    table.answer(answer)

    assert table.save(*some_people(FEWEST_PUTS)) == {"user002": Conflict}
    assert (table.people(), table.calls) == (some_people(FEWEST_PUTS), [FEWEST_PUTS, *[1] * FEWEST_PUTS])


@pytest.mark.parametrize(
    ("code", "error"), [("InternalServerError", StoreUnavailable), ("ResourceNotFoundException", NotFound)]
)
def test_an_outage_is_not_waited_for_again(table: Table, code: str, error: type[MailfoldError]) -> None:
    """The transactions after it are not tried, since each would use up its time-outs."""
    people = some_people(250)
    table.answer(written, failed(code))

    assert table.save(*people) == dict.fromkeys(people[100:], error)
    assert (table.people(), table.calls) == (people[:100], [100, 100])


def test_an_outage_stops_single_puts_too() -> None:
    """Only one of them uses up its time-outs."""
    with mock_aws():
        dynamodb = create_client("dynamodb", region="us-east-1")
        calls = []

        def fail(**_: Any) -> None:
            calls.append(1)
            raise EndpointConnectionError(endpoint_url="https://dynamodb")

        dynamodb.meta.events.register("before-call.dynamodb.PutItem", fail)
        store = DynamoSuppressionStore(dynamodb, table=TABLE)

        errors = store.save([Put(key=a_key(person), item=ITEM, expected="") for person in some_people(3)])

    assert [type(error) for error in errors.values()] == [StoreUnavailable] * 3
    assert len(calls) == 1


def test_throttling_of_a_single_put_fails_it_alone() -> None:
    """Another item may be in another partition of the table."""
    with mock_aws():
        dynamodb = create_client("dynamodb", region="us-east-1")
        dynamodb.create_table(**table_definition(TABLE))

        def throttle(params: Any, **_: Any) -> None:
            if b"user001" in params["body"]:
                raise ClientError({"Error": {"Code": "ThrottlingException"}}, "PutItem")

        dynamodb.meta.events.register("before-call.dynamodb.PutItem", throttle)
        store = DynamoSuppressionStore(dynamodb, table=TABLE)

        errors = store.save([Put(key=a_key(person), item=ITEM, expected="") for person in some_people(3)])

        assert {name(key.address): type(error) for key, error in errors.items()} == {"user001": StoreUnavailable}
        assert len(all_items(store)) == 2
