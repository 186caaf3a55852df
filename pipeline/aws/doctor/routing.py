"""The SNS topic of SES's whose notifications are projected too, if there is one.

docs.aws.amazon.com/sns/latest/api/API_GetSubscriptionAttributes.html

The EventBridge rule: whether it lets feedback of every set through, and where to.

EventBridge itself is asked what its pattern lets through, so that every pattern that does so is right.
docs.aws.amazon.com/eventbridge/latest/APIReference/API_TestEventPattern.html

The feedback stream.

docs.aws.amazon.com/kinesis/latest/APIReference/API_DescribeStreamSummary.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from typing import TYPE_CHECKING, Any

import msgspec

from pipeline.aws.doctor.deployment import Deployment, unless_missing
from pipeline.aws.doctor.finding import Finding, error, warning

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_kinesis import KinesisClient
    from mypy_boto3_sns import SNSClient

FEEDBACK = (
    "Email Bounced",
    "Email Complaint Received",
)  # docs.aws.amazon.com/eventbridge/latest/ref/events-ref-ses.html
RETRIED_SECONDS = 86_400  # EventBridge's longest, and its default
RETRIES = 185  # the same


def check_rule(deployment: Deployment) -> Iterator[Finding]:
    """Look at the rule's state and pattern."""
    events: EventBridgeClient = deployment.client("events")
    name = deployment.output("FeedbackRule")
    rule = unless_missing(events.describe_rule, Name=name)
    if rule is None:
        words = f"the rule {name} is gone, so that no feedback reaches the table"
        yield error("rule_missing", words, mending="make it again as infra/mailfold.yaml has it under FeedbackRule")
        return
    if not rule["State"].startswith("ENABLED"):
        words = f"the rule {name} is disabled, so that no feedback reaches the table"
        yield error("rule_disabled", words, mending=deployment.aws(f"events enable-rule --name {name}"))
    pattern = rule.get("EventPattern", "{}")
    held = dict.fromkeys(
        of_set
        for of_set, kind in product(deployment.sets, FEEDBACK)
        if not events.test_event_pattern(EventPattern=pattern, Event=_event(deployment, of_set, kind))["Result"]
    )
    if held:
        words = f"the rule {name} does not let through all bounces and complaints of {', '.join(held)}"
        yield error("rule_holds_back", words, mending=_put_rule(deployment, name))


def check_target(deployment: Deployment) -> Iterator[Finding]:
    """Look at where the rule leads."""
    events: EventBridgeClient = deployment.client("events")
    name = deployment.output("FeedbackRule")
    answer = unless_missing(events.list_targets_by_rule, Rule=name)
    if answer is None:
        return
    stream = deployment.output("FeedbackStreamArn")
    target = next((one for one in answer["Targets"] if one["Arn"] == stream), None)
    mending = _put_target(deployment, name)
    if target is None:
        yield error("target_missing", f"the rule {name} does not lead to the feedback stream", mending=mending)
        return
    if target.get("RoleArn") != deployment.output("FeedbackRuleRoleArn"):
        yield error("target_of_other_role", f"the rule {name} does not use the role that may write", mending=mending)
    if target.get("DeadLetterConfig", {}).get("Arn") != queue_arn(deployment, deployment.output("RuleDeadLetters")):
        words = f"what the rule {name} cannot deliver in a day is lost: it does not use its dead-letter queue"
        yield error("target_without_dead_letters", words, mending=mending)
    retry = target.get("RetryPolicy", {})
    if (
        retry.get("MaximumEventAgeInSeconds", RETRIED_SECONDS) < RETRIED_SECONDS
        or retry.get("MaximumRetryAttempts", RETRIES) < RETRIES
    ):
        yield warning("target_gives_up", f"the rule {name} gives up before a day is over", mending=mending)


def queue_arn(deployment: Deployment, url: str) -> str:
    """Return the ARN of one of the deployment's queues; its name is the end of its URL."""
    return deployment.arn("sqs", url.rpartition("/")[2])


