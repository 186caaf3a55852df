"""What each role is for: who takes it on, and what it has to be allowed. The template grants the same.

What a user has to be allowed to run the doctor: reading alone, but for a canary, which is a mail.

docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from pipeline.aws.doctor.deployment import Deployment

# Each operation of AWS that is called, by service as boto3 names it, and the action that allows it.
READING: Mapping[str, str] = {
    "athena.GetWorkGroup": "athena:GetWorkGroup",
    "cloudformation.DescribeStacks": "cloudformation:DescribeStacks",
    "cloudwatch.DescribeAlarms": "cloudwatch:DescribeAlarms",
    "cloudwatch.GetMetricStatistics": "cloudwatch:GetMetricStatistics",
    "dynamodb.BatchGetItem": "dynamodb:BatchGetItem",
    "dynamodb.DescribeContinuousBackups": "dynamodb:DescribeContinuousBackups",
    "dynamodb.DescribeTable": "dynamodb:DescribeTable",
    "dynamodb.Scan": "dynamodb:Scan",
    "ecs.DescribeServices": "ecs:DescribeServices",
    "ecs.DescribeTasks": "ecs:DescribeTasks",
    "ecs.ListTasks": "ecs:ListTasks",
    "events.DescribeRule": "events:DescribeRule",
    "events.ListTargetsByRule": "events:ListTargetsByRule",
    "events.TestEventPattern": "events:TestEventPattern",
    "firehose.DescribeDeliveryStream": "firehose:DescribeDeliveryStream",
    "glue.GetTable": "glue:GetTable",
    "glue.GetTables": "glue:GetTables",
    "iam.GetRole": "iam:GetRole",
    "iam.SimulatePrincipalPolicy": "iam:SimulatePrincipalPolicy",
    "kinesis.DescribeStreamSummary": "kinesis:DescribeStreamSummary",
    "lambda.GetEventSourceMapping": "lambda:GetEventSourceMapping",
    "lambda.GetFunctionConcurrency": "lambda:GetFunctionConcurrency",
    "lambda.GetFunctionConfiguration": "lambda:GetFunctionConfiguration",
    "s3.GetBucketPolicy": "s3:GetBucketPolicy",
    "s3.GetBucketVersioning": "s3:GetBucketVersioning",
    "s3.GetPublicAccessBlock": "s3:GetBucketPublicAccessBlock",
    "s3.ListObjectsV2": "s3:ListBucket",
    "sesv2.GetAccount": "ses:GetAccount",
    "sesv2.GetConfigurationSet": "ses:GetConfigurationSet",
    "sesv2.GetConfigurationSetEventDestinations": "ses:GetConfigurationSetEventDestinations",
    "sesv2.GetEmailIdentity": "ses:GetEmailIdentity",
    "sesv2.ListEmailIdentities": "ses:ListEmailIdentities",
    "sesv2.ListSuppressedDestinations": "ses:ListSuppressedDestinations",
    "sns.GetSubscriptionAttributes": "sns:GetSubscriptionAttributes",
    "sns.GetTopicAttributes": "sns:GetTopicAttributes",
    "sqs.GetQueueAttributes": "sqs:GetQueueAttributes",
    "ssm.GetParameter": "ssm:GetParameter",
}

# What a canary calls besides. The last three are Athena's own, under the name of who asks.
CANARY: Mapping[str, str] = {
    "sesv2.SendEmail": "ses:SendEmail",
    "athena.StartQueryExecution": "athena:StartQueryExecution",
    "athena.GetQueryExecution": "athena:GetQueryExecution",
    "athena.GetQueryResults": "athena:GetQueryResults",
    "athena.StopQueryExecution": "athena:StopQueryExecution",
    "s3.GetObject": "s3:GetObject",
    "s3.GetBucketLocation": "s3:GetBucketLocation",
    "glue.GetPartitions": "glue:GetPartitions",
}


def document() -> dict[str, Any]:
    """Return the policy, as JSON, that lets a user run the doctor with a canary.

    Most of these actions know no resource, or nothing that its name says beforehand; none changes anything but
    `ses:SendEmail`, which may be left out where no canary is sent.
    """
    actions = sorted({*READING.values(), *CANARY.values()})
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]}


ANY_NAME = "0"  # a key below a prefix, to ask whether one may be written there
TASKS = "ecs-tasks.amazonaws.com"
LEASE_ACTIONS = tuple(
    f"dynamodb:{action}"
    for action in ("CreateTable", "DeleteItem", "DescribeTable", "GetItem", "PutItem", "Scan", "UpdateItem")
)


class Duty(msgspec.Struct, frozen=True, kw_only=True):
    """What a role is for.

    Attributes:
        role: Its ARN.
        logical_id: What it is called in the template.
        service: The service that takes it on.
        contexts: What AWS says of the service when it takes the role on; once for each case.
        needs: The actions that it has to be allowed, by the resource that they are on.
        loses: What comes of it if it is not.
    """

    role: str
    logical_id: str
    service: str
    contexts: tuple[Mapping[str, str], ...] = ({},)
    needs: Mapping[str, tuple[str, ...]]
    loses: str


def ses(deployment: Deployment) -> Duty:
    """Return what SES's role is for."""
    account = deployment.stack.account_id
    return Duty(
        role=deployment.output("SesRoleArn"),
        logical_id="SesRole",
        service="ses.amazonaws.com",
        contexts=tuple(
            {"aws:SourceAccount": account, "aws:SourceArn": deployment.arn("ses", f"configuration-set/{name}")}
            for name in deployment.sets
        ),
        needs={deployment.output("DeliveryStreamArn"): ("firehose:PutRecordBatch",)},
        loses="SES cannot write the log",
    )


