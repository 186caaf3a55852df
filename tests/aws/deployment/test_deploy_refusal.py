"""Deployments that stop: AWS rejects or fails a change, or the stack has a wrong status or another owner."""

import pytest

from pipeline.aws.deployment.change_set import PREFIX
from pipeline.errors import DeploymentFailed, InvalidInput, UsageError
from tests.support.fake_athena import FakeAthena
from tests.support.fake_cloudformation import FakeCloudFormation, a_step
from tests.support.one_deployment import CHANGES, MADE, UPDATED, AnOperator, deployed, live_tables

pytestmark = pytest.mark.usefixtures("beside_cloudformation")


def test_a_change_set_that_aws_refuses_is_told_in_its_words_without_addresses_and_leaves_nothing() -> None:
    cloudformation = FakeCloudFormation(rejection="Parameter AlarmEmail: ann@example.com is not an address")
    with pytest.raises(
        InvalidInput, match="rejects the change set for the stack mail: Parameter AlarmEmail: …@… is not"
    ):
        deployed(cloudformation)
    assert (cloudformation.status, cloudformation.change_sets) == (None, [])


def test_what_cloudformation_checks_beforehand_is_told_resource_by_resource() -> None:
    """Its reason says but that there is something; and once the change set is gone, nobody can look."""
    reason = "The following hook(s)/validation failed: [AWS::EarlyValidation::ResourceExistenceCheck]."
    taken = {"LogicalResourceId": "ConfigurationSet", "ValidationStatusReason": "'mail' already exists."}
    cloudformation = FakeCloudFormation(rejection=reason, problems=[{"EventType": "STACK_EVENT"}, taken])
    with pytest.raises(InvalidInput, match=r"ResourceExistenceCheck\]; ConfigurationSet: 'mail' already exists$"):
        deployed(cloudformation)
    assert cloudformation.asked("describe_events")["Filters"] == {"FailedEvents": True}
    assert (cloudformation.status, cloudformation.change_sets) == (None, [])


def test_who_may_not_read_what_was_checked_still_hears_the_reason() -> None:
    cloudformation = FakeCloudFormation(rejection="it is wrong", problems=None)
    with pytest.raises(InvalidInput, match=r"rejects the change set for the stack mail: it is wrong$"):
        deployed(cloudformation)
    assert cloudformation.change_sets == []


def test_a_failure_names_what_failed_first_and_why() -> None:
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
def test_a_stack_in_no_state_for_it_is_left_alone_and_what_to_do_is_said(status: str, words: str) -> None:
    cloudformation = FakeCloudFormation(status=status, changes=CHANGES)
    with pytest.raises(InvalidInput, match=f"the stack mail is {status}: .*{words}"):
        deployed(cloudformation)
    assert cloudformation.operations() == ["describe_stacks"]


@pytest.mark.parametrize("status", ["UPDATE_COMPLETE", "ROLLBACK_COMPLETE", "CREATE_FAILED"])
def test_a_stack_of_somebody_elses_is_neither_updated_nor_deleted(status: str) -> None:
    """An update by our template would take away all that is in it."""
    another = {"CodeBucket": "theirs", "CodeKey": "theirs"}
    cloudformation = FakeCloudFormation(status=status, parameters=another, changes=CHANGES, steps=UPDATED)
    with pytest.raises(UsageError, match="the stack mail does not belong to Mailfold"):
        deployed(cloudformation)
    assert cloudformation.operations() == ["describe_stacks"]


def test_what_an_interrupted_attempt_left_is_removed_first() -> None:
    cloudformation = FakeCloudFormation(status="REVIEW_IN_PROGRESS", changes=CHANGES, steps=MADE)
    cloudformation.change_sets.append(f"{PREFIX}0")
    assert deployed(cloudformation) is not None
    operations = cloudformation.operations()
    assert operations.index("delete_stack") < operations.index("create_change_set")


def test_a_change_set_that_somebody_else_has_under_review_is_left() -> None:
    cloudformation = FakeCloudFormation(status="REVIEW_IN_PROGRESS", changes=CHANGES)
    cloudformation.change_sets.append("of-the-auditors")
    with pytest.raises(UsageError, match="a change set that Mailfold did not create"):
        deployed(cloudformation)
    assert "delete_stack" not in cloudformation.operations()


def test_a_stack_whose_making_failed_is_made_anew_if_that_is_agreed_to() -> None:
    cloudformation = FakeCloudFormation(status="ROLLBACK_COMPLETE", changes=CHANGES, steps=MADE)
    assert deployed(cloudformation) is not None
    assert "delete_stack" in cloudformation.operations()


@pytest.mark.parametrize(("confirms_deletion", "dry_run"), [(False, False), (True, True)])
def test_a_stack_whose_making_failed_is_otherwise_left_and_what_to_do_is_said(
    *, confirms_deletion: bool, dry_run: bool
) -> None:
    cloudformation = FakeCloudFormation(status="ROLLBACK_COMPLETE", changes=CHANGES)
    operator = AnOperator(confirms_deletion=confirms_deletion)
    with pytest.raises(InvalidInput, match="delete-stack --stack-name mail"):
        deployed(cloudformation, operator=operator, dry_run=dry_run)
    assert "delete_stack" not in cloudformation.operations()


def test_what_goes_wrong_beside_a_stack_that_is_there_is_no_misuse() -> None:
    athena = FakeAthena()
    athena.refuses = "There is no output location"
    with pytest.raises(DeploymentFailed, match=r"the stack mail is CREATE_COMPLETE, but .*There is no output location"):
        deployed(FakeCloudFormation(changes=CHANGES, steps=MADE), athena=athena)
    assert live_tables() is not None
