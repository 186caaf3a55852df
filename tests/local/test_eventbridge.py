"""The relay from SES to the stream delivers feedback in AWS's envelope, and no other event."""

import json
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from pipeline.decode import decode
from pipeline.errors import UsageError
from pipeline.event import Envelope, Event
from pipeline.local.eventbridge import DETAIL_TYPES, Relay, to_eventbridge_event
from tests.support.builders import (
    MESSAGE_ID,
    a_bounce,
    a_decision,
    a_delivery,
    a_record,
    an_open,
    as_notification,
    one_of_each,
)
from tests.support.fake_kinesis import STREAM, FakeKinesis

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient
    from mypy_boto3_kinesis.type_defs import RecordTypeDef

CONFIGURATION_SET = {"ses:configuration-set": ["marketing"]}


def wrapped(event: bytes) -> bytes:
    return to_eventbridge_event(event, account_id="123456789012", region="eu-west-1")


def a_relay(kinesis: FakeKinesis) -> Relay:
    return Relay(kinesis.client(), stream=STREAM, retry_after_seconds=0)


def decoded(payload: bytes) -> Event:
    (outcome,) = decode(payload)
    assert isinstance(outcome, Event)
    return outcome


def test_the_envelope_has_the_keys_of_aws_in_order() -> None:
    """Keys, their order and their values are those of AWS's envelope."""
    envelope = json.loads(wrapped(a_bounce(tags=CONFIGURATION_SET)))
    assert list(envelope) == [
        "version",
        "id",
        "detail-type",
        "source",
        "account",
        "time",
        "region",
        "resources",
        "detail",
    ]
    assert (envelope["version"], envelope["source"], envelope["detail-type"]) == ("0", "aws.ses", "Email Bounced")
    assert (envelope["account"], envelope["region"]) == ("123456789012", "eu-west-1")
    assert envelope["resources"] == ["arn:aws:ses:eu-west-1:123456789012:configuration-set/marketing"]
    assert len(envelope["time"]) == len("2026-03-01T12:00:00Z")
    assert envelope["time"].endswith("Z")
    assert str(UUID(envelope["id"])) == envelope["id"]


def test_the_envelope_names_no_resource_without_a_configuration_set() -> None:
    """`resources` is empty for mail sent without a configuration set."""
    assert json.loads(wrapped(a_bounce()))["resources"] == []


def test_the_envelope_keeps_the_record_byte_for_byte() -> None:
    """White space, key order, escapes and numbers of SES's record stay as they are."""
    text = b'{"mail" :{"messageId":"m1"}, "x":1.50, "\\u00e9":"\\/",  "eventType":"Bounce","bounce":{}}'
    assert wrapped(text + b"\n").endswith(b'"detail":' + text + b"}")


def test_each_delivery_has_another_id() -> None:
    """The same record in two envelopes has two ids."""
    assert json.loads(wrapped(a_bounce()))["id"] != json.loads(wrapped(a_bounce()))["id"]


@pytest.mark.parametrize("event", one_of_each().values(), ids=one_of_each().keys())
def test_each_event_type_decodes_from_its_envelope(event: bytes) -> None:
    """Each event type has a detail-type, and decodes to the same event as without the envelope."""
    assert json.loads(wrapped(event))["detail-type"] == DETAIL_TYPES[json.loads(event)["eventType"]]
    assert decoded(wrapped(event)).envelopes == (Envelope.EVENTBRIDGE,)
    assert decoded(wrapped(event)).id == decoded(event).id


@pytest.mark.parametrize(
    "event",
    [b"{", b"\xff", b"[]", as_notification(a_bounce()), a_decision()],
    ids=["no JSON", "no UTF-8", "no object", "a notification", "a decision"],
)
def test_other_payloads_are_usage_errors(event: bytes) -> None:
    """A payload that is not a record of event publishing is rejected."""
    with pytest.raises(UsageError):
        wrapped(event)


def test_only_bounces_and_complaints_are_relayed(kinesis: "KinesisClient") -> None:
    """Of one event of each type, only two reach the stream."""
    assert Relay(kinesis, stream=STREAM).deliver(list(one_of_each().values())) == 2
    assert [json.loads(record["Data"])["detail-type"] for record in records_in(kinesis)] == [
        "Email Bounced",
        "Email Complaint Received",
    ]


def test_the_partition_key_is_the_message_id(kinesis: "KinesisClient") -> None:
    """A record has the message id as its key, and the client's region and the account in its envelope."""
    Relay(kinesis, stream=STREAM, account_id="210987654321").deliver([a_bounce()])
    (record,) = records_in(kinesis)
    assert record["PartitionKey"] == MESSAGE_ID
    assert json.loads(record["Data"])["region"] == "eu-west-1"
    assert json.loads(record["Data"])["account"] == "210987654321"


@pytest.mark.parametrize("message_id", [None, "", "m" * 257], ids=["absent", "empty", "longer than a key may be"])
def test_without_a_message_id_the_key_is_the_envelopes_id(kinesis: "KinesisClient", message_id: str | None) -> None:
    """A message id that is missing, empty or too long for a key is replaced by the envelope's id."""
    Relay(kinesis, stream=STREAM).deliver([a_bounce(messageId=message_id)])
    (record,) = records_in(kinesis)
    assert record["PartitionKey"] == json.loads(record["Data"])["id"]


def test_nothing_to_relay_makes_no_call() -> None:
    """Events that the rule does not select cause no PutRecords."""
    kinesis = FakeKinesis()
    assert a_relay(kinesis).deliver([a_delivery(), an_open()]) == 0
    assert kinesis.calls == []


def test_an_unreadable_record_stops_the_whole_call() -> None:
    """If one record is invalid, none of the call is put."""
    kinesis = FakeKinesis()
    with pytest.raises(UsageError):
        a_relay(kinesis).deliver([a_bounce(), b"{"])
    assert kinesis.calls == []


def test_a_missing_stream_makes_dead_letters(kinesis: "KinesisClient") -> None:
    """Records for a stream that does not exist become dead letters with AWS's code."""
    relay = Relay(kinesis, stream="other", retry_after_seconds=0)
    assert relay.deliver([a_bounce(), a_record("Complaint", {"complaint": {}})]) == 0
    assert [letter.error_code for letter in relay.dead_letters] == ["ResourceNotFoundException"] * 2


def records_in(kinesis: "KinesisClient") -> "list[RecordTypeDef]":
    """Return what is in the stream's only shard."""
    iterator = kinesis.get_shard_iterator(
        StreamName=STREAM, ShardId="shardId-000000000000", ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    return kinesis.get_records(ShardIterator=iterator)["Records"]
