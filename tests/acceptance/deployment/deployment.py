"""The template as it is, deployed to the emulator."""

from collections.abc import Mapping
from typing import Any

from pipeline.address import Address
from pipeline.aws.archive.s3 import S3Archive
from pipeline.aws.clients import Service
from pipeline.aws.deployment import deploy as deployment
from pipeline.aws.deployment.bundle import Bundle
from pipeline.aws.deployment.change_set import ChangeSet
from pipeline.aws.deployment.deploy import Clients, DeploymentRequest
from pipeline.aws.deployment.events import StackEvent
from pipeline.aws.dynamodb import DynamoSuppressionStore
from pipeline.aws.stack import Stack
from pipeline.ports import NO_ITEM, Item
from pipeline.row import Row
from pipeline.standing import Key
from tests.acceptance.deployment.account import Account

# The emulator does not know the metric math of the one alarm that this makes.
SILENCE = {"SilenceMails": "0"}
POLL_SECONDS = 0.1


class Deployment:
    """A stack, and what it is made of by name.

    Args:
        account: Where it is.
        stack: What it says of itself.
    """

    def __init__(self, account: Account, stack: Stack) -> None:
        self.account, self.stack = account, stack

    def __getitem__(self, output: str) -> str:
        """Return what an output of the template says."""
        return self.stack.output(output)

    def client(self, service: Any) -> Any:
        """Return a boto3 client of the operator's."""
        return self.account.client(service)

    def feed(self, *payloads: bytes) -> None:
        """Put records on the feedback stream, all in one call."""
        records = [{"Data": payload, "PartitionKey": "any"} for payload in payloads]
        answer = self.client("kinesis").put_records(StreamName=self["FeedbackStream"], Records=records)
        assert answer["FailedRecordCount"] == 0

    def item(self, address: str) -> Item | None:
        """Return what the suppression table holds about an address; None: nothing."""
        key = Key(Address(address))
        item = DynamoSuppressionStore(self.client("dynamodb"), table=self["SuppressionTable"]).load([key])[key]
        return None if item == NO_ITEM else item

    def rows(self) -> list[Row]:
        """Return the rows of the log."""
        archive = S3Archive(self.client("s3"), bucket=self["LogBucket"])
        return [row for rows in archive.rows() for row in rows]

    def objects(self, prefix: str) -> list[str]:
        """Return the keys below a prefix of its bucket."""
        pages = self.client("s3").get_paginator("list_objects_v2").paginate(Bucket=self["LogBucket"], Prefix=prefix)
        return [each["Key"] for page in pages for each in page.get("Contents", [])]

    def read(self, key: str) -> bytes:
        """Return an object of its bucket."""
        content: bytes = self.client("s3").get_object(Bucket=self["LogBucket"], Key=key)["Body"].read()
        return content


class Willing:
    """Whoever deploys here: agrees to everything."""

    def told(self, step: str) -> None: ...

    def changes(self, found: ChangeSet | None) -> None: ...

    def agrees(self) -> bool:
        return True

    def began(self, found: ChangeSet) -> None: ...

    def happened(self, event: StackEvent) -> None: ...

    def agrees_to_delete(self, stack: Stack) -> bool:
        return False


def deploy(account: Account, *, name: str, bundle: Bundle, parameters: Mapping[str, str] | None = None) -> Deployment:
    """Deploy the template as `mailfold deploy` does, with its defaults but for these parameters.

    Athena's views are left out: the emulator's Athena keeps no answers of its own, as the template's workgroup asks.
    """
    order = DeploymentRequest(stack=name, parameters=SILENCE | dict(parameters or {}), views=False)
    services: tuple[Service, ...] = ("athena", "cloudformation", "dynamodb", "s3", "ssm", "sts")
    clients = Clients(**{service: account.client(service) for service in services})
    stack = deployment.deploy(order, clients, Willing(), bundle=bundle, poll_seconds=POLL_SECONDS)
    assert stack
    return Deployment(account, stack)
