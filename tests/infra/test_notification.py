"""Feedback through an SNS topic, directly to the projector or through a queue."""

import re
from typing import Any

import pytest

from tests.support.cloudformation import TOPIC, listed, stack, template

PARTS = [name for name in template()["Resources"] if name.startswith("Notification")]
TWO_WEEKS_SECONDS = 14 * 86_400


def direct() -> Any:
    return stack(NotificationTopic=TOPIC, NotificationRoute="direct")


def queued() -> Any:
    return stack(NotificationTopic=TOPIC)


def actions(created: Any) -> set[str]:
    (policy,) = created.properties("ProjectorRole")["Policies"]
    statements = policy["PolicyDocument"]["Statement"]
    return {action for statement in statements for action in listed(statement["Action"])}


def test_without_a_topic_nothing_of_it_is_made() -> None:
    created = stack()
    assert not set(PARTS) & set(created.resources)
    assert not {action for action in actions(created) if action.startswith(("sqs:", "firehose:"))}
    assert not {name for name in created.outputs if name.startswith("Notification")}


@pytest.mark.parametrize("route", ["direct", "queue"])
def test_only_its_own_way_is_made(route: str) -> None:
    created = set(stack(NotificationTopic=TOPIC, NotificationRoute=route).resources)
    assert ("NotificationCall" in created) == (route == "direct")
    assert ("NotificationQueue" in created) == (route == "queue")
    assert {"NotificationDeadLetters", "NotificationDeadLettersAlarm"} <= created


def test_the_topic_may_call_the_projector_and_no_other_topic_may() -> None:
    assert direct().properties("NotificationPermission") == {
        "Action": "lambda:InvokeFunction",
        "FunctionName": "{Projector.Arn}",
        "Principal": "sns.amazonaws.com",
        "SourceArn": TOPIC,
    }
    assert direct().properties("NotificationCall")["Endpoint"] == "{Projector.Arn}"
    assert direct().properties("NotificationCall")["Protocol"] == "lambda"


def test_a_call_that_failed_three_times_goes_to_s3() -> None:
    retry = direct().properties("NotificationRetry")
    assert (retry["FunctionName"], retry["Qualifier"]) == ("{Projector}", "$LATEST")
    assert retry["MaximumRetryAttempts"] == 2
    assert retry["DestinationConfig"] == {"OnFailure": {"Destination": "{LogBucket.Arn}"}}


def test_no_call_comes_before_its_failure_destination_is_there() -> None:
    assert "NotificationRetry" in template()["Resources"]["NotificationCall"]["DependsOn"]


@pytest.mark.parametrize("name", ["NotificationCall", "NotificationSubscription"])
def test_what_the_topic_itself_cannot_deliver_is_a_dead_letter(name: str) -> None:
    created = direct() if name == "NotificationCall" else queued()
    assert created.properties(name)["TopicArn"] == TOPIC
    assert created.properties(name)["RedrivePolicy"] == {"deadLetterTargetArn": "{NotificationDeadLetters.Arn}"}


@pytest.mark.parametrize("name", ["NotificationQueue", "NotificationDeadLetters"])
def test_a_queue_is_encrypted_keeps_for_two_weeks_and_takes_from_the_topic_alone(name: str) -> None:
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


def test_a_message_is_hidden_for_six_times_as_long_as_a_call_may_take() -> None:
    queue = queued().properties("NotificationQueue")
    assert queue["VisibilityTimeout"] == 6 * queued().properties("Projector")["Timeout"]


def test_a_message_is_tried_for_days_and_then_a_dead_letter_before_it_expires() -> None:
    queue = queued().properties("NotificationQueue")
    tried_seconds = queue["RedrivePolicy"]["maxReceiveCount"] * queue["VisibilityTimeout"]

    assert queue["RedrivePolicy"]["deadLetterTargetArn"] == "{NotificationDeadLetters.Arn}"
    assert 4 * 86_400 < tried_seconds < queue["MessageRetentionPeriod"]


def test_one_bad_message_does_not_bring_the_others_back() -> None:
    mapping = queued().properties("NotificationMapping")
    assert mapping["EventSourceArn"] == "{NotificationQueue.Arn}"
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert "FilterCriteria" not in mapping


def test_a_full_queue_leaves_a_young_account_its_concurrency() -> None:
    assert queued().properties("NotificationMapping")["ScalingConfig"] == {"MaximumConcurrency": 2}


@pytest.mark.parametrize("route", ["direct", "queue"])
def test_what_came_by_the_topic_can_be_put_into_the_log(route: str) -> None:
    created = stack(NotificationTopic=TOPIC, NotificationRoute=route)
    assert created.properties("Projector")["Environment"]["Variables"]["MAILFOLD_DELIVERY_STREAM"] == "{DeliveryStream}"
    assert "firehose:PutRecordBatch" in actions(created)
    assert ("sqs:ReceiveMessage" in actions(created)) == (route == "queue")


def test_the_topic_is_a_standard_topic_by_its_arn() -> None:
    pattern = template()["Parameters"]["NotificationTopic"]["AllowedPattern"]
    assert re.fullmatch(pattern, TOPIC)
    assert re.fullmatch(pattern, "")
    assert not re.fullmatch(pattern, f"{TOPIC}.fifo")  # SES does not support FIFO topics
