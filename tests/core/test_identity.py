"""Tests of `pipeline.identity`: copies of an event have one id, and two events have two."""

import json
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.decode import decode
from pipeline.event import Event
from tests.support.builders import (
    ABSENT,
    ADA,
    BOB,
    OCCURRED_AT,
    SENT_AT,
    a_bounce,
    a_click,
    a_complaint,
    a_decision,
    a_delivery,
    a_record,
    a_send,
    an_open,
    as_notification,
    dumped,
    one_of_each,
)
from tests.support.strategies import ENVELOPES, envelopes

LATER = OCCURRED_AT.replace(microsecond=1_000)
TIMES = ("2026-03-01T12:00:02.000Z", "2026-03-01T12:00:02Z", "2026-03-01T13:00:02.000999+01:00", "2026-03-01T12:00:02")
each_kind = pytest.mark.parametrize("record", one_of_each().values(), ids=one_of_each())


def event_id(payload: bytes) -> str:
    [event] = decode(payload)
    assert isinstance(event, Event)
    assert len(event.id) == 32
    assert int(event.id, 16) >= 0
    return event.id


@each_kind
def test_both_vocabularies_have_one_id(record: bytes) -> None:
    """A notification and an event of the same happening are not counted twice."""
    assert event_id(record) == event_id(as_notification(record))


@each_kind
@given(layers=st.lists(envelopes, min_size=1, max_size=2))
def test_no_envelope_changes_the_id(record: bytes, layers: list[str]) -> None:
    """The id comes from the record alone."""
    payload = record
    for layer in layers:
        payload = ENVELOPES[layer](payload)
    assert event_id(record) == event_id(payload)


@each_kind
def test_json_layout_and_unknown_fields_do_not_change_the_id(record: bytes) -> None:
    """Key order differs by feed, and SES adds fields at any time."""
    fields = dict(reversed(json.loads(record).items()))
    assert event_id(record) == event_id(json.dumps({"new": 1, **fields}, indent=2).encode())


def test_the_same_bounce_has_one_id_for_every_form_of_its_time() -> None:
    """Times are compared as moments, cut to milliseconds."""
    ids = {event_id(a_bounce(bounce={"timestamp": time, "feedbackId": ABSENT})) for time in TIMES}
    assert len(ids) == 1


def test_the_order_and_spelling_of_recipients_do_not_change_the_id() -> None:
    """Canonical addresses are sorted before they are hashed."""
    first = event_id(a_bounce(recipients=[ADA, BOB]))
    assert first == event_id(a_bounce(recipients=[BOB, f"Ada <{ADA.upper()}>", ADA]))
    assert event_id(a_delivery(recipients=[ADA, BOB])) == event_id(a_delivery(recipients=[BOB, ADA]))


def test_every_kind_has_its_own_id_for_one_message() -> None:
    """The type is part of the id."""
    ids = [event_id(record) for record in one_of_each().values()]
    assert len(set(ids)) == len(ids) == 10


@pytest.mark.parametrize(
    ("first", "other"),
    [
        (an_open(), an_open(at=LATER)),
        (an_open(), an_open(ip="192.0.2.2")),
        (an_open(), an_open(user_agent="curl")),
        (a_click(), a_click(link="https://example.org/other")),
        (a_bounce(), a_bounce(feedback_id="another")),
        (a_bounce(recipients=[ADA]), a_bounce(recipients=[BOB])),
        (a_complaint(recipients=[ADA]), a_complaint(recipients=[ADA, BOB])),
        (a_delivery(), a_delivery(at=LATER)),
        (a_delivery(recipients=[ADA]), a_delivery(recipients=[BOB])),
        (a_send(), a_send(messageId="another")),
        (a_bounce(), a_bounce(messageId="another")),
        (a_decision(), a_decision(decision_id="1" * 32)),
        (a_record("Novel", {}), a_record("Newer", {})),
    ],
)
def test_two_events_have_two_ids(first: bytes, other: bytes) -> None:
    """Every part that distinguishes events of one message changes the id."""
    assert event_id(first) != event_id(other)


def test_a_feedback_id_precedes_the_time() -> None:
    """Copies of a bounce with different times are one event."""
    assert event_id(a_bounce()) == event_id(a_bounce(at=LATER)) == event_id(a_bounce(timestamp=None))


def test_a_feedback_id_identifies_an_event_without_a_message() -> None:
    """What else the record says does not count then."""
    first, other = (a_bounce(messageId=ABSENT, subject=subject) for subject in ("One", "Two"))
    assert event_id(first) == event_id(other)


def test_without_a_feedback_id_the_time_distinguishes_bounces() -> None:
    """An unreadable time is compared as text."""
    times = [a_bounce(bounce={"timestamp": time, "feedbackId": ABSENT}) for time in ("soon", "later", TIMES[0])]
    assert all(event_id(first) != event_id(other) for first, other in combinations(times, 2))


def test_a_message_has_one_send() -> None:
    """Time and destinations do not change its id."""
    assert event_id(a_send()) == event_id(a_send(timestamp=None, destination=[BOB]))


@pytest.mark.parametrize("type_name", ["Send", "Novel"])
def test_a_record_without_a_message_is_identified_by_its_content(type_name: str) -> None:
    """Key order does not matter, and every value does."""
    first, same, other = (
        dumped({"eventType": type_name, "mail": {}, "x": {"a": 1, "b": 2}}),
        dumped({"x": {"b": 2, "a": 1}, "eventType": type_name, "mail": {}}),
        dumped({"eventType": type_name, "mail": {}, "x": {"a": 1, "b": 3}}),
    )
    assert event_id(first) == event_id(same) != event_id(other)


def test_a_bounce_without_any_id_or_time_is_identified_by_content() -> None:
    """Its mail counts too."""
    bare = {"eventType": "Bounce", "bounce": {"bounceType": "Permanent"}}
    assert event_id(dumped(bare)) != event_id(dumped({**bare, "mail": {"source": ADA}}))


def test_a_decision_keeps_the_id_that_its_client_made() -> None:
    """Dashes and case are removed."""
    decision_id = "01234567-89ab-cdef-0123-456789abcdef"
    assert decision_id.replace("-", "") == event_id(a_decision(decision_id=decision_id.upper()))


def test_any_other_id_of_a_decision_is_hashed() -> None:
    """Address and time do not change it."""
    first = event_id(a_decision(decision_id="ticket 7"))
    assert first == event_id(a_decision(decision_id="ticket 7", address=BOB, at=SENT_AT))
    assert first != event_id(a_decision(decision_id="ticket 8"))
