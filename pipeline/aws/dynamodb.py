"""The suppression table in DynamoDB: one item per address and scope, in the form that `item` gives it.

Facts are joined in Python and put whole, on the condition that nobody else was faster: no update expression restates
the fold. Nothing is ever deleted.
docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html

What one item of the suppression table looks like; schemas/item.json is its description for other languages.

The facts are kept as the canonical JSON text that their hash is made of, so that they come back byte for byte.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from pipeline.address import Address
from pipeline.aws.errors import error_code
from pipeline.aws.retry import attempts
from pipeline.aws.settings import TABLE_NAME
from pipeline.errors import Conflict, ItemRejected, MailfoldError, StoreUnavailable, UsageError
from pipeline.policy import Reason, Verdict
from pipeline.ports import NO_ITEM, Item
from pipeline.standing import Key, Standing, facts_json
from pipeline.timestamp import format_time, parse_time

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import (
        AttributeValueTypeDef,
        CreateTableInputTypeDef,
        PutItemInputTypeDef,
        WaiterConfigTypeDef,
    )

Attributes = Mapping[str, Any]
"""An item as DynamoDB's API writes it: each value in an object that names its type."""

_standing = msgspec.json.Decoder(Standing).decode


def key_attributes(key: Key) -> dict[str, AttributeValueTypeDef]:
    """Return an item's primary key."""
    return {"address": {"S": key.address}, "scope": {"S": key.scope}}


def to_attributes(key: Key, item: Item) -> dict[str, AttributeValueTypeDef]:
    """Return an item as the table holds it; `reason`, `since` and `until` are absent where there is none."""
    verdict = item.verdict
    texts = {
        "reason": verdict.reason,
        "since": verdict.since and format_time(verdict.since),
        "until": verdict.until and format_time(verdict.until),
    }
    return {
        **key_attributes(key),
        "facts": {"S": facts_json(item.standing).decode()},
        "facts_hash": {"S": item.facts_hash},
        "policy_version": {"N": str(item.policy_version)},
        "suppressed": {"BOOL": verdict.suppressed},
        "certain": {"BOOL": verdict.certain},
        "evidence": {"L": [{"S": name} for name in verdict.evidence]},
        **{name: {"S": text} for name, text in texts.items() if text},
    }


def from_attributes(attributes: Attributes) -> tuple[Key, Item]:
    """Return what the table holds as a key and an item.

    Raises:
        KeyError: Something is missing.
        ValueError: A value does not belong there.
    """
    reason = attributes.get("reason")
    verdict = Verdict(
        suppressed=attributes["suppressed"]["BOOL"],
        reason=Reason(reason["S"]) if reason else None,
        since=parse_time(attributes.get("since", {}).get("S")),
        until=parse_time(attributes.get("until", {}).get("S")),
        certain=attributes["certain"]["BOOL"],
        evidence=tuple(name["S"] for name in attributes["evidence"]["L"]),
    )
    item = Item(
        standing=_standing(attributes["facts"]["S"]),
        verdict=verdict,
        facts_hash=attributes["facts_hash"]["S"],
        policy_version=int(attributes["policy_version"]["N"]),
    )
    return Key(Address(attributes["address"]["S"]), attributes["scope"]["S"]), item


KEYS_PER_READ = 100  # DynamoDB's limit for BatchGetItem
READ_ATTEMPTS = 8  # with all the waits between them, 13 s at most
FIRST_WAIT_SECONDS = 0.1
BACKUP_ATTEMPTS = 9  # with all the waits between them, 25 to 51 s
FIRST_BACKUP_WAIT_SECONDS = 0.2
SCOPE_BYTES = 1_024  # DynamoDB's limit for a sort key

TABLE_WAIT: WaiterConfigTypeDef = {"Delay": 2, "MaxAttempts": 30}  # seconds, and how often

IS_NEW = "attribute_not_exists(facts_hash)"
IS_AS_LOADED = "facts_hash = :facts_hash AND policy_version <= :policy_version"


