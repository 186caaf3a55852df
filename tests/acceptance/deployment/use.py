"""Requests that need the permissions of the deployed roles, by role and permission.

No request affects other tests: records contain no events, items are put under a condition that is never true, and
objects are empty. The deployment has a topic with a queue, and a source backup.
"""

from collections.abc import Callable, Mapping
from typing import Any

from botocore import xform_name

from pipeline.aws.clients import Service
from tests.acceptance.deployment.deployment import Deployment
from tests.acceptance.emulators.ministack import ACCOUNT_ID, REGION

Arguments = dict[str, Any]
ClientsOfUser = Callable[[Service], Any]
"""Creates boto3 clients with the credentials of a user."""

# A message that SNS itself sends: neither an event nor poison.
NO_EVENT = b"Successfully validated SNS topic for Amazon SES event publishing."
UNUSED_KEY = {"address": {"S": "unused"}, "scope": {"S": "*"}}
NO_ITERATOR = "none"
NEVER = "attribute_exists(address)"

# Operations whose names differ from their permissions.
OPERATIONS = {
    "lambda:InvokeFunction": "invoke",
    "s3:ListBucket": "list_objects_v2",
    "s3:ListBucketMultipartUploads": "list_multipart_uploads",
}

EVENTS: Arguments = {"DeliveryStreamName": "{DeliveryStream}", "Records": [{"Data": NO_EVENT}]}
STREAM: Arguments = {"StreamName": "{FeedbackStream}"}
FEEDBACK: Arguments = {"Data": NO_EVENT, "PartitionKey": "any"}
BUCKET: Arguments = {"Bucket": "{LogBucket}"}
TRANSFORM: Arguments = {"FunctionName": f"arn:aws:lambda:{REGION}:{ACCOUNT_ID}:function:{{Transform}}:$LATEST"}
LOG_TABLE: Arguments = {"DatabaseName": "{Database}", "TableName": "{LogTable}"}
TABLES: Arguments = {"Name": "{TablesParameter}"}
ERASURE_KEY: Arguments = {"Name": "/mailfold/roles/erasure-key"}
QUEUE: Arguments = {"QueueUrl": "{NotificationQueue}"}


def _logging(group: str, stream: str) -> dict[str, list[Arguments]]:
    where: Arguments = {"logGroupName": group, "logStreamName": stream}
    return {
        "logs:CreateLogStream": [where],
        "logs:PutLogEvents": [where | {"logEvents": [{"timestamp": 0, "message": "a test"}]}],
    }


def _below(*prefixes: str, **more: Any) -> list[Arguments]:
    return [BUCKET | {"Key": f"{prefix}of-a-test"} | more for prefix in prefixes]


def _of_tables(**more: Any) -> list[Arguments]:
    """Return arguments for the live table, and for a second table as a rebuild creates it."""
    return [{"TableName": table} | more for table in ("{SuppressionTable}", "{SuppressionTable}-rebuilt")]


LOOKED_UP: list[Arguments] = [
    {"RequestItems": {table: {"Keys": [UNUSED_KEY]}}} for table in ("{SuppressionTable}", "{SuppressionTable}-rebuilt")
]

USES: Mapping[str, Mapping[str, list[Arguments]]] = {
    "SesRoleArn": {"firehose:PutRecordBatch": [EVENTS]},
    "FeedbackRuleRoleArn": {
        "kinesis:PutRecord": [STREAM | FEEDBACK],
        "kinesis:PutRecords": [STREAM | {"Records": [FEEDBACK]}],
    },
    "TransformRoleArn": _logging("{TransformLogs}", "of-a-test"),
    "DeliveryRoleArn": {
        "s3:GetBucketLocation": [BUCKET],
        "s3:ListBucket": [BUCKET],
        "s3:ListBucketMultipartUploads": [BUCKET],
        "s3:AbortMultipartUpload": _below("events/", "errors/", "source/", UploadId="none"),
        "s3:GetObject": _below("events/", "errors/", "source/"),
        "s3:PutObject": _below("events/", "errors/", "source/", Body=b""),
        "glue:GetTable": [{"DatabaseName": "{Database}", "Name": "{LogTable}"}],
        "glue:GetTableVersion": [LOG_TABLE],
        "glue:GetTableVersions": [LOG_TABLE],
        "lambda:InvokeFunction": [TRANSFORM | {"Payload": b'{"records": []}'}],
        "lambda:GetFunctionConfiguration": [TRANSFORM],
        "logs:PutLogEvents": _logging("{DeliveryLogs}", "delivery")["logs:PutLogEvents"],
    },
    "ProjectorRoleArn": {
        **_logging("{ProjectorLogs}", "of-a-test"),
        "kinesis:DescribeStream": [STREAM],
        "kinesis:DescribeStreamSummary": [STREAM],
        "kinesis:ListShards": [STREAM],
        "kinesis:ListStreams": [{}],
        "kinesis:GetShardIterator": [STREAM | {"ShardId": "shardId-000000000000", "ShardIteratorType": "LATEST"}],
        "kinesis:GetRecords": [{"ShardIterator": NO_ITERATOR, "StreamARN": "{FeedbackStreamArn}"}],
        "dynamodb:BatchGetItem": LOOKED_UP,
        "dynamodb:PutItem": _of_tables(Item=UNUSED_KEY, ConditionExpression=NEVER),
        "ssm:GetParameter": [TABLES],
        "s3:ListBucket": [BUCKET],
        "s3:PutObject": _below("quarantine/", "aws/lambda/", Body=b""),
        "firehose:PutRecordBatch": [EVENTS],
        "sqs:ReceiveMessage": [QUEUE],
        "sqs:DeleteMessage": [QUEUE | {"ReceiptHandle": "none"}],
        "sqs:GetQueueAttributes": [QUEUE | {"AttributeNames": ["All"]}],
    },
    "SenderPolicyArn": {
        "dynamodb:BatchGetItem": LOOKED_UP,
        "dynamodb:GetItem": _of_tables(Key=UNUSED_KEY),
        "ssm:GetParameter": [TABLES, ERASURE_KEY],
    },
}
"""Arguments by the output that names a role or policy, and by action. Outputs are written in braces."""


def use(deployment: Deployment, action: str, arguments: Arguments, *, client: ClientsOfUser) -> None:
    """Send a request.

    Args:
        deployment: The deployment.
        action: The permission that the request needs.
        arguments: Arguments, with outputs of the deployment in braces.
        client: Creates the client.

    Raises:
        ClientError: AWS rejects the request.
    """
    service, _, operation = action.partition(":")
    call = getattr(client(service), OPERATIONS.get(action, xform_name(operation)))  # type: ignore[arg-type]  # any service of IAM's is one of boto3's here
    call(**_filled(arguments, deployment))


def _filled(value: Any, deployment: Deployment) -> Any:
    match value:
        case str() if "{" in value:
            return value.format_map(deployment)
        case dict():
            return {_filled(key, deployment): _filled(inner, deployment) for key, inner in value.items()}
        case list():
            return [_filled(inner, deployment) for inner in value]
    return value
