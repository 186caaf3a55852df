"""An event is one row of the log, of which every column has its place and `raw` loses nothing."""

from datetime import UTC, datetime
from typing import Any

import pytest

from pipeline.decode import DECODER_VERSION, decode
from pipeline.event import Event, Poison
from pipeline.fact import facts
from pipeline.row import Diagnosis, FactColumn, Row, poison_row, row_facts, to_fact, to_row
from pipeline.timestamp import to_ms
from tests.support.builders import (
    ADA,
    BOB,
    MESSAGE_ID,
    OCCURRED_AT,
    SENT_AT,
    USER_AGENT,
    a_bounce,
    a_complaint,
    a_decision,
    a_record,
    a_send,
    one_of_each,
)

ARRIVED_AT = datetime(2026, 3, 1, 13, tzinfo=UTC)
HEADERS = {"subject": "Grüße"}
TAGS = {"ses:configuration-set": ["main"], "campaign": ["a", "b"]}


def an_event(payload: bytes) -> Event:
    [event] = decode(payload)
    assert isinstance(event, Event)
    return event


def a_row(payload: bytes) -> Row:
    return to_row(an_event(payload), arrived_at=ARRIVED_AT)


def test_a_row_holds_what_every_event_has() -> None:
    event = an_event(a_send(destination=[ADA, BOB, f"x{ADA}"], sourceArn="arn", tags=TAGS, commonHeaders=HEADERS))
    assert to_row(event, arrived_at=ARRIVED_AT) == Row(
        event_id=event.id,
        event_type="send",
        ses_type="Send",
        is_feedback=False,
        occurred_at=SENT_AT,
        sent_at=SENT_AT,
        arrived_at=ARRIVED_AT,
        message_id=MESSAGE_ID,
        source="news@example.org",
        source_arn="arn",
        sending_account_id="123456789012",
        recipients=(ADA, BOB, f"x{ADA}"),
        recipient_domains=("example.com", "example.net"),
        subject="Grüße",
        configuration_set="main",
        tags=TAGS,
        decoder_version=DECODER_VERSION,
        raw=event.raw.decode(),
    )


@pytest.mark.parametrize("kind", one_of_each())
def test_raw_is_the_record_byte_for_byte(kind: str) -> None:
    record = one_of_each()[kind]
    assert (kind, record) == (a_row(record).event_type, a_row(record).raw.encode())


@pytest.mark.parametrize("kind", one_of_each())
def test_bounces_and_complaints_are_feedback_and_hold_their_facts(kind: str) -> None:
    kept = a_row(one_of_each()[kind])
    assert (kind in {"bounce", "complaint"}) is kept.is_feedback is bool(kept.facts)


def test_a_configuration_set_may_be_missing() -> None:
    assert a_row(a_send()).configuration_set is None
    assert a_row(a_send(tags={"ses:configuration-set": []})).configuration_set is None


PREFERENCES = {"newTopicPreferences": {"unsubscribeAll": True}}
DELAY = {
    "timestamp": "2026-03-01T12:00:02.000Z",
    "delayType": "MailboxFull",
    "expirationTime": "2026-03-01T13:00:00.000Z",
    "delayedRecipients": [{"emailAddress": ADA, "status": "4.2.2", "diagnosticCode": "full"}],
    "reportingMTA": "mta",
}
SAID = Diagnosis(address=ADA, action="failed", status="5.1.1", diagnostic="smtp; 550 5.1.1 user unknown")
OWN_COLUMNS: list[tuple[bytes, dict[str, Any]]] = [
    (
        a_bounce(recipients=[f"Ada <{ADA}>", "nobody"], bounce={"remoteMtaIp": "192.0.2.9"}),
        {
            "bounce_type": "Permanent",
            "bounce_sub_type": "General",
            "feedback_id": an_event(a_bounce()).details.feedback_id,  # type: ignore[union-attr]  # a bounce has it
            "diagnoses": (SAID, Diagnosis(address=None, action="failed", status="5.1.1", diagnostic=SAID.diagnostic)),
            "reporting_mta": "dsn; a8-50.smtp-out.amazonses.com",
            "remote_mta_ip": "192.0.2.9",
        },
    ),
    (
        a_complaint(complaint={"arrivalDate": "2026-03-01T07:00:00-05:00", "complaintSubType": "x"}),
        {
            "complaint_feedback_type": "abuse",
            "complaint_sub_type": "x",
            "complaint_arrived_at": SENT_AT,
            "user_agent": USER_AGENT,
        },
    ),
    (
        one_of_each()["delivery"],
        {"processing_time_ms": 1_234, "smtp_response": "250 2.6.0 Message received", "remote_mta_ip": None},
    ),
    (
        a_record("DeliveryDelay", {"deliveryDelay": DELAY}),
        {
            "delay_type": "MailboxFull",
            "expires_at": SENT_AT.replace(hour=13),
            "diagnoses": (Diagnosis(address=ADA, action=None, status="4.2.2", diagnostic="full"),),
            "reporting_mta": "mta",
        },
    ),
    (
        a_record("Open", {"open": {"ipAddress": "192.0.2.1", "userAgent": USER_AGENT, "isBotEvent": "Likely"}}),
        {"ip_address": "192.0.2.1", "user_agent": USER_AGENT, "bot_likelihood": "Likely", "link": None},
    ),
    (
        a_record("Click", {"click": {"link": "https://example.org/", "linkTags": {"a": ["b"]}}}),
        {"link": "https://example.org/", "link_tags": {"a": ["b"]}, "bot_likelihood": None},
    ),
    (
        one_of_each()["rendering_failure"],
        {"template_name": "welcome", "error_message": "Attribute 'name' is not present"},
    ),
    (one_of_each()["reject"], {"reject_reason": "Bad content"}),
    (
        a_record("Subscription", {"subscription": {"contactList": "news", "source": "x", **PREFERENCES}}),
        {"contact_list": "news", "subscription_source": "x", "unsubscribed_all": True},
    ),
    (one_of_each()["subscription"], {"unsubscribed_all": None}),
    (a_decision(action="release"), {"decision": "release", "is_feedback": True}),
]


@pytest.mark.parametrize(("record", "columns"), OWN_COLUMNS)
def test_a_row_holds_what_only_its_kind_has(record: bytes, columns: dict[str, Any]) -> None:
    kept = a_row(record)
    assert columns == {name: getattr(kept, name) for name in columns}


def test_facts_are_columns_from_which_they_are_read_back() -> None:
    event = an_event(a_decision(action="release", read=["a"], scope="marketing", address="Ada@Example.com"))
    kept = to_row(event, arrived_at=ARRIVED_AT)
    assert [
        FactColumn(
            address=event.recipients[0],
            scope="marketing",
            fact="release",
            at_ms=to_ms(OCCURRED_AT),
            event_id=event.id,
            message_id="",
            sub_type="",
            status="",
            diagnostic="",
            spelling="Ada@Example.com",
            lifts=("a",),
        )
    ] == list(kept.facts)
    assert list(facts(event)) == list(row_facts(kept)) == [to_fact(kept.facts[0])]


def test_poison_is_a_row_of_its_own() -> None:
    kept = poison_row(Poison(why="broken", raw=b"\xff{"), name="f" * 32, arrived_at=ARRIVED_AT)
    assert (
        kept.event_id, kept.event_type, kept.is_feedback, kept.error_message, kept.raw, kept.arrived_at,
    ) == ("f" * 32, "unknown", False, "broken", "\ufffd{", ARRIVED_AT)  # fmt: skip
    assert list(row_facts(kept)) == []
