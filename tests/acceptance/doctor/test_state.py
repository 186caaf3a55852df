"""Tests of states that the emulator cannot reach: responses of AWS are replaced, and the right check finds each."""

from typing import Any

import pytest

from pipeline.aws.clients import Clients
from pipeline.aws.doctor.finding import Severity
from tests.acceptance.doctor.deployment_fixture import DeploymentFixture, checks_named, find_problems
from tests.acceptance.doctor.responses import Change, value_at, with_error, with_responses
from tests.acceptance.doctor.test_healthy_deployment import EMULATOR_LIMITS

pytestmark = pytest.mark.slow

STREAM = "StreamDescriptionSummary"
FIREHOSE = "DeliveryStreamDescription"
TO_S3 = f"{FIREHOSE}.Destinations.0.ExtendedS3DestinationDescription"
READER = f"{TO_S3}.DataFormatConversionConfiguration.InputFormatConfiguration.Deserializer.OpenXJsonSerDe"
ROLES = ("SES's role", "Firehose's role", "transform", "rule's role", "projector's role")


def use_other_role(response: dict[str, Any]) -> None:
    """Change the role of the archive destination."""
    [archive] = [destination for destination in response["EventDestinations"] if destination["Name"] == "archive"]
    archive["KinesisFirehoseDestination"]["IamRoleArn"] = "arn:aws:iam::123456789012:role/other"


def severities(fixture: DeploymentFixture, check: str, clients: Clients) -> dict[str, Severity]:
    """Return the severity of each problem that one check finds, by name. Each problem has a remedy."""
    findings = [finding for _, finding in find_problems(fixture.deployment(clients), checks_named(check))]
    assert all(finding.remedy for finding in findings)
    return {finding.name: finding.severity for finding in findings}


@pytest.mark.parametrize(
    ("check", "name", "operation", "code"),
    [
        *((check, "role_missing", "iam.GetRole", "NoSuchEntity") for check in ROLES),
        ("configuration sets", "set_missing", "sesv2.GetConfigurationSet", "NotFoundException"),
        ("Firehose", "firehose_missing", "firehose.DescribeDeliveryStream", "ResourceNotFoundException"),
        ("transform", "function_missing", "lambda.GetFunctionConfiguration", "ResourceNotFoundException"),
        ("bucket", "bucket_missing", "s3.GetBucketVersioning", "NoSuchBucket"),
        ("Glue table", "log_table_missing", "glue.GetTable", "EntityNotFoundException"),
        ("Athena", "workgroup_missing", "athena.GetWorkGroup", "InvalidRequestException"),
        ("rule", "rule_missing", "events.DescribeRule", "ResourceNotFoundException"),
        ("stream", "stream_missing", "kinesis.DescribeStreamSummary", "ResourceNotFoundException"),
        ("mapping", "mapping_missing", "lambda.GetEventSourceMapping", "ResourceNotFoundException"),
        ("projector", "function_missing", "lambda.GetFunctionConfiguration", "ResourceNotFoundException"),
        ("table", "table_missing", "dynamodb.DescribeTable", "ResourceNotFoundException"),
        ("failed records", "dead_letters_missing", "sqs.GetQueueAttributes", "AWS.SimpleQueueService.NonExistentQueue"),
        ("alarms", "alarm_topic_missing", "sns.GetTopicAttributes", "NotFound"),
    ],
)
def test_missing_resource(deployed: DeploymentFixture, check: str, name: str, operation: str, code: str) -> None:
    """A resource that does not exist is an error, and the only finding of its check."""
    assert severities(deployed, check, with_error(deployed, operation, code)) == {name: Severity.ERROR}


