"""A deployment with a scripted operator to a scripted CloudFormation; moto is behind all other services."""

from collections.abc import Sequence
from typing import Any

from pipeline.aws.clients import Clients
from pipeline.aws.deployment.bundle import Bundle
from pipeline.aws.deployment.change_set import ChangeSet
from pipeline.aws.deployment.data_loss import DataLoss
from pipeline.aws.deployment.deploy import DeploymentRequest, deploy
from pipeline.aws.deployment.events import StackEvent
from pipeline.aws.stack import Stack, SuppressionTables, read_tables
from tests.support.fake_athena import FakeAthena
from tests.support.fake_cloudformation import NAME, OUTPUTS, FakeCloudFormation, a_change, a_step
from tests.support.fake_service import ACCOUNT, REGION, FakeService, client

BUCKET = f"mailfold-code-{ACCOUNT}-{REGION}"
BUNDLE = Bundle(data=b"a zip file", sha256="0123")
MADE = [[a_step("CREATE_IN_PROGRESS")], [a_step("CREATE_COMPLETE", "LogBucket"), a_step("CREATE_COMPLETE")]]
UPDATED = [[a_step("UPDATE_IN_PROGRESS"), a_step("UPDATE_COMPLETE")]]
CHANGES = [a_change(), a_change(logical_id="Transform", kind="AWS::Lambda::Function")]


class AnOperator:
    """An operator that confirms, or declines, and records what it is shown."""

    def __init__(self, *, confirms: bool = True, confirms_deletion: bool = True, accepts_loss: bool = True) -> None:
        self.losses: list[DataLoss] = []
        self.kept_logs: Sequence[str] = ()
        self._accepts_loss = accepts_loss
        self.steps: list[str] = []
        self.change_sets: list[ChangeSet | None] = []
        self.events: list[StackEvent] = []
        self._confirms, self._confirms_deletion = confirms, confirms_deletion

    def report_step(self, step: str) -> None:
        self.steps.append(step)

    def accept_loss(self, loss: DataLoss) -> bool:
        self.losses.append(loss)
        return self._accepts_loss

    def show_kept_logs(self, buckets: Sequence[str]) -> None:
        self.kept_logs = buckets

    def show_changes(self, change_set: ChangeSet | None) -> None:
        self.change_sets.append(change_set)

    def confirm(self) -> bool:
        return self._confirms

    def execution_started(self, change_set: ChangeSet) -> None:
        assert change_set in self.change_sets

    def show_event(self, event: StackEvent) -> None:
        self.events.append(event)

    def confirm_deletion(self, stack: Stack) -> bool:
        return self._confirms_deletion


def clients_with(**fakes: Any) -> Clients:
    """Return clients with these fakes, and moto behind all others."""
    return Clients(lambda service: fakes[service] if service in fakes else client(service))


def deploy_stack(
    cloudformation: FakeCloudFormation,
    *,
    operator: AnOperator | None = None,
    athena: FakeAthena | None = None,
    iam: FakeService | None = None,
    **request: Any,
) -> Stack | None:
    """Deploy, and return the stack, or None if nothing was executed."""
    fakes = {"iam": iam.client()} if iam else {}
    clients = clients_with(athena=(athena or FakeAthena()).client(), cloudformation=cloudformation.client(), **fakes)
    return deploy(
        DeploymentRequest(stack=NAME, **request), clients, operator or AnOperator(), bundle=BUNDLE, poll_seconds=0
    )


def live_tables() -> SuppressionTables | None:
    """Return the tables that the parameter names, or None if it does not exist."""
    return read_tables(client("ssm"), parameter=OUTPUTS["TablesParameter"])
