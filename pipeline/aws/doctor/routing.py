"""Checks of the route to the projector: the EventBridge rule, the feedback stream and the SNS subscription.

EventBridge itself evaluates the rule's pattern, so any pattern that matches all feedback passes.
docs.aws.amazon.com/eventbridge/latest/APIReference/API_TestEventPattern.html,
docs.aws.amazon.com/kinesis/latest/APIReference/API_DescribeStreamSummary.html and
docs.aws.amazon.com/sns/latest/api/API_GetSubscriptionAttributes.html
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import msgspec

from pipeline.aws.doctor.deployment import Deployment
from pipeline.aws.doctor.finding import Finding, error, restore, warning
from pipeline.aws.errors import missing_ok

# docs.aws.amazon.com/eventbridge/latest/ref/events-ref-ses.html
FEEDBACK_DETAIL_TYPES = ("Email Bounced", "Email Complaint Received")
RETRY_SECONDS = 86_400  # EventBridge's longest, and its default
RETRY_ATTEMPTS = 185  # the same
HOURS_PER_DAY = 24


def check_rule(deployment: Deployment) -> Iterator[Finding]:
    """Check the rule's state and pattern."""
    events, name = deployment.clients.events, deployment.output("FeedbackRule")
    rule = missing_ok(lambda: events.describe_rule(Name=name))
    if rule is None:
        message = f"the rule {name} does not exist: no feedback reaches the table"
        yield error("rule_missing", message, remedy=restore("FeedbackRule"))
        return
    if not rule["State"].startswith("ENABLED"):
        message = f"the rule {name} is disabled: no feedback reaches the table"
        yield error("rule_disabled", message, remedy=deployment.aws_command(f"events enable-rule --name {name}"))
    pattern = rule.get("EventPattern", "{}")
    unmatched_sets = dict.fromkeys(
        set_name
        for set_name, type_ in product(deployment.example_sets, FEEDBACK_DETAIL_TYPES)
        if not events.test_event_pattern(EventPattern=pattern, Event=_event(deployment, set_name, type_))["Result"]
    )
    if unmatched_sets:
        message = f"the rule {name} does not match all bounces and complaints of {', '.join(unmatched_sets)}"
        yield error("rule_pattern_too_narrow", message, remedy=_put_rule(deployment, name))


def _event(deployment: Deployment, configuration_set: str, detail_type: str) -> str:
    """Return an event as SES sends it. SES may put anything or nothing into `resources`, so they are empty."""
    event: dict[str, Any] = {
        "version": "0",
        "id": "00000000-0000-0000-0000-000000000000",
        "source": "aws.ses",
        "account": deployment.stack.account_id,
        "region": deployment.stack.region,
        "time": f"{deployment.now:%Y-%m-%dT%H:%M:%SZ}",
        "resources": [],
        "detail-type": detail_type,
        "detail": {"mail": {"messageId": "0", "tags": {"ses:configuration-set": [configuration_set]}}},
    }
    return msgspec.json.encode(event).decode()


def _put_rule(deployment: Deployment, name: str) -> str:
    sets = [{"exists": True}] if deployment.accepts_all_sets else deployment.configuration_sets
    pattern = {
        "source": ["aws.ses"],
        "detail-type": FEEDBACK_DETAIL_TYPES,
        "detail": {"mail": {"tags": {"ses:configuration-set": sets}}},
    }
    return deployment.aws_command(
        f"events put-rule --name {name} --event-pattern '{msgspec.json.encode(pattern).decode()}'"
    )


