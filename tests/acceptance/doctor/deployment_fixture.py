"""The deployment that the doctor checks in these tests, and what it finds."""

from datetime import UTC, datetime
from typing import Any

from pipeline.aws.archive import schema
from pipeline.aws.clients import Clients
from pipeline.aws.doctor.checks import CHECKS, Check, run_checks
from pipeline.aws.doctor.deployment import Deployment
from pipeline.aws.doctor.finding import Finding, Severity
from pipeline.aws.stack import Stack
from tests.acceptance.deployment.account import Account

STACK = "mail"
IDENTITY = "example.com"
ALARM_QUEUE = "arn:aws:sqs:eu-west-1:123456789012:alarms"


class DeploymentFixture:
    """A deployment, and clients of the operator who injects faults and heals them.

    Args:
        account: Its account.
        stack: Its stack.
    """

    def __init__(self, *, account: Account, stack: Stack) -> None:
        self.account, self.stack = account, stack

    def __getitem__(self, output: str) -> str:
        """Return an output of the stack."""
        return self.stack.output(output)

    def client(self, service: Any) -> Any:
        """Return a boto3 client of the operator."""
        return self.account.client(service)

    def deployment(self, clients: Clients | None = None) -> Deployment:
        """Return the deployment as the doctor sees it, without a rate limit of SES.

        Args:
            clients: None: the operator's.
        """
        return Deployment(stack=self.stack, clients=clients or Clients(self.client), now=datetime.now(UTC))


def find_problems(deployment: Deployment, checks: tuple[Check, ...] = CHECKS) -> list[tuple[str, Finding]]:
    """Return every finding that is not OK, with the name of its check."""
    return [
        (result.check, finding)
        for result in run_checks(deployment, checks)
        for finding in result.findings
        if finding.severity is not Severity.OK
    ]


def find_names(deployment: Deployment, checks: tuple[Check, ...] = CHECKS) -> set[str]:
    """Return the names of all findings that are not OK."""
    return {finding.name for _, finding in find_problems(deployment, checks)}


def checks_named(*names: str) -> tuple[Check, ...]:
    """Return the checks of these names."""
    return tuple(check for check in CHECKS if check.name in names)


def complete(fixture: DeploymentFixture) -> None:
    """Apply what the emulator's CloudFormation ignores, and the first steps of an operator."""
    fixture.client("dynamodb").update_continuous_backups(
        TableName=fixture["SuppressionTable"], PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
    )
    fixture.client("kinesis").start_stream_encryption(
        StreamName=fixture["FeedbackStream"], EncryptionType="KMS", KeyId="alias/aws/kinesis"
    )
    fixture.client("sesv2").create_email_identity(
        EmailIdentity=IDENTITY, ConfigurationSetName=fixture["ConfigurationSet"]
    )
    fixture.client("sns").subscribe(TopicArn=fixture["AlarmTopicArn"], Protocol="sqs", Endpoint=ALARM_QUEUE)
    for file in schema.schemas_folder().joinpath("views").glob("*.sql"):
        fixture.client("glue").create_table(
            DatabaseName=fixture["Database"], TableInput={"Name": file.stem, "TableType": "VIRTUAL_VIEW"}
        )
