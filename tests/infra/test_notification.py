"""Feedback through an SNS topic, directly to the projector or through a queue."""

import re
from typing import Any

import pytest

from tests.support.cloudformation import TOPIC, listed, stack, template

PARTS = [name for name in template()["Resources"] if name.startswith("Notification")]
TWO_WEEKS_SECONDS = 14 * 86_400


def direct() -> Any:
    """Return a stack whose topic calls the projector."""
    return stack(NotificationTopic=TOPIC, NotificationRoute="direct")


def queued() -> Any:
    """Return a stack whose topic sends to a queue."""
    return stack(NotificationTopic=TOPIC)


def actions(created: Any) -> set[str]:
    """Return the actions that the projector's role allows."""
    (policy,) = created.properties("ProjectorRole")["Policies"]
    statements = policy["PolicyDocument"]["Statement"]
    return {action for statement in statements for action in listed(statement["Action"])}


def test_without_a_topic_nothing_is_created_for_it() -> None:
    """Without a topic there are neither resources nor permissions nor outputs for it."""
    created = stack()
    assert not set(PARTS) & set(created.resources)
    assert not {action for action in actions(created) if action.startswith(("sqs:", "firehose:"))}
    assert not {name for name in created.outputs if name.startswith("Notification")}


@pytest.mark.parametrize("route", ["direct", "queue"])
def test_only_the_resources_of_the_route_are_created(route: str) -> None:
    """Queue and call exclude each other, and both routes have a dead-letter queue with an alarm."""
    created = set(stack(NotificationTopic=TOPIC, NotificationRoute=route).resources)
    assert ("NotificationCall" in created) == (route == "direct")
    assert ("NotificationQueue" in created) == (route == "queue")
    assert {"NotificationDeadLetters", "NotificationDeadLettersAlarm"} <= created


def test_only_the_topic_may_call_the_projector() -> None:
    """The permission and the subscription name the topic and the projector."""
    assert direct().properties("NotificationPermission") == {
        "Action": "lambda:InvokeFunction",
        "FunctionName": "{Projector.Arn}",
        "Principal": "sns.amazonaws.com",
        "SourceArn": TOPIC,
    }
    assert direct().properties("NotificationCall")["Endpoint"] == "{Projector.Arn}"
    assert direct().properties("NotificationCall")["Protocol"] == "lambda"


def test_a_call_that_fails_three_times_is_kept_in_s3() -> None:
    """Lambda retries an asynchronous call twice, and writes it to the bucket then."""
    retry = direct().properties("NotificationRetry")
    assert (retry["FunctionName"], retry["Qualifier"]) == ("{Projector}", "$LATEST")
    assert retry["MaximumRetryAttempts"] == 2
    assert retry["DestinationConfig"] == {"OnFailure": {"Destination": "{LogBucket.Arn}"}}


def test_the_call_depends_on_its_failure_destination() -> None:
    """The subscription is created after the retry configuration."""
    assert "NotificationRetry" in template()["Resources"]["NotificationCall"]["DependsOn"]


@pytest.mark.parametrize("name", ["NotificationCall", "NotificationSubscription"])
def test_the_topics_failed_deliveries_are_dead_letters(name: str) -> None:
    """Both subscriptions have the dead-letter queue."""
    created = direct() if name == "NotificationCall" else queued()
    assert created.properties(name)["TopicArn"] == TOPIC
    assert created.properties(name)["RedrivePolicy"] == {"deadLetterTargetArn": "{NotificationDeadLetters.Arn}"}


@pytest.mark.parametrize("name", ["NotificationQueue", "NotificationDeadLetters"])
def test_a_queue_is_encrypted_and_accepts_only_the_topic(name: str) -> None:
    """Both queues are encrypted, retain messages for two weeks, and accept messages of the topic only."""
    queue = queued().properties(name)
    (statement,) = queued().properties(f"{name}Policy")["PolicyDocument"]["Statement"]

    assert queue["SqsManagedSseEnabled"] is True
    assert queue["MessageRetentionPeriod"] == TWO_WEEKS_SECONDS
    assert statement == {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": f"{{{name}.Arn}}",
        "Condition": {"ArnEquals": {"aws:SourceArn": TOPIC}},
    }


def test_the_visibility_timeout_is_six_function_timeouts() -> None:
    """docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html recommends six times the function's timeout."""
    queue = queued().properties("NotificationQueue")
    assert queue["VisibilityTimeout"] == 6 * queued().properties("Projector")["Timeout"]


def test_a_message_becomes_a_dead_letter_before_it_expires() -> None:
    """A message is retried for more than four days, and moved before its retention ends."""
    queue = queued().properties("NotificationQueue")
    tried_seconds = queue["RedrivePolicy"]["maxReceiveCount"] * queue["VisibilityTimeout"]

    assert queue["RedrivePolicy"]["deadLetterTargetArn"] == "{NotificationDeadLetters.Arn}"
    assert 4 * 86_400 < tried_seconds < queue["MessageRetentionPeriod"]


def test_only_failed_messages_of_a_batch_are_retried() -> None:
    """The mapping reports batch item failures and has no filter."""
    mapping = queued().properties("NotificationMapping")
    assert mapping["EventSourceArn"] == "{NotificationQueue.Arn}"
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert "FilterCriteria" not in mapping


def test_a_full_queue_uses_two_concurrent_calls_at_most() -> None:
    """A new account has ten concurrent calls for all functions."""
    assert queued().properties("NotificationMapping")["ScalingConfig"] == {"MaximumConcurrency": 2}


@pytest.mark.parametrize("route", ["direct", "queue"])
def test_notifications_can_be_put_into_the_log(route: str) -> None:
    """The projector has the delivery stream and its permission, and reads the queue only if there is one."""
    created = stack(NotificationTopic=TOPIC, NotificationRoute=route)
    assert created.properties("Projector")["Environment"]["Variables"]["MAILFOLD_DELIVERY_STREAM"] == "{DeliveryStream}"
    assert "firehose:PutRecordBatch" in actions(created)
    assert ("sqs:ReceiveMessage" in actions(created)) == (route == "queue")


def test_the_topic_must_be_a_standard_topic() -> None:
    """The pattern of the parameter accepts an ARN or nothing, and no FIFO topic."""
    pattern = template()["Parameters"]["NotificationTopic"]["AllowedPattern"]
    assert re.fullmatch(pattern, TOPIC)
    assert re.fullmatch(pattern, "")
    assert not re.fullmatch(pattern, f"{TOPIC}.fifo")  # SES does not support FIFO topics
