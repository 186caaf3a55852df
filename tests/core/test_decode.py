"""Tests of `pipeline.decode`: records become events, are ignored with a description, or are poison."""

import json
from collections.abc import Iterable
from typing import Any

import pytest

from pipeline.decode import decode
from pipeline.event import EventKind, NotAnEvent, Poison
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
from tests.support.scenario import an_event

CAROL = "carol@example.edu"
TIMELESS = {EventKind.SEND, EventKind.REJECT, EventKind.RENDERING_FAILURE}
each_kind = pytest.mark.parametrize("kind", one_of_each())


def without(record: bytes, *keys: str) -> bytes:
    return dumped(merged(json.loads(record), dict.fromkeys(keys, ABSENT)))


@each_kind
def test_each_type_decodes_in_both_vocabularies(kind: str) -> None:
    """Kind, times, message and recipients are the same under `eventType` and `notificationType`."""
    record = one_of_each()[kind]
    for event in (an_event(record), an_event(as_notification(record))):
        assert kind == event.kind
        assert (SENT_AT if event.kind in TIMELESS else OCCURRED_AT) == event.occurred_at
        assert (event.sent_at, event.message_id, event.recipients, event.unusable_recipients) == (
            SENT_AT,
            MESSAGE_ID,
            (ADA,),
            0,
        )


@each_kind
def test_raw_is_the_record_byte_for_byte(kind: str) -> None:
    """Only the white space around a record is removed."""
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
def test_type_names_match_without_case_and_separators(spelling: str, kind: EventKind) -> None:
    """Case, spaces and underscores do not matter, and the original spelling is kept."""
    event = an_event(a_record(spelling, {"failure": {}, "deliveryDelay": {}, "bounce": {}}))
    assert (kind, spelling) == (event.kind, event.type)


def test_event_type_precedes_notification_type() -> None:
    """A record with both is of its `eventType`, unless that is null."""
    record = {**json.loads(a_bounce()), "notificationType": "Delivery", "delivery": {}}
    assert an_event(dumped(record)).kind is EventKind.BOUNCE
    assert an_event(dumped({**record, "eventType": None})).kind is EventKind.DELIVERY


def test_an_unknown_type_is_an_event_without_details() -> None:
    """It keeps its name and recipients, and its time is unknown."""
    event = an_event(a_record("BrandNew Thing", {"brandNew": {"timestamp": "2026-03-01T12:00:00Z"}}))
    assert (event.kind, event.type, event.details, event.occurred_at) == (
        EventKind.UNKNOWN,
        "BrandNew Thing",
        None,
        None,
    )
    assert event.recipients == (ADA,)


@pytest.mark.parametrize("kind", sorted({*one_of_each()} - {"send", "reject"}))
def test_a_known_type_without_its_details_is_poison(kind: str) -> None:
    """Missing and null details are poison with all bytes of the record."""
    record = one_of_each()[kind]
    details = next(key for key in json.loads(record) if key not in {"eventType", "mail"})
    for broken in (without(record, details), dumped({**json.loads(record), details: None})):
        [poison] = decode(broken)
        assert isinstance(poison, Poison)
        assert broken == poison.raw


@pytest.mark.parametrize("kind", ["send", "reject"])
def test_send_and_reject_need_no_details(kind: str) -> None:
    """SES has been seen to omit the empty object of these types."""
    assert kind == an_event(without(one_of_each()[kind], kind)).kind


@pytest.mark.parametrize("kind", ["send", "reject"])
def test_a_record_without_mail_and_details_is_poison(kind: str) -> None:
    """A flat row of another archive has a type, but nothing where SES puts it."""
    record = json.loads(one_of_each()[kind])
    [outcome] = decode(dumped({"eventType": record["eventType"], "messageId": "m", "destination": ADA}))
    assert (type(outcome), "the mail is missing" in getattr(outcome, "why", "")) == (Poison, True)


@each_kind
def test_a_record_needs_nothing_but_type_and_details(kind: str) -> None:
    """Every field of mail and details may be missing; a type that has no details needs the mail."""
    record = json.loads(one_of_each()[kind])
    needless = {"eventType"} if kind == "send" else {"eventType", "mail"}
    details: dict[str, Any] = {key: {} for key in record if key not in needless}
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
def test_a_record_that_is_not_about_a_sent_mail_is_no_event(payload: bytes) -> None:
    """Received mail, confirmations and other services' events are ignored with a description."""
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
def test_a_payload_that_cannot_be_decoded_is_poison(payload: bytes) -> None:
    """Poison always states what is wrong with it."""
    [outcome] = decode(payload)
    assert isinstance(outcome, Poison)
    assert outcome.why


def test_a_reason_contains_nothing_of_the_payload() -> None:
    """Reasons end up in logs, so they must not contain an address."""
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
def test_recipients_come_from_details_or_destinations(record: bytes, expected: Iterable[str]) -> None:
    """The details come first; only some types fall back to the mail's destinations."""
    assert tuple(expected) == an_event(record).recipients


def test_unusable_recipients_are_counted() -> None:
    """Recipients that are not addresses are omitted, and their number is kept."""
    event = an_event(a_bounce(recipients=["undisclosed", BOB, "", "@"]))
    assert (event.recipients, event.unusable_recipients) == ((BOB,), 3)


def test_an_unusable_destination_counts_as_a_candidate() -> None:
    """A complaint without recipients has none if there are two destinations, usable or not."""
    assert an_event(a_complaint(recipients=[], destination=[ADA, "undisclosed"])).recipients == ()


@pytest.mark.parametrize(
    "decision",
    [
        *({"id": ABSENT}, {"action": "forget"}, {"action": ABSENT}, {"address": "no-address"}, {"address": ABSENT}),
        *({"decidedAt": "soon"}, {"decidedAt": ABSENT}),
    ],
)
def test_an_incomplete_decision_is_poison(decision: dict[str, Any]) -> None:
    """A decision needs an id, a known action, an address and a time."""
    [outcome] = decode(a_decision(**decision))
    assert isinstance(outcome, Poison)
