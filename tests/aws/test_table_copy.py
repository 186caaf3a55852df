"""A new table gets the protections, the tags and the alarms of the live one."""

from collections.abc import Iterator

import pytest
from moto import mock_aws

from tests.support.rebuild_scenario import NEW, OLD, RebuildScenario

ALARM = {
    "Namespace": "AWS/DynamoDB",
    "MetricName": "SystemErrors",
    "Statistic": "Sum",
    "Period": 60,
    "EvaluationPeriods": 2,
    "Threshold": 3.0,
    "ComparisonOperator": "GreaterThanThreshold",
    "AlarmActions": ["arn:aws:sns:us-east-1:123456789012:alarms"],
}


@pytest.fixture
def scenario() -> Iterator[RebuildScenario]:
    """A live table with tags, and with alarms on it and on another."""
    with mock_aws():
        scenario = RebuildScenario()
        dynamodb, cloudwatch = scenario.clients.dynamodb, scenario.clients.cloudwatch
        arn = dynamodb.describe_table(TableName=OLD)["Table"]["TableArn"]
        dynamodb.tag_resource(ResourceArn=arn, Tags=[{"Key": "cost", "Value": "mail"}])
        for name, table in (("errors", OLD), (f"{OLD} errors", OLD), ("another", "another-table")):
            dimensions = [{"Name": "TableName", "Value": table}]
            cloudwatch.put_metric_alarm(AlarmName=name, Dimensions=dimensions, **ALARM)  # type: ignore[arg-type]  # of a plain dictionary
        yield scenario


def alarm_names(scenario: RebuildScenario) -> set[str]:
    return {alarm["AlarmName"] for alarm in scenario.clients.cloudwatch.describe_alarms()["MetricAlarms"]}


def test_a_rebuilt_table_is_protected_tagged_and_watched(scenario: RebuildScenario) -> None:
    """Deletion protection, recovery, tags and each alarm, with its threshold and its actions."""
    with scenario.rebuilder(scenario.a_rebuild()) as rebuilder:
        rebuilder.prepare()

    dynamodb = scenario.clients.dynamodb
    table = dynamodb.describe_table(TableName=NEW)["Table"]
    backups = dynamodb.describe_continuous_backups(TableName=NEW)["ContinuousBackupsDescription"]
    assert table["DeletionProtectionEnabled"]
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"
    assert dynamodb.list_tags_of_resource(ResourceArn=table["TableArn"])["Tags"] == [{"Key": "cost", "Value": "mail"}]
    assert alarm_names(scenario) == {"errors", f"{OLD} errors", "another", f"errors ({NEW})", f"{NEW} errors"}
    [copy] = scenario.clients.cloudwatch.describe_alarms(AlarmNames=[f"{NEW} errors"])["MetricAlarms"]
    assert {name: copy[name] for name in ALARM} == ALARM  # type: ignore[literal-required]  # of a plain dictionary
    assert copy["Dimensions"] == [{"Name": "TableName", "Value": NEW}]


def test_a_deleted_table_takes_its_alarms_with_it(scenario: RebuildScenario) -> None:
    """Those of other tables remain."""
    with scenario.rebuilder(scenario.a_rebuild()) as rebuilder:
        rebuilder.prepare()
    with scenario.rebuilder() as rebuilder:
        rebuilder.cancel()

    assert alarm_names(scenario) == {"errors", f"{OLD} errors", "another"}
    assert scenario.table_names == [OLD]
