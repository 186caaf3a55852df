"""One deployment with a fake operator and a fake CloudFormation."""

from typing import Any

from pipeline.aws.deployment.bundle import Bundle
from pipeline.aws.deployment.change_set import ChangeSet
from pipeline.aws.deployment.deploy import Clients, DeploymentRequest, deploy
from pipeline.aws.deployment.events import StackEvent
from pipeline.aws.stack import Stack, SuppressionTables, read_tables
from tests.support.fake_athena import FakeAthena
from tests.support.fake_cloudformation import NAME, OUTPUTS, FakeCloudFormation, a_change, a_step
from tests.support.fake_service import ACCOUNT, REGION, client

BUCKET = f"mailfold-code-{ACCOUNT}-{REGION}"
BUNDLE = Bundle(data=b"a zip file", sha256="0123")
MADE = [[a_step("CREATE_IN_PROGRESS")], [a_step("CREATE_COMPLETE", "LogBucket"), a_step("CREATE_COMPLETE")]]
UPDATED = [[a_step("UPDATE_IN_PROGRESS"), a_step("UPDATE_COMPLETE")]]
CHANGES = [a_change(), a_change(logical_id="Transform", kind="AWS::Lambda::Function")]


class AnOperator:
    """An operator that agrees or not, and records its callbacks."""

    def __init__(self, *, agrees: bool = True, agrees_to_delete: bool = True) -> None:
        self.steps: list[str] = []
        self.found: list[ChangeSet | None] = []
        self.events: list[StackEvent] = []
        self.has_begun = False
        self._agrees, self._agrees_to_delete = agrees, agrees_to_delete

    def told(self, step: str) -> None:
        self.steps.append(step)

    def changes(self, found: ChangeSet | None) -> None:
        self.found.append(found)

    def agrees(self) -> bool:
        return self._agrees

    def began(self, found: ChangeSet) -> None:
        self.has_begun = True

    def happened(self, event: StackEvent) -> None:
        self.events.append(event)

    def agrees_to_delete(self, stack: Stack) -> bool:
        return self._agrees_to_delete


def deployed(
    cloudformation: FakeCloudFormation,
    *,
    operator: AnOperator | None = None,
    athena: FakeAthena | None = None,
    **order: Any,
) -> Stack | None:
    """Deploy, and return the stack, or None if nothing was done."""
    clients = Clients(
        athena=(athena or FakeAthena()).client(),
        cloudformation=cloudformation.client(),
        dynamodb=client("dynamodb"),
        s3=client("s3"),
        ssm=client("ssm"),
        sts=client("sts"),
    )
    wanted = DeploymentRequest(stack=NAME, **order)
    return deploy(wanted, clients, operator or AnOperator(), bundle=BUNDLE, poll_seconds=0)


def live_tables() -> SuppressionTables | None:
    """Return the tables that the parameter names, or None if it does not exist."""
    return read_tables(client("ssm"), parameter=OUTPUTS["TablesParameter"])
