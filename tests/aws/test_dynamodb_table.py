"""Creating the suppression table, and the items that it rejects."""

from contextlib import nullcontext
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from pipeline.aws.clients import create_client
from pipeline.aws.dynamodb import BACKUP_ATTEMPTS, DynamoSuppressionStore, ensure_table, table_definition
from pipeline.errors import AccessDenied, ItemRejected, StoreUnavailable, UsageError
from pipeline.policy import DEFAULT_POLICY
from pipeline.projection import to_item
from pipeline.standing import Evidence, FactKind, Key, Standing, fold
from tests.support.builders import a_bounce
from tests.support.items import KEY, an_item, save_item

TABLE = "suppression"
KMS_KEY = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"


def test_a_table_is_billed_on_demand() -> None:
    """Its key is address and scope. DynamoDB encrypts it with a key that it owns, which it does not describe."""
    with mock_aws():
        dynamodb = create_client("dynamodb", region="us-east-1")
        dynamodb.create_table(**table_definition(TABLE))
        table = dynamodb.describe_table(TableName=TABLE)["Table"]

    assert [(key["AttributeName"], key["KeyType"]) for key in table["KeySchema"]] == [
        ("address", "HASH"),
        ("scope", "RANGE"),
    ]
    assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert "SSEDescription" not in table


def test_a_table_is_created_once() -> None:
    """An existing table keeps its items."""
    with mock_aws():
        dynamodb = create_client("dynamodb", region="us-east-1")
        ensure_table(dynamodb, TABLE)
        store = DynamoSuppressionStore(dynamodb, table=TABLE)
        save_item(store, an_item(a_bounce()))
        ensure_table(dynamodb, TABLE)

        assert dict(store.scan()) == {KEY: an_item(a_bounce())}


def test_a_rebuilt_table_has_key_and_policy_of_the_live_one() -> None:
    """Senders in other accounts may read it as soon as it is the live one. An existing table keeps its policy."""
    policy = '{"Statement": [{"Effect": "Allow", "Resource": "%s"}]}'
    with mock_aws():
        dynamodb = create_client("dynamodb", region="us-east-1")
        sse = {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": KMS_KEY}
        dynamodb.create_table(**table_definition("live"), SSESpecification=sse)
        live_arn = dynamodb.describe_table(TableName="live")["Table"]["TableArn"]
        dynamodb.put_resource_policy(ResourceArn=live_arn, Policy=policy % live_arn)

        ensure_table(dynamodb, "rebuilt", like="live")
        rebuilt = dynamodb.describe_table(TableName="rebuilt")["Table"]
        copied = dynamodb.get_resource_policy(ResourceArn=rebuilt["TableArn"])["Policy"]
        dynamodb.put_resource_policy(ResourceArn=rebuilt["TableArn"], Policy='{"Statement": []}')
        ensure_table(dynamodb, "rebuilt", like="live")
        kept = dynamodb.get_resource_policy(ResourceArn=rebuilt["TableArn"])["Policy"]

    assert rebuilt["SSEDescription"]["KMSMasterKeyArn"] == KMS_KEY
    assert copied == policy % rebuilt["TableArn"]
    assert kept == '{"Statement": []}'


def test_a_rebuilt_table_has_no_key_and_policy_if_the_live_one_has_none() -> None:
    """The default is a key that DynamoDB owns, and no policy."""
    with mock_aws():
        dynamodb = create_client("dynamodb", region="us-east-1")
        ensure_table(dynamodb, "live")
        ensure_table(dynamodb, "rebuilt", like="live")
        rebuilt = dynamodb.describe_table(TableName="rebuilt")["Table"]
        with pytest.raises(ClientError, match="PolicyNotFoundException"):
            dynamodb.get_resource_policy(ResourceArn=rebuilt["TableArn"])
    assert "SSEDescription" not in rebuilt


@pytest.mark.parametrize("name", ["", "ab", "no spaces", "a" * 256])
def test_an_invalid_name_is_a_usage_error(name: str) -> None:
    """Emulators accept names that DynamoDB rejects."""
    with mock_aws(), pytest.raises(UsageError, match="invalid table name"):
        ensure_table(create_client("dynamodb", region="us-east-1"), name)


@pytest.mark.parametrize("operation", ["CreateTable", "DescribeTable"])
@pytest.mark.parametrize(
    ("code", "error"), [("AccessDeniedException", AccessDenied), ("InternalServerError", StoreUnavailable)]
)
def test_an_error_of_creating_a_table_is_translated(operation: str, code: str, error: type[Exception]) -> None:
    """A denial is a denial, also while waiting until the table is active."""
    with mock_aws():
        dynamodb = create_client("dynamodb", region="us-east-1")

        def fail(**_: Any) -> None:
            raise ClientError({"Error": {"Code": code}}, operation)

        dynamodb.meta.events.register(f"before-call.dynamodb.{operation}", fail)

        with pytest.raises(error, match=f"creating the table {TABLE}"):
            ensure_table(dynamodb, TABLE)


@pytest.mark.parametrize("key", [KEY, Key(KEY.address, "s" * 1_025)], ids=["too large", "its key is too long"])
def test_an_item_that_dynamodb_rejects_is_not_written(key: Key) -> None:
    """It is larger than 400 KB, or its key is too long."""
    diagnostic = "x" * (500_000 if key == KEY else 1)
    too_large: Standing = fold([(FactKind.HARD, Evidence(at_ms=1, event_id="0" * 32, diagnostic=diagnostic))])
    with mock_aws():
        dynamodb = create_client("dynamodb", region="us-east-1")
        dynamodb.create_table(**table_definition(TABLE))
        store = DynamoSuppressionStore(dynamodb, table=TABLE)

        with pytest.raises(ItemRejected):
            save_item(store, to_item(key, too_large, DEFAULT_POLICY), key=key)
        assert dict(store.scan()) == {}


@pytest.mark.parametrize(("rejections", "succeeds"), [(2, True), (100, False)])
def test_recovery_of_a_new_table_is_tried_again(rejections: int, succeeds: bool) -> None:
    """DynamoDB rejects it until the backups of a new table are set up."""
    rejections_left, waits = iter(range(rejections)), list[float]()
    with mock_aws():
        dynamodb = create_client("dynamodb", region="us-east-1")

        def reject(**_: Any) -> None:
            if next(rejections_left, None) is not None:
                raise ClientError({"Error": {"Code": "ContinuousBackupsUnavailableException"}}, "any")

        dynamodb.meta.events.register("before-call.dynamodb.UpdateContinuousBackups", reject)
        with nullcontext() if succeeds else pytest.raises(StoreUnavailable, match="point-in-time recovery"):
            ensure_table(dynamodb, TABLE, protected=True, wait=waits.append)

        backups = dynamodb.describe_continuous_backups(TableName=TABLE)["ContinuousBackupsDescription"]
        recovery = backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"]
        assert (recovery == "ENABLED") == succeeds
        assert len(waits) == min(rejections, BACKUP_ATTEMPTS - 1)
        assert dynamodb.describe_table(TableName=TABLE)["Table"]["DeletionProtectionEnabled"]