@pytest.mark.parametrize(
    ("check", "name", "operation", "change"),
    [
        ("destinations", "destination_wrong_role", "sesv2.GetConfigurationSetEventDestinations", use_other_role),
        (
            "Firehose",
            "firehose_not_active",
            "firehose.DescribeDeliveryStream",
            value_at(f"{FIREHOSE}.DeliveryStreamStatus", "X"),
        ),
        (
            "Firehose",
            "firehose_not_encrypted",
            "firehose.DescribeDeliveryStream",
            value_at(f"{FIREHOSE}.DeliveryStreamEncryptionConfiguration.Status", "DISABLED"),
        ),
        (
            "Firehose",
            "firehose_wrong_error_prefix",
            "firehose.DescribeDeliveryStream",
            value_at(f"{TO_S3}.ErrorOutputPrefix", "x"),
        ),
        ("Firehose", "firehose_wrong_role", "firehose.DescribeDeliveryStream", value_at(f"{TO_S3}.RoleARN", "other")),
        (
            "Firehose",
            "firehose_without_error_log",
            "firehose.DescribeDeliveryStream",
            value_at(f"{TO_S3}.CloudWatchLoggingOptions", {}),
        ),
        ("Firehose", "firehose_case_insensitive", "firehose.DescribeDeliveryStream", value_at(READER, {})),
        ("transform", "environment_wrong", "lambda.GetFunctionConfiguration", value_at("Environment", {})),
        ("transform", "function_failed", "lambda.GetFunctionConfiguration", value_at("State", "Failed")),
        (
            "transform",
            "function_update_failed",
            "lambda.GetFunctionConfiguration",
            value_at("LastUpdateStatus", "Failed"),
        ),
        ("transform", "function_wrong_runtime", "lambda.GetFunctionConfiguration", value_at("Runtime", "python3.9")),
        ("Glue table", "log_table_wrong_partitions", "glue.GetTable", value_at("Table.PartitionKeys", [])),
        (
            "Glue table",
            "log_table_wrong_location",
            "glue.GetTable",
            value_at("Table.StorageDescriptor.Location", "s3://other/"),
        ),
        (
            "Athena",
            "workgroup_without_limit",
            "athena.GetWorkGroup",
            value_at("WorkGroup.Configuration.BytesScannedCutoffPerQuery", 0),
        ),
        (
            "Athena",
            "workgroup_without_results",
            "athena.GetWorkGroup",
            value_at("WorkGroup.Configuration.ManagedQueryResultsConfiguration", {}),
        ),
        (
            "rule",
            "target_retries_too_few",
            "events.ListTargetsByRule",
            value_at("Targets.0.RetryPolicy.MaximumRetryAttempts", 3),
        ),
        (
            "stream",
            "stream_not_active",
            "kinesis.DescribeStreamSummary",
            value_at(f"{STREAM}.StreamStatus", "DELETING"),
        ),
        ("mapping", "mapping_wrong_stream", "lambda.GetEventSourceMapping", value_at("EventSourceArn", "other")),
        (
            "mapping",
            "mapping_wrong_function",
            "lambda.GetEventSourceMapping",
            value_at("FunctionArn", "a:b:c:d:e:f:other"),
        ),
        (
            "mapping",
            "mapping_failing",
            "lambda.GetEventSourceMapping",
            value_at("LastProcessingResult", "PROBLEM: Function call failed"),
        ),
        (
            "mapping",
            "mapping_filtered",
            "lambda.GetEventSourceMapping",
            value_at("FilterCriteria", {"Filters": [{"Pattern": "{}"}]}),
        ),
        ("table", "table_not_active", "dynamodb.DescribeTable", value_at("Table.TableStatus", "ARCHIVED")),
        ("table", "table_wrong_key", "dynamodb.DescribeTable", value_at("Table.KeySchema.0.AttributeName", "email")),
        (
            "Glue table",
            "log_table_without_grant",
            "glue.GetDatabase",
            value_at("Database.CreateTableDefaultPermissions", []),
        ),
        ("alarms", "alarms_missing", "cloudwatch.DescribeAlarms", value_at("MetricAlarms", [])),
    ],
)
def test_wrong_state(deployed: DeploymentFixture, check: str, name: str, operation: str, change: Change) -> None:
    """One wrong value in a response is the only finding of its check."""
    found = severities(deployed, check, with_responses(deployed, {operation: change}))
    assert found.keys() - EMULATOR_LIMITS == {name}
