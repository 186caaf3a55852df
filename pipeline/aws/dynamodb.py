"""The suppression table in DynamoDB: one item per address and scope, as schemas/item.json describes it.

Facts are joined in Python. An item is put whole, on the condition that it did not change since it was loaded: no
update expression restates the fold. Nothing is ever deleted.
docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec

from pipeline.address import Address
from pipeline.aws.errors import tolerate, translated
from pipeline.aws.retry import attempts
from pipeline.aws.settings import TABLE_NAME
from pipeline.errors import Conflict, ItemRejected, MailfoldError, StoreUnavailable, UsageError
from pipeline.ports import NO_ITEM, Item
from pipeline.standing import Key, Standing, facts_json
from pipeline.timestamp import format_time, parse_time
from pipeline.verdict import Reason, ReasonHeld, Verdict

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

KEYS_PER_READ = 100  # DynamoDB's limit for BatchGetItem
READ_ATTEMPTS = 8  # 13 s at most, all waits included
FIRST_READ_WAIT_SECONDS = 0.1
BACKUP_ATTEMPTS = 9  # 25 to 51 s, all waits included
FIRST_BACKUP_WAIT_SECONDS = 0.2
CONTRACT = 1  # version of schemas/item.json; increased if a reader of the old one would read a new item wrongly
SCOPE_BYTES = 1_024  # DynamoDB's limit for a sort key

TABLE_WAIT: WaiterConfigTypeDef = {"Delay": 2, "MaxAttempts": 30}  # a minute: a look every 2 s

IS_NEW = "attribute_not_exists(facts_hash)"
IS_AS_LOADED = "facts_hash = :facts_hash AND policy_version <= :policy_version"

_decode_standing = msgspec.json.Decoder(Standing).decode


class DynamoSuppressionStore:
    """The suppression table in DynamoDB; see `ports.SuppressionStore`.

    Args:
        client: boto3's DynamoDB client, with its time-outs and retries.
        table: The table's name. The table must exist.
        wait: Waits so many seconds before keys are requested again that a response left out.
    """

    def __init__(self, client: DynamoDBClient, *, table: str, wait: Callable[[float], None] = time.sleep) -> None:
        self._client, self._table, self._wait = client, table, wait

    def load(self, keys: Iterable[Key]) -> Mapping[Key, Item]:
        """See `ports.SuppressionStore`."""
        items = dict.fromkeys(keys, NO_ITEM)
        # No table holds a longer key, and DynamoDB would reject the whole request.
        valid_keys = iter([key for key in items if len(key.scope.encode()) <= SCOPE_BYTES])
        while chunk := list(islice(valid_keys, KEYS_PER_READ)):
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
        with self._translated("saving an item in", special=self._put_errors()):
            self._client.put_item(**put)

    def scan(self) -> Iterator[tuple[Key, Item]]:
        """See `ports.SuppressionStore`."""
        pages = self._client.get_paginator("scan").paginate(TableName=self._table, ConsistentRead=True)
        with self._translated("scanning"):
            for page in pages:
                yield from map(self._item, page["Items"])

    def _read(self, keys: Iterable[Key]) -> Iterator[Attributes]:
        """Yield the items that exist. Request again those that a busy table left out."""
        request: Any = {self._table: {"Keys": [key_attributes(key) for key in keys], "ConsistentRead": True}}
        for _ in attempts(READ_ATTEMPTS, first_wait_seconds=FIRST_READ_WAIT_SECONDS, wait=self._wait):
            with self._translated("reading"):
                response = self._client.batch_get_item(RequestItems=request)
            yield from response["Responses"].get(self._table, ())
            request = response["UnprocessedKeys"]
            if not request:
                return
        raise StoreUnavailable(
            f"the table {self._table} left keys out of all {READ_ATTEMPTS} responses, because it is busy: "
            "try again later"
        )

    def _item(self, attributes: Attributes) -> tuple[Key, Item]:
        try:
            return from_attributes(attributes)
        except (KeyError, ValueError) as error:
            raise StoreUnavailable(
                f"an item in the table {self._table} is not as schemas/item.json describes it: correct it, or rebuild "
                "the table"
            ) from error

    def _put_errors(self) -> dict[str, MailfoldError]:
        """Return PutItem's errors about this one item, by DynamoDB's code."""
        return {
            "ConditionalCheckFailedException": Conflict(),
            "ValidationException": ItemRejected(
                f"the table {self._table} rejects the item: it is too large, or its key is too long"
            ),
        }

    def _translated(
        self, action: str, special: Mapping[str, MailfoldError] | None = None
    ) -> AbstractContextManager[None]:
        """See `errors.translated`. A rejected request stops the batch: it says nothing about a single item."""
        return translated(
            f"{action} the table {self._table}",
            unavailable=StoreUnavailable,
            invalid=StoreUnavailable,
            special=special or {},
        )


def key_attributes(key: Key) -> dict[str, AttributeValueTypeDef]:
    """Return an item's primary key."""
    return {"address": {"S": key.address}, "scope": {"S": key.scope}}


