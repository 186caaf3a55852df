"""A shorter retention deletes data: a deployment says what and where, and needs the name of the resource."""

import pytest

from pipeline.aws.deployment.data_loss import RETENTIONS, DataLoss, data_losses
from pipeline.aws.stack import Stack
from pipeline.errors import UsageError
from tests.support import cloudformation
from tests.support.fake_cloudformation import MAILFOLD_PARAMETERS, STACK_ID, FakeCloudFormation
from tests.support.one_deployment import CHANGES, UPDATED, AnOperator, deploy_stack

OUTPUTS = {"LogBucket": "mail-log", "FeedbackStream": "mail-feedback"}


def losses(before: dict[str, str], after: dict[str, str]) -> list[DataLoss]:
    """Return the losses of a stack with these parameters that gets others."""
    defaults = cloudformation.defaults()
    stack = Stack(name="mail", id=STACK_ID, status="", parameters=defaults | before, outputs=OUTPUTS)
    return [*data_losses(stack, defaults | before | after)]


@pytest.mark.parametrize(("before", "after"), [("0", "30"), ("365", "364"), ("400", "31")])
def test_a_shorter_life_of_the_log_deletes_events(before: str, after: str) -> None:
    """Zero days are for ever, so every number is less."""
    [loss] = losses({"LogExpirationDays": before}, {"LogExpirationDays": after})
    assert (loss.parameter, loss.resource) == ("LogExpirationDays", "mail-log")
    assert f"every event of the log that is older than {after} days" in loss.loss


def test_a_shorter_retention_of_the_stream_deletes_records() -> None:
    """Records that the consumer has not read are lost for the table."""
    [loss] = losses({"StreamRetentionDays": "7"}, {"StreamRetentionDays": "1"})
    assert (loss.resource, loss.before, loss.after) == ("mail-feedback", "7", "1")
    assert "only by a replay of the log" in loss.loss


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"LogExpirationDays": "30"}, {"LogExpirationDays": "0"}),
        ({"LogExpirationDays": "30"}, {"LogExpirationDays": "60"}),
        ({"LogExpirationDays": "30"}, {}),
        ({}, {"StreamRetentionDays": "30"}),
        ({}, {"StreamShards": "2"}),
    ],
)
def test_a_longer_or_equal_retention_deletes_nothing(before: dict[str, str], after: dict[str, str]) -> None:
    """Only a shorter retention is a loss."""
    assert losses(before, after) == []


def test_every_retention_of_the_template_is_known() -> None:
    """A new parameter that limits how long data is kept needs a sentence. Diagnostic logs are no data of a user."""
    template = cloudformation.template()
    retentions = {name for name in template["Parameters"] if name.endswith(("ExpirationDays", "RetentionDays"))}
    assert retentions - {"DiagnosticRetentionDays"} <= {retention.parameter for retention in RETENTIONS}
    assert all(retention.output in template["Outputs"] for retention in RETENTIONS)


@pytest.mark.usefixtures("beside_cloudformation")
def test_a_loss_that_is_not_accepted_stops_the_deployment() -> None:
    """No change set is created, and nothing is uploaded."""
    before = MAILFOLD_PARAMETERS | {"LogExpirationDays": "0"}
    cloudformation = FakeCloudFormation(
        status="UPDATE_COMPLETE", parameters=before, outputs=OUTPUTS, changes=CHANGES, steps=UPDATED
    )
    operator = AnOperator(accepts_loss=False)
    with pytest.raises(UsageError, match="the name mail-log was not confirmed, and LogExpirationDays deletes data"):
        deploy_stack(cloudformation, operator=operator, parameters={"LogExpirationDays": "90"})
    assert [loss.resource for loss in operator.losses] == ["mail-log"]
    assert cloudformation.operations() == ["describe_stacks"]


@pytest.mark.usefixtures("beside_cloudformation")
def test_a_loss_that_is_accepted_is_deployed() -> None:
    """The change set is executed."""
    before = MAILFOLD_PARAMETERS | {"StreamRetentionDays": "7"}
    cloudformation = FakeCloudFormation(status="UPDATE_COMPLETE", parameters=before, changes=CHANGES, steps=UPDATED)
    assert deploy_stack(cloudformation, parameters={"StreamRetentionDays": "1"})
    assert "execute_change_set" in cloudformation.operations()
