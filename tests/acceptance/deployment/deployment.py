"""The unchanged template, deployed to the emulator."""

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.address import Address
from pipeline.aws.archive.s3 import S3Archive
from pipeline.aws.clients import Clients
from pipeline.aws.deployment import deploy as deployment
from pipeline.aws.deployment.bundle import Bundle
from pipeline.aws.deployment.change_set import ChangeSet
from pipeline.aws.deployment.data_loss import DataLoss
from pipeline.aws.deployment.deploy import DeploymentRequest
from pipeline.aws.deployment.events import StackEvent
from pipeline.aws.dynamodb import DynamoSuppressionStore
from pipeline.aws.stack import Stack
from pipeline.ports import NO_ITEM, Item
from pipeline.row import Row
from pipeline.standing import Key
from tests.acceptance.deployment.account import Account

# The emulator does not support the metric math of the alarms that these parameters create.
WITHOUT_METRIC_MATH = {"DriftBounces": "0", "LogQuotaPercent": "0", "SilenceMails": "0"}
POLL_SECONDS = 0.1


class Deployment:
    """A deployed stack, with access to its outputs and resources.

    Args:
        account: Account of the stack.
        stack: The stack.
    """

    def __init__(self, account: Account, stack: Stack) -> None:
        self.account, self.stack = account, stack

    def __getitem__(self, output: str) -> str:
        """Return the value of an output."""
        return self.stack.output(output)

    def client(self, service: Any) -> Any:
        """Return a boto3 client with the operator's credentials."""
        return self.account.client(service)

    def feed(self, *payloads: bytes) -> None:
        """Put records on the feedback stream in one request."""
        records = [{"Data": payload, "PartitionKey": "any"} for payload in payloads]
        answer = self.client("kinesis").put_records(StreamName=self["FeedbackStream"], Records=records)
        assert answer["FailedRecordCount"] == 0

    def item(self, address: str) -> Item | None:
        """Return the item of an address in the suppression table, or None."""
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
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]

    def read(self, key: str) -> bytes:
        """Return an object of its bucket."""
        content: bytes = self.client("s3").get_object(Bucket=self["LogBucket"], Key=key)["Body"].read()
        return content


class ConfirmingOperator:
    """An operator that confirms every change, and no deletion."""

    def report_step(self, step: str) -> None: ...

    def accept_loss(self, loss: DataLoss) -> bool:
        return False

    def show_kept_logs(self, buckets: Sequence[str]) -> None: ...

    def show_changes(self, change_set: ChangeSet | None) -> None: ...

    def confirm(self) -> bool:
        return True

    def execution_started(self, change_set: ChangeSet) -> None: ...

    def show_event(self, event: StackEvent) -> None: ...

    def confirm_deletion(self, stack: Stack) -> bool:
        return False


def deploy(account: Account, *, name: str, bundle: Bundle, parameters: Mapping[str, str] | None = None) -> Deployment:
    """Deploy the template like `mailfold deploy`, with its defaults except for these parameters.

    Athena's views are left out: the emulator's Athena stores no query results, as the template's workgroup requires.
    """
    request = DeploymentRequest(stack=name, parameters=WITHOUT_METRIC_MATH | dict(parameters or {}), views=False)
    clients = Clients(account.client)
    stack = deployment.deploy(request, clients, ConfirmingOperator(), bundle=bundle, poll_seconds=POLL_SECONDS)
    assert stack
    return Deployment(account, stack)