class DynamoSuppressionStore:
    """The suppression table in DynamoDB; see `ports.SuppressionStore`."""

    def __init__(self, client: DynamoDBClient, *, table: str, wait: Callable[[float], None] = time.sleep) -> None:
        """Use a table that exists.

        Args:
            client: From `clients.client("dynamodb")`; time-outs and retries are its own.
            table: The table's name.
            wait: Waits so many seconds before asking again for what an answer left out.
        """
        self._client = client
        self._table = table
        self._wait = wait

    def load(self, keys: Iterable[Key]) -> Mapping[Key, Item]:
        """See `ports.SuppressionStore`."""
        items = dict.fromkeys(keys, NO_ITEM)
        # No table holds a longer key, and asking for one would fail for all the others too.
        askable = iter([key for key in items if len(key.scope.encode()) <= SCOPE_BYTES])
        while chunk := list(islice(askable, KEYS_PER_READ)):
            items.update(map(self._item, self._read(chunk)))
        return items

    def save(self, key: Key, item: Item, *, expected: str) -> None:
        """See `ports.SuppressionStore`."""
        put: PutItemInputTypeDef = {"TableName": self._table, "Item": to_attributes(key, item)}
        put["ConditionExpression"] = IS_AS_LOADED if expected else IS_NEW
        if expected:
            put["ExpressionAttributeValues"] = {
                ":facts_hash": {"S": expected},
                ":policy_version": {"N": str(item.policy_version)},
            }
        try:
            self._client.put_item(**put)
        except (ClientError, BotoCoreError) as error:
            raise _translated("PutItem", error, table=self._table) from error

    def scan(self) -> Iterator[tuple[Key, Item]]:
        """See `ports.SuppressionStore`."""
        try:
            for page in self._client.get_paginator("scan").paginate(TableName=self._table, ConsistentRead=True):
                yield from map(self._item, page["Items"])
        except (ClientError, BotoCoreError) as error:
            raise _translated("Scan", error, table=self._table) from error

    def _read(self, keys: Iterable[Key]) -> Iterator[Mapping[str, Any]]:
        """Give the items that there are, asking again for those that a busy table left out."""
        asked: Any = {self._table: {"Keys": [key_attributes(key) for key in keys], "ConsistentRead": True}}
        for _ in attempts(READ_ATTEMPTS, first_wait_seconds=FIRST_WAIT_SECONDS, wait=self._wait):
            try:
                answer = self._client.batch_get_item(RequestItems=asked)
            except (ClientError, BotoCoreError) as error:
                raise _translated("BatchGetItem", error, table=self._table) from error
            yield from answer["Responses"].get(self._table, ())
            asked = answer["UnprocessedKeys"]
            if not asked:
                return
        raise StoreUnavailable(
            f"DynamoDB's BatchGetItem on the table {self._table} left keys out of {READ_ATTEMPTS} answers: it is busy"
        )

    def _item(self, attributes: Mapping[str, Any]) -> tuple[Key, Item]:
        try:
            return from_attributes(attributes)
        except (KeyError, ValueError) as error:
            raise StoreUnavailable(
                f"an item in the table {self._table} is not as schemas/item.json describes it: mend it, or rebuild"
            ) from error


def table_definition(name: str) -> CreateTableInputTypeDef:
    """Return what CreateTable takes to make the table: on demand, encrypted; nothing in it expires."""
    return {
        "TableName": name,
        "KeySchema": [
            {"AttributeName": "address", "KeyType": "HASH"},
            {"AttributeName": "scope", "KeyType": "RANGE"},
        ],
        "AttributeDefinitions": [
            {"AttributeName": "address", "AttributeType": "S"},
            {"AttributeName": "scope", "AttributeType": "S"},
        ],
        "BillingMode": "PAY_PER_REQUEST",
        "SSESpecification": {"Enabled": True},
    }


def ensure_table(
    client: DynamoDBClient, name: str, *, protected: bool = False, wait: Callable[[float], None] = time.sleep
) -> None:
    """Make the table if it is not there, and wait until it can be used.

    Args:
        client: From `clients.client("dynamodb")`.
        name: The table's name.
        protected: Whether it is as the template makes one: it cannot be deleted until that is allowed, and can be
            brought back to any moment of the last 35 days. One that is there gets the latter too.
        wait: Waits so many seconds before asking again for backups that are not set up yet.

    Raises:
        UsageError: A table cannot have that name.
        StoreUnavailable: DynamoDB is away, or refuses, or takes longer than a minute.
    """
    if not TABLE_NAME.fullmatch(name):  # emulators take any
        raise UsageError(f"{name!r} is no name for a table: 3 to 255 of a-z A-Z 0-9 _ . -")
    try:
        client.create_table(**table_definition(name) | ({"DeletionProtectionEnabled": True} if protected else {}))
    except (ClientError, BotoCoreError) as error:
        if error_code(error) != "ResourceInUseException":  # that one is there already
            raise _translated("CreateTable", error, table=name) from error
    try:
        client.get_waiter("table_exists").wait(TableName=name, WaiterConfig=TABLE_WAIT)
    except BotoCoreError as error:
        raise _translated("DescribeTable", error, table=name) from error
    if protected:
        _keep_backups(client, name, wait)


def _keep_backups(client: DynamoDBClient, name: str, wait: Callable[[float], None]) -> None:
    """Turn point-in-time recovery on. A new table refuses that for some seconds, until its backups are set up.

    docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateContinuousBackups.html
    """
    for attempt in attempts(BACKUP_ATTEMPTS, first_wait_seconds=FIRST_BACKUP_WAIT_SECONDS, wait=wait):
        try:
            client.update_continuous_backups(
                TableName=name,
                PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True, "RecoveryPeriodInDays": 35},
            )
        except (ClientError, BotoCoreError) as error:
            if error_code(error) != "ContinuousBackupsUnavailableException" or attempt == BACKUP_ATTEMPTS:
                raise _translated("UpdateContinuousBackups", error, table=name) from error
        else:
            return


def _translated(operation: str, error: ClientError | BotoCoreError, *, table: str) -> MailfoldError:
    """Return our error for one of botocore's.

    Whatever is neither a conflict nor the refusal of this one item is an outage: throttling and a server's error, and
    a missing permission or table too. Trying again once that is mended loses nothing; going on would.
    """
    code = error_code(error)
    why = f"DynamoDB's {operation} on the table {table} ended in {code}"
    match operation, code:
        case "PutItem", "ConditionalCheckFailedException":
            return Conflict()
        case "PutItem", "ValidationException":
            return ItemRejected(f"{why}: the item is too large, or its key is too long")
        case _:
            return StoreUnavailable(f"{why}: try again")
