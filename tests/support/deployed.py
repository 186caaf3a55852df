"""A deployment in moto, from a small template with Mailfold's outputs, for commands that run in this process."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import boto3
import pytest
from moto import mock_aws

from pipeline.aws import clients
from pipeline.aws.dynamodb import table_definition

NAME, REGION, ACCOUNT = "mail", "eu-west-1", "123456789012"
TABLE, SENDER = f"{NAME}-suppression-1", "sender@example.com"
PARAMETER = f"/mailfold/{NAME}/tables"
OUTPUTS = {
    "ConfigurationSet": NAME,
    "ConfigurationSets": f"{NAME},newsletter",
    "Database": f"{NAME}_log",
    "DeliveryStream": f"{NAME}-events",
    "DeliveryStreamArn": f"arn:aws:firehose:{REGION}:{ACCOUNT}:deliverystream/{NAME}-events",
    "FeedbackStream": f"{NAME}-feedback",
    "LogBucket": {"Ref": "LogBucket"},
    "LogTable": "events",
    "NotificationDeadLetters": {"Ref": "NotificationDeadLetters"},
    "RuleDeadLetters": {"Ref": "RuleDeadLetters"},
    "SenderPolicyArn": f"arn:aws:iam::{ACCOUNT}:policy/{NAME}-sender",
    "SesRoleArn": f"arn:aws:iam::{ACCOUNT}:role/{NAME}-ses",
    "SuppressionTable": {"Ref": "SuppressionTable"},
    "TablesParameter": PARAMETER,
    "Workgroup": NAME,
}
QUEUES = ("NotificationDeadLetters", "RuleDeadLetters")
PARAMETERS = {"ConfigurationSets": "newsletter", "LogBufferSeconds": "60", "Policy": ""}


def a_template(parameters: Mapping[str, str], *, has_queues: bool) -> str:
    """Return the text of a template whose parameters have these defaults."""
    queues = {name: {"Type": "AWS::SQS::Queue"} for name in QUEUES} if has_queues else {}
    resources: dict[str, object] = {
        **queues,
        "LogBucket": {"Type": "AWS::S3::Bucket", "DeletionPolicy": "Retain"},
        "SuppressionTable": {
            "Type": "AWS::DynamoDB::Table",
            "DeletionPolicy": "Retain",
            "Properties": table_definition(TABLE),
        },
    }
    defaults = {name: {"Type": "String", "Default": value} for name, value in parameters.items()}
    outputs = {name: {"Value": value} for name, value in OUTPUTS.items() if has_queues or name not in QUEUES}
    return json.dumps({"Parameters": defaults, "Resources": resources, "Outputs": outputs})


@contextmanager
def deployed(environment: pytest.MonkeyPatch, *, has_queues: bool = True, **parameters: str) -> Iterator[None]:
    """Run moto with a deployment, and let commands use it.

    Args:
        environment: Sets the environment variables of the commands.
        has_queues: Whether it has its dead-letter queues. moto keeps them when the stack is deleted.
        parameters: Parameters of the stack that differ from `PARAMETERS`.
    """
    environment.setenv("AWS_ACCESS_KEY_ID", "a")
    environment.setenv("AWS_SECRET_ACCESS_KEY", "b")
    environment.setenv("AWS_DEFAULT_REGION", REGION)
    with mock_aws():
        boto3.client("cloudformation").create_stack(
            StackName=NAME, TemplateBody=a_template(PARAMETERS | parameters, has_queues=has_queues)
        )
        boto3.client("athena").create_work_group(
            Name=NAME, Configuration={"ManagedQueryResultsConfiguration": {"Enabled": True}}
        )
        boto3.client("ses").verify_email_identity(EmailAddress=SENDER)
        boto3.client("ses").create_configuration_set(ConfigurationSet={"Name": NAME})
        yield


def put_behind(environment: pytest.MonkeyPatch, **fakes: Any) -> None:
    """Let commands use these fakes, and moto for all other services."""
    real = clients.create_client
    environment.setattr(
        "pipeline.cli.target.create_client", lambda service, **more: fakes.get(service) or real(service, **more)
    )


def bucket() -> str:
    """Return the name of the log's bucket."""
    name: str = boto3.client("s3").list_buckets()["Buckets"][0]["Name"]
    return name


def objects(prefix: str) -> list[str]:
    """Return the keys below a prefix of the log's bucket."""
    listed = boto3.client("s3").list_objects_v2(Bucket=bucket(), Prefix=prefix)
    return [entry["Key"] for entry in listed.get("Contents", [])]


def items(table: str = TABLE) -> list[str]:
    """Return the addresses that a table has items of."""
    table_items = boto3.client("dynamodb").scan(TableName=table)["Items"]
    return sorted(item["address"]["S"] for item in table_items)
