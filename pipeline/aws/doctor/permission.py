"""What a user has to be allowed to run the doctor: reading alone, but for a canary, which is a mail.

docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

from collections.abc import Mapping
from typing import Any

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
