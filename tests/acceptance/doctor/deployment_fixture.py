"""The deployment that the doctor looks at in these tests, and what the doctor finds."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from pipeline.aws.archive import schema
from pipeline.aws.clients import Service
from pipeline.aws.doctor.checks import LINKS, Check, run_checks
from pipeline.aws.doctor.deployment import Deployment, connect_deployment
from pipeline.aws.doctor.finding import Finding, Severity
from pipeline.aws.stack import Stack
from tests.acceptance.deployment.account import Account

STACK = "mail"
IDENTITY = "example.com"


class Patient:
    """A deployment, and clients of the operator who breaks and mends it.

    Args:
        account: Where it is.
        stack: What it says of itself.
    """

    def __init__(self, *, account: Account, stack: Stack) -> None:
        self.account, self.stack = account, stack

    def __getitem__(self, output: str) -> str:
        """Return what an output of the template says."""
        return self.stack.output(output)

    def client(self, service: Any) -> Any:
        """Return a boto3 client of the operator's."""
        return self.account.client(service)

    def deployment(self, connect: Callable[[Service], Any] | None = None) -> Deployment:
        """Return what the doctor looks at, by these clients or the operator's; SES is asked as fast as it goes."""
        client = connect_deployment(connect or self.client, wait=lambda _: None)
        return Deployment(stack=self.stack, client=client, now=datetime.now(UTC))


def found(deployment: Deployment, links: tuple[Check, ...] = LINKS) -> list[tuple[str, Finding]]:
    """Return every finding that is not good, with its link."""
    return [
        (examined.link, finding)
        for examined in run_checks(deployment, links)
        for finding in examined.findings
        if finding.severity is not Severity.GOOD
    ]


def names(deployment: Deployment, links: tuple[Check, ...] = LINKS) -> set[str]:
    """Return the names of what is found and not good."""
    return {finding.name for _, finding in found(deployment, links)}


def finish(patient: Patient) -> None:
    """Do what the template asks for and the emulator's CloudFormation passes over, and what an operator does first."""
    patient.client("dynamodb").update_continuous_backups(
        TableName=patient["SuppressionTable"], PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
    )
    patient.client("dynamodb").update_table(TableName=patient["SuppressionTable"], SSESpecification={"Enabled": True})
    patient.client("kinesis").start_stream_encryption(
        StreamName=patient["FeedbackStream"], EncryptionType="KMS", KeyId="alias/aws/kinesis"
    )
    patient.client("sesv2").create_email_identity(
        EmailIdentity=IDENTITY, ConfigurationSetName=patient["ConfigurationSet"]
    )
    patient.client("sns").subscribe(TopicArn=patient["AlarmTopicArn"], Protocol="sqs", Endpoint=ALARM_QUEUE)
    for file in schema.schemas_folder().joinpath("views").glob("*.sql"):
        patient.client("glue").create_table(
            DatabaseName=patient["Database"], TableInput={"Name": file.stem, "TableType": "VIRTUAL_VIEW"}
        )


ALARM_QUEUE = "arn:aws:sqs:eu-west-1:123456789012:somebody"
