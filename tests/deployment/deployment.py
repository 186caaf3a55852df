"""The template as it is, deployed to the emulator."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.address import Address
from pipeline.aws.archive_s3 import S3Archive
from pipeline.aws.stack import Stack, deployed_stack
from pipeline.aws.store_dynamodb import DynamoSuppressionStore
from pipeline.aws.tables import create_tables
from pipeline.ports import NO_ITEM, Item
from pipeline.row import Row
from pipeline.standing import Key
from tests.deployment.account import Account
from tests.deployment.waiting import eventually
from tests.emulator.ministack import REGION

TEMPLATE = Path(__file__).parents[2] / "infra" / "mailfold.yaml"
# The emulator does not know the metric math of the one alarm that this makes.
SILENCE = {"SilenceMails": "0"}
CODE = "mailfold-code"


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


def deploy(account: Account, *, name: str, bundle: Path, parameters: Mapping[str, str] | None = None) -> Deployment:
    """Deploy the template under a name, with its defaults but for these parameters."""
    s3, cloudformation = account.client("s3"), account.client("cloudformation")
    bucket = f"{CODE}-{name}"
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.upload_file(str(bundle), bucket, "bundle.zip")
    s3.upload_file(str(TEMPLATE), bucket, "template.yaml")
    chosen = SILENCE | {"CodeBucket": bucket, "CodeKey": "bundle.zip"} | dict(parameters or {})
    cloudformation.create_stack(
        StackName=name,
        TemplateURL=f"{account.ministack.endpoint_url}/{bucket}/template.yaml",
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in chosen.items()],
        Capabilities=["CAPABILITY_IAM"],
    )
    stack = eventually(lambda: _finished(deployed_stack(cloudformation, name=name)), what=f"the stack {name}")
    assert stack.status == "CREATE_COMPLETE", stack.status
    create_tables(
        account.client("ssm"), parameter=stack.output("TablesParameter"), live=stack.output("SuppressionTable")
    )
    return Deployment(account, stack)


def _finished(stack: Stack) -> Stack | None:
    return None if stack.status.endswith("_IN_PROGRESS") else stack
