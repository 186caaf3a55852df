"""Permissions that a user needs to run the doctor. Except for a canary, which is a mail, they only read.

What the deployment's roles need is not listed here: see `role_policies`.
docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

from collections.abc import Mapping
from typing import Any

# The action that allows each AWS operation, by the operation's name in boto3.
READING: Mapping[str, str] = {
    "athena.GetWorkGroup": "athena:GetWorkGroup",
    "cloudformation.DescribeStacks": "cloudformation:DescribeStacks",
    "cloudwatch.DescribeAlarms": "cloudwatch:DescribeAlarms",
    "cloudwatch.GetMetricStatistics": "cloudwatch:GetMetricStatistics",
    "dynamodb.BatchGetItem": "dynamodb:BatchGetItem",
    "dynamodb.DescribeContinuousBackups": "dynamodb:DescribeContinuousBackups",
    "dynamodb.DescribeTable": "dynamodb:DescribeTable",
    "dynamodb.GetResourcePolicy": "dynamodb:GetResourcePolicy",
    "dynamodb.Scan": "dynamodb:Scan",
    "ecs.DescribeServices": "ecs:DescribeServices",
    "ecs.DescribeTasks": "ecs:DescribeTasks",
    "ecs.ListTasks": "ecs:ListTasks",
    "events.DescribeRule": "events:DescribeRule",
    "events.ListTargetsByRule": "events:ListTargetsByRule",
    "events.TestEventPattern": "events:TestEventPattern",
    "firehose.DescribeDeliveryStream": "firehose:DescribeDeliveryStream",
    "glue.GetDatabase": "glue:GetDatabase",
    "glue.GetTable": "glue:GetTable",
    "glue.GetTables": "glue:GetTables",
    "iam.GetRole": "iam:GetRole",
    "iam.SimulatePrincipalPolicy": "iam:SimulatePrincipalPolicy",
    "kinesis.DescribeStreamSummary": "kinesis:DescribeStreamSummary",
    "kinesis.GetRecords": "kinesis:GetRecords",
    "kinesis.GetShardIterator": "kinesis:GetShardIterator",
    "kinesis.ListShards": "kinesis:ListShards",
    "lambda.GetAccountSettings": "lambda:GetAccountSettings",
    "lambda.GetEventSourceMapping": "lambda:GetEventSourceMapping",
    "lambda.GetFunctionConcurrency": "lambda:GetFunctionConcurrency",
    "lambda.GetFunctionConfiguration": "lambda:GetFunctionConfiguration",
    "s3.GetBucketPolicy": "s3:GetBucketPolicy",
    "s3.GetBucketVersioning": "s3:GetBucketVersioning",
    "s3.GetObject": "s3:GetObject",
    "s3.GetPublicAccessBlock": "s3:GetBucketPublicAccessBlock",
    "s3.ListObjectsV2": "s3:ListBucket",
    "sesv2.GetAccount": "ses:GetAccount",
    "sesv2.GetConfigurationSet": "ses:GetConfigurationSet",
    "sesv2.GetConfigurationSetEventDestinations": "ses:GetConfigurationSetEventDestinations",
    "sesv2.GetEmailIdentity": "ses:GetEmailIdentity",
    "sesv2.GetTenant": "ses:GetTenant",
    "sesv2.ListConfigurationSets": "ses:ListConfigurationSets",
    "sesv2.ListEmailIdentities": "ses:ListEmailIdentities",
    "sesv2.ListSuppressedDestinations": "ses:ListSuppressedDestinations",
    "sesv2.ListTenants": "ses:ListTenants",
    "sns.GetSubscriptionAttributes": "sns:GetSubscriptionAttributes",
    "sns.GetTopicAttributes": "sns:GetTopicAttributes",
    "sqs.GetQueueAttributes": "sqs:GetQueueAttributes",
    "ssm.GetParameter": "ssm:GetParameter",
}

# What a canary calls in addition. Athena makes the last three calls with the caller's credentials.
CANARY: Mapping[str, str] = {
    "sesv2.SendEmail": "ses:SendEmail",
    "athena.StartQueryExecution": "athena:StartQueryExecution",
    "athena.GetQueryExecution": "athena:GetQueryExecution",
    "athena.GetQueryResults": "athena:GetQueryResults",
    "athena.StopQueryExecution": "athena:StopQueryExecution",
    "s3.GetBucketLocation": "s3:GetBucketLocation",
    "glue.GetPartitions": "glue:GetPartitions",
}


def doctor_policy() -> dict[str, Any]:
    """Return the IAM policy, as JSON, that allows a user to run the doctor with a canary.

    Most of these actions have no resource type, or a resource whose name is not known before. None changes anything
    except `ses:SendEmail`, which only a canary needs.
    """
    actions = sorted({*READING.values(), *CANARY.values()})
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]}
