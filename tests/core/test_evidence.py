"""Tests of `pipeline.evidence`: the time from which an event counts, its status and its texts."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pipeline.evidence import decision_ms, truncate
from pipeline.timestamp import EPOCH, format_time, to_ms
from pipeline.wire import Decision
from tests.support.builders import (
    ABSENT,
    OCCURRED_AT,
    SENT_AT,
    a_bounce,
    a_complaint,
    a_decision,
)
from tests.support.facts import evidence

LAST_TIME = datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC)
NO_DSN = {"action": ABSENT, "status": ABSENT, "diagnosticCode": ABSENT}


@pytest.mark.parametrize(
    ("at_ms", "counted"), [(None, to_ms(OCCURRED_AT)), (5, 5), (to_ms(LAST_TIME), to_ms(LAST_TIME))]
)
def test_a_decision_counts_from_its_hybrid_clock(at_ms: int | None, counted: int) -> None:
    """Without that clock, it counts from its wall time, which is not before 1970."""
    assert counted == evidence(a_decision(atMs=ABSENT if at_ms is None else at_ms)).at_ms
    assert evidence(a_decision(at=EPOCH - timedelta(days=1))).at_ms == 0


@pytest.mark.parametrize("unreadable", [None, "soon"])
def test_a_decision_without_a_readable_time_counts_from_1970(unreadable: str | None) -> None:
    """The decoder refuses such a decision, so this is about the function alone."""
    assert decision_ms(Decision(timestamp=unreadable)) == 0


@pytest.mark.parametrize(
    ("occurred", "sent", "counted"),
    [
        (OCCURRED_AT, SENT_AT, OCCURRED_AT),
        (SENT_AT - timedelta(days=1), SENT_AT, SENT_AT),
        (SENT_AT + timedelta(days=90), SENT_AT, SENT_AT + timedelta(days=90)),
        (LAST_TIME, LAST_TIME, LAST_TIME),
        (SENT_AT + timedelta(days=4_000), SENT_AT, SENT_AT + timedelta(days=90)),
        (OCCURRED_AT, None, OCCURRED_AT),
        (None, SENT_AT, SENT_AT),
    ],
)
def test_an_event_counts_from_the_later_of_its_times(occurred: Any, sent: Any, counted: Any) -> None:
    """The later of event and sending time counts, but at most 90 days after sending."""
    record = a_bounce(bounce={"timestamp": occurred and format_time(occurred)}, timestamp=sent and format_time(sent))
    assert to_ms(counted) == evidence(record).at_ms


def an_id(at: datetime) -> str:
    """Return a feedback id that SES made at a time."""
    return f"0100{to_ms(at):012x}-aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee-000000"


@pytest.mark.parametrize(
    ("feedback_id", "occurred", "counted"),
    [
        (an_id(OCCURRED_AT), OCCURRED_AT + timedelta(days=30), OCCURRED_AT),
        (an_id(OCCURRED_AT), OCCURRED_AT - timedelta(seconds=1), OCCURRED_AT - timedelta(seconds=1)),
        (an_id(SENT_AT), OCCURRED_AT, SENT_AT),
        (an_id(SENT_AT - timedelta(milliseconds=1)), OCCURRED_AT, OCCURRED_AT),
        (an_id(datetime(2010, 1, 1, tzinfo=UTC)), OCCURRED_AT, OCCURRED_AT),
        ("f1", OCCURRED_AT, OCCURRED_AT),
        (
            an_id(OCCURRED_AT).upper().replace("0100", "zzzz"),
            OCCURRED_AT + timedelta(days=1),
            OCCURRED_AT + timedelta(days=1),
        ),
    ],
)
def test_an_event_counts_no_later_than_its_feedback_id(feedback_id: str, occurred: datetime, counted: datetime) -> None:
    """SES's own clock limits a provider's, unless the time in the id is before the sending of the mail."""
    assert to_ms(counted) == evidence(a_bounce(feedback_id=feedback_id, at=occurred)).at_ms


@pytest.mark.parametrize("unreadable", [None, "soon", "1901-01-01T00:00:00.000Z"])
def test_an_event_with_unreadable_times_counts_from_1970(unreadable: str | None) -> None:
    """Evidence of unknown time has time 0, so that any release lifts it."""
    assert evidence(a_bounce(bounce={"timestamp": unreadable}, timestamp=unreadable)).at_ms == 0


@pytest.mark.parametrize(
    ("given", "status"),
    [
        *(("5.1.1", "5.1.1"), ("5.1.1 (bad mailbox)", "5.1.1"), ("5.7.650", "5.7.650"), ("x", ""), ("550", "")),
        *((None, ""), ("15.1.1", ""), ("5.1.1.1", ""), ("5.0.0", "5.0.0")),
    ],
)
def test_the_status_is_the_enhanced_code_alone(given: str | None, status: str) -> None:
    """Only an enhanced status code of RFC 3463 is kept, without text around it."""
    assert status == evidence(a_bounce(person={"status": given, "diagnosticCode": ABSENT})).status


def test_a_number_of_four_parts_is_no_status() -> None:
    """It is a version, or an address of a network."""
    failed = {"status": ABSENT, "diagnosticCode": "550 5.1.1.2 x"}
    assert evidence(a_bounce(person=failed)).status == ""


def test_a_feedback_id_older_than_ses_does_not_count() -> None:
    """It was edited."""
    sent_at, occurred_at = datetime(2000, 1, 1, tzinfo=UTC), datetime(2000, 1, 21, tzinfo=UTC)
    feedback_id = f"0100{to_ms(datetime(2000, 1, 10, tzinfo=UTC)):012x}-aaaaaaaa-bbbb"
    item = evidence(a_bounce(feedback_id=feedback_id, at=occurred_at, timestamp=format_time(sent_at)))
    assert item.at_ms == to_ms(occurred_at)


@pytest.mark.parametrize("limit", [0, 1, 64])
def test_a_text_that_is_missing_is_empty(limit: int) -> None:
    """Whatever its limit."""
    assert truncate(None, limit) == truncate("", limit) == ""


def test_long_texts_are_truncated() -> None:
    """The limit holds for code points and for bytes as JSON."""
    item = evidence(a_bounce(person={"diagnosticCode": "x" * 2_000}, messageId="m" * 300))
    assert (len(item.diagnostic), len(item.message_id)) == (256, 64)
    assert evidence(a_bounce(person={"diagnosticCode": "é" * 2_000})).diagnostic == "é" * 128
    assert evidence(a_bounce(person={"diagnosticCode": '"' * 2_000})).diagnostic == '"' * 128
    assert evidence(a_bounce(person={"diagnosticCode": "\\" * 2_000})).diagnostic == "\\" * 128
    assert len(evidence(a_complaint(complaint={"complaintFeedbackType": "x" * 300})).sub_type) == 64
    assert len(evidence(a_bounce(recipients=[f"{'A' * 300}@example.com"])).spelling) == 256
    assert evidence(a_bounce(person={"diagnosticCode": "x" + "é" * 2_000})).diagnostic == "x" + "é" * 127
