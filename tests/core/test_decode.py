"""A record becomes the event that it is about, in either vocabulary; or is named; or is kept."""

import json
from collections.abc import Iterable
from typing import Any

import pytest

from pipeline.decode import decode
from pipeline.event import Event, EventKind, NotAnEvent, Poison
from tests.support.builders import (
    ABSENT,
    ADA,
    BOB,
    MESSAGE_ID,
    OCCURRED_AT,
    SENT_AT,
    a_bounce,
    a_complaint,
    a_decision,
    a_delivery,
    a_record,
    a_send,
    as_notification,
    dumped,
    in_sns,
    merged,
    one_of_each,
)

CAROL = "carol@example.edu"
TIMELESS = {EventKind.SEND, EventKind.REJECT, EventKind.RENDERING_FAILURE}
each_kind = pytest.mark.parametrize("kind", one_of_each())


def an_event(payload: bytes) -> Event:
    [event] = decode(payload)
    assert isinstance(event, Event)
    return event


def without(record: bytes, *keys: str) -> bytes:
    return dumped(merged(json.loads(record), dict.fromkeys(keys, ABSENT)))


@each_kind
def test_each_type_has_its_kind_time_and_recipients_in_both_vocabularies(kind: str) -> None:
    record = one_of_each()[kind]
    for event in (an_event(record), an_event(as_notification(record))):
        assert kind == event.kind
        assert (SENT_AT if event.kind in TIMELESS else OCCURRED_AT) == event.occurred_at
        assert (event.sent_at, event.message_id, event.recipients, event.unusable) == (SENT_AT, MESSAGE_ID, (ADA,), 0)


@each_kind
def test_the_raw_text_is_kept_byte_for_byte_without_white_space_around_it(kind: str) -> None:
    record = json.dumps(json.loads(one_of_each()[kind]), indent=1).encode()
    assert record == an_event(b" \n" + record + b"\n").raw


@pytest.mark.parametrize(
    ("spelling", "kind"),
    [
        *(("Rendering Failure", EventKind.RENDERING_FAILURE), ("RenderingFailure", EventKind.RENDERING_FAILURE)),
        *(("RENDERING_FAILURE", EventKind.RENDERING_FAILURE), ("rendering failure", EventKind.RENDERING_FAILURE)),
        *(("DELIVERY_DELAY", EventKind.DELIVERY_DELAY), ("Deliverydelay", EventKind.DELIVERY_DELAY)),
        *(("BOUNCE", EventKind.BOUNCE), ("bounce", EventKind.BOUNCE)),
    ],
)
def test_type_names_are_matched_whatever_their_case_and_spaces(spelling: str, kind: EventKind) -> None:
    event = an_event(a_record(spelling, {"failure": {}, "deliveryDelay": {}, "bounce": {}}))
    assert (kind, spelling) == (event.kind, event.type)


def test_event_type_wins_where_both_vocabularies_stand() -> None:
    record = {**json.loads(a_bounce()), "notificationType": "Delivery", "delivery": {}}
    assert an_event(dumped(record)).kind is EventKind.BOUNCE
    assert an_event(dumped({**record, "eventType": None})).kind is EventKind.DELIVERY


def test_an_unknown_type_is_kept_as_it_is() -> None:
    event = an_event(a_record("BrandNew Thing", {"brandNew": {"timestamp": "2026-03-01T12:00:00Z"}}))
    assert (event.kind, event.type, event.details, event.occurred_at) == (
        EventKind.UNKNOWN,
        "BrandNew Thing",
        None,
        None,
    )
    assert event.recipients == (ADA,)


@pytest.mark.parametrize("kind", sorted({*one_of_each()} - {"send", "reject"}))
def test_a_known_type_without_its_own_object_is_poison(kind: str) -> None:
    record = one_of_each()[kind]
    details = next(key for key in json.loads(record) if key not in {"eventType", "mail"})
    for broken in (without(record, details), dumped({**json.loads(record), details: None})):
        [poison] = decode(broken)
        assert isinstance(poison, Poison)
        assert broken == poison.raw


@pytest.mark.parametrize("kind", ["send", "reject"])
def test_send_and_reject_need_no_object_of_their_own(kind: str) -> None:
    assert kind == an_event(without(one_of_each()[kind], kind)).kind


@each_kind
def test_a_record_may_lack_everything_but_its_own_object(kind: str) -> None:
    record = json.loads(one_of_each()[kind])
    details: dict[str, Any] = {key: {} for key in record if key not in {"eventType", "mail"}}
    event = an_event(dumped({"eventType": record["eventType"], **details}))
    assert (kind, None, None, None, ()) == (
        event.kind,
        event.occurred_at,
        event.sent_at,
        event.message_id,
        event.recipients,
    )


