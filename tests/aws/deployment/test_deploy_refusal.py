"""Deployments that stop: AWS rejects or fails a change, or the stack has a wrong status or another owner."""

import pytest

from pipeline.aws.deployment.change_set import PREFIX
from pipeline.errors import DeploymentFailed, InvalidInput, UsageError
from tests.support.fake_athena import FakeAthena
from tests.support.fake_cloudformation import FakeCloudFormation, a_step
from tests.support.one_deployment import CHANGES, MADE, UPDATED, AnOperator, deployed, live_tables

pytestmark = pytest.mark.usefixtures("beside_cloudformation")


def test_a_rejected_change_set_is_reported_without_addresses() -> None:
    """CloudFormation's reason is reported with addresses redacted, and the change set is deleted."""
    cloudformation = FakeCloudFormation(rejection="Parameter AlarmEmail: ann@example.com is not an address")
    with pytest.raises(
        InvalidInput, match="rejects the change set for the stack mail: Parameter AlarmEmail: …@… is not"
    ):
        deployed(cloudformation)
    assert (cloudformation.status, cloudformation.change_sets) == (None, [])


def test_problems_of_early_validation_are_reported() -> None:
    """The reason only says that validation failed, so the events are read before the change set is deleted."""
    reason = "The following hook(s)/validation failed: [AWS::EarlyValidation::ResourceExistenceCheck]."
    taken = {"LogicalResourceId": "ConfigurationSet", "ValidationStatusReason": "'mail' already exists."}
    cloudformation = FakeCloudFormation(rejection=reason, problems=[{"EventType": "STACK_EVENT"}, taken])
    with pytest.raises(InvalidInput, match=r"ResourceExistenceCheck\]; ConfigurationSet: 'mail' already exists$"):
        deployed(cloudformation)
    assert cloudformation.asked("describe_events")["Filters"] == {"FailedEvents": True}
    assert (cloudformation.status, cloudformation.change_sets) == (None, [])


def test_the_reason_is_reported_without_access_to_events() -> None:
    """If reading the events is denied, the reason is reported alone."""
    cloudformation = FakeCloudFormation(rejection="it is wrong", problems=None)
    with pytest.raises(InvalidInput, match=r"rejects the change set for the stack mail: it is wrong$"):
        deployed(cloudformation)
    assert cloudformation.change_sets == []


def test_a_failure_names_the_first_failed_resource() -> None:
    """The message has the first failure, its reason and the final status. The stack is not protected."""
    steps = [
        [a_step("CREATE_IN_PROGRESS"), a_step("CREATE_FAILED", "Transform", "No such role.")],
        [a_step("CREATE_FAILED", "Projector", "Resource creation cancelled"), a_step("ROLLBACK_IN_PROGRESS")],
        [a_step("ROLLBACK_COMPLETE")],
    ]
    cloudformation = FakeCloudFormation(changes=CHANGES, steps=steps)
    with pytest.raises(
        DeploymentFailed, match=r"^Transform \(AWS::S3::Bucket\) failed first: No such role\. The stack is ROLLBACK"
    ):
        deployed(cloudformation)
    assert not cloudformation.protected


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
        deployed(cloudformation)
    assert cloudformation.operations() == ["describe_stacks"]


@pytest.mark.parametrize("status", ["UPDATE_COMPLETE", "ROLLBACK_COMPLETE", "CREATE_FAILED"])
def test_a_stack_of_another_owner_is_not_changed(status: str) -> None:
    """An update by Mailfold's template would delete everything in the stack."""
    another = {"CodeBucket": "theirs", "CodeKey": "theirs"}
    cloudformation = FakeCloudFormation(status=status, parameters=another, changes=CHANGES, steps=UPDATED)
    with pytest.raises(UsageError, match="the stack mail does not belong to Mailfold"):
        deployed(cloudformation)
    assert cloudformation.operations() == ["describe_stacks"]


def test_the_rest_of_an_interrupted_attempt_is_deleted_first() -> None:
    """An empty stack with Mailfold's change sets is deleted before a new one is created."""
    cloudformation = FakeCloudFormation(status="REVIEW_IN_PROGRESS", changes=CHANGES, steps=MADE)
    cloudformation.change_sets.append(f"{PREFIX}0")
    assert deployed(cloudformation) is not None
    operations = cloudformation.operations()
    assert operations.index("delete_stack") < operations.index("create_change_set")


def test_a_change_set_of_another_owner_is_kept() -> None:
    """An empty stack with another change set is not deleted."""
    cloudformation = FakeCloudFormation(status="REVIEW_IN_PROGRESS", changes=CHANGES)
    cloudformation.change_sets.append("of-the-auditors")
    with pytest.raises(UsageError, match="a change set that Mailfold did not create"):
        deployed(cloudformation)
    assert "delete_stack" not in cloudformation.operations()


def test_a_failed_stack_is_created_again_after_confirmation() -> None:
    """A stack whose creation failed is deleted and created again if the operator confirms."""
    cloudformation = FakeCloudFormation(status="ROLLBACK_COMPLETE", changes=CHANGES, steps=MADE)
    assert deployed(cloudformation) is not None
    assert "delete_stack" in cloudformation.operations()


@pytest.mark.parametrize(("confirms_deletion", "dry_run"), [(False, False), (True, True)])
def test_a_failed_stack_is_kept_without_confirmation(*, confirms_deletion: bool, dry_run: bool) -> None:
    """On a dry run or without confirmation the stack is kept, and the message contains the command to delete it."""
    cloudformation = FakeCloudFormation(status="ROLLBACK_COMPLETE", changes=CHANGES)
    operator = AnOperator(confirms_deletion=confirms_deletion)
    with pytest.raises(InvalidInput, match="delete-stack --stack-name mail"):
        deployed(cloudformation, operator=operator, dry_run=dry_run)
    assert "delete_stack" not in cloudformation.operations()


def test_an_error_beside_an_existing_stack_is_a_failed_deployment() -> None:
    """The stack exists by then, so an error of Athena is a failed deployment and not a usage error."""
    athena = FakeAthena()
    athena.refuses = "There is no output location"
    with pytest.raises(DeploymentFailed, match=r"the stack mail is CREATE_COMPLETE, but .*There is no output location"):
        deployed(FakeCloudFormation(changes=CHANGES, steps=MADE), athena=athena)
    assert live_tables() is not None