def _event(deployment: Deployment, of_set: str, kind: str) -> str:
    """Return what SES may send of a set's mail; of `resources` nothing can be relied on, and so there are none."""
    event: Mapping[str, Any] = {
        "version": "0",
        "id": "00000000-0000-0000-0000-000000000000",
        "source": "aws.ses",
        "account": deployment.stack.account_id,
        "region": deployment.stack.region,
        "time": f"{deployment.now:%Y-%m-%dT%H:%M:%SZ}",
        "resources": [],
        "detail-type": kind,
        "detail": {"mail": {"messageId": "0", "tags": {"ses:configuration-set": [of_set]}}},
    }
    return msgspec.json.encode(event).decode()


def _put_rule(deployment: Deployment, name: str) -> str:
    pattern = {
        "source": ["aws.ses"],
        "detail-type": FEEDBACK,
        "detail": {"mail": {"tags": {"ses:configuration-set": deployment.sets}}},
    }
    return deployment.aws(f"events put-rule --name {name} --event-pattern '{msgspec.json.encode(pattern).decode()}'")


def _put_target(deployment: Deployment, name: str) -> str:
    target = {
        "Id": "stream",
        "Arn": deployment.output("FeedbackStreamArn"),
        "RoleArn": deployment.output("FeedbackRuleRoleArn"),
        "KinesisParameters": {"PartitionKeyPath": "$.detail.mail.messageId"},
        "RetryPolicy": {"MaximumEventAgeInSeconds": RETRIED_SECONDS, "MaximumRetryAttempts": RETRIES},
        "DeadLetterConfig": {"Arn": queue_arn(deployment, deployment.output("RuleDeadLetters"))},
    }
    return deployment.aws(f"events put-targets --rule {name} --targets '[{msgspec.json.encode(target).decode()}]'")


HOURS_PER_DAY = 24


def check_stream(deployment: Deployment) -> Iterator[Finding]:
    """Look at the stream's state, retention and encryption."""
    kinesis: KinesisClient = deployment.client("kinesis")
    name = deployment.output("FeedbackStream")
    answer = unless_missing(kinesis.describe_stream_summary, StreamName=name)
    if answer is None:
        words = f"the stream {name} is gone, so that no feedback reaches the table"
        yield error("stream_missing", words, mending="make it again as infra/mailfold.yaml has it under FeedbackStream")
        return
    stream = answer["StreamDescriptionSummary"]
    if stream["StreamStatus"] not in {"ACTIVE", "UPDATING"}:
        words = f"the stream {name} is {stream['StreamStatus'].lower()}: no feedback reaches the table"
        yield error("stream_not_active", words, mending="see in CloudTrail who changed it; look again later")
    wanted_hours = HOURS_PER_DAY * int(deployment.stack.parameters.get("StreamRetentionDays", "1"))
    if stream["RetentionPeriodHours"] < wanted_hours:
        yield error(
            "stream_forgets",
            f"the stream {name} keeps {stream['RetentionPeriodHours']} hours, the stack asks for {wanted_hours}",
            mending=deployment.aws(
                f"kinesis increase-stream-retention-period --stream-name {name} --retention-period-hours {wanted_hours}"
            ),
        )
    if stream.get("EncryptionType") != "KMS":
        yield warning(
            "stream_not_encrypted",
            f"the stream {name}, which holds addresses, is not encrypted at rest",
            mending=deployment.aws(
                f"kinesis start-stream-encryption --stream-name {name} --encryption-type KMS --key-id alias/aws/kinesis"
            ),
        )


def check_subscription(deployment: Deployment) -> Iterator[Finding]:
    """Look at the subscription to the topic."""
    arn = deployment.stack.outputs.get("NotificationSubscriptionArn")
    if not arn:
        return
    sns: SNSClient = deployment.client("sns")
    if unless_missing(sns.get_subscription_attributes, SubscriptionArn=arn) is None:
        topic = deployment.output("NotificationTopicArn")
        yield error(
            "subscription_missing",
            f"nobody is subscribed for the projector to the topic {topic}: its notifications are not projected",
            mending="make it again as infra/mailfold.yaml has it under NotificationSubscription, or NotificationCall",
        )