def to_attributes(key: Key, item: Item) -> dict[str, AttributeValueTypeDef]:
    """Return an item as the table holds it.

    Facts are the canonical JSON text that their hash is computed from, so that they are read back byte for byte.
    All but the key and the facts derives from the verdict, so that a reader in any language needs no policy.
    """
    verdict = item.verdict
    return {
        **key_attributes(key),
        "contract": {"N": str(CONTRACT)},
        "facts": {"S": facts_json(item.standing).decode()},
        "facts_hash": {"S": item.facts_hash},
        "policy_version": {"N": str(item.policy_version)},
        "suppressed": {"BOOL": verdict.suppressed},
        "certain": {"BOOL": verdict.certain},
        **_texts(reason=verdict.reason, since=verdict.since, until=verdict.until),
        "reasons": {"L": [{"M": _reason_attributes(held)} for held in verdict.reasons]},
    }


def _reason_attributes(held: ReasonHeld) -> dict[str, Any]:
    exempt = {"exempt": {"L": [{"S": purpose} for purpose in held.exempt]}} if held.exempt else {}
    return {
        **_texts(reason=held.reason, since=held.since, until=held.until),
        "certain": {"BOOL": held.certain},
        **exempt,
    }


def _texts(**values: str | datetime | None) -> dict[str, Any]:
    """Return attributes of type S. An attribute without a value is absent."""
    return {
        name: {"S": format_time(value) if isinstance(value, datetime) else value}
        for name, value in values.items()
        if value is not None
    }


def from_attributes(attributes: Attributes) -> tuple[Key, Item]:
    """Return the key and the item that the table holds.

    Raises:
        KeyError: An attribute is missing.
        ValueError: An attribute has an invalid value.
    """
    if int(attributes["contract"]["N"]) != CONTRACT:
        raise ValueError("an unknown contract")
    item = Item(
        standing=_decode_standing(attributes["facts"]["S"]),
        verdict=Verdict(reasons=tuple(_reason(reason["M"]) for reason in attributes["reasons"]["L"])),
        facts_hash=attributes["facts_hash"]["S"],
        policy_version=int(attributes["policy_version"]["N"]),
    )
    return Key(Address(attributes["address"]["S"]), attributes["scope"]["S"]), item


def _reason(attributes: Attributes) -> ReasonHeld:
    return ReasonHeld(
        reason=Reason(attributes["reason"]["S"]),
        since=parse_time(attributes.get("since", {}).get("S")),
        until=parse_time(attributes.get("until", {}).get("S")),
        certain=attributes["certain"]["BOOL"],
        exempt=tuple(purpose["S"] for purpose in attributes.get("exempt", {}).get("L", ())),
    )


def table_definition(name: str) -> CreateTableInputTypeDef:
    """Return the arguments of CreateTable: an on-demand, encrypted table in which nothing expires."""
    return {
        "TableName": name,
        "KeySchema": [{"AttributeName": "address", "KeyType": "HASH"}, {"AttributeName": "scope", "KeyType": "RANGE"}],
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
    """Create the table if it does not exist, and wait until it is active.

    Args:
        client: boto3's DynamoDB client.
        name: The table's name.
        protected: Protect a new table from deletion, and enable point-in-time recovery (35 days), as the template
            does. An existing table gets point-in-time recovery only.
        wait: Waits so many seconds before recovery is requested again.

    Raises:
        UsageError: The name is invalid.
        AccessDenied: AWS denies an operation.
        StoreUnavailable: DynamoDB throttles, cannot be reached, rejects the request or takes longer than a minute.
    """
    if not TABLE_NAME.fullmatch(name):  # emulators accept any
        raise UsageError(f"invalid table name {name!r}: use 3 to 255 of a-z A-Z 0-9 _ . -")
    definition = table_definition(name) | ({"DeletionProtectionEnabled": True} if protected else {})
    with translated(f"creating the table {name}", unavailable=StoreUnavailable, invalid=StoreUnavailable):
        tolerate(lambda: client.create_table(**definition), "ResourceInUseException")  # it exists
        client.get_waiter("table_exists").wait(TableName=name, WaiterConfig=TABLE_WAIT)
        if protected:
            _enable_recovery(client, name, wait)


def _enable_recovery(client: DynamoDBClient, name: str, wait: Callable[[float], None]) -> None:
    """Enable point-in-time recovery. A new table rejects that for some seconds, until its backups are set up.

    docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateContinuousBackups.html
    """
    for _ in attempts(BACKUP_ATTEMPTS, first_wait_seconds=FIRST_BACKUP_WAIT_SECONDS, wait=wait):
        response = tolerate(
            lambda: client.update_continuous_backups(
                TableName=name,
                PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True, "RecoveryPeriodInDays": 35},
            ),
            "ContinuousBackupsUnavailableException",
        )
        if response is not None:
            return
    raise StoreUnavailable(f"point-in-time recovery of the table {name} cannot be enabled yet: try again later")
