"""Tests of `pipeline.logged_event`: a record of the log as one of its recipients sees it."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from pipeline.address import Address
from pipeline.adoption import make_evidence
from pipeline.fact import Fact
from pipeline.logged_event import LoggedEvent, distinct_events, fact_event, logged_events
from pipeline.standing import Evidence, FactKind, Key
from pipeline.timestamp import from_ms, to_ms
from tests.support.builders import (
    ADA,
    BOB,
    MESSAGE_ID,
    OCCURRED_AT,
    SENT_AT,
    a_bounce,
    a_complaint,
    a_decision,
    a_delivery,
    a_send,
    as_notification,
    one_of_each,
)
from tests.support.rows import ARRIVED_AT

HEADERS: dict[str, Any] = {"commonHeaders": {"from": ["News <news@example.org>"], "subject": "Hello"}}


def logged(payload: bytes, *, address: str = ADA, after: timedelta = timedelta()) -> LoggedEvent:
    """Return the only event of a payload."""
    [event] = logged_events(payload, arrived_at=ARRIVED_AT + after, addresses=[Address(address)])
    return event


def test_a_bounce_says_what_the_server_reports_about_the_recipient() -> None:
    """Status and diagnostic are this recipient's, and so are the facts; mail, subject and sender are the mail's."""
    both = a_bounce(recipients=(BOB, ADA), **HEADERS)
    of_bob = both.replace(b"smtp; 550 5.1.1 user unknown", b"smtp; 550 5.7.1 no", 1).replace(b"5.1.1", b"5.7.1", 1)
    event = logged(of_bob)
    assert (event.kind, event.sub_type, event.at, event.arrived_at) == (
        "bounce",
        "Permanent/General",
        OCCURRED_AT,
        ARRIVED_AT,
    )
    assert (event.status, event.diagnostic) == ("5.1.1", "smtp; 550 5.1.1 user unknown")
    assert (event.message_id, event.subject, event.sender) == (MESSAGE_ID, "Hello", "News <news@example.org>")
    assert [(fact.key.address, fact.kind) for fact in event.facts] == [(ADA, FactKind.HARD)]
    assert [fact.kind for fact in logged(of_bob, address=BOB).facts] == [FactKind.BLOCKED]


def test_a_decision_says_who_decided_and_why() -> None:
    """The author, the reason and the batch stay in the record's text and have no effect."""
    event = logged(a_decision(author="gerda", reason="called us", batch="b-1"))
    assert (event.decided_by, event.because, event.batch) == ("gerda", "called us", "b-1")
    assert [fact.kind for fact in event.facts] == [FactKind.SUPPRESS]


@pytest.mark.parametrize("odd", [{"author": 1, "reason": None}, {}])
def test_a_decision_without_an_author_is_shown_without_one(odd: dict[str, Any]) -> None:
    """A field of another type counts as none."""
    event = logged(a_decision(**odd))
    assert (event.decided_by, event.because, event.batch) == ("", "", "")


def test_a_decision_whose_object_is_a_text_has_no_author() -> None:
    """The decoder reads such a record, as Athena writes it; the texts for people do not need more."""
    text = msgspec.json.encode(msgspec.json.decode(a_decision(author="gerda"))["decision"]).decode()
    event = logged(msgspec.json.encode({"eventType": "Decision", "decision": text}))
    assert (event.kind, event.decided_by) == ("decision", "")


def test_every_type_of_event_is_read() -> None:
    """Each has its kind, and the time at which it happened or its mail was sent."""
    kinds = {kind: logged(record) for kind, record in one_of_each().items()}
    assert {kind: event.kind for kind, event in kinds.items()} == {kind: kind for kind in one_of_each()}
    assert all(event.at for event in kinds.values())
    assert kinds["delivery"].diagnostic == "250 2.6.0 Message received"
    assert kinds["reject"].diagnostic == "Bad content"
    assert kinds["rendering_failure"].diagnostic == "Attribute 'name' is not present"
    assert kinds["subscription"].sub_type == "UnsubscribeHeader"


