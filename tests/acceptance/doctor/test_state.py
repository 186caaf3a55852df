"""States that a test cannot bring about in the emulator, put in its mouth: each is found by its name, at its link."""

from typing import Any

import pytest

from pipeline.aws.doctor.checks import LINKS
from pipeline.aws.doctor.finding import Severity
from tests.acceptance.doctor.answer import Change, answering, at, refusing
from tests.acceptance.doctor.deployment_fixture import Patient, found

pytestmark = pytest.mark.slow

STREAM = "StreamDescriptionSummary"
FIREHOSE = "DeliveryStreamDescription"
TO_S3 = f"{FIREHOSE}.Destinations.0.ExtendedS3DestinationDescription"
READER = f"{TO_S3}.DataFormatConversionConfiguration.InputFormatConfiguration.Deserializer.OpenXJsonSerDe"
ROLES = ("SES's role", "Firehose's role", "transform", "rule's role", "projector's role")


def of_other_role(answer: dict[str, Any]) -> None:
    [archive] = [one for one in answer["EventDestinations"] if one["Name"] == "archive"]
    archive["KinesisFirehoseDestination"]["IamRoleArn"] = "arn:aws:iam::123456789012:role/other"


def found_at(patient: Patient, link: str, connect: Any) -> dict[str, Severity]:
    """Return what is found at one link, by name."""
    links = tuple(one for one in LINKS if one.name == link)
    findings = [finding for _, finding in found(patient.deployment(connect), links)]
    assert all(finding.mending for finding in findings)
    return {finding.name: finding.severity for finding in findings}


@pytest.mark.parametrize(
    ("link", "name", "operation", "code"),
    [
        *((link, "role_missing", "iam.GetRole", "NoSuchEntity") for link in ROLES),
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
        ("set aside", "dead_letters_missing", "sqs.GetQueueAttributes", "AWS.SimpleQueueService.NonExistentQueue"),
        ("alarms", "alarm_topic_missing", "sns.GetTopicAttributes", "NotFound"),
    ],
)
def test_what_is_gone(patient: Patient, link: str, name: str, operation: str, code: str) -> None:
    assert found_at(patient, link, refusing(patient, operation, code)) == {name: Severity.FAULT}


@pytest.mark.parametrize(
    ("link", "name", "operation", "change"),
    [
        ("destinations", "destination_of_other_role", "sesv2.GetConfigurationSetEventDestinations", of_other_role),
        (
            "Firehose",
            "firehose_not_active",
            "firehose.DescribeDeliveryStream",
            at(f"{FIREHOSE}.DeliveryStreamStatus", "X"),
        ),
        (
            "Firehose",
            "firehose_not_encrypted",
            "firehose.DescribeDeliveryStream",
            at(f"{FIREHOSE}.DeliveryStreamEncryptionConfiguration.Status", "DISABLED"),
        ),
        (
            "Firehose",
            "firehose_errors_elsewhere",
            "firehose.DescribeDeliveryStream",
            at(f"{TO_S3}.ErrorOutputPrefix", "x"),
        ),
        ("Firehose", "firehose_of_other_role", "firehose.DescribeDeliveryStream", at(f"{TO_S3}.RoleARN", "other")),
        ("Firehose", "firehose_silent", "firehose.DescribeDeliveryStream", at(f"{TO_S3}.CloudWatchLoggingOptions", {})),
        ("Firehose", "firehose_ignores_case", "firehose.DescribeDeliveryStream", at(READER, {})),
        ("transform", "environment_differs", "lambda.GetFunctionConfiguration", at("Environment", {})),
        ("transform", "function_failed", "lambda.GetFunctionConfiguration", at("State", "Failed")),
        ("transform", "function_not_updated", "lambda.GetFunctionConfiguration", at("LastUpdateStatus", "Failed")),
        ("transform", "function_of_other_runtime", "lambda.GetFunctionConfiguration", at("Runtime", "python3.9")),
        ("Glue table", "log_table_of_other_partitions", "glue.GetTable", at("Table.PartitionKeys", [])),
        ("Glue table", "log_table_elsewhere", "glue.GetTable", at("Table.StorageDescriptor.Location", "s3://other/")),
        (
            "Athena",
            "workgroup_without_limit",
            "athena.GetWorkGroup",
            at("WorkGroup.Configuration.BytesScannedCutoffPerQuery", 0),
        ),
        (
            "Athena",
            "workgroup_without_results",
            "athena.GetWorkGroup",
            at("WorkGroup.Configuration.ManagedQueryResultsConfiguration", {}),
        ),
        ("rule", "target_gives_up", "events.ListTargetsByRule", at("Targets.0.RetryPolicy.MaximumRetryAttempts", 3)),
        ("stream", "stream_not_active", "kinesis.DescribeStreamSummary", at(f"{STREAM}.StreamStatus", "DELETING")),
        ("mapping", "mapping_of_other_stream", "lambda.GetEventSourceMapping", at("EventSourceArn", "other")),
        (
            "mapping",
            "mapping_of_other_function",
            "lambda.GetEventSourceMapping",
            at("FunctionArn", "a:b:c:d:e:f:other"),
        ),
        (
            "mapping",
            "mapping_in_trouble",
            "lambda.GetEventSourceMapping",
            at("LastProcessingResult", "PROBLEM: Function call failed"),
        ),
        (
            "mapping",
            "mapping_filters",
            "lambda.GetEventSourceMapping",
            at("FilterCriteria", {"Filters": [{"Pattern": "{}"}]}),
        ),
        ("table", "table_not_active", "dynamodb.DescribeTable", at("Table.TableStatus", "ARCHIVED")),
        ("table", "table_of_other_key", "dynamodb.DescribeTable", at("Table.KeySchema.0.AttributeName", "email")),
        ("table", "table_without_own_key", "dynamodb.DescribeTable", at("Table.SSEDescription", {})),
        ("alarms", "alarms_missing", "cloudwatch.DescribeAlarms", at("MetricAlarms", [])),
    ],
)
def test_what_is_not_as_it_has_to_be(patient: Patient, link: str, name: str, operation: str, change: Change) -> None:
    assert found_at(patient, link, answering(patient, {operation: change})).keys() == {name}