@pytest.mark.parametrize(
    "payload",
    [
        dumped({"notificationType": "Received", "mail": {}, "receipt": {}, "content": "…"}),
        dumped({"Records": [{"eventSource": "aws:ses", "ses": {"mail": {}, "receipt": {}}}]}),
        dumped({"mail": {}, "receipt": {}}),
        dumped({"notificationType": "AmazonSnsSubscriptionSucceeded", "message": "You have successfully…"}),
        dumped({"Type": "SubscriptionConfirmation", "Message": "You have chosen to subscribe…", "Token": "t"}),
        dumped({"Type": "UnsubscribeConfirmation", "Message": "You have chosen to deactivate…", "Token": "t"}),
        b"Successfully validated SNS topic for Amazon SES event publishing.",
        in_sns(b"Successfully validated SNS topic for Amazon SES event publishing."),
        dumped({"detail-type": "Advisor Recommendation Status Open", "detail": {"version": "1", "data": {}}}),
        dumped({"detail-type": "Sending Status Disabled", "detail": {"version": "1", "metadata": {}}}),
        dumped({"detail-type": "AWS API Call via CloudTrail", "detail": {"eventName": "SendEmail"}}),
        b"[]",
        b'{"Records":[]}',
    ],
)  # fmt: skip
def test_what_is_not_about_a_sent_email_is_named(payload: bytes) -> None:
    [outcome] = decode(payload)
    assert isinstance(outcome, NotAnEvent)
    assert outcome.why


@pytest.mark.parametrize(
    "payload",
    [
        *(b"", b" ", b"null", b"5", b'"text"', b"{}", b"[5]", b"{oops", b"\xff\xfe", b'{"eventType":{}}'),
        b'{"eventType":""}',
        *(b'{"eventType":null}', b'{"eventType":true}', b'{"Message":5}', b'{"data":"not base64"}', b'{"data":{}}'),
        *(b'{"data":""}', b'{"detail-type":"Email Sent","detail":{}}', b'{"body":"{}"}'),
    ],
)  # fmt: skip
def test_what_cannot_be_understood_is_poison(payload: bytes) -> None:
    [outcome] = decode(payload)
    assert isinstance(outcome, Poison)
    assert outcome.why


def test_a_reason_holds_nothing_of_the_payload() -> None:
    [outcome] = decode(b'{"eventType":"Bounce","mail":{"source":"secret@example.com"}}')
    assert isinstance(outcome, Poison)
    assert "secret" not in outcome.why


RECIPIENTS: list[tuple[bytes, Iterable[str]]] = [
    (a_bounce(recipients=[BOB], destination=[ADA, BOB]), [BOB]),
    (a_bounce(recipients=[], destination=[ADA]), []),
    (a_bounce(recipients=[BOB, ADA, BOB.upper()]), [BOB, ADA]),
    (a_complaint(recipients=[BOB, ADA], destination=[ADA, BOB, CAROL]), [BOB, ADA]),
    (a_complaint(recipients=[], destination=[ADA]), [ADA]),
    (a_complaint(recipients=[], destination=[ADA, f"<{ADA.upper()}>"]), [ADA]),
    (a_complaint(recipients=[], destination=[ADA, BOB]), []),
    (a_delivery(recipients=[BOB], destination=[ADA, BOB]), [BOB]),
    (a_delivery(recipients=[], destination=[ADA, BOB]), [ADA, BOB]),
    (a_record("DeliveryDelay", {"deliveryDelay": {"delayedRecipients": [{"emailAddress": BOB}]}}), [BOB]),
    (a_record("DeliveryDelay", {"deliveryDelay": {}}, destination=[ADA, BOB]), [ADA, BOB]),
    (a_send(destination=[BOB, f"Ada <{ADA}>"]), [BOB, ADA]),
    (a_record("Open", {"open": {}}, destination=[ADA, BOB]), [ADA, BOB]),
    (a_record("Novel", {}, destination=[ADA, BOB]), [ADA, BOB]),
    (a_decision(address=BOB), [BOB]),
]


@pytest.mark.parametrize(("record", "expected"), RECIPIENTS)
def test_recipients_are_whom_the_event_names(record: bytes, expected: Iterable[str]) -> None:
    assert tuple(expected) == an_event(record).recipients


def test_what_is_no_address_is_left_out_and_counted() -> None:
    event = an_event(a_bounce(recipients=["undisclosed", BOB, "", "@"]))
    assert (event.recipients, event.unusable) == ((BOB,), 3)


def test_a_complaint_about_one_of_two_destinations_names_nobody_though_one_is_no_address() -> None:
    assert an_event(a_complaint(recipients=[], destination=[ADA, "undisclosed"])).recipients == ()


@pytest.mark.parametrize(
    "decision",
    [
        *({"id": ABSENT}, {"action": "forget"}, {"action": ABSENT}, {"address": "nobody"}, {"address": ABSENT}),
        *({"decidedAt": "soon"}, {"decidedAt": ABSENT}),
    ],
)
def test_a_decision_that_is_not_whole_is_poison(decision: dict[str, Any]) -> None:
    [outcome] = decode(a_decision(**decision))
    assert isinstance(outcome, Poison)
