"""The path of feedback: rule, stream, event source mapping and table."""

from typing import Any

import pytest

from pipeline.aws.dynamodb import table_definition
from pipeline.local.eventbridge import FEEDBACK_RULE
from tests.support.cloudformation import CONSUMERS, consumed_by, stack, template

RETENTIONS = template()["Parameters"]["StreamRetentionDays"]["AllowedValues"]
LONGEST_TRIED_SECONDS = 604_800  # Lambda's limit of MaximumRecordAgeInSeconds


def rule() -> Any:
    return stack().properties("FeedbackRule")


def mapping(**parameters: str) -> Any:
    return stack(**parameters).properties("StreamMapping")


def test_the_rule_takes_nothing_but_bounces_and_complaints_of_ses() -> None:
    pattern = rule()["EventPattern"]
    assert pattern["source"] == ["aws.ses"]
    assert pattern["detail-type"] == ["Email Bounced", "Email Complaint Received"]
    assert set(pattern) == {"source", "detail-type", "detail"}
    assert list(pattern["detail"]) == ["mail"]
    assert list(pattern["detail"]["mail"]["tags"]) == ["ses:configuration-set"]


def test_the_rule_never_matches_on_resources() -> None:
    assert "resources" not in rule()["EventPattern"]


def test_the_local_relay_pins_what_the_rule_pins() -> None:
    assert {key: list(values) for key, values in FEEDBACK_RULE.items()} == {
        key: rule()["EventPattern"][key] for key in ("source", "detail-type")
    }


def test_the_rule_is_on_the_default_bus_where_alone_ses_publishes() -> None:
    assert "EventBusName" not in rule()
    assert rule().get("State", "ENABLED") == "ENABLED"


def test_the_rule_spreads_events_over_shards_by_mail_and_sends_them_whole() -> None:
    (target,) = rule()["Targets"]
    assert target["Arn"] == "{FeedbackStream.Arn}"
    assert target["KinesisParameters"] == {"PartitionKeyPath": "$.detail.mail.messageId"}
    assert not {"Input", "InputPath", "InputTransformer"} & set(target)


def test_what_the_rule_cannot_deliver_in_a_day_is_kept_encrypted_for_two_weeks() -> None:
    (target,) = rule()["Targets"]
    assert target["RetryPolicy"] == {"MaximumEventAgeInSeconds": 86_400, "MaximumRetryAttempts": 185}
    assert target["DeadLetterConfig"] == {"Arn": "{RuleDeadLetters.Arn}"}
    assert stack().properties("RuleDeadLetters") == {
        "MessageRetentionPeriod": 14 * 86_400,
        "SqsManagedSseEnabled": True,
    }


def test_the_dead_letter_queue_lets_this_rule_in_and_nobody_else() -> None:
    policy = stack().properties("RuleDeadLettersPolicy")
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert policy["Queues"] == ["{RuleDeadLetters}"]
    assert statement == {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": "{RuleDeadLetters.Arn}",
        "Condition": {"ArnEquals": {"aws:SourceArn": "{FeedbackRule.Arn}"}},
    }


def test_the_stream_is_encrypted() -> None:
    assert stack().properties("FeedbackStream")["StreamEncryption"] == {
        "EncryptionType": "KMS",
        "KeyId": "alias/aws/kinesis",
    }


def test_the_stream_has_one_shard_unless_it_is_told_otherwise() -> None:
    assert stack().properties("FeedbackStream")["ShardCount"] == "1"
    assert stack(StreamShards="3").properties("FeedbackStream")["ShardCount"] == "3"


def test_a_stream_on_demand_has_no_shards_to_count() -> None:
    stream = stack(StreamMode="ON_DEMAND").properties("FeedbackStream")
    assert stream["StreamModeDetails"] == {"StreamMode": "ON_DEMAND"}
    assert "ShardCount" not in stream


def test_by_default_a_record_is_kept_for_seven_days_and_tried_for_six() -> None:
    assert stack().properties("FeedbackStream")["RetentionPeriodHours"] == 7 * 24
    assert mapping()["MaximumRecordAgeInSeconds"] == 6 * 86_400


@pytest.mark.parametrize("days", RETENTIONS)
def test_a_record_is_given_up_and_kept_before_the_stream_forgets_it(days: str) -> None:
    kept_seconds = 3_600 * stack(StreamRetentionDays=days).properties("FeedbackStream")["RetentionPeriodHours"]
    tried_seconds = mapping(StreamRetentionDays=days)["MaximumRecordAgeInSeconds"]

    assert kept_seconds == 86_400 * int(days)
    assert 0 < tried_seconds <= kept_seconds - 4 * 3_600
    assert tried_seconds <= LONGEST_TRIED_SECONDS


def test_a_batch_fails_from_its_first_undone_record_on_and_is_halved_if_the_function_dies() -> None:
    assert mapping()["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping()["BisectBatchOnFunctionError"] is True


def test_retries_end_and_outlast_an_outage() -> None:
    assert mapping()["MaximumRetryAttempts"] == 10_000
    assert mapping()["MaximumRecordAgeInSeconds"] >= 86_400


def test_what_is_given_up_goes_whole_to_s3() -> None:
    assert mapping()["DestinationConfig"] == {"OnFailure": {"Destination": "{LogBucket.Arn}"}}


def test_the_mapping_misses_nothing_of_the_stream() -> None:
    assert mapping()["EventSourceArn"] == "{FeedbackStream.Arn}"
    assert mapping()["FunctionName"] == "{Projector}"
    assert mapping()["StartingPosition"] == "TRIM_HORIZON"
    assert "FilterCriteria" not in mapping()
    assert mapping().get("Enabled", True) is True


@pytest.mark.parametrize("consumer", CONSUMERS)
def test_one_consumer_reads_the_stream(consumer: str) -> None:
    """The functions stay, for what comes by SNS; what the stack stores does not depend on who reads."""
    resources = consumed_by(consumer).resources
    assert ("StreamMapping" in resources) == (consumer == "lambda")
    assert ("ConsumerService" in resources) == (consumer == "container")
    assert {"Projector", "FeedbackStream", "SuppressionTable"} <= set(resources)


def test_the_mapping_counts_what_it_gives_up() -> None:
    assert mapping()["MetricsConfig"] == {"Metrics": ["EventCount"]}


def test_the_table_is_that_of_the_code() -> None:
    table = stack().properties("SuppressionTable")
    definition = table_definition(table["TableName"])
    assert definition.pop("SSESpecification") == {"Enabled": table["SSESpecification"]["SSEEnabled"]}
    assert {name: table[name] for name in definition} == definition


def test_the_table_can_be_brought_back_and_is_not_deleted_by_mistake() -> None:
    table = stack().properties("SuppressionTable")
    assert table["DeletionProtectionEnabled"] is True
    assert table["PointInTimeRecoverySpecification"] == {
        "PointInTimeRecoveryEnabled": True,
        "RecoveryPeriodInDays": 35,
    }


def test_nothing_in_the_table_expires() -> None:
    assert "TimeToLiveSpecification" not in stack().properties("SuppressionTable")


def test_a_stack_made_again_finds_no_table_of_its_new_ones_name() -> None:
    assert stack().properties("SuppressionTable")["TableName"] == "mail-fold-suppression-5af3dc00"
