"""The template's policy for a consumer suffices for the real library, which starts from an empty account.

The emulator enforces the policy for DynamoDB, S3 and SSM. It cannot for Kinesis, which another emulator provides. Java
does not trust its certificate, so it is called without TLS.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from itertools import pairwise
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
from tests.acceptance.kcl.consumer import Consumer, consuming
from tests.infra.conftest import environments
from tests.support import cloudformation
from tests.support.builders import a_bounce
from tests.support.cloudformation import consumed_by
from tests.support.waiting import until

MADE = consumed_by("container")
STREAM, BUCKET, TABLE = "mail-feedback", "mail-log", MADE.properties("SuppressionTable")["TableName"]
ANN = Key(Address("ann@example.com"))
SETTLE_SECONDS = 300.0  # the library waits up to 30 s before it fills an empty lease table
HEARTBEAT_SECONDS = 300.0  # the library sends one every 30 s


class Place:
    """An account with a stream, a table and a bucket, and a user who has the template's policy and no other.

    Args:
        account: The account.
        kinesis_url: Address of its Kinesis.
    """

    def __init__(self, account: Account, kinesis_url: str) -> None:
        self.account, self._kinesis_url = account, kinesis_url
        self.kinesis: Any = local_client("kinesis", endpoint_url=kinesis_url, region=REGION)
        self.kinesis.create_stream(StreamName=STREAM, ShardCount=1)
        self.kinesis.get_waiter("stream_exists").wait(StreamName=STREAM, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
        ensure_table(account.client("dynamodb"), TABLE)
        account.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        statements = as_deployed(MADE.properties("ConsumerPolicy")["PolicyDocument"]["Statement"])
        self._credentials = account.user("consumer", statements)

    def environment(self) -> Mapping[str, str]:
        """Return the environment of the container, with the addresses of the emulators."""
        return {
            **as_deployed(environments()["ConsumerTask"]),
            **self.account.ministack.environment(self._credentials),
            "AWS_ENDPOINT_URL_KINESIS": self._kinesis_url,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def item(self) -> Any:
        """Return Ann's item in the table, or None."""
        item = DynamoSuppressionStore(self.account.client("dynamodb"), table=TABLE).load([ANN])[ANN]
        return None if item == NO_ITEM else item

    def quarantined(self) -> int:
        """Return the number of payloads in quarantine."""
        listed = self.account.client("s3").list_objects_v2(Bucket=BUCKET, Prefix="quarantine/")
        return int(listed["KeyCount"])

    def leases(self) -> list[dict[str, Any]]:
        """Return the items of the lease table."""
        scanned = self.account.client("dynamodb").scan(TableName=MADE.outputs["ConsumerApplication"]["Value"])
        leases: list[dict[str, Any]] = scanned["Items"]
        return leases


def as_deployed(value: Any) -> Any:
    """Return a part of the template with the names of this account's resources."""
    text = json.dumps(value).replace(cloudformation.REGION, REGION)
    for name, resource in {
        "{FeedbackStream.Arn}": f"arn:aws:kinesis:{REGION}:{cloudformation.ACCOUNT}:stream/{STREAM}",
        "{LogBucket.Arn}": f"arn:aws:s3:::{BUCKET}",
        "{FeedbackStream}": STREAM,
        "{SuppressionTable}": TABLE,
        "{LogBucket}": BUCKET,
    }.items():
        text = text.replace(name, resource)
    return json.loads(text)


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with ExitStack() as resources:
        kinesis_url = resources.enter_context(kinesis_local.running())
        account = Account(resources.enter_context(running(guarded=True, encrypted=False)))
        resources.callback(account.close)
        place = Place(account, kinesis_url)
        resources.callback(place.kinesis.close)
        yield place


@pytest.fixture(scope="module")
def consumer(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Consumer]:
    """Two daemons for one shard, so that one of them has none."""
    log = tmp_path_factory.mktemp("consumer") / "log"
    with consuming(place.environment(), log, "--workers", "2") as consumer:
        yield consumer


def test_a_daemon_without_a_shard_sends_heartbeats(consumer: Consumer) -> None:
    """They distinguish a spare daemon from one that never works. They are not logged."""
    consumer.await_shards(1)
    silences: list[float] = []

    def sent_heartbeat() -> bool:
        silences.extend(worker["silent_seconds"] for worker in consumer.workers() if not worker["shards"])
        return any(later < earlier for earlier, later in pairwise(silences))

    until(sent_heartbeat, timeout_seconds=HEARTBEAT_SECONDS)
    assert sent_heartbeat(), consumer.health()
    assert "DiagnosticEventLogger" not in consumer.log()


def test_the_templates_policy_suffices_for_a_consumer(place: Place, consumer: Consumer) -> None:
    """It creates its tables, takes its lease, projects, quarantines, checkpoints and ends. AWS denies nothing."""
    records = [{"Data": data, "PartitionKey": "any"} for data in (a_bounce(recipients=[ANN.address]), b"poison")]
    place.kinesis.put_records(StreamName=STREAM, Records=records)
    item = until(place.item, timeout_seconds=SETTLE_SECONDS)
    assert item, consumer.log()
    assert item.verdict.suppressed
    assert until(place.quarantined, timeout_seconds=SETTLE_SECONDS) == 1
    assert consumer.stop() == 0, consumer.log()
    [lease] = place.leases()
    assert lease["checkpoint"]["S"].isdecimal()
    assert "not authorized" not in consumer.log()
    assert "AccessDenied" not in consumer.log()
