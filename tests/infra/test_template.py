"""The template as a whole: valid, described, and retaining all resources that hold data."""

import re

import pytest
from cfnlint.api import lint_file
from cfnlint.config import ManualArgs

from tests.support.cloudformation import FILE, TOPIC, consumed_by, defaults, stack, template

REGIONS = ["us-east-1", "eu-west-1", "eu-central-1", "ap-southeast-2"]
PARAMETERS = template()["Parameters"]
OUTPUTS = template()["Outputs"]
UNITS = (
    *("seconds", "days", "megabytes", "bytes", "shards", "concurrent calls", "mails", "bounces", "percentage"),
    *("characters", "tasks"),
)
STATEFUL = {
    "AWS::DynamoDB::Table",
    "AWS::Kinesis::Stream",
    "AWS::Logs::LogGroup",
    "AWS::S3::Bucket",
    "AWS::S3::BucketPolicy",  # no data, but it protects the bucket
    "AWS::SQS::Queue",
}
MAX_URL_BYTES = 1_000_000  # docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html


def test_cfn_lint_reports_nothing_in_four_regions() -> None:
    """There are neither errors nor warnings nor remarks."""
    assert lint_file(FILE, config=ManualArgs(regions=REGIONS, include_checks=["I"])) == []


def test_the_template_is_plain_and_within_the_size_limit() -> None:
    """The template has no macros and no custom resources, and is below the limit of an uploaded template."""
    assert "Transform" not in template()
    assert {resource["Type"].split("::")[0] for resource in template()["Resources"].values()} == {"AWS"}
    assert FILE.stat().st_size < MAX_URL_BYTES


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_parameter_is_described_with_its_default(name: str) -> None:
    """Every description names the default, or that there is none."""
    description = PARAMETERS[name]["Description"]
    default = defaults().get(name)
    stated = description[re.search(r"\b(No d|D)efault", description).start() :]  # type: ignore[union-attr]  # one of both is there, or this fails

    assert len(description) > len(name)
    if default is None:
        assert stated == "No default."
    else:
        assert re.match(rf"Default:? {re.escape(default) or '(empty|none)'}(?!\w)", stated)


@pytest.mark.parametrize("name", [name for name, parameter in PARAMETERS.items() if parameter["Type"] == "Number"])
def test_a_number_has_a_unit_and_bounds(name: str) -> None:
    """Every description of a number names its unit."""
    assert any(unit in PARAMETERS[name]["Description"].lower() for unit in UNITS)
    assert {"MinValue", "AllowedValues"} & set(PARAMETERS[name])


def test_every_parameter_is_in_a_group_of_the_console() -> None:
    """Each parameter is in exactly one group."""
    groups = template()["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    assert sorted(name for group in groups for name in group["Parameters"]) == sorted(PARAMETERS)


@pytest.mark.parametrize(
    "name", [name for name, resource in template()["Resources"].items() if resource["Type"] in STATEFUL]
)
def test_stateful_resources_are_retained(name: str) -> None:
    """Resources with data are retained when the stack is deleted or replaces them."""
    resource = template()["Resources"][name]

    # RetainExceptOnCreate deletes the resource only if the creation of its stack is rolled back.
    assert resource["DeletionPolicy"] in {"Retain", "RetainExceptOnCreate"}
    assert resource["UpdateReplacePolicy"] == "Retain"


def test_only_the_table_is_retained_after_a_failed_creation() -> None:
    """Its deletion protection would stop the roll-back. S3 deletes a bucket only if it is empty."""
    retained = {name for name, entry in template()["Resources"].items() if entry.get("DeletionPolicy") == "Retain"}
    assert retained == {"SuppressionTable"}


def test_the_log_has_a_column_before_the_transform_fills_it() -> None:
    """An update changes the Glue table first, because Firehose drops a field without a column."""
    assert template()["Resources"]["Transform"]["DependsOn"] == ["LogTable"]


def test_the_parameter_of_the_live_table_is_not_a_resource() -> None:
    """An update of the stack must not reset the live table."""
    assert stack().of_type("AWS::SSM::Parameter") == {}
    assert stack().outputs["TablesParameter"]["Value"] == "/mailfold/mail-fold/tables"


@pytest.mark.parametrize("name", OUTPUTS)
def test_an_output_is_described(name: str) -> None:
    """Every output has a description."""
    assert OUTPUTS[name]["Description"]


def test_outputs_name_every_resource_of_the_commands() -> None:
    """Outputs depend on topic and consumer, and otherwise cover every command."""
    assert set(stack().outputs) >= {
        *("ConfigurationSet", "ConfigurationSets", "SesRoleArn", "DeliveryStream", "DeliveryStreamArn"),  # attach
        *("LogBucket", "FeedbackStream", "SuppressionTable", "TablesParameter"),  # ingest, replay, lookup
        *("Database", "LogTable", "Workgroup"),  # query
        *("FeedbackRule", "Consumer", "StreamMapping", "Projector", "Transform", "RuleDeadLetters"),  # doctor
        *("ProjectorLogs", "TransformLogs", "DeliveryLogs"),
        *("SesRoleArn", "DeliveryRoleArn", "FeedbackRuleRoleArn", "TransformRoleArn", "ProjectorRoleArn"),
        *("SenderPolicyArn", "AlarmTopicArn", "AlarmPrefix", "Dashboard", "DashboardUrl"),
    }
    assert set(stack(NotificationTopic=TOPIC).outputs) - set(stack().outputs) == {
        *("NotificationTopicArn", "NotificationSubscriptionArn", "NotificationQueue", "NotificationMapping"),
        "NotificationDeadLetters",
    }
    assert set(consumed_by("container").outputs) ^ set(stack().outputs) == {
        *("StreamMapping", "ConsumerApplication", "ConsumerPolicyArn", "ConsumerCluster", "ConsumerService"),
        *("ConsumerLogs", "ConsumerRoleArn", "ConsumerStartRoleArn"),
    }
    assert set(consumed_by("elsewhere").outputs) ^ set(stack().outputs) == {
        *("StreamMapping", "ConsumerApplication", "ConsumerPolicyArn"),
    }