def delivery(deployment: Deployment) -> Duty:
    """Return what Firehose's role is for."""
    bucket, database = deployment.bucket_arn, deployment.output("Database")
    glue = ("catalog", f"database/{database}", f"table/{database}/{deployment.output('LogTable')}")
    write = ("s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject")
    return Duty(
        role=deployment.output("DeliveryRoleArn"),
        logical_id="DeliveryRole",
        service="firehose.amazonaws.com",
        contexts=({"sts:ExternalId": deployment.stack.account_id},),
        needs={
            bucket: ("s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"),
            f"{bucket}/events/{ANY_NAME}": write,
            f"{bucket}/errors/{ANY_NAME}": write,
            **{deployment.arn("glue", one): ("glue:GetTable", "glue:GetTableVersions") for one in glue},
            deployment.arn("lambda", f"function:{deployment.output('Transform')}:$LATEST"): (
                "lambda:InvokeFunction",
                "lambda:GetFunctionConfiguration",
            ),
        },
        loses="Firehose cannot write the log, and after a day loses what it holds",
    )


def feedback_rule(deployment: Deployment) -> Duty:
    """Return what the rule's role is for."""
    rule = deployment.arn("events", f"rule/{deployment.output('FeedbackRule')}")
    return Duty(
        role=deployment.output("FeedbackRuleRoleArn"),
        logical_id="FeedbackRuleRole",
        service="events.amazonaws.com",
        contexts=({"aws:SourceAccount": deployment.stack.account_id, "aws:SourceArn": rule},),
        needs={deployment.output("FeedbackStreamArn"): ("kinesis:PutRecord", "kinesis:PutRecords")},
        loses="no feedback reaches the table",
    )


def transform(deployment: Deployment) -> Duty:
    """Return what the transform's role is for."""
    return Duty(
        role=deployment.output("TransformRoleArn"),
        logical_id="TransformRole",
        service="lambda.amazonaws.com",
        needs=_writes_log(deployment, "TransformLogs"),
        loses="nobody sees why records could not be transformed",
    )


def projector(deployment: Deployment) -> Duty:
    """Return what the projector's role is for."""
    mapped = {**_reads(deployment), f"{deployment.bucket_arn}/aws/lambda/{ANY_NAME}": ("s3:PutObject",)}
    return Duty(
        role=deployment.output("ProjectorRoleArn"),
        logical_id="ProjectorRole",
        service="lambda.amazonaws.com",
        needs={
            **(mapped if deployment.read_by_lambda else {}),
            **_projects(deployment),
            **_writes_log(deployment, "ProjectorLogs"),
        },
        loses="feedback does not reach the table, or what cannot be read is not kept",
    )


def consumer(deployment: Deployment) -> Duty | None:
    """Return what the role of the container is for; None: there is no container."""
    role = deployment.stack.outputs.get("ConsumerRoleArn")
    if role is None:
        return None
    leases = deployment.arn("dynamodb", f"table/{deployment.output('ConsumerApplication')}")
    beside = (f"{leases}-CoordinatorState", f"{leases}-WorkerMetricStats")
    return Duty(
        role=role,
        logical_id="ConsumerRole",
        service=TASKS,
        contexts=_of_tasks(deployment),
        needs={
            **_reads(deployment),
            leases: (*LEASE_ACTIONS, "dynamodb:UpdateTable"),
            **dict.fromkeys(beside, LEASE_ACTIONS),
            f"{leases}/index/LeaseOwnerToLeaseKeyIndex": ("dynamodb:Query",),
            **_projects(deployment),
        },
        loses="feedback does not reach the table, or what cannot be read is not kept",
    )


def consumer_start(deployment: Deployment) -> Duty | None:
    """Return what the role by which ECS starts the container is for; None: there is no container."""
    role, repository = (
        deployment.stack.outputs.get("ConsumerStartRoleArn"),
        deployment.stack.parameters.get("ConsumerRepository"),
    )
    if role is None:
        return None
    return Duty(
        role=role,
        logical_id="ConsumerStartRole",
        service=TASKS,
        contexts=_of_tasks(deployment),
        needs={
            **_writes_log(deployment, "ConsumerLogs"),
            **({repository: ("ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")} if repository else {}),
        },
        loses="ECS cannot start the consumer",
    )


def _reads(deployment: Deployment) -> dict[str, tuple[str, ...]]:
    stream = deployment.output("FeedbackStreamArn")
    actions = ("DescribeStreamSummary", "GetRecords", "GetShardIterator", "ListShards")
    return {stream: tuple(f"kinesis:{action}" for action in actions)}


def _projects(deployment: Deployment) -> dict[str, tuple[str, ...]]:
    return {
        deployment.arn("dynamodb", f"table/{deployment.live_table}"): ("dynamodb:BatchGetItem", "dynamodb:PutItem"),
        deployment.arn("ssm", f"parameter{deployment.output('TablesParameter')}"): ("ssm:GetParameter",),
        f"{deployment.bucket_arn}/quarantine/{ANY_NAME}": ("s3:PutObject",),
    }


def _of_tasks(deployment: Deployment) -> tuple[Mapping[str, str], ...]:
    task = deployment.arn("ecs", f"task/{deployment.output('ConsumerCluster')}/{ANY_NAME}")
    return ({"aws:SourceAccount": deployment.stack.account_id, "aws:SourceArn": task},)


def _writes_log(deployment: Deployment, output: str) -> dict[str, tuple[str, ...]]:
    stream = deployment.arn("logs", f"log-group:{deployment.output(output)}:log-stream:{ANY_NAME}")
    return {stream: ("logs:PutLogEvents",)}
