"""Leftovers are read in the formats in which Mailfold, Firehose, Lambda and SQS write them."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from pipeline.aws.leftovers.contents import (
    Contents,
    KeptMessage,
    NotALeftover,
    delivery_error_contents,
    failed_call_contents,
    message_contents,
    quarantined_contents,
)
from pipeline.decode import decode
from pipeline.event import Event, Poison
from pipeline.leftover import Place
from tests.support.builders import ADA, a_bounce, a_decision, as_notification, base64, in_eventbridge, in_sns
from tests.support.lambda_events import SHARD, a_kinesis_event, message_id, sequence_number
from tests.support.leftovers import (
    RULE_ATTRIBUTES,
    a_batch_reference,
    a_conversion_error_object,
    a_discarded_batch,
    a_discarded_call,
    a_quarantine_object,
    an_error_object,
)

BINARY = b"\xff\x00 no text"


def lambda_contents(document: dict[str, Any]) -> Contents:
    return failed_call_contents(json.dumps(document).encode(), name="key")


def a_message(body: bytes, **attributes: str) -> KeptMessage:
    return KeptMessage(message_id="m-1", body=body.decode(), attributes=attributes)


def test_an_object_of_the_quarantine_has_one_record() -> None:
    """Reason and position are the projector's, and the bytes are exact."""
    contents = quarantined_contents(a_quarantine_object(BINARY, reason="damaged gzip", position="file:3"), name="key")
    [record] = contents.records
    assert (contents.reason, contents.position, contents.in_log) == ("damaged gzip", "file:3", False)
    assert (record.payload, record.position) == (BINARY, "file:3")


@pytest.mark.parametrize("build", [an_error_object, a_conversion_error_object])
def test_an_object_of_firehose_has_a_record_for_each_row(build: Callable[..., bytes]) -> None:
    """Its reason is Firehose's code and message, and each record is named by its line."""
    contents = delivery_error_contents(build(BINARY, a_bounce()), name="errors/one")
    assert [record.payload for record in contents.records] == [BINARY, a_bounce()]
    assert [record.position for record in contents.records] == ["errors/one:1", "errors/one:2"]
    assert contents.reason == "Lambda.ProcessingFailedStatus: ProcessingFailed status set for record"
    assert not contents.in_log


def test_rows_without_line_breaks_are_read_too() -> None:
    """Firehose writes records one after the other."""
    rows = an_error_object(b"1").strip() + an_error_object(b"2")
    assert [record.payload for record in delivery_error_contents(rows, name="key").records] == [b"1", b"2"]


def test_different_reasons_of_one_object_are_counted() -> None:
    """The first one is shown, without addresses that AWS quotes."""
    rows = [{"rawData": "", "errorCode": "A", "errorMessage": f"no column for {ADA}"}, {"rawData": ""}]
    contents = delivery_error_contents(b"\n".join(json.dumps(row).encode() for row in rows), name="key")
    assert contents.reason == "A: no column for …@…; and 1 other reasons"


def test_a_discarded_batch_has_its_records_and_is_in_the_log() -> None:
    """Each record has its own position; the log received them before the stream did."""
    contents = lambda_contents(a_discarded_batch(BINARY, a_bounce()))
    assert [record.payload for record in contents.records] == [BINARY, a_bounce()]
    assert contents.records[1].position == f"mailfold-feedback {SHARD} {sequence_number(1)}"
    assert contents.position == f"mailfold-feedback {SHARD} {sequence_number(0)} to {sequence_number(1)}"
    assert contents.reason == "Lambda stopped retrying it: RetryAttemptsExhausted"
    assert contents.in_log
    assert contents.reference is None


def test_a_batch_as_an_object_is_read_too() -> None:
    """Lambda's guide shows the payload as a text; an object is the same."""
    document = a_discarded_batch(a_bounce()) | {"payload": a_kinesis_event(a_bounce())}
    assert [record.payload for record in lambda_contents(document).records] == [a_bounce()]


