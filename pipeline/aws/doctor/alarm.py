"""The alarms: those that ring, and whether anybody hears them.

docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pipeline.aws.doctor.deployment import Deployment, unless_missing
from pipeline.aws.doctor.finding import Finding, fault, warning

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_sns import SNSClient

DO = " Do: "  # what stands between an alarm's meaning and its mending, in its description


def check_alarms(deployment: Deployment) -> Iterator[Finding]:
    """Look for alarms that ring, and for such as are switched off."""
    cloudwatch: CloudWatchClient = deployment.client("cloudwatch")
    pages = cloudwatch.get_paginator("describe_alarms").paginate(AlarmNamePrefix=deployment.output("AlarmPrefix"))
    alarms = [alarm for page in pages for alarm in page["MetricAlarms"]]
    if not alarms:
        yield warning("alarms_missing", "the stack's alarms are gone", mending=deployment.mailfold("deploy"))
    for alarm in alarms:
        name = alarm["AlarmName"]
        if alarm["StateValue"] == "ALARM":
            meaning, _, mending = alarm.get("AlarmDescription", "").partition(DO)
            yield fault("alarm_rings", f"the alarm “{name}” rings: {meaning}", mending=mending)
        if not alarm.get("ActionsEnabled", True):
            on = deployment.aws(f"cloudwatch enable-alarm-actions --alarm-names '{name}'")
            yield warning("alarm_switched_off", f"the alarm “{name}” tells nobody: it is switched off", mending=on)


def check_listeners(deployment: Deployment) -> Iterator[Finding]:
    """Look at whether anybody is told."""
    sns: SNSClient = deployment.client("sns")
    arn = deployment.output("AlarmTopicArn")
    topic = unless_missing(sns.get_topic_attributes, TopicArn=arn)
    if topic is None:
        again = "make it again as infra/mailfold.yaml has it under AlarmTopic"
        yield fault("alarm_topic_missing", f"the topic of the alarms is gone: {arn}", mending=again)
        return
    if not int(topic["Attributes"].get("SubscriptionsConfirmed", 0)):
        pending = int(topic["Attributes"].get("SubscriptionsPending", 0))
        subscribe = deployment.aws(f"sns subscribe --topic-arn {arn} --protocol email --notification-endpoint ADDRESS")
        yield warning(
            "alarms_unheard",
            f"nobody is told when an alarm rings{': a subscription waits to be confirmed' if pending else ''}",
            mending="confirm it from the mail that AWS sent" if pending else subscribe,
        )
