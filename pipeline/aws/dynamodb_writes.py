"""Conditional puts into the suppression table: many in one transaction, few one by one.

A transaction takes a tenth of the CPU that as many single puts take, with the same permission, and costs twice their
write units. So it is for throughput, as in a backlog or in a replay. A put that fails cancels its transaction. The
response names it, and another transaction writes the others, so that each put succeeds or fails alone.
docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.aws.batching import Each, batches
from pipeline.aws.dynamodb_item import to_attributes
from pipeline.aws.errors import ErrorKind, classify, translated
from pipeline.aws.retry import attempts
from pipeline.errors import Conflict, ItemRejected, MailfoldError, StoreUnavailable
from pipeline.ports import Put
from pipeline.standing import Key

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

PUTS_PER_TRANSACTION = 100  # DynamoDB's limit
MAX_FACTS_BYTES = 3_000_000  # of 4 MB for all attributes; the others have less than 10,000 bytes an item
FEWEST_PUTS = 25  # in a transaction; fewer take less than 0.2 s one by one
WRITE_ATTEMPTS = 5  # 1.5 s at most, all waits included; the batch itself is attempted again later
FIRST_WRITE_WAIT_SECONDS = 0.1
TRANSACTION_SECONDS = 0.05  # a transaction of another writer takes about as long

IS_NEW = "attribute_not_exists(facts_hash)"
IS_AS_LOADED = "facts_hash = :facts_hash AND policy_version <= :policy_version"

# Why a transaction was cancelled, for each of its puts.
NOT_THIS_PUT = "None"
OTHER_TRANSACTION = "TransactionConflict"
CONFLICTS = frozenset({"ConditionalCheckFailed", OTHER_TRANSACTION})
REJECTIONS = frozenset({"ItemCollectionSizeLimitExceeded", "ValidationError"})
THROTTLES = frozenset({"ProvisionedThroughputExceeded", "ThrottlingError"})


class Request(NamedTuple):
    """A put of one item.

    Attributes:
        key: The item's key.
        arguments: Those of PutItem, which a transaction takes too.
        facts_bytes: The size of the item's facts.
    """

    key: Key
    arguments: dict[str, Any]
    facts_bytes: int


class TableWrite:
    """One call of `ports.SuppressionStore.save`.

    After an outage the puts that follow are not tried, because each would wait for its time-outs.

    Args:
        client: boto3's DynamoDB client.
        table: The table's name.
        wait: Waits so many seconds.
    """

    def __init__(self, client: DynamoDBClient, *, table: str, wait: Callable[[float], None]) -> None:
        self._client, self._table, self._wait = client, table, wait
        self._errors: dict[Key, MailfoldError] = {}
        self._outage: MailfoldError | None = None

    def save(self, puts: Sequence[Put], *, each: Each) -> Mapping[Key, MailfoldError]:
        """Write the puts, in as few calls as possible, and return the error of each that failed."""
        requests = [put_request(put, self._table) for put in puts]
        parts = batches(
            requests, size_bytes=attrgetter("facts_bytes"), max_bytes=MAX_FACTS_BYTES, max_items=PUTS_PER_TRANSACTION
        )
        deque(each(self._write, parts), maxlen=0)
        return self._errors

    def _write(self, requests: Sequence[Request]) -> None:
        """Write what fits into one transaction. May run in any thread."""
        for _ in attempts(WRITE_ATTEMPTS, first_wait_seconds=FIRST_WRITE_WAIT_SECONDS, wait=self._wait):
            throttled: list[Request] = []
            while len(requests) >= FEWEST_PUTS:
                requests = self._transact(requests, throttled)
            for request in requests:
                self._put(request)
            requests = throttled
            if not requests:
                return
        self._fail(
            requests, StoreUnavailable(f"AWS throttles saving items in the table {self._table}: try again later")
        )

    def _transact(self, requests: Sequence[Request], throttled: list[Request]) -> Sequence[Request]:
        """Write puts in one transaction. Return those that others cancelled, and append those that were throttled."""
        codes = self._try_transaction(requests)
        if codes.count(NOT_THIS_PUT) == len(requests):  # nothing is named, so each must show
            for request in requests:
                self._put(request)
            return ()
        if OTHER_TRANSACTION in codes:
            self._wait(TRANSACTION_SECONDS)
        cancelled = []
        for request, code in zip(requests, codes, strict=False):  # no codes if nothing was cancelled
            if code == NOT_THIS_PUT:
                cancelled.append(request)
            elif code in THROTTLES:
                throttled.append(request)
            else:
                self._fail([request], self._put_error(code))
        return cancelled

    def _try_transaction(self, requests: Sequence[Request]) -> Sequence[str]:
        """Write puts in one transaction. If it was cancelled, return why, for each put."""
        if self._outage:
            self._fail(requests, self._outage)
            return ()
        items: Any = [{"Put": request.arguments} for request in requests]
        try:
            with self._translated():
                try:
                    self._client.transact_write_items(TransactItems=items)
                except self._client.exceptions.TransactionCanceledException as error:
                    return [reason["Code"] for reason in error.response["CancellationReasons"]]
        except ItemRejected:  # the request was, and not any put in particular
            return [NOT_THIS_PUT] * len(requests)
        except MailfoldError as error:
            self._outage = error
            self._fail(requests, error)
        return ()

    def _put(self, request: Request) -> None:
        if self._outage:
            self._fail([request], self._outage)
            return
        try:
            with self._translated():
                self._client.put_item(**request.arguments)
        except (Conflict, ItemRejected) as error:
            self._fail([request], error)
        except MailfoldError as error:
            self._fail([request], error)
            if not _is_throttling(error):
                self._outage = error

    def _fail(self, requests: Iterable[Request], error: MailfoldError) -> None:
        self._errors.update((request.key, error) for request in requests)

    def _translated(self) -> AbstractContextManager[None]:
        """See `errors.translated`."""
        return translated(
            f"saving items in the table {self._table}",
            unavailable=StoreUnavailable,
            invalid=StoreUnavailable,
            special={
                "ConditionalCheckFailedException": Conflict(),
                "TransactionConflictException": Conflict(),
                "ValidationException": self._put_error("ValidationError"),
            },
        )

    def _put_error(self, code: str) -> MailfoldError:
        """Return the error of a put that cancelled its transaction."""
        if code in CONFLICTS:
            return Conflict()
        if code in REJECTIONS:
            return ItemRejected(f"the table {self._table} rejects the item: it is too large, or its key is too long")
        return StoreUnavailable(f"the table {self._table} fails to save an item, with {code}: try again later")


def put_request(put: Put, table: str) -> Request:
    """Return the request of a put."""
    item = to_attributes(put.key, put.item)
    arguments: dict[str, Any] = {"TableName": table, "Item": item, "ConditionExpression": IS_NEW}
    if put.expected:
        arguments["ConditionExpression"] = IS_AS_LOADED
        arguments["ExpressionAttributeValues"] = {
            ":facts_hash": {"S": put.expected},
            ":policy_version": {"N": str(put.item.policy_version)},
        }
    return Request(key=put.key, arguments=arguments, facts_bytes=len(item["facts"]["S"]))


def _is_throttling(error: MailfoldError) -> bool:
    return isinstance(error.__cause__, Exception) and classify(error.__cause__) is ErrorKind.THROTTLED
