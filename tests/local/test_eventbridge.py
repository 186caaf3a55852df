"""The relay from SES to the stream delivers AWS's envelope of feedback, and loses nothing in silence."""

import json
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from botocore.exceptions import EndpointConnectionError

from pipeline.decode import decode
from pipeline.errors import UsageError
from pipeline.event import Envelope, Event
from pipeline.local.eventbridge import DETAIL_TYPES, Relay, to_eventbridge_event
from pipeline.local.kinesis_target import PUT_ATTEMPTS, DeadLetter
from tests.support.builders import (
    MESSAGE_ID,
    a_bounce,
    a_complaint,
    a_decision,
    a_delivery,
    a_record,
    an_open,
    as_notification,
    one_of_each,
)
from tests.support.fake_kinesis import STREAM, FakeKinesis, an_error

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


def test_envelope_has_the_keys_of_aws_in_its_order() -> None:
    found = json.loads(wrapped(a_bounce(tags=CONFIGURATION_SET)))
    assert list(found) == [
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
    assert (found["version"], found["source"], found["detail-type"]) == ("0", "aws.ses", "Email Bounced")
    assert (found["account"], found["region"]) == ("123456789012", "eu-west-1")
    assert found["resources"] == ["arn:aws:ses:eu-west-1:123456789012:configuration-set/marketing"]
    assert len(found["time"]) == len("2026-03-01T12:00:00Z")
    assert found["time"].endswith("Z")
    assert str(UUID(found["id"])) == found["id"]


def test_envelope_names_no_resource_for_mail_sent_without_a_configuration_set() -> None:
    assert json.loads(wrapped(a_bounce()))["resources"] == []


def test_envelope_keeps_the_record_byte_for_byte() -> None:
    """Odd white space, key order, escapes and numbers are SES's business."""
    text = b'{"mail" :{"messageId":"m1"}, "x":1.50, "\\u00e9":"\\/",  "eventType":"Bounce","bounce":{}}'
    assert wrapped(text + b"\n").endswith(b'"detail":' + text + b"}")


def test_every_delivery_has_an_id_of_its_own() -> None:
    assert json.loads(wrapped(a_bounce()))["id"] != json.loads(wrapped(a_bounce()))["id"]


@pytest.mark.parametrize("event", one_of_each().values(), ids=one_of_each().keys())
def test_every_type_has_a_detail_type_and_decodes_out_of_its_envelope(event: bytes) -> None:
    assert json.loads(wrapped(event))["detail-type"] == DETAIL_TYPES[json.loads(event)["eventType"]]
    assert decoded(wrapped(event)).envelopes == (Envelope.EVENTBRIDGE,)
    assert decoded(wrapped(event)).id == decoded(event).id


@pytest.mark.parametrize(
    "event",
    [b"{", b"\xff", b"[]", as_notification(a_bounce()), a_decision()],
    ids=["no JSON", "no UTF-8", "no object", "a notification", "a decision"],
)
def test_what_is_no_record_of_event_publishing_is_refused(event: bytes) -> None:
    with pytest.raises(UsageError):
        wrapped(event)


def test_only_bounces_and_complaints_are_relayed(kinesis: "KinesisClient") -> None:
    assert Relay(kinesis, stream=STREAM).deliver(list(one_of_each().values())) == 2
    assert [json.loads(record["Data"])["detail-type"] for record in records_in(kinesis)] == [
        "Email Bounced",
        "Email Complaint Received",
    ]


def test_relayed_records_carry_the_message_id_as_their_key_and_the_clients_region(kinesis: "KinesisClient") -> None:
    Relay(kinesis, stream=STREAM, account_id="210987654321").deliver([a_bounce()])
    (record,) = records_in(kinesis)
    assert record["PartitionKey"] == MESSAGE_ID
    assert json.loads(record["Data"])["region"] == "eu-west-1"
    assert json.loads(record["Data"])["account"] == "210987654321"


@pytest.mark.parametrize("message_id", [None, "", "m" * 257], ids=["absent", "empty", "longer than a key may be"])
def test_without_a_usable_message_id_the_key_is_the_id_of_the_delivery(
    kinesis: "KinesisClient", message_id: str | None
) -> None:
    Relay(kinesis, stream=STREAM).deliver([a_bounce(messageId=message_id)])
    (record,) = records_in(kinesis)
    assert record["PartitionKey"] == json.loads(record["Data"])["id"]


def test_nothing_to_relay_makes_no_call() -> None:
    kinesis = FakeKinesis()
    assert a_relay(kinesis).deliver([a_delivery(), an_open()]) == 0
    assert kinesis.calls == []


def test_one_unreadable_record_among_others_puts_none_of_them() -> None:
    kinesis = FakeKinesis()
    with pytest.raises(UsageError):
        a_relay(kinesis).deliver([a_bounce(), b"{"])
    assert kinesis.calls == []


def test_more_than_500_records_take_several_calls() -> None:
    kinesis = FakeKinesis()
    assert a_relay(kinesis).deliver([a_bounce()] * 1_001) == 1_001
    assert [len(call) for call in kinesis.put_calls] == [500, 500, 1]


def test_no_call_is_larger_than_5_mebibytes() -> None:
    kinesis = FakeKinesis()
    assert a_relay(kinesis).deliver([a_bounce(padding="x" * 700_000)] * 8) == 8
    assert [len(call) for call in kinesis.put_calls] == [7, 1]


def test_an_oversized_record_is_a_dead_letter_and_harms_no_other() -> None:
    kinesis = FakeKinesis()
    relay = a_relay(kinesis)
    assert relay.deliver([a_bounce(padding="x" * 2**20), a_complaint()]) == 1
    assert [letter.error_code for letter in relay.dead_letters] == ["ValidationException"]


def test_of_a_partly_refused_call_only_the_refused_records_are_put_again() -> None:
    refusals = iter([None, "ProvisionedThroughputExceededException", None])
    kinesis = FakeKinesis(refuse=lambda _key, _data: next(refusals, None))
    relay = a_relay(kinesis)
    assert relay.deliver([a_bounce(subject="1"), a_bounce(subject="2"), a_bounce(subject="3")]) == 3
    first, second = kinesis.put_calls
    assert second == [first[1]]
    assert relay.dead_letters == []


def test_what_is_refused_again_and_again_becomes_a_dead_letter() -> None:
    kinesis = FakeKinesis(refuse=lambda _key, data: "InternalFailure" if b"unlucky" in data else None)
    relay = a_relay(kinesis)
    assert relay.deliver([a_bounce(messageId="m1"), a_bounce(messageId="unlucky")]) == 1
    assert len(kinesis.put_calls) == PUT_ATTEMPTS
    assert relay.dead_letters == [DeadLetter(data=kinesis.put_calls[-1][0], error_code="InternalFailure")]
    assert decoded(relay.dead_letters[0].data).message_id == "unlucky"


@pytest.mark.parametrize(
    "outage",
    [an_error("InternalFailure"), EndpointConnectionError(endpoint_url="http://127.0.0.1:1")],
    ids=["an answer with an error", "no answer"],
)
def test_a_stream_that_is_away_for_a_moment_loses_nothing(outage: Exception) -> None:
    kinesis = FakeKinesis()
    kinesis.outages = [outage, outage]
    relay = a_relay(kinesis)
    assert relay.deliver([a_bounce()]) == 1
    assert relay.dead_letters == []


def test_a_stream_that_is_not_there_makes_dead_letters(kinesis: "KinesisClient") -> None:
    relay = Relay(kinesis, stream="other", retry_after_seconds=0)
    assert relay.deliver([a_bounce(), a_record("Complaint", {"complaint": {}})]) == 0
    assert [letter.error_code for letter in relay.dead_letters] == ["ResourceNotFoundException"] * 2


def records_in(kinesis: "KinesisClient") -> "list[RecordTypeDef]":
    """Return what is in the stream's only shard."""
    iterator = kinesis.get_shard_iterator(
        StreamName=STREAM, ShardId="shardId-000000000000", ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    return kinesis.get_records(ShardIterator=iterator)["Records"]
