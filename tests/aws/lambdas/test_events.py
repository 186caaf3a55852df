"""Events of the projector: each record is its payload, its position, and Lambda's identifier."""

from typing import Any

import pytest

from pipeline.aws.lambdas.events import EventSource, read_batch
from pipeline.decode import decode
from pipeline.errors import UsageError
from pipeline.event import Poison
from tests.support.builders import a_bounce, a_complaint, dumped, in_eventbridge, in_sns
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


def test_a_kinesis_record_has_its_shard_and_sequence_number() -> None:
    """Lambda identifies it by its sequence number."""
    batch = read_batch(a_kinesis_event(*PAYLOADS))
    assert batch.source is EventSource.KINESIS
    assert [record.payload for record in batch.records] == PAYLOADS
    assert batch.records[1].position == f"mailfold-feedback {SHARD} {sequence_number(1)}"
    assert batch.ids == [sequence_number(0), sequence_number(1)]


def test_an_sqs_message_has_its_body_and_id() -> None:
    """Its position names queue and message."""
    batch = read_batch(an_sqs_event(*PAYLOADS))
    assert batch.source is EventSource.SQS
    assert [record.payload for record in batch.records] == [dumped({"Body": body.decode()}) for body in PAYLOADS]
    assert batch.records[1].position == f"mailfold-NotificationQueue-1A2B {message_id(1)}"
    assert batch.ids == [message_id(0), message_id(1)]


def test_an_sns_notification_has_its_message_and_id() -> None:
    """Its position names topic and message."""
    batch = read_batch(an_sns_event(*PAYLOADS))
    assert batch.source is EventSource.SNS
    assert [record.payload for record in batch.records] == [dumped({"Message": text.decode()}) for text in PAYLOADS]
    assert batch.records[1].position == f"feedback {message_id(1)}"
    assert batch.ids == [message_id(0), message_id(1)]


@pytest.mark.parametrize("event", [an_sqs_event(b"?"), an_sns_event(b"?")], ids=["sqs", "sns"])
def test_a_lone_surrogate_is_kept(event: dict[str, Any]) -> None:
    """UTF-8 cannot encode it, so it stays an escape, which `decode` reports."""
    record = event["Records"][0]
    (record if "body" in record else record["Sns"])["body" if "body" in record else "Message"] = "\ud83d"
    [outcome] = decode(read_batch(event).records[0].payload)
    assert (type(outcome), outcome.raw) == (Poison, "\N{REPLACEMENT CHARACTER}".encode())


def test_an_event_may_have_no_records() -> None:
    """Then there is nothing to do."""
    assert not read_batch({"Records": []}).records


@pytest.mark.parametrize(
    ("event", "invoker"),
    [
        ({"Records": [{"eventSource": "aws:s3", "s3": {}}]}, "aws:s3"),
        ({"Records": [{"eventSource": "aws:dynamodb"}]}, "aws:dynamodb"),
        ({"version": "0", "source": "aws.ses", "detail-type": "Email Bounced", "detail": {}}, "EventBridge"),
        (a_firehose_event(a_bounce()), "an unknown source"),
        ({"key1": "value1"}, "an unknown source"),
        ({"Records": [1]}, "an unknown source"),
        ({"Records": {}}, "an unknown source"),
        ([in_eventbridge(a_bounce()).decode()], "an unknown source"),
    ],
)
def test_another_event_names_its_source_and_the_remedy(event: Any, invoker: str) -> None:
    """A trigger of another kind is a mistake that its owner must correct."""
    with pytest.raises(
        UsageError, match=f"invoked by {invoker}, .* connect only a Kinesis stream, an SQS queue or an SNS topic"
    ):
        read_batch(event)
