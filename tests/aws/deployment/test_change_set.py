"""Change sets that CloudFormation rejects: they are reported with all reasons, and deleted."""

import pytest

from pipeline.errors import InvalidInput
from tests.support.fake_cloudformation import FakeCloudFormation
from tests.support.one_deployment import deploy_stack

pytestmark = pytest.mark.usefixtures("beside_cloudformation")


def test_a_rejected_change_set_is_reported_without_addresses() -> None:
    """CloudFormation's reason is reported with addresses redacted, and the change set is deleted."""
    cloudformation = FakeCloudFormation(rejection="Parameter AlarmEmail: ann@example.com is not an address")
    with pytest.raises(
        InvalidInput, match="rejects the change set for the stack mail: Parameter AlarmEmail: …@… is not"
    ):
        deploy_stack(cloudformation)
    assert (cloudformation.status, cloudformation.change_sets) == (None, [])


def test_problems_of_early_validation_are_reported() -> None:
    """The reason only says that validation failed, so the events are read before the change set is deleted."""
    reason = "The following hook(s)/validation failed: [AWS::EarlyValidation::ResourceExistenceCheck]."
    name_in_use = {"LogicalResourceId": "ConfigurationSet", "ValidationStatusReason": "'mail' already exists."}
    cloudformation = FakeCloudFormation(rejection=reason, problems=[{"EventType": "STACK_EVENT"}, name_in_use])
    with pytest.raises(InvalidInput, match=r"ResourceExistenceCheck\]; ConfigurationSet: 'mail' already exists$"):
        deploy_stack(cloudformation)
    assert cloudformation.asked("describe_events")["Filters"] == {"FailedEvents": True}
    assert (cloudformation.status, cloudformation.change_sets) == (None, [])


def test_the_reason_is_reported_without_access_to_events() -> None:
    """If reading the events is denied, the reason is reported alone."""
    cloudformation = FakeCloudFormation(rejection="it is wrong", problems=None)
    with pytest.raises(InvalidInput, match=r"rejects the change set for the stack mail: it is wrong$"):
        deploy_stack(cloudformation)
    assert cloudformation.change_sets == []