def check_target(deployment: Deployment) -> Iterator[Finding]:
    """Check the rule's target. `check_rule` reports a missing rule."""
    name, stream = deployment.output("FeedbackRule"), deployment.output("FeedbackStreamArn")
    answer = missing_ok(lambda: deployment.clients.events.list_targets_by_rule(Rule=name))
    if answer is None:
        return
    remedy = _put_target(deployment, name)
    target = next((target for target in answer["Targets"] if target["Arn"] == stream), None)
    if target is None:
        message = f"the rule {name} has no target that is the feedback stream: no feedback reaches the table"
        yield error("target_missing", message, remedy=remedy)
        return
    if target.get("RoleArn") != deployment.output("FeedbackRuleRoleArn"):
        message = f"the rule {name} does not use the stack's role, which can write to the stream"
        yield error("target_wrong_role", message, remedy=remedy)
    dead_letters = deployment.queue_arn(deployment.output("RuleDeadLetters"))
    if target.get("DeadLetterConfig", {}).get("Arn") != dead_letters:
        message = f"the rule {name} does not use its dead-letter queue: an event that fails for a day is lost"
        yield error("target_without_dead_letters", message, remedy=remedy)
    retry = target.get("RetryPolicy", {})
    is_shorter = retry.get("MaximumEventAgeInSeconds", RETRY_SECONDS) < RETRY_SECONDS
    if is_shorter or retry.get("MaximumRetryAttempts", RETRY_ATTEMPTS) < RETRY_ATTEMPTS:
        message = f"the rule {name} stops retrying before a day has passed: an outage loses feedback"
        yield warning("target_retries_too_few", message, remedy=remedy)


def _put_target(deployment: Deployment, rule: str) -> str:
    target = {
        "Id": "stream",
        "Arn": deployment.output("FeedbackStreamArn"),
        "RoleArn": deployment.output("FeedbackRuleRoleArn"),
        "KinesisParameters": {"PartitionKeyPath": "$.detail.mail.messageId"},
        "RetryPolicy": {"MaximumEventAgeInSeconds": RETRY_SECONDS, "MaximumRetryAttempts": RETRY_ATTEMPTS},
        "DeadLetterConfig": {"Arn": deployment.queue_arn(deployment.output("RuleDeadLetters"))},
    }
    return deployment.aws_command(
        f"events put-targets --rule {rule} --targets '[{msgspec.json.encode(target).decode()}]'"
    )


def check_stream(deployment: Deployment) -> Iterator[Finding]:
    """Check the stream's state, retention and encryption."""
    name = deployment.output("FeedbackStream")
    answer = missing_ok(lambda: deployment.clients.kinesis.describe_stream_summary(StreamName=name))
    if answer is None:
        message = f"the stream {name} does not exist: no feedback reaches the table"
        yield error("stream_missing", message, remedy=restore("FeedbackStream"))
        return
    stream = answer["StreamDescriptionSummary"]
    if stream["StreamStatus"] not in {"ACTIVE", "UPDATING"}:
        message = f"the stream {name} is {stream['StreamStatus'].lower()}: no feedback reaches the table"
        yield error("stream_not_active", message, remedy="find in CloudTrail who changed it, then check again")
    hours, required_hours = stream["RetentionPeriodHours"], _retention_hours(deployment)
    if hours < required_hours:
        change = f"increase-stream-retention-period --stream-name {name} --retention-period-hours {required_hours}"
        yield error(
            "stream_retention_too_short",
            f"the stream {name} keeps records for {hours} hours, but the stack specifies {required_hours}",
            remedy=deployment.aws_command(f"kinesis {change}"),
        )
    if stream.get("EncryptionType") != "KMS":
        change = f"start-stream-encryption --stream-name {name} --encryption-type KMS --key-id alias/aws/kinesis"
        message = f"the stream {name}, which holds addresses, is not encrypted at rest"
        yield warning("stream_not_encrypted", message, remedy=deployment.aws_command(f"kinesis {change}"))


def _retention_hours(deployment: Deployment) -> int:
    return HOURS_PER_DAY * int(deployment.stack.parameters.get("StreamRetentionDays", "1"))


def check_subscription(deployment: Deployment) -> Iterator[Finding]:
    """Check the subscription to the SNS topic, if there is a topic."""
    arn = deployment.stack.outputs.get("NotificationSubscriptionArn")
    if not arn:
        return
    if missing_ok(lambda: deployment.clients.sns.get_subscription_attributes(SubscriptionArn=arn)) is None:
        topic = deployment.output("NotificationTopicArn")
        message = f"the projector's subscription to the topic {topic} does not exist: its notifications are lost"
        remedy = restore("NotificationSubscription, or NotificationCall")
        yield error("subscription_missing", message, remedy=remedy)
