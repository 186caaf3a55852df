"""What a new suppression table takes over from the live one: tags and alarms; and its deletion, if it is not wanted.

Encryption, the policy for other accounts, protection from deletion and point-in-time recovery: `dynamodb.ensure_table`.
The template's alarms name no table, so they need no copy; these are the alarms that an operator added.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pipeline.aws.errors import missing_ok, translated
from pipeline.errors import StoreUnavailable

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_dynamodb import DynamoDBClient

OF_AWS = "aws:"  # tags that only AWS writes
DIMENSION = "TableName"

# What DescribeAlarms returns and PutMetricAlarm takes.
# docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
ALARM_FIELDS = (
    *("AlarmDescription", "ActionsEnabled", "OKActions", "AlarmActions", "InsufficientDataActions"),
    *("MetricName", "Namespace", "Statistic", "ExtendedStatistic", "Period", "Unit", "EvaluationPeriods"),
    *("DatapointsToAlarm", "Threshold", "ComparisonOperator", "TreatMissingData"),
    "EvaluateLowSampleCountPercentile",
)


def is_protected(client: DynamoDBClient, table: str) -> bool:
    """Return True if a table is protected from deletion."""
    with translated(f"reading the table {table}", unavailable=StoreUnavailable):
        return bool(client.describe_table(TableName=table)["Table"].get("DeletionProtectionEnabled"))


def copy_tags(client: DynamoDBClient, *, live: str, new: str) -> int:
    """Copy the tags of the live table to a new one, and return how many. Safe to repeat."""
    with translated(f"copying the tags of the table {live}", unavailable=StoreUnavailable):
        arns = [client.describe_table(TableName=name)["Table"]["TableArn"] for name in (live, new)]
        pages = client.get_paginator("list_tags_of_resource").paginate(ResourceArn=arns[0])
        tags = [tag for page in pages for tag in page["Tags"] if not tag["Key"].startswith(OF_AWS)]
        if tags:
            client.tag_resource(ResourceArn=arns[1], Tags=tags)
    return len(tags)


def copy_alarms(client: CloudWatchClient, *, live: str, new: str) -> int:
    """Create each alarm on the live table for a new one too, and return how many. Safe to repeat."""
    copies = [_copied(alarm, live, new) for alarm in _alarms(client, live)]
    with translated(f"creating the alarms on the table {new}"):
        for copy in copies:
            client.put_metric_alarm(**copy)
    return len(copies)


def delete_table(dynamodb: DynamoDBClient, cloudwatch: CloudWatchClient, table: str) -> None:
    """Delete a table with its alarms. Safe to repeat, and if it does not exist."""
    names = [alarm["AlarmName"] for alarm in _alarms(cloudwatch, table)]
    with translated(f"deleting the table {table}", unavailable=StoreUnavailable):
        description = missing_ok(lambda: dynamodb.describe_table(TableName=table))
        if description is not None:
            if description["Table"].get("DeletionProtectionEnabled"):
                dynamodb.update_table(TableName=table, DeletionProtectionEnabled=False)
                dynamodb.get_waiter("table_exists").wait(TableName=table)
            missing_ok(lambda: dynamodb.delete_table(TableName=table))
    if names:
        with translated(f"deleting the alarms on the table {table}"):
            cloudwatch.delete_alarms(AlarmNames=names)


def _alarms(client: CloudWatchClient, table: str) -> list[Mapping[str, Any]]:
    """Return the alarms on one metric of a table."""
    with translated(f"reading the alarms on the table {table}"):
        pages = client.get_paginator("describe_alarms").paginate(AlarmTypes=["MetricAlarm"])
        alarms: list[Mapping[str, Any]] = [dict(alarm) for page in pages for alarm in page["MetricAlarms"]]
    return [alarm for alarm in alarms if {"Name": DIMENSION, "Value": table} in alarm.get("Dimensions", ())]


def _copied(alarm: Mapping[str, Any], live: str, new: str) -> dict[str, Any]:
    """Return an alarm on the new table as PutMetricAlarm takes it."""
    name = alarm["AlarmName"].replace(live, new) if live in alarm["AlarmName"] else f"{alarm['AlarmName']} ({new})"
    dimensions = [
        {"Name": DIMENSION, "Value": new} if part == {"Name": DIMENSION, "Value": live} else part
        for part in alarm["Dimensions"]
    ]
    fields = {field: alarm[field] for field in ALARM_FIELDS if alarm.get(field) is not None}
    return fields | {"AlarmName": name, "Dimensions": dimensions}
