"""The suppression table itself: how it is made, and what it takes."""

from contextlib import nullcontext
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from pipeline.aws.clients import create_client
from pipeline.aws.dynamodb import BACKUP_ATTEMPTS, DynamoSuppressionStore, ensure_table, table_definition
from pipeline.errors import ItemRejected, StoreUnavailable, UsageError
from pipeline.policy import DEFAULT_POLICY
from pipeline.projection import to_item
from pipeline.standing import Evidence, FactKind, Key, Standing, fold
from tests.support.builders import a_bounce
from tests.support.items import KEY, an_item

TABLE = "suppression"


def test_the_table_is_on_demand_encrypted_and_keyed_by_address_and_scope() -> None:
    with mock_aws():
        dynamodb = create_client("dynamodb", region="us-east-1")
        dynamodb.create_table(**table_definition(TABLE))
        table = dynamodb.describe_table(TableName=TABLE)["Table"]

    assert [(key["AttributeName"], key["KeyType"]) for key in table["KeySchema"]] == [
        ("address", "HASH"),
        ("scope", "RANGE"),
    ]
    assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert table["SSEDescription"]["Status"] == "ENABLED"


def test_a_table_is_made_once_and_keeps_what_is_in_it() -> None:
    with mock_aws():
        dynamodb = create_client("dynamodb", region="us-east-1")
        ensure_table(dynamodb, TABLE)
        store = DynamoSuppressionStore(dynamodb, table=TABLE)
        store.save(KEY, an_item(a_bounce()), expected="")
        ensure_table(dynamodb, TABLE)

        assert dict(store.scan()) == {KEY: an_item(a_bounce())}


@pytest.mark.parametrize("name", ["", "ab", "no spaces", "a" * 256])
def test_a_name_that_no_table_can_have_is_a_misuse(name: str) -> None:
    with mock_aws(), pytest.raises(UsageError, match="no name for a table"):
        ensure_table(create_client("dynamodb", region="us-east-1"), name)


@pytest.mark.parametrize("operation", ["CreateTable", "DescribeTable"])
def test_a_table_that_cannot_be_made_is_an_outage(operation: str) -> None:
    with mock_aws():
        dynamodb = create_client("dynamodb", region="us-east-1")

        def fail(**_: Any) -> None:
            raise ClientError({"Error": {"Code": "AccessDeniedException"}}, operation)

        dynamodb.meta.events.register(f"before-call.dynamodb.{operation}", fail)

        with pytest.raises(StoreUnavailable, match=operation):
            ensure_table(dynamodb, TABLE)


@pytest.mark.parametrize("key", [KEY, Key(KEY.address, "s" * 1_025)], ids=["too large", "its key is too long"])
def test_an_item_that_no_table_takes_is_rejected(key: Key) -> None:
    """The one that is too large is an operator's release that lifts more than anybody can read."""
    lifts = tuple(f"{number:032x}" for number in range(13_000 if key == KEY else 1))
    too_large: Standing = fold([(FactKind.RELEASE, Evidence(at_ms=1, event_id="0" * 32, lifts=lifts))])
    with mock_aws():
        dynamodb = create_client("dynamodb", region="us-east-1")
        dynamodb.create_table(**table_definition(TABLE))
        store = DynamoSuppressionStore(dynamodb, table=TABLE)

        with pytest.raises(ItemRejected):
            store.save(key, to_item(key, too_large, DEFAULT_POLICY), expected="")
        assert dict(store.scan()) == {}


@pytest.mark.parametrize(("refusals", "is_made"), [(2, True), (100, False)])
def test_a_new_table_whose_backups_are_not_set_up_yet_is_asked_again(refusals: int, is_made: bool) -> None:
    refusing, waits = iter(range(refusals)), list[float]()
    with mock_aws():
        dynamodb = create_client("dynamodb", region="us-east-1")

        def refuse(**_: Any) -> None:
            if next(refusing, None) is not None:
                raise ClientError({"Error": {"Code": "ContinuousBackupsUnavailableException"}}, "any")

        dynamodb.meta.events.register("before-call.dynamodb.UpdateContinuousBackups", refuse)
        with nullcontext() if is_made else pytest.raises(StoreUnavailable, match="UpdateContinuousBackups"):
            ensure_table(dynamodb, TABLE, protected=True, wait=waits.append)

        backups = dynamodb.describe_continuous_backups(TableName=TABLE)["ContinuousBackupsDescription"]
        recovery = backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"]
        assert (recovery == "ENABLED") == is_made
        assert len(waits) == min(refusals, BACKUP_ATTEMPTS - 1)
        assert dynamodb.describe_table(TableName=TABLE)["Table"]["DeletionProtectionEnabled"]
