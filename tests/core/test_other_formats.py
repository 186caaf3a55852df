"""Records in other formats of AWS: Amazon Pinpoint's events, and exports of tables that hold notifications."""

import json
from typing import Any

import pytest

from pipeline.decode import decode, unusable_recipients
from pipeline.event import Event, NotAnEvent, Poison
from pipeline.fact import facts
from tests.support.builders import ADA, BOB, a_bounce, a_send, dumped, in_sns
from tests.support.rows import a_row
from tests.support.scenario import an_event

AT_MS = 1_772_366_402_000
PEOPLE = [{"email_address": ADA}]


def a_pinpoint_event(type_name: str, details: dict[str, Any], **event: Any) -> bytes:
    """Return an e-mail event of Pinpoint's event stream."""
    mail = {"message_id": "m", "destination": [ADA], "from_address": "news@example.org"}
    channel = {"email_channel": {"mail_event": {"mail": mail, **details}}}
    return dumped({"event_type": f"_email.{type_name}", "event_timestamp": AT_MS, "facets": channel, **event})


@pytest.mark.parametrize(
    ("type_name", "details", "kind"),
    [
        ("send", {}, "send"),
        ("delivered", {"delivery": {"smtp_response": "250 ok", "recipients": [ADA]}}, "delivery"),
        (
            "hardbounce",
            {"bounce": {"bounce_type": "Permanent", "bounced_recipients": [{"email_address": ADA}]}},
            "bounce",
        ),
        ("softbounce", {"bounce": {"bounce_type": "Transient", "bounce_sub_type": "MailboxFull"}}, "bounce"),
        ("complaint", {"complaint": {"complained_recipients": PEOPLE}}, "complaint"),
        ("open", {"open": {"ip_address": "192.0.2.1"}}, "open"),
        ("click", {"click": {"link": "https://example.org"}}, "click"),
        ("rejected", {"reject": {"reason": "Bad content"}}, "reject"),
        ("rendering_failure", {"failure": {"template_name": "t"}}, "rendering_failure"),
        ("novel", {}, "unknown"),
    ],
)
def test_an_event_of_pinpoint_is_sess(type_name: str, details: dict[str, Any], kind: str) -> None:
    """Its time is that of the event, and its keys in snake_case are SES's."""
    event = an_event(a_pinpoint_event(type_name, details))
    assert (event.kind, event.message_id, event.mail.source) == (kind, "m", "news@example.org")
    assert [fact.kind for fact in facts(event)] == {"hardbounce": ["hard"], "complaint": ["complaint"]}.get(
        type_name, []
    )


def test_a_feedback_id_makes_it_the_same_event() -> None:
    """Pinpoint sent by way of SES, so an archive of both holds the same bounce twice."""
    ses = json.loads(a_bounce())
    bounce = {
        "bounce_type": "Permanent",
        "feedback_id": ses["bounce"]["feedbackId"],
        "bounced_recipients": [{"email_address": ADA}],
    }
    mail = {"message_id": ses["mail"]["messageId"], "destination": [ADA]}
    facets = {"email_channel": {"mail_event": {"mail": mail, "bounce": bounce}}}
    assert an_event(dumped({"event_type": "_email.hardbounce", "facets": facets})).id == an_event(a_bounce()).id


@pytest.mark.parametrize("facets", [None, {}, {"email_channel": 5}, {"email_channel": {"mail_event": {"mail": "m"}}}])
def test_an_event_of_pinpoint_without_a_mail_is_poison(facets: Any) -> None:
    """It says that it carries an event, and nothing of it can be read."""
    [outcome] = decode(dumped({"event_type": "_email.hardbounce", "facets": facets}))
    assert isinstance(outcome, Poison)


def typed(value: Any) -> Any:
    """Return a value as DynamoDB's JSON writes it."""
    match value:
        case str():
            return {"S": value}
        case None:
            return {"NULL": True}
        case list():
            return {"L": [typed(element) for element in value]}
        case dict():
            return {"M": {name: typed(item) for name, item in value.items()}}
    return {"N": str(value)}


def an_item(**attributes: Any) -> bytes:
    """Return a line of an export to S3."""
    return dumped({"Item": {name: typed(value) for name, value in attributes.items()}})


def an_article_item(message_type: str, **attributes: Any) -> bytes:
    """Return an item of the table of AWS's article about bounces."""
    known = {"SESMessageId": "m", "SnsPublishTime": "2026-03-01T12:00:02.000Z", "SESDestinationAddress": ADA}
    return an_item(SESMessageType=message_type, **known, **attributes)


