"""The SNS topic of SES's whose notifications are projected too, if there is one.

docs.aws.amazon.com/sns/latest/api/API_GetSubscriptionAttributes.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pipeline.aws.doctor.deployment import Deployment, unless_missing
from pipeline.aws.doctor.finding import Finding, fault

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient


def check_subscription(deployment: Deployment) -> Iterator[Finding]:
    """Look at the subscription to the topic."""
    arn = deployment.stack.outputs.get("NotificationSubscriptionArn")
    if not arn:
        return
    sns: SNSClient = deployment.client("sns")
    if unless_missing(sns.get_subscription_attributes, SubscriptionArn=arn) is None:
        topic = deployment.output("NotificationTopicArn")
        yield fault(
            "subscription_missing",
            f"nobody is subscribed for the projector to the topic {topic}: its notifications are not projected",
            mending="make it again as infra/mailfold.yaml has it under NotificationSubscription, or NotificationCall",
        )