def test_a_record_that_is_no_event_is_left_out() -> None:
    """So is poison, of which the log keeps a row."""
    assert list(logged_events(b"{oops", arrived_at=ARRIVED_AT, addresses=[Address(ADA)])) == []


def test_the_spellings_of_the_address_are_those_of_mail_and_facts() -> None:
    """SES's lists compare by case, so every spelling counts."""
    bounce = a_bounce(recipients=("ADA@example.com",), destination=["Ada <Ada@Example.com>", BOB])
    assert logged(bounce).spellings == ("Ada@Example.com", "ADA@example.com")


def test_copies_of_an_event_are_one() -> None:
    """The first arrival counts, and what only one of the copies has, such as the subject."""
    event, notification = a_bounce(**HEADERS), as_notification(a_bounce())
    later, earlier = logged(event, after=timedelta(seconds=9)), logged(notification)
    for copies in ([later, earlier], [earlier, later], [earlier, later, later]):
        [merged] = distinct_events(copies)
        assert (merged.subject, merged.arrived_at, len(merged.facts)) == ("Hello", ARRIVED_AT, 1)


def test_of_copies_with_another_text_the_fact_that_a_standing_keeps_is_kept() -> None:
    """It is the greatest by all fields."""
    copies = [logged(a_bounce(person={"diagnosticCode": f"550 {text}"})) for text in ("b", "a")]
    [merged] = distinct_events(copies)
    assert [fact.evidence.diagnostic for fact in merged.facts] == ["550 b"]


def test_evidence_of_a_table_is_the_event_that_it_is_evidence_of() -> None:
    """It has that event's id and time; if the log has the event too, they are one, described by the event."""
    bounce = logged(a_bounce(**HEADERS))
    [fact] = bounce.facts
    adopted = logged(make_evidence(fact.key, fact.kind, fact.evidence), after=timedelta(days=1))
    assert (adopted.event_id, adopted.at, adopted.kind) == (bounce.event_id, OCCURRED_AT, "evidence")
    assert (adopted.arrived_at, adopted.facts, adopted.message_id) == (
        ARRIVED_AT + timedelta(days=1),
        (fact,),
        MESSAGE_ID,
    )
    for copies in ([adopted, bounce], [bounce, adopted]):
        [merged] = distinct_events(copies)
        assert (merged.kind, merged.subject, merged.sub_type, merged.facts) == (
            "bounce",
            "Hello",
            "Permanent/General",
            (fact,),
        )


def test_events_are_in_the_order_of_their_time() -> None:
    """An event whose time is unreadable comes by its arrival; one without any time comes first."""
    events = [
        logged(a_delivery()),
        logged(a_complaint(at=OCCURRED_AT + timedelta(hours=1))),
        logged(a_send()),
        LoggedEvent(event_id="arrived", arrived_at=SENT_AT - timedelta(hours=1)),
        LoggedEvent(event_id="timeless"),
        LoggedEvent(event_id="also timeless"),
    ]
    ordered = [event.kind or event.event_id for event in distinct_events(events)]
    assert ordered == ["also timeless", "timeless", "arrived", "send", "delivery", "complaint"]


def test_a_fact_of_the_table_describes_its_event() -> None:
    """Its evidence has the mail, the status and the server's words; a time of 0 is unknown."""
    evidence = Evidence(
        at_ms=to_ms(OCCURRED_AT),
        event_id="e",
        message_id="m",
        sub_type="General",
        status="5.1.1",
        spelling="Ada@x.example",
    )
    event = fact_event(Fact(Key(Address(ADA)), FactKind.HARD, evidence))
    assert (event.kind, event.at, event.arrived_at, event.spellings) == ("", OCCURRED_AT, None, ("Ada@x.example",))
    assert (event.message_id, event.sub_type, event.status) == ("m", "General", "5.1.1")
    unknown = fact_event(Fact(Key(Address(ADA)), FactKind.HARD, Evidence(at_ms=0, event_id="e")))
    assert (unknown.at, from_ms(0) == unknown.at) == (None, False)
