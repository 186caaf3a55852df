"""Tests of `pipeline.row`: an event becomes a row, and a row yields the facts again."""

from typing import Any

import pytest

from pipeline.decode import DECODER_VERSION
from pipeline.event import Poison
from pipeline.fact import facts
from pipeline.row import Diagnosis, FactColumn, Row, event_time, poison_row, row_facts, to_fact, to_row
from pipeline.timestamp import to_ms
from tests.support.builders import (
    ADA,
    BOB,
    FEEDBACK_ID,
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
from tests.support.rows import ARRIVED_AT, a_row
from tests.support.scenario import an_event

COMMON_HEADERS = {"from": ["Ada <ada@example.org>", "bob@example.org"], "subject": "Grüße"}
HEADERS = [
    {"name": "Received", "value": "from a"},
    {"name": "X-Order", "value": "14721"},
    {"name": "received", "value": "from b"},
    {"name": "List-Id", "value": None},
    {"value": "no name"},
]
TAGS = {"ses:configuration-set": ["main"], "ses:tenant-name": ["customer-a"], "campaign": ["a", "b"]}


def test_a_row_contains_the_columns_of_every_event() -> None:
    """All columns that do not depend on the kind are filled."""
    people = [ADA, BOB, f"x{ADA}"]
    event = an_event(
        a_send(destination=people, sourceArn="arn", tags=TAGS, commonHeaders=COMMON_HEADERS, headers=HEADERS)
    )
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
        destinations=(ADA, BOB, f"x{ADA}"),
        recipients=(ADA, BOB, f"x{ADA}"),
        recipient_domains=("example.com", "example.net"),
        from_header="Ada <ada@example.org>, bob@example.org",
        subject="Grüße",
        headers={"received": ["from a", "from b"], "x-order": ["14721"], "list-id": [""]},
        configuration_set="main",
        tenant="customer-a",
        tags=TAGS,
        decoder_version=DECODER_VERSION,
        raw=event.raw.decode(),
    )


def test_a_bounce_names_all_destinations_of_its_mail() -> None:
    """A bounce is about one recipient of a mail that went to three."""
    row = a_row(a_bounce(destination=[f"Ada <{ADA}>", f"{BOB}, no address", ADA.upper()]))
    assert (row.recipients, row.destinations) == ((ADA,), (ADA, BOB))


@pytest.mark.parametrize(
    ("likelihood", "is_bot"),
    [("Likely", "likely"), ("Unlikely", "unlikely"), (None, "unknown"), ("Perhaps", "unknown")],
)
def test_an_open_is_a_machines_a_persons_or_unknown(likelihood: str | None, is_bot: str) -> None:
    """Records before August 2026 do not say."""
    opened = {"timestamp": "2026-03-01T12:00:02.000Z", "isBotEvent": likelihood}
    assert a_row(a_record("Open", {"open": opened})).is_bot == is_bot
    assert a_row(a_send()).is_bot is None


@pytest.mark.parametrize(
    ("occurred", "sent", "expected"),
    [
        (OCCURRED_AT, SENT_AT, OCCURRED_AT),
        (None, SENT_AT, SENT_AT),
        (None, None, ARRIVED_AT),
        (ARRIVED_AT.replace(year=2027), SENT_AT, ARRIVED_AT),
    ],
)
def test_the_event_time_is_never_after_arrival(occurred: Any, sent: Any, expected: Any) -> None:
    """It is the event's own time, else the mail's, else that of the arrival."""
    assert event_time(a_row(occurred_at=occurred, sent_at=sent)) == expected


@pytest.mark.parametrize("kind", one_of_each())
def test_raw_is_the_record_byte_for_byte(kind: str) -> None:
    """The column `raw` is the exact text of the record."""
    record = one_of_each()[kind]
    assert (kind, record) == (a_row(record).event_type, a_row(record).raw.encode())


@pytest.mark.parametrize("kind", one_of_each())
def test_feedback_rows_contain_their_facts(kind: str) -> None:
    """Only bounces and complaints are feedback among SES's types."""
    row = a_row(one_of_each()[kind])
    assert (kind in {"bounce", "complaint"}) is row.is_feedback is bool(row.facts)


def test_a_configuration_set_may_be_missing() -> None:
    """Without the tag, or with an empty one, the column is null."""
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
REPORT = Diagnosis(address=ADA, action="failed", status="5.1.1", diagnostic="smtp; 550 5.1.1 user unknown")
DETAIL_COLUMNS: list[tuple[bytes, dict[str, Any]]] = [
    (
        a_bounce(recipients=[f"Ada <{ADA}>", "no-address"], bounce={"remoteMtaIp": "192.0.2.9"}),
        {
            "bounce_type": "Permanent",
            "bounce_sub_type": "General",
            "feedback_id": FEEDBACK_ID,
            "diagnoses": (
                REPORT,
                Diagnosis(address=None, action="failed", status="5.1.1", diagnostic=REPORT.diagnostic),
            ),
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
        {"ip_address": "192.0.2.1", "user_agent": USER_AGENT, "is_bot": "likely", "link": None},
    ),
    (
        a_record("Click", {"click": {"link": "https://example.org/", "linkTags": {"a": ["b"]}}}),
        {"link": "https://example.org/", "link_tags": {"a": ["b"]}, "is_bot": "unknown"},
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


@pytest.mark.parametrize(("record", "columns"), DETAIL_COLUMNS)
def test_a_row_contains_the_columns_of_its_kind(record: bytes, columns: dict[str, Any]) -> None:
    """The details of each kind fill their own columns."""
    row = a_row(record)
    assert columns == {name: getattr(row, name) for name in columns}


def test_facts_survive_the_conversion_to_columns() -> None:
    """A fact is the same after it was a column."""
    event = an_event(a_decision(action="release", scope="marketing", address="Ada@Example.com"))
    row = to_row(event, arrived_at=ARRIVED_AT)
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
        )
    ] == list(row.facts)
    assert list(facts(event)) == list(row_facts(row)) == [to_fact(row.facts[0])]


def test_poison_becomes_a_row_without_facts() -> None:
    """Bytes that are not text are replaced, and the reason is kept."""
    row = poison_row(Poison(why="broken", raw=b"\xff{"), name="f" * 32, arrived_at=ARRIVED_AT)
    assert (
        row.event_id, row.event_type, row.is_feedback, row.error_message, row.raw, row.arrived_at,
    ) == ("f" * 32, "unknown", False, "broken", "\ufffd{", ARRIVED_AT)  # fmt: skip
    assert list(row_facts(row)) == []
