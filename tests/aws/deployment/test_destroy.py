"""Deleting a stack: it is followed to its end, continued after an interrupt, and limited to stacks of Mailfold."""

import pytest

from pipeline.aws.deployment.destroy import check_deletable, delete_stack_and_wait
from pipeline.aws.deployment.events import StackEvent
from pipeline.aws.stack import deployed_stack
from pipeline.errors import DeploymentFailed, InvalidInput, UsageError
from tests.support.fake_cloudformation import NAME, STACK_ID, a_step
from tests.support.fake_deletion import FakeDeletion

DELETED = [[a_step("DELETE_IN_PROGRESS")], [a_step("DELETE_SKIPPED", "LogBucket"), a_step("DELETE_COMPLETE")]]
FAILING = [[a_step("DELETE_IN_PROGRESS"), a_step("DELETE_FAILED", "Workgroup", "it is not empty")]]
FAILED = [*FAILING, [a_step("DELETE_FAILED")]]


def deleted(cloudformation: FakeDeletion) -> list[StackEvent]:
    """Delete the stack, and return the events."""
    client, events = cloudformation.client(), list[StackEvent]()
    delete_stack_and_wait(client, deployed_stack(client, name=NAME), show_event=events.append, poll_seconds=0)
    return events


def test_a_stack_is_deleted_by_arn_and_every_event_is_shown() -> None:
    """The ARN protects a stack of the same name that was created since."""
    cloudformation = FakeDeletion(status="CREATE_COMPLETE", steps=DELETED)
    assert [event.status for event in deleted(cloudformation)] == [
        "DELETE_IN_PROGRESS",
        "DELETE_SKIPPED",
        "DELETE_COMPLETE",
    ]
    assert cloudformation.asked("delete_stack") == {"StackName": STACK_ID}  # and never one made since of the same name


@pytest.mark.parametrize("protected", [True, False])
def test_termination_protection_is_removed_if_it_is_on(protected: bool) -> None:
    """A protected stack is deleted too, and an unprotected one is not updated first."""
    cloudformation = FakeDeletion(status="UPDATE_COMPLETE", protected=protected, steps=DELETED)
    deleted(cloudformation)
    assert ("update_termination_protection" in cloudformation.operations()) == protected
    assert cloudformation.deletions == 1


def test_a_deletion_in_progress_is_followed() -> None:
    """A stack that is being deleted is followed to the end without another request to delete it."""
    cloudformation = FakeDeletion(status="DELETE_IN_PROGRESS", steps=[[], *DELETED[1:]])
    assert deleted(cloudformation)[-1].status == "DELETE_COMPLETE"
    assert cloudformation.deletions == 0


def test_a_deleted_stack_is_not_waited_for() -> None:
    """A stack that was deleted in the meantime needs neither a request nor a wait."""
    cloudformation = FakeDeletion(status="DELETE_IN_PROGRESS")
    client = cloudformation.client()
    stack = deployed_stack(client, name=NAME)
    cloudformation.status = "DELETE_COMPLETE"
    delete_stack_and_wait(client, stack, poll_seconds=0)
    assert cloudformation.deletions == 0


def test_a_failed_deletion_can_be_repeated() -> None:
    """The first failure is reported with its reason, and a second attempt succeeds."""
    cloudformation = FakeDeletion(status="CREATE_COMPLETE", steps=[*FAILED, *DELETED])
    with pytest.raises(
        DeploymentFailed, match=r"Workgroup .* failed first: it is not empty. The stack is DELETE_FAILED"
    ):
        deleted(cloudformation)
    assert deleted(cloudformation)[-1].status == "DELETE_COMPLETE"


@pytest.mark.parametrize("status", ["CREATE_COMPLETE", "ROLLBACK_COMPLETE", "DELETE_FAILED", "DELETE_IN_PROGRESS"])
def test_a_stack_of_mailfold_can_be_deleted(status: str) -> None:
    """A stack at rest, after a failure or in deletion is accepted."""
    client = FakeDeletion(status=status).client()
    check_deletable(client, deployed_stack(client, name=NAME))


@pytest.mark.parametrize("status", ["UPDATE_IN_PROGRESS", "CREATE_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS"])
def test_a_stack_in_another_operation_cannot_be_deleted(status: str) -> None:
    """The message names the status and advises to wait."""
    client = FakeDeletion(status=status).client()
    with pytest.raises(InvalidInput, match=f"is {status}: wait"):
        check_deletable(client, deployed_stack(client, name=NAME))


@pytest.mark.parametrize("resources", [(), [("LogBucket", "AWS::S3::Bucket"), ("SuppressionTable", "AWS::SQS::Queue")]])
def test_a_stack_of_another_owner_cannot_be_deleted(resources: list[tuple[str, str]]) -> None:
    """A stack without Mailfold's resources and their types is rejected."""
    client = FakeDeletion(status="CREATE_COMPLETE", resources=resources).client()
    with pytest.raises(UsageError, match="does not belong to Mailfold"):
        check_deletable(client, deployed_stack(client, name=NAME))
