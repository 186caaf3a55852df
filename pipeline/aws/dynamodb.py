"""The suppression table in DynamoDB: one item per address and scope, as schemas/item.json describes it.

Facts are joined in Python. An item is put whole, on the condition that it did not change since it was loaded: no
update expression restates the fold. Nothing is ever deleted.
docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from pipeline.address import Address
from pipeline.aws.batching import Each
from pipeline.aws.dynamodb_item import Attributes, from_attributes, key_attributes
from pipeline.aws.dynamodb_writes import TableWrite
from pipeline.aws.errors import missing_ok, tolerate, translated
from pipeline.aws.retry import attempts
from pipeline.aws.settings import TABLE_NAME
from pipeline.errors import Conflict, MailfoldError, StoreUnavailable, UsageError
from pipeline.ports import NO_ITEM, Item, Put
from pipeline.standing import Key

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import CreateTableInputTypeDef, WaiterConfigTypeDef

KEYS_PER_READ = 100  # DynamoDB's limit for BatchGetItem
READ_ATTEMPTS = 8  # 13 s at most, all waits included
FIRST_READ_WAIT_SECONDS = 0.1
BACKUP_ATTEMPTS = 9  # 25 to 51 s, all waits included
FIRST_BACKUP_WAIT_SECONDS = 0.2
SCOPE_BYTES = 1_024  # DynamoDB's limit for a sort key

TABLE_WAIT: WaiterConfigTypeDef = {"Delay": 2, "MaxAttempts": 30}  # a minute: a look every 2 s
NO_POLICY = "PolicyNotFoundException"  # a table without a resource policy


class DynamoSuppressionStore:
    """The suppression table in DynamoDB; see `ports.SuppressionStore`.

    Args:
        client: boto3's DynamoDB client, with its time-outs and retries.
        table: The table's name. The table must exist.
        each: Makes the calls of one load or save: one after the other, or several at a time.
        wait: Waits so many seconds before a call is repeated for what the response left out.
    """

    def __init__(
        self, client: DynamoDBClient, *, table: str, each: Each = map, wait: Callable[[float], None] = time.sleep
    ) -> None:
        self._client, self._table, self._each, self._wait = client, table, each, wait

    def load(self, keys: Iterable[Key]) -> Mapping[Key, Item]:
        """See `ports.SuppressionStore`."""
        items = dict.fromkeys(keys, NO_ITEM)
        # No table holds a longer key, and DynamoDB would reject the whole request.
        valid_keys = [key for key in items if len(key.scope.encode()) <= SCOPE_BYTES]
        starts = range(0, len(valid_keys), KEYS_PER_READ)
        for found in self._each(self._read, [valid_keys[start : start + KEYS_PER_READ] for start in starts]):
            items.update(found)
        return items

    def save(self, puts: Sequence[Put]) -> Mapping[Key, MailfoldError]:
        """See `ports.SuppressionStore`."""
        return TableWrite(self._client, table=self._table, wait=self._wait).save(puts, each=self._each)

    def delete(self, key: Key, *, expected: str) -> None:
        """See `ports.ErasableStore`."""
        with self._translated("deleting an item of"):
            deleted = tolerate(
                lambda: self._client.delete_item(
                    TableName=self._table,
                    Key=key_attributes(key),
                    ConditionExpression="attribute_not_exists(address) OR facts_hash = :expected",
                    ExpressionAttributeValues={":expected": {"S": expected}},
                ),
                "ConditionalCheckFailedException",
            )
        if deleted is None:
            raise Conflict

    def scan(self) -> Iterator[tuple[Key, Item]]:
        """See `ports.SuppressionStore`."""
        pages = self._client.get_paginator("scan").paginate(TableName=self._table, ConsistentRead=True)
        with self._translated("scanning"):
            for page in pages:
                yield from map(self._item, page["Items"])

    def items_of(self, address: Address) -> Mapping[Key, Item]:
        """Return all items of an address, in every scope, strongly consistent. Raises as `load` does."""
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="address = :address",
            ExpressionAttributeValues={":address": {"S": address}},
            ConsistentRead=True,
        )
        with self._translated("reading"):
            return dict(self._item(item) for page in pages for item in page["Items"])

    def _read(self, keys: Iterable[Key]) -> Sequence[tuple[Key, Item]]:
        """Return the items that exist. Request again those that a busy table left out. May run in any thread."""
        request: Any = {self._table: {"Keys": [key_attributes(key) for key in keys], "ConsistentRead": True}}
        items: list[tuple[Key, Item]] = []
        for _ in attempts(READ_ATTEMPTS, first_wait_seconds=FIRST_READ_WAIT_SECONDS, wait=self._wait):
            with self._translated("reading"):
                response = self._client.batch_get_item(RequestItems=request)
            items += map(self._item, response["Responses"].get(self._table, ()))
            request = response["UnprocessedKeys"]
            if not request:
                return items
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

    def _translated(self, action: str) -> AbstractContextManager[None]:
        """See `errors.translated`. A rejected request stops the batch: it says nothing about a single item."""
        return translated(f"{action} the table {self._table}", unavailable=StoreUnavailable, invalid=StoreUnavailable)


def table_definition(name: str) -> CreateTableInputTypeDef:
    """Return the arguments of CreateTable: an on-demand table in which nothing expires.

    DynamoDB encrypts it with a key that it owns. An AWS-managed key would deny senders in other accounts.
    """
    return {
        "TableName": name,
        "KeySchema": [{"AttributeName": "address", "KeyType": "HASH"}, {"AttributeName": "scope", "KeyType": "RANGE"}],
        "AttributeDefinitions": [
            {"AttributeName": "address", "AttributeType": "S"},
            {"AttributeName": "scope", "AttributeType": "S"},
        ],
        "BillingMode": "PAY_PER_REQUEST",
    }


def ensure_table(
    client: DynamoDBClient,
    name: str,
    *,
    protected: bool = False,
    like: str = "",
    wait: Callable[[float], None] = time.sleep,
) -> None:
    """Create the table if it does not exist, and wait until it is active.

    Args:
        client: boto3's DynamoDB client.
        name: The table's name.
        protected: Protect a new table from deletion, and enable point-in-time recovery (35 days), as the template
            does. An existing table gets point-in-time recovery only.
        like: Name of the live table, if it exists: a new one gets its KMS key, and its policy for other accounts.
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
        live = missing_ok(lambda: client.describe_table(TableName=like)) if like else None
        model = live and live["Table"]
        if model and (key := model.get("SSEDescription", {}).get("KMSMasterKeyArn")):
            definition["SSESpecification"] = {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": key}
        created = tolerate(lambda: client.create_table(**definition), "ResourceInUseException")  # it exists
        client.get_waiter("table_exists").wait(TableName=name, WaiterConfig=TABLE_WAIT)
        if created and model:
            _copy_policy(client, model["TableArn"], created["TableDescription"]["TableArn"])
        if protected:
            _enable_recovery(client, name, wait)


def _copy_policy(client: DynamoDBClient, arn: str, new_arn: str) -> None:
    """Copy the resource policy of a table, if it has one, to a new table.

    docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_GetResourcePolicy.html
    """
    policy = missing_ok(lambda: client.get_resource_policy(ResourceArn=arn), NO_POLICY)
    if policy and policy.get("Policy"):
        client.put_resource_policy(ResourceArn=new_arn, Policy=policy["Policy"].replace(arn, new_arn))


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
