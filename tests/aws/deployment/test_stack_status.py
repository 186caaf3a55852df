"""The status of a stack: whether a deployment may update it, delete it, or must leave it alone."""

import pytest

from pipeline.aws.deployment.change_set import PREFIX
from pipeline.errors import InvalidInput, UsageError
from tests.support.fake_cloudformation import FakeCloudFormation
from tests.support.one_deployment import CHANGES, MADE, UPDATED, AnOperator, deploy_stack

pytestmark = pytest.mark.usefixtures("beside_cloudformation")


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("UPDATE_ROLLBACK_FAILED", "continue-update-rollback --stack-name mail"),
        ("UPDATE_IN_PROGRESS", "wait until the operation ends"),
        ("DELETE_IN_PROGRESS", "wait until the operation ends"),
        ("DELETE_FAILED", "its deletion failed"),
        ("UPDATE_FAILED", "rollback-stack --stack-name mail"),
    ],
)
def test_a_status_that_allows_no_update_is_reported_with_a_remedy(status: str, words: str) -> None:
    """The stack is only read, and the message contains the remedy for its status."""
    cloudformation = FakeCloudFormation(status=status, changes=CHANGES)
    with pytest.raises(InvalidInput, match=f"the stack mail is {status}: .*{words}"):
        deploy_stack(cloudformation)
    assert cloudformation.operations() == ["describe_stacks"]


@pytest.mark.parametrize("status", ["UPDATE_COMPLETE", "ROLLBACK_COMPLETE", "CREATE_FAILED"])
def test_a_stack_of_another_owner_is_not_changed(status: str) -> None:
    """An update by Mailfold's template would delete everything in the stack."""
    another = {"CodeBucket": "theirs", "CodeKey": "theirs"}
    cloudformation = FakeCloudFormation(status=status, parameters=another, changes=CHANGES, steps=UPDATED)
    with pytest.raises(UsageError, match="the stack mail does not belong to Mailfold"):
        deploy_stack(cloudformation)
    assert cloudformation.operations() == ["describe_stacks"]


def test_the_rest_of_an_interrupted_attempt_is_deleted_first() -> None:
    """An empty stack with Mailfold's change sets is deleted before a new one is created."""
    cloudformation = FakeCloudFormation(status="REVIEW_IN_PROGRESS", changes=CHANGES, steps=MADE)
    cloudformation.change_sets.append(f"{PREFIX}0")
    assert deploy_stack(cloudformation) is not None
    operations = cloudformation.operations()
    assert operations.index("delete_stack") < operations.index("create_change_set")


def test_a_change_set_of_another_owner_is_kept() -> None:
    """An empty stack with another change set is not deleted."""
    cloudformation = FakeCloudFormation(status="REVIEW_IN_PROGRESS", changes=CHANGES)
    cloudformation.change_sets.append("of-the-auditors")
    with pytest.raises(UsageError, match="a change set that Mailfold did not create"):
        deploy_stack(cloudformation)
    assert "delete_stack" not in cloudformation.operations()


def test_a_failed_stack_is_created_again_after_confirmation() -> None:
    """A stack whose creation failed is deleted and created again if the operator confirms."""
    cloudformation = FakeCloudFormation(status="ROLLBACK_COMPLETE", changes=CHANGES, steps=MADE)
    assert deploy_stack(cloudformation) is not None
    assert "delete_stack" in cloudformation.operations()


@pytest.mark.parametrize(("confirms_deletion", "dry_run"), [(False, False), (True, True)])
def test_a_failed_stack_is_kept_without_confirmation(*, confirms_deletion: bool, dry_run: bool) -> None:
    """On a dry run or without confirmation the stack is kept, and the message contains the command to delete it."""
    cloudformation = FakeCloudFormation(status="ROLLBACK_COMPLETE", changes=CHANGES)
    operator = AnOperator(confirms_deletion=confirms_deletion)
    with pytest.raises(InvalidInput, match="delete-stack --stack-name mail"):
        deploy_stack(cloudformation, operator=operator, dry_run=dry_run)
    assert "delete_stack" not in cloudformation.operations()