def test_a_batch_without_its_records_is_a_reference() -> None:
    """A failure destination that is no bucket gets shard and sequence numbers alone."""
    contents = lambda_contents(a_batch_reference(2))
    assert contents.records == ()
    assert contents.reference
    assert (contents.reference.shard_id, contents.reference.batch_size) == (SHARD, 2)
    assert contents.reference.end_sequence_number == sequence_number(1)


def test_a_discarded_call_has_its_notification_and_is_not_in_the_log() -> None:
    """The projector puts a notification into the log after the table, in the same envelope."""
    contents = lambda_contents(a_discarded_call(as_notification(a_bounce())))
    [record] = contents.records
    assert json.loads(record.payload) == {"Message": as_notification(a_bounce()).decode()}
    assert record.position == f"feedback {message_id(0)}"
    assert not contents.in_log


def test_a_message_of_the_rule_has_the_reason_of_eventbridge() -> None:
    """EventBridge writes code and message into attributes of the message; an address in them is not shown."""
    message = KeptMessage(
        message_id="m-1", body=in_eventbridge(a_bounce()).decode(), message_attributes=RULE_ATTRIBUTES
    )
    contents = message_contents(message, place=Place.RULE_QUEUE, name="dead-letters m-1")
    assert contents.in_log
    assert contents.reason == (
        "EventBridge could not put it into the stream: NO_PERMISSIONS: The role may not put for …@…"
    )
    [event] = decode(contents.records[0].payload)
    assert isinstance(event, Event)


@pytest.mark.parametrize("body", [a_bounce(), in_sns(as_notification(a_bounce()))])
def test_a_notification_is_not_in_the_log(body: bytes) -> None:
    """Both of raw delivery and in SNS's envelope, it is one event."""
    contents = message_contents(a_message(body), place=Place.NOTIFICATION_QUEUE, name="dead-letters m-1")
    assert not contents.in_log
    [event] = decode(contents.records[0].payload)
    assert isinstance(event, Event)


@pytest.mark.parametrize("place", [Place.RULE_QUEUE, Place.NOTIFICATION_QUEUE])
def test_a_decision_in_a_message_stays_poison(place: Place) -> None:
    """Its author puts a decision into the streams, and nowhere else."""
    contents = message_contents(a_message(a_decision()), place=place, name="dead-letters m-1")
    assert [type(outcome) for outcome in decode(contents.records[0].payload)] == [Poison]


def test_the_queue_says_why_a_notification_is_in_it() -> None:
    """SQS moves a message there after its retries, SNS puts one there that it could not deliver."""
    moved = a_message(b"{}", DeadLetterQueueSourceArn="arn:aws:sqs:us-east-1:1:queue")
    reasons = [
        message_contents(message, place=Place.NOTIFICATION_QUEUE, name="m").reason
        for message in (moved, a_message(b"{}"))
    ]
    assert reasons == ["the projector did not process it before its retries ended", "SNS could not deliver it"]


@pytest.mark.parametrize(
    ("read", "data"),
    [
        (quarantined_contents, b'{"reason": "x", "position": "y"}'),
        (quarantined_contents, b'{"reason": "x", "position": "y", "payload_base64": "?"}'),
        (delivery_error_contents, an_error_object(b"1") + b"and more"),
        (delivery_error_contents, b""),
        (failed_call_contents, b'{"requestContext": {}}'),
        (failed_call_contents, json.dumps(a_discarded_batch(b"1") | {"payload": f"for {ADA}"}).encode()),
        (failed_call_contents, json.dumps(a_discarded_batch(b"1") | {"payload": {"Records": [{}]}}).encode()),
        (failed_call_contents, json.dumps({"requestContext": {}, "requestPayload": {"text": base64(b"1")}}).encode()),
    ],
)
def test_another_format_is_no_leftover(read: Callable[..., Contents], data: bytes) -> None:
    """It is refused whole, so that no part of it is lost by a redrive, and nothing of it is quoted."""
    with pytest.raises(NotALeftover, match=r"^it is not ") as raised:
        read(data, name="key")
    assert "@" not in str(raised.value)
