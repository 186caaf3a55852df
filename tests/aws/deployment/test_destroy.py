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
    client, events = cloudformation.client(), list[StackEvent]()
    delete_stack_and_wait(client, deployed_stack(client, name=NAME), show_event=events.append, poll_seconds=0)
    return events


def test_it_is_gone_in_the_end_and_every_step_was_told() -> None:
    cloudformation = FakeDeletion(status="CREATE_COMPLETE", steps=DELETED)
    assert [event.status for event in deleted(cloudformation)] == [
        "DELETE_IN_PROGRESS",
        "DELETE_SKIPPED",
        "DELETE_COMPLETE",
    ]
    assert cloudformation.asked("delete_stack") == {"StackName": STACK_ID}  # and never one made since of the same name


@pytest.mark.parametrize("protected", [True, False])
def test_protection_is_lifted_where_there_is_some(protected: bool) -> None:
    cloudformation = FakeDeletion(status="UPDATE_COMPLETE", protected=protected, steps=DELETED)
    deleted(cloudformation)
    assert ("update_termination_protection" in cloudformation.operations()) == protected
    assert cloudformation.deletions == 1


def test_one_that_is_on_its_way_out_is_watched_and_not_told_again() -> None:
    cloudformation = FakeDeletion(status="DELETE_IN_PROGRESS", steps=[[], *DELETED[1:]])
    assert deleted(cloudformation)[-1].status == "DELETE_COMPLETE"
    assert cloudformation.deletions == 0


def test_one_that_has_just_gone_is_not_waited_for() -> None:
    cloudformation = FakeDeletion(status="DELETE_IN_PROGRESS")
    client = cloudformation.client()
    stack = deployed_stack(client, name=NAME)
    cloudformation.status = "DELETE_COMPLETE"
    delete_stack_and_wait(client, stack, poll_seconds=0)
    assert cloudformation.deletions == 0


def test_what_could_not_be_deleted_is_told_and_a_second_time_goes_on_from_there() -> None:
    cloudformation = FakeDeletion(status="CREATE_COMPLETE", steps=[*FAILED, *DELETED])
    with pytest.raises(
        DeploymentFailed, match=r"Workgroup .* failed first: it is not empty. The stack is DELETE_FAILED"
    ):
        deleted(cloudformation)
    assert deleted(cloudformation)[-1].status == "DELETE_COMPLETE"


@pytest.mark.parametrize("status", ["CREATE_COMPLETE", "ROLLBACK_COMPLETE", "DELETE_FAILED", "DELETE_IN_PROGRESS"])
def test_one_of_ours_at_rest_or_on_its_way_out_can_be_deleted(status: str) -> None:
    client = FakeDeletion(status=status).client()
    check_deletable(client, deployed_stack(client, name=NAME))


@pytest.mark.parametrize("status", ["UPDATE_IN_PROGRESS", "CREATE_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS"])
def test_one_that_is_being_changed_cannot(status: str) -> None:
    client = FakeDeletion(status=status).client()
    with pytest.raises(InvalidInput, match=f"is {status}: wait"):
        check_deletable(client, deployed_stack(client, name=NAME))


@pytest.mark.parametrize("resources", [(), [("LogBucket", "AWS::S3::Bucket"), ("SuppressionTable", "AWS::SQS::Queue")]])
def test_one_of_somebody_elses_cannot(resources: list[tuple[str, str]]) -> None:
    client = FakeDeletion(status="CREATE_COMPLETE", resources=resources).client()
    with pytest.raises(UsageError, match="does not belong to Mailfold"):
        check_deletable(client, deployed_stack(client, name=NAME))
