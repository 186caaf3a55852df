"""Events of a stack are followed from any point to the end of the operation, within a time limit."""

import pytest

from pipeline.aws.deployment.events import follow, newest_event
from pipeline.errors import DeploymentFailed
from tests.support.fake_cloudformation import STACK_ID, FakeCloudFormation, a_change, a_step


def executed(*steps: list[object], status: str | None = "UPDATE_COMPLETE") -> tuple[FakeCloudFormation, str | None]:
    """Return a stack after a change set was executed on it, and its newest event before that."""
    cloudformation = FakeCloudFormation(status=status, changes=[a_change()], steps=steps)
    client = cloudformation.client()
    before = newest_event(client, stack_id=STACK_ID)
    cloudformation.change_sets.append("mailfold-0")
    client.execute_change_set(ChangeSetName="mailfold-0")
    return cloudformation, before


def test_events_are_yielded_once_and_oldest_first() -> None:
    """Events of several pages and polls are yielded in order."""
    steps = [[a_step("UPDATE_IN_PROGRESS", name) for name in "ABC"], [a_step("UPDATE_COMPLETE")]]
    cloudformation, before = executed(*steps)
    events = follow(cloudformation.client(), stack_id=STACK_ID, after=before, poll_seconds=0)
    assert [event.logical_id for event in events] == ["A", "B", "C", "mail"]


def test_a_new_stack_is_followed_from_its_first_event() -> None:
    """A stack without events before the operation is followed from the start."""
    cloudformation, before = executed([a_step("CREATE_COMPLETE")], status=None)
    assert before is None
    [event] = follow(cloudformation.client(), stack_id=STACK_ID, after=before, poll_seconds=0)
    assert event.is_end


def test_an_operation_that_takes_too_long_is_reported() -> None:
    """The message says that CloudFormation continues the operation."""
    cloudformation, before = executed([a_step("UPDATE_IN_PROGRESS")])
    with pytest.raises(DeploymentFailed, match="has not ended after 0 s: CloudFormation continues"):
        list(follow(cloudformation.client(), stack_id=STACK_ID, after=before, poll_seconds=0, timeout_seconds=0))


@pytest.mark.parametrize(
    "end", ["UPDATE_ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_FAILED", "DELETE_COMPLETE", "UPDATE_FAILED"]
)
def test_another_final_status_is_a_failure_after_its_event(end: str) -> None:
    """The last event is yielded first, and then the failure is raised with addresses redacted."""
    cloudformation, before = executed([a_step(end, reason="for mail of ann@example.com")])
    events = follow(cloudformation.client(), stack_id=STACK_ID, after=before, poll_seconds=0)
    assert next(events).status == end
    with pytest.raises(DeploymentFailed, match=f"for mail of …@…. The stack is {end}$"):
        next(events)
