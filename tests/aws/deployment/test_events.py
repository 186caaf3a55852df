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
    cloudformation.change_sets.append("ours")
    client.execute_change_set(ChangeSetName="ours")
    return cloudformation, before


def test_each_event_is_given_once_oldest_first_however_many_pages_there_are() -> None:
    steps = [[a_step("UPDATE_IN_PROGRESS", name) for name in "ABC"], [a_step("UPDATE_COMPLETE")]]
    cloudformation, before = executed(*steps)
    events = follow(cloudformation.client(), stack_id=STACK_ID, after=before, poll_seconds=0)
    assert [event.logical_id for event in events] == ["A", "B", "C", "mail"]


def test_a_stack_without_a_past_is_followed_from_its_beginning() -> None:
    cloudformation, before = executed([a_step("CREATE_COMPLETE")], status=None)
    assert before is None
    [event] = follow(cloudformation.client(), stack_id=STACK_ID, after=before, poll_seconds=0)
    assert event.is_end


def test_what_takes_too_long_is_told_and_that_it_goes_on() -> None:
    cloudformation, before = executed([a_step("UPDATE_IN_PROGRESS")])
    with pytest.raises(DeploymentFailed, match="has not ended after 0 s: CloudFormation continues"):
        list(follow(cloudformation.client(), stack_id=STACK_ID, after=before, poll_seconds=0, timeout_seconds=0))


@pytest.mark.parametrize(
    "end", ["UPDATE_ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_FAILED", "DELETE_COMPLETE", "UPDATE_FAILED"]
)
def test_an_end_that_nobody_wanted_is_a_failure_after_its_last_event(end: str) -> None:
    cloudformation, before = executed([a_step(end, reason="for mail of ann@example.com")])
    events = follow(cloudformation.client(), stack_id=STACK_ID, after=before, poll_seconds=0)
    assert next(events).status == end
    with pytest.raises(DeploymentFailed, match=f"for mail of …@…. The stack is {end}$"):
        next(events)
