"""A deployment in moto, made from a template with the outputs of ours, for commands that run in this process."""

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
    "SenderPolicyArn": f"arn:aws:iam::{ACCOUNT}:policy/{NAME}-sender",
    "SesRoleArn": f"arn:aws:iam::{ACCOUNT}:role/{NAME}-ses",
    "SuppressionTable": {"Ref": "SuppressionTable"},
    "TablesParameter": PARAMETER,
    "Workgroup": NAME,
}
PARAMETERS = {"ConfigurationSets": "newsletter", "LogBufferSeconds": "60", "Policy": ""}


def a_template(parameters: Mapping[str, str]) -> str:
    """Return the text of a template, with these defaults of its parameters."""
    table = table_definition(TABLE)
    del table["SSESpecification"]
    resources = {
        "LogBucket": {"Type": "AWS::S3::Bucket", "DeletionPolicy": "Retain"},
        "SuppressionTable": {"Type": "AWS::DynamoDB::Table", "DeletionPolicy": "Retain", "Properties": table},
    }
    defaults = {name: {"Type": "String", "Default": value} for name, value in parameters.items()}
    outputs = {name: {"Value": value} for name, value in OUTPUTS.items()}
    return json.dumps({"Parameters": defaults, "Resources": resources, "Outputs": outputs})


@contextmanager
def deployed(environment: pytest.MonkeyPatch, **parameters: str) -> Iterator[None]:
    """Deploy, let commands find AWS, and take everything away at the end.

    Args:
        environment: What the commands find it by.
        parameters: Those of the stack that differ.
    """
    environment.setattr(boto3, "DEFAULT_SESSION", None)  # it would keep the credentials of whoever came before
    environment.setenv("AWS_ACCESS_KEY_ID", "a")
    environment.setenv("AWS_SECRET_ACCESS_KEY", "b")
    environment.setenv("AWS_DEFAULT_REGION", REGION)
    with mock_aws():
        boto3.client("cloudformation").create_stack(StackName=NAME, TemplateBody=a_template(PARAMETERS | parameters))
        boto3.client("athena").create_work_group(
            Name=NAME, Configuration={"ManagedQueryResultsConfiguration": {"Enabled": True}}
        )
        boto3.client("ses").verify_email_identity(EmailAddress=SENDER)
        boto3.client("ses").create_configuration_set(ConfigurationSet={"Name": NAME})
        yield


def put_behind(environment: pytest.MonkeyPatch, **fakes: Any) -> None:
    """Let commands use these fakes as clients, and moto's clients of all other services."""

    def create(service: clients.Service, **options: Any) -> Any:
        return fakes.get(service) or clients.create_client(service, **options)

    environment.setattr("pipeline.cli.target.create_client", create)


def bucket() -> str:
    """Return the name of the log's bucket."""
    found: str = boto3.client("s3").list_buckets()["Buckets"][0]["Name"]
    return found


def objects(prefix: str) -> list[str]:
    """Return the keys below a prefix of the log's bucket."""
    listed = boto3.client("s3").list_objects_v2(Bucket=bucket(), Prefix=prefix)
    return [one["Key"] for one in listed.get("Contents", [])]


def items(table: str = TABLE) -> list[str]:
    """Return the addresses that a table knows something about."""
    found = boto3.client("dynamodb").scan(TableName=table)["Items"]
    return sorted(item["address"]["S"] for item in found)