@pytest.mark.parametrize(
    ("summary", "kinds"),
    [
        (json.dumps([{"emailAddress": ADA, "status": "5.1.1"}]), ["hard"]),
        ([{"emailAddress": ADA, "status": "5.1.1"}, {"emailAddress": BOB, "status": "4.2.2"}], ["hard", "soft"]),
        (json.dumps({"emailAddress": ADA, "status": "4.2.2"}), ["soft"]),
        ([{"emailAddress": ADA}], ["soft"]),
        ("no JSON", []),
        (None, []),
    ],
)
def test_a_bounce_of_the_article_has_the_facts_of_its_summary(summary: Any, kinds: list[str]) -> None:
    """Its type is not kept, so the status of each recipient decides."""
    event = an_event(an_article_item("Bounce", SESbounceSummary=summary))
    assert [fact.kind for fact in facts(event)] == kinds


def test_a_complaint_of_the_article_names_its_destination() -> None:
    """It keeps no recipients of the complaint."""
    event = an_event(an_article_item("Complaint", SESComplaintFeedbackType="abuse", SESFeedbackId="f", n=1, none=None))
    assert [(fact.kind, fact.key.address) for fact in facts(event)] == [("complaint", ADA)]


@pytest.mark.parametrize(("message_type", "kind"), [("Delivery", "delivery"), ("Send", "send"), ("Novel", "unknown")])
def test_other_items_of_the_article_are_events(message_type: str, kind: str) -> None:
    """A type that is not known is kept as SES's own are."""
    assert an_event(an_article_item(message_type, SESsmtpResponse="250 ok")).kind == kind


@pytest.mark.parametrize("record", [a_bounce().decode(), in_sns(a_bounce()).decode()])
def test_an_item_with_a_record_in_an_attribute_is_that_record(record: str) -> None:
    """Many tables hold the notification as one text."""
    assert an_event(an_item(id="1", notification=record)).id == an_event(a_bounce()).id


def test_an_item_without_types_is_read_as_it_is() -> None:
    """Some programs write plain values in place of DynamoDB's."""
    item = {
        "SESMessageType": "Bounce",
        "SESMessageId": "m",
        "SESbounceSummary": [{"emailAddress": ADA, "status": "5.1.1"}],
    }
    assert [fact.kind for fact in facts(an_event(dumped({"Item": item})))] == ["hard"]


def test_an_item_of_another_table_is_poison() -> None:
    """It is not lost, and it is no event."""
    [outcome] = decode(an_item(id="1", order=5))
    assert isinstance(outcome, Poison)


def test_records_below_any_key_are_found() -> None:
    """An object of another program may hold several, as objects or as texts."""
    outcomes = decode(dumped({"id": 1, "first": json.loads(a_bounce()), "second": a_send().decode(), "third": "x"}))
    assert [outcome.kind for outcome in outcomes if isinstance(outcome, Event)] == ["bounce", "send"]


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        ({"messageType": "DATA_MESSAGE"}, Poison),
        ({"messageType": "CONTROL_MESSAGE", "logEvents": []}, NotAnEvent),
        ({"awslogs": {"data": "no base64"}}, Poison),
        ({"awslogs": "x"}, Poison),
        ({"isBase64Encoded": True, "body": "no base64"}, Poison),
        ({"routeKey": "POST /", "body": None}, Poison),
    ],
)
def test_an_envelope_without_its_content_is_described(event: dict[str, Any], kind: type) -> None:
    """What claims to carry records and does not is poison; what announces itself is not an event."""
    assert [type(outcome) for outcome in decode(dumped(event))] == [kind]


def test_a_line_of_a_log_may_be_an_object() -> None:
    """Some log shippers parse each line before they send a batch."""
    logs = {"messageType": "DATA_MESSAGE", "logEvents": [{"message": json.loads(a_bounce())}, "x"]}
    assert [type(outcome) for outcome in decode(dumped(logs))] == [Event, Poison]


def test_unusable_recipients_are_the_fields_as_received() -> None:
    """Fields that name a mailbox are not among them."""
    event = an_event(a_bounce(recipients=[ADA, "?", f"{BOB}, a@b@c"]))
    assert (event.unusable_recipients, unusable_recipients(event)) == (2, ("?", f"{BOB}, a@b@c"))
    assert unusable_recipients(an_event(a_send(destination=["no-address", ADA]))) == ("no-address",)


@pytest.mark.parametrize("headers", ["text", 5, [["Subject", "x"]], [{"name": 5}]])
def test_headers_of_another_form_are_left_out(headers: Any) -> None:
    """They stay in the raw text, and the event is kept."""
    assert a_row(a_bounce(headers=headers)).headers is None
