"""The path of feedback: rule, stream, event source mapping and table."""

from typing import Any

import pytest

from pipeline.aws.dynamodb import table_definition
from pipeline.local.eventbridge import FEEDBACK_RULE
from tests.infra.test_permission import FULL, TABLES, TABLES_PARAMETER, granted
from tests.support.cloudformation import ACCOUNT, CONSUMERS, REGION, consumed_by, defaults, stack, template

RETENTIONS = template()["Parameters"]["StreamRetentionDays"]["AllowedValues"]
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
LONGEST_TRIED_SECONDS = 604_800  # Lambda's limit of MaximumRecordAgeInSeconds


def rule() -> Any:
    """Return the properties of the feedback rule."""
    return stack().properties("FeedbackRule")


def mapping(**parameters: str) -> Any:
    """Return the properties of the event source mapping."""
    return stack(**parameters).properties("StreamMapping")


def test_the_rule_matches_only_bounces_and_complaints_of_ses() -> None:
    """The pattern has source, detail types and the tag of the configuration set."""
    pattern = rule()["EventPattern"]
    assert pattern["source"] == ["aws.ses"]
    assert pattern["detail-type"] == ["Email Bounced", "Email Complaint Received"]
    assert set(pattern) == {"source", "detail-type", "detail"}
    assert list(pattern["detail"]) == ["mail"]
    assert list(pattern["detail"]["mail"]["tags"]) == ["ses:configuration-set"]


def test_the_rule_does_not_match_on_resources() -> None:
    """SES writes the identity, the set or nothing into `resources`."""
    assert "resources" not in rule()["EventPattern"]


def test_the_local_relay_has_the_pattern_of_the_rule() -> None:
    """Source and detail types of the local EventBridge equal those of the template."""
    assert {key: list(values) for key, values in FEEDBACK_RULE.items()} == {
        key: rule()["EventPattern"][key] for key in ("source", "detail-type")
    }


def test_the_rule_is_on_the_default_bus() -> None:
    """SES publishes to the default bus only."""
    assert "EventBusName" not in rule()
    assert rule().get("State", "ENABLED") == "ENABLED"


def test_events_are_partitioned_by_mail_and_sent_whole() -> None:
    """The partition key is the message ID, and the target receives the unchanged event."""
    (target,) = rule()["Targets"]
    assert target["Arn"] == "{FeedbackStream.Arn}"
    assert target["KinesisParameters"] == {"PartitionKeyPath": "$.detail.mail.messageId"}
    assert not {"Input", "InputPath", "InputTransformer"} & set(target)


def test_undeliverable_events_are_dead_letters_for_two_weeks() -> None:
    """The rule retries for a day, and then uses an encrypted queue."""
    (target,) = rule()["Targets"]
    assert target["RetryPolicy"] == {"MaximumEventAgeInSeconds": 86_400, "MaximumRetryAttempts": 185}
    assert target["DeadLetterConfig"] == {"Arn": "{RuleDeadLetters.Arn}"}
    assert stack().properties("RuleDeadLetters") == {
        "MessageRetentionPeriod": 14 * 86_400,
        "SqsManagedSseEnabled": True,
    }


def test_the_dead_letter_queue_accepts_only_this_rule() -> None:
    """The queue's policy names the rule."""
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
    """The stream uses the AWS-managed KMS key."""
    assert stack().properties("FeedbackStream")["StreamEncryption"] == {
        "EncryptionType": "KMS",
        "KeyId": "alias/aws/kinesis",
    }


def test_the_stream_has_one_shard_by_default() -> None:
    """The parameter changes the number of shards."""
    assert stack().properties("FeedbackStream")["ShardCount"] == "1"
    assert stack(StreamShards="3").properties("FeedbackStream")["ShardCount"] == "3"


def test_an_on_demand_stream_has_no_shard_count() -> None:
    """CloudFormation rejects a shard count in this mode."""
    stream = stack(StreamMode="ON_DEMAND").properties("FeedbackStream")
    assert stream["StreamModeDetails"] == {"StreamMode": "ON_DEMAND"}
    assert "ShardCount" not in stream


def test_the_default_retention_is_seven_days() -> None:
    """A record is retained for seven days, and retried for six."""
    assert stack().properties("FeedbackStream")["RetentionPeriodHours"] == 7 * 24
    assert mapping()["MaximumRecordAgeInSeconds"] == 6 * 86_400


@pytest.mark.parametrize("days", RETENTIONS)
def test_retries_end_hours_before_the_retention(days: str) -> None:
    """A record is retried for hours less than it is retained, and within Lambda's limit."""
    kept_seconds = 3_600 * stack(StreamRetentionDays=days).properties("FeedbackStream")["RetentionPeriodHours"]
    tried_seconds = mapping(StreamRetentionDays=days)["MaximumRecordAgeInSeconds"]

    assert kept_seconds == 86_400 * int(days)
    assert 0 < tried_seconds <= kept_seconds - 4 * 3_600
    assert tried_seconds <= LONGEST_TRIED_SECONDS


