"""The template's policy for a consumer lets the real library do all that it does, from an empty account on.

The emulator asks at DynamoDB, S3 and SSM what the policy says. It cannot do so at Kinesis, which is another emulator's
here; nor does Java trust its certificate, so it is spoken to without.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from pipeline.address import Address
from pipeline.aws.dynamodb import DynamoSuppressionStore, ensure_table
from pipeline.local.client import local_client
from pipeline.ports import NO_ITEM
from pipeline.standing import Key
from tests.acceptance.deployment.account import Account
from tests.acceptance.emulators import kinesis_local
from tests.acceptance.emulators.ministack import REGION, running
from tests.acceptance.kcl.consumer import consuming
from tests.infra.conftest import environments
from tests.support import cloudformation
from tests.support.builders import a_bounce
from tests.support.cloudformation import consumed_by
from tests.support.waiting import until

MADE = consumed_by("container")
STREAM, BUCKET, TABLE = "mail-feedback", "mail-log", MADE.properties("SuppressionTable")["TableName"]
ANN = Key(Address("ann@example.com"))
SETTLE_SECONDS = 120.0  # from an empty table of leases, of which the library waits up to half a minute


class Place:
    """An account with a stream, a table and a bucket, and somebody who has the template's policy and nothing else.

    Args:
        account: Which.
        kinesis_url: Where its Kinesis is.
    """

    def __init__(self, account: Account, kinesis_url: str) -> None:
        self.account, self._kinesis_url = account, kinesis_url
        self.kinesis: Any = local_client("kinesis", endpoint_url=kinesis_url, region=REGION)
        self.kinesis.create_stream(StreamName=STREAM, ShardCount=1)
        self.kinesis.get_waiter("stream_exists").wait(StreamName=STREAM, WaiterConfig={"Delay": 1, "MaxAttempts": 20})
        ensure_table(account.client("dynamodb"), TABLE)
        account.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        statements = as_deployed(MADE.properties("ConsumerPolicy")["PolicyDocument"]["Statement"])
        self._credentials = account.user("consumer", statements)

    def environment(self) -> Mapping[str, str]:
        """Return what the container finds in its environment, and besides it how to find the emulators."""
        return {
            **as_deployed(environments()["ConsumerTask"]),
            **self.account.ministack.environment(self._credentials),
            "AWS_ENDPOINT_URL_KINESIS": self._kinesis_url,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def item(self) -> Any:
        """Return what the table says about Ann; None: nothing."""
        item = DynamoSuppressionStore(self.account.client("dynamodb"), table=TABLE).load([ANN])[ANN]
        return None if item == NO_ITEM else item

    def set_aside(self) -> int:
        """Return how many payloads are in quarantine."""
        listed = self.account.client("s3").list_objects_v2(Bucket=BUCKET, Prefix="quarantine/")
        return int(listed["KeyCount"])

    def leases(self) -> list[dict[str, Any]]:
        """Return what the table of leases holds."""
        found: list[dict[str, Any]] = self.account.client("dynamodb").scan(TableName=f"{cloudformation.NAME}-consumer")[
            "Items"
        ]
        return found


def as_deployed(value: Any) -> Any:
    """Return a part of the template with the names of what there is here."""
    text = json.dumps(value).replace(cloudformation.REGION, REGION)
    for name, made in {
        "{FeedbackStream.Arn}": f"arn:aws:kinesis:{REGION}:{cloudformation.ACCOUNT}:stream/{STREAM}",
        "{LogBucket.Arn}": f"arn:aws:s3:::{BUCKET}",
        "{FeedbackStream}": STREAM,
        "{SuppressionTable}": TABLE,
        "{LogBucket}": BUCKET,
    }.items():
        text = text.replace(name, made)
    return json.loads(text)


@pytest.fixture
def place() -> Iterator[Place]:
    with ExitStack() as resources:
        kinesis_url = resources.enter_context(kinesis_local.running())
        account = Account(resources.enter_context(running(guarded=True, encrypted=False)))
        resources.callback(account.close)
        made = Place(account, kinesis_url)
        resources.callback(made.kinesis.close)
        yield made


def test_the_templates_policy_is_enough_for_a_consumer_that_begins_from_nothing(place: Place, tmp_path: Path) -> None:
    """It makes its tables, takes its lease, projects, sets aside, checkpoints, and ends; nothing of it is denied."""
    with consuming(place.environment(), tmp_path / "log") as consumer:
        records = [{"Data": data, "PartitionKey": "any"} for data in (a_bounce(recipients=[ANN.address]), b"poison")]
        place.kinesis.put_records(StreamName=STREAM, Records=records)
        item = until(place.item, timeout_seconds=SETTLE_SECONDS)
        assert item, consumer.log()
        assert item.verdict.suppressed
        assert until(place.set_aside, timeout_seconds=SETTLE_SECONDS) == 1
        assert consumer.stop() == 0, consumer.log()
    [lease] = place.leases()
    assert lease["checkpoint"]["S"].isdecimal()
    assert "not authorized" not in consumer.log()
    assert "AccessDenied" not in consumer.log()
