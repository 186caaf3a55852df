"""Whoever calls the projector, each record is its payload, its place, and the name that Lambda is answered."""

from typing import Any

import pytest

from pipeline.aws.lambdas.events import EventSource, read_batch
from pipeline.errors import UsageError
from tests.support.builders import a_bounce, a_complaint, in_eventbridge, in_sns
from tests.support.lambda_events import (
    SHARD,
    a_firehose_event,
    a_kinesis_event,
    an_sns_event,
    an_sqs_event,
    message_id,
    sequence_number,
)

PAYLOADS = [a_bounce(), in_sns(a_complaint())]


def test_a_record_of_a_stream_has_its_shard_and_sequence_number() -> None:
    batch = read_batch(a_kinesis_event(*PAYLOADS))
    assert batch.source is EventSource.KINESIS
    assert [record.payload for record in batch.records] == PAYLOADS
    assert batch.records[1].position == f"mailfold-feedback {SHARD} {sequence_number(1)}"
    assert batch.ids == [sequence_number(0), sequence_number(1)]


def test_a_message_of_a_queue_has_its_body_and_its_id() -> None:
    batch = read_batch(an_sqs_event(*PAYLOADS))
    assert batch.source is EventSource.SQS
    assert [record.payload for record in batch.records] == PAYLOADS
    assert batch.records[1].position == f"mailfold-NotificationQueue-1A2B {message_id(1)}"
    assert batch.ids == [message_id(0), message_id(1)]


def test_a_notification_of_a_topic_has_its_message_and_its_id() -> None:
    batch = read_batch(an_sns_event(*PAYLOADS))
    assert batch.source is EventSource.SNS
    assert [record.payload for record in batch.records] == PAYLOADS
    assert batch.records[1].position == f"feedback {message_id(1)}"
    assert batch.ids == [message_id(0), message_id(1)]


@pytest.mark.parametrize("event", [an_sqs_event(b"?"), an_sns_event(b"?")], ids=["sqs", "sns"])
def test_half_a_surrogate_pair_is_kept_for_decoding_to_judge(event: dict[str, Any]) -> None:
    record = event["Records"][0]
    (record if "body" in record else record["Sns"])["body" if "body" in record else "Message"] = "\ud83d"
    assert read_batch(event).records[0].payload == b"\xed\xa0\xbd"


def test_without_records_there_is_nothing_to_do() -> None:
    assert not read_batch({"Records": []}).records


@pytest.mark.parametrize(
    ("event", "caller"),
    [
        ({"Records": [{"eventSource": "aws:s3", "s3": {}}]}, "aws:s3"),
        ({"Records": [{"eventSource": "aws:dynamodb"}]}, "aws:dynamodb"),
        ({"version": "0", "source": "aws.ses", "detail-type": "Email Bounced", "detail": {}}, "EventBridge"),
        (a_firehose_event(a_bounce()), "somebody who sends no records"),
        ({"key1": "value1"}, "somebody who sends no records"),
        ({"Records": [1]}, "somebody who sends no records"),
        ({"Records": {}}, "somebody who sends no records"),
        ([in_eventbridge(a_bounce()).decode()], "somebody who sends no records"),
    ],
)
def test_anything_else_is_wrongly_connected_and_it_is_said_what_came_and_what_to_do(event: Any, caller: str) -> None:
    with pytest.raises(
        UsageError, match=f"called by {caller}, .* connect a Kinesis stream, an SQS queue or an SNS topic"
    ):
        read_batch(event)