def test_batches_report_failures_and_are_bisected() -> None:
    """The mapping retries from the first failed record, and bisects a batch if the function crashes."""
    assert mapping()["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping()["BisectBatchOnFunctionError"] is True


def test_only_the_age_of_a_record_limits_its_retries() -> None:
    """Fast refusals would use up any number of attempts long before an outage ends."""
    assert mapping()["MaximumRetryAttempts"] == -1
    assert mapping()["MaximumRecordAgeInSeconds"] >= 86_400


def test_discarded_batches_are_kept_whole_in_s3() -> None:
    """The failure destination is the bucket, which receives whole records."""
    assert mapping()["DestinationConfig"] == {"OnFailure": {"Destination": "{LogBucket.Arn}"}}


def test_the_mapping_reads_the_whole_stream() -> None:
    """The mapping is enabled, starts at the oldest record and has no filter."""
    assert mapping()["EventSourceArn"] == "{FeedbackStream.Arn}"
    assert mapping()["FunctionName"] == "{Projector}"
    assert mapping()["StartingPosition"] == "TRIM_HORIZON"
    assert "FilterCriteria" not in mapping()
    assert mapping().get("Enabled", True) is True


@pytest.mark.parametrize("consumer", CONSUMERS)
def test_one_consumer_reads_the_stream(consumer: str) -> None:
    """The functions remain for notifications of SNS. Stateful resources do not depend on the consumer."""
    resources = consumed_by(consumer).resources
    assert ("StreamMapping" in resources) == (consumer == "lambda")
    assert ("ConsumerService" in resources) == (consumer == "container")
    assert {"Projector", "FeedbackStream", "SuppressionTable"} <= set(resources)


@pytest.mark.parametrize("factor", ["10", "4"])
def test_a_shard_is_projected_by_concurrent_calls(factor: str) -> None:
    """The projection does not depend on order. New accounts have ten calls in all."""
    assert mapping(ParallelizationFactor=factor)["ParallelizationFactor"] == factor
    assert defaults()["ParallelizationFactor"] == "10"


def test_the_mapping_publishes_event_counts() -> None:
    """The alarms on discarded batches and on an unread stream need these metrics."""
    assert mapping()["MetricsConfig"] == {"Metrics": ["EventCount"]}


def test_the_table_has_the_definition_of_the_code() -> None:
    """Keys, attributes and billing equal those of the table that the code creates."""
    table = stack().properties("SuppressionTable")
    definition = table_definition(table["TableName"])
    assert table["SSESpecification"] == {"SSEEnabled": False}  # as if it were left out
    assert {name: table[name] for name in definition} == definition


def test_the_table_is_protected_and_recoverable() -> None:
    """Deletion protection and point-in-time recovery are on."""
    table = stack().properties("SuppressionTable")
    assert table["DeletionProtectionEnabled"] is True
    assert table["PointInTimeRecoverySpecification"] == {
        "PointInTimeRecoveryEnabled": True,
        "RecoveryPeriodInDays": 35,
    }


def test_the_table_can_have_a_key_of_the_customer() -> None:
    """Everything that reads or writes the table may use the key, through DynamoDB only."""
    keyed = stack(TableKey=KEY)
    consumer = consumed_by("elsewhere", TableKey=KEY).properties("ConsumerPolicy")
    (projector,) = keyed.properties("ProjectorRole")["Policies"]
    assert keyed.properties("SuppressionTable")["SSESpecification"] == {
        "SSEEnabled": True,
        "SSEType": "KMS",
        "KMSMasterKeyId": KEY,
    }
    for policy, writes in ((projector, True), (consumer, True), (keyed.properties("SenderPolicy"), False)):
        [allowed] = [
            statement for statement in policy["PolicyDocument"]["Statement"] if "kms:Decrypt" in statement["Action"]
        ]
        assert allowed["Resource"] == KEY
        assert ("kms:GenerateDataKey" in allowed["Action"]) == writes
        assert allowed["Condition"] == {"StringEquals": {"kms:ViaService": f"dynamodb.{REGION}.amazonaws.com"}}


def test_senders_in_other_accounts_can_look_up() -> None:
    """The table's policy allows the given accounts to read items by key, and nothing else."""
    table = stack(SenderAccounts="210987654321, 111111111111").properties("SuppressionTable")
    (statement,) = table["ResourcePolicy"]["PolicyDocument"]["Statement"]
    assert statement["Principal"] == {"AWS": ["210987654321", "111111111111"]}
    assert statement["Action"] == ["dynamodb:BatchGetItem", "dynamodb:GetItem"]
    assert statement["Resource"] == f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{table['TableName']}"
    assert "ResourcePolicy" not in stack().properties("SuppressionTable")


def test_nothing_in_the_table_expires() -> None:
    """The table has no time to live."""
    assert "TimeToLiveSpecification" not in stack().properties("SuppressionTable")


def test_the_table_name_contains_a_part_of_the_stack_id() -> None:
    """A new stack of the same name does not collide with the retained table."""
    assert stack().properties("SuppressionTable")["TableName"] == "mail-fold-suppression-5af3dc00"


def test_a_sender_can_only_look_up() -> None:
    """The policy allows reads of the tables, of the live table's name, and of the key that finds erased people."""
    assert set(granted(FULL.properties("SenderPolicy")["PolicyDocument"])) == {
        ("dynamodb:BatchGetItem", TABLES),
        ("dynamodb:GetItem", TABLES),
        ("ssm:GetParameter", TABLES_PARAMETER),
        ("ssm:GetParameter", TABLES_PARAMETER.replace("/tables", "/erasure-key")),
    }
    assert FULL.outputs["SenderPolicyArn"]["Value"] == "{SenderPolicy}"
