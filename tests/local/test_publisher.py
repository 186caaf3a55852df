"""The publisher writes what SES would publish: its JSON, tags, ids and times."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import UsageError
from pipeline.event import EventKind
from pipeline.local.ses.email import Email
from pipeline.local.ses.outcome import (
    Bounced,
    Clicked,
    Complained,
    Delayed,
    Delivered,
    Occurrence,
    Opened,
    RejectedMail,
    RenderingFailed,
    Subscribed,
)
from pipeline.local.ses.publisher import Publisher
from tests.support.mails import ANN, BEN, SENT_AT, an_email, an_outcome, decoded, publish_email

EXAMPLES = Path(__file__).parents[2] / "schemas" / "wire" / "examples"
ONE_OF_EACH: dict[str, Occurrence] = {
    "bounce-permanent-general": Bounced(after_ms=2_000, recipients=(ANN,)),
    "complaint-feedback-abuse": Complained(after_ms=2_000, recipients=(ANN,)),
    "delivery": Delivered(after_ms=2_000, recipients=(ANN,)),
    "reject": RejectedMail(),
    "open": Opened(after_ms=2_000),
    "click": Clicked(
        after_ms=2_000, link="https://example.com/", link_tags={"placement": ("header",), "Colour": ("red",)}
    ),
    "rendering-failure": RenderingFailed(template_name="Receipt", error_message="Attribute 'x' is not present."),
    "delivery-delay-transientcommunicationfailure": Delayed(after_ms=2_000, recipients=(ANN,)),
    "subscription": Subscribed(after_ms=2_000, contact_list="readers", topic="digest"),
}
AUTOMATIC_TAGS = {
    "ses:source-tls-version": ["TLSv1.3"],
    "ses:operation": ["SendEmail"],
    "ses:configuration-set": ["mailfold"],
    "ses:source-ip": ["192.0.2.10"],
    "ses:from-domain": ["shop.example"],
    "ses:caller-identity": ["mailfold"],
}


def event_of(occurrence: Occurrence, **fields: Any) -> dict[str, Any]:
    """Return the event of an occurrence, which is the last of its mail."""
    return publish_email(an_email(**fields), outcome=an_outcome(occurrence))[-1]


def keys(value: Any) -> Any:
    """Return the keys of a JSON object in order, with those of nested objects, but not of lists."""
    return {key: keys(inner) for key, inner in value.items()} if isinstance(value, dict) else None


@pytest.mark.parametrize("case", ONE_OF_EACH)
def test_an_event_has_the_keys_of_the_published_example(case: str) -> None:
    """For each event type, keys and their order equal those of AWS's published example."""
    example = json.loads((EXAMPLES / f"v1.{case}.pass.json").read_bytes())
    event = event_of(ONE_OF_EACH[case], tags={"campaign": ("weekly-digest",), "abTest": ("A", "B")})
    assert json.dumps(keys(event)) == json.dumps(keys(example))


def test_a_send_has_the_keys_of_the_published_example() -> None:
    """Keys and their order equal those of AWS's published example."""
    example = json.loads((EXAMPLES / "v1.send.pass.json").read_bytes())
    (event,) = publish_email(an_email(tags={"campaign": ("x",), "abTest": ("A",)}), outcome=an_outcome())
    assert json.dumps(keys(event)) == json.dumps(keys(example))


def test_all_ten_event_types_can_be_published() -> None:
    """The occurrences cover each of SES's event types."""
    kinds = {
        event.kind
        for occurrence in ONE_OF_EACH.values()
        for event in decoded(Publisher(seed=1).publish(an_email(), sent_at=SENT_AT, outcome=an_outcome(occurrence)))
    }
    assert kinds == set(EventKind) - {EventKind.DECISION, EventKind.EVIDENCE, EventKind.UNKNOWN}


def test_a_mail_whose_template_fails_is_not_sent() -> None:
    """A rendering failure has no Send before it."""
    events = publish_email(an_email(), outcome=an_outcome(ONE_OF_EACH["rendering-failure"]))
    assert [event["eventType"] for event in events] == ["Rendering Failure"]


def test_each_event_is_one_line() -> None:
    """An event ends in a line break and contains no other."""
    for event in Publisher(seed=1).publish(an_email("complaint@example.com", subject="Two\nlines"), sent_at=SENT_AT):
        assert event.endswith(b"}\n")
        assert event.count(b"\n") == 1


def test_events_are_in_order_of_time() -> None:
    """Events follow the order of their times, whatever the order of the occurrences."""
    late, early = Complained(after_ms=9_000, recipients=(ANN,)), Delivered(after_ms=800, recipients=(ANN,))
    events = publish_email(an_email(), outcome=an_outcome(late, early))
    assert [event["eventType"] for event in events] == ["Send", "Delivery", "Complaint"]


def test_the_same_seed_yields_the_same_bytes() -> None:
    """Two publishers with the same seed and calls publish the same bytes."""
    first, second = Publisher(seed=7), Publisher(seed=7)
    for _ in range(3):
        email = an_email("bounce+x@example.com", "ooto@example.com", BEN)
        assert first.publish(email, sent_at=SENT_AT) == second.publish(email, sent_at=SENT_AT)


def test_two_mails_have_different_ids() -> None:
    """The same e-mail sent twice has two message ids."""
    ses = Publisher(seed=1)
    first, second = (ses.publish(an_email(), sent_at=SENT_AT) for _ in range(2))
    assert {event.message_id for event in decoded(first)}.isdisjoint(event.message_id for event in decoded(second))


@pytest.mark.parametrize(
    ("region", "prefix", "arn", "host"),
    [
        ("us-east-1", "0100", "arn:aws:ses:us-east-1:", ".smtp-out.amazonses.com"),
        ("eu-central-1", "0107", "arn:aws:ses:eu-central-1:", ".smtp-out.eu-central-1.amazonses.com"),
        ("us-gov-west-1", "010a", "arn:aws-us-gov:ses:us-gov-west-1:", ".smtp-out.us-gov-west-1.amazonses.com"),
        ("cn-north-1", "0100", "arn:aws-cn:ses:cn-north-1:", ".smtp-out.cn-north-1.amazonses.com"),
    ],
)
def test_ids_arns_and_hosts_contain_the_region(region: str, prefix: str, arn: str, host: str) -> None:
    """Message id, ARN and host name have the form of the region, in each AWS partition."""
    event = publish_email(an_email(), by=Publisher(seed=1, account_id="210987654321", region=region))[-1]
    assert event["mail"]["messageId"].startswith(prefix)
    assert event["mail"]["sourceArn"] == f"{arn}210987654321:identity/shop.example"
    assert event["mail"]["sendingAccountId"] == "210987654321"
    assert event["delivery"]["reportingMTA"].endswith(host)


@pytest.mark.parametrize("read", [lambda e: e["mail"]["messageId"], lambda e: e["bounce"]["feedbackId"]])
def test_ids_have_the_shape_of_ses_and_contain_the_time(read: Callable[[dict[str, Any]], str]) -> None:
    """A message or feedback id has SES's groups of digits around the time and a UUID."""
    event = event_of(Bounced(after_ms=0, recipients=(ANN,)))
    prefix, *uuid, zeros = read(event).split("-")
    assert [len(part) for part in uuid] == [8, 4, 4, 4, 12]
    assert (prefix[:4], int(prefix[4:], 16), zeros) == ("0100", int(SENT_AT.timestamp() * 1_000), "000000")
    assert uuid[2][0] == "4"


def test_a_given_message_id_is_kept() -> None:
    """Events have the message id that the sender got from the API."""
    events = Publisher(seed=1).publish(an_email(), sent_at=SENT_AT, message_id="given-id")
    assert {event.message_id for event in decoded(events)} == {"given-id"}


def test_the_destination_is_to_cc_and_bcc() -> None:
    """`destination` lists To, Cc and Bcc in this order, and no header contains Bcc."""
    email = an_email("To <to@example.com>", cc=("cc@example.com",), bcc=("bcc@example.com",), headers=(("Bcc", "x"),))
    mail = publish_email(email)[0]["mail"]
    assert mail["destination"] == ["To <to@example.com>", "cc@example.com", "bcc@example.com"]
    assert {"From", "To", "Cc", "Subject"} == {h["name"] for h in mail["headers"]} & {
        "From",
        "To",
        "Cc",
        "Bcc",
        "Subject",
    }
    assert list(mail["commonHeaders"]) == ["from", "to", "cc", "messageId", "subject"]


def test_common_headers_contain_the_message_id_of_ses() -> None:
    """`commonHeaders` has SES's message id, and not the Message-ID header."""
    details = (("Message-ID", "<own@shop.example>"), ("Date", "Sun, 1 Mar 2026 12:00:00 +0000"))
    mail = publish_email(an_email(headers=details, reply_to=("desk@shop.example",)))[0]["mail"]
    assert {"name": "Message-ID", "value": "<own@shop.example>"} in mail["headers"]
    assert mail["commonHeaders"] == {
        "from": ["Shop <news@shop.example>"],
        "replyTo": ["desk@shop.example"],
        "date": "Sun, 1 Mar 2026 12:00:00 +0000",
        "to": [ANN],
        "messageId": mail["messageId"],
        "subject": "Hello",
    }


@pytest.mark.parametrize("case", ONE_OF_EACH)
def test_all_types_but_open_and_click_have_the_identity(case: str) -> None:
    """`sourceArn` is in each type's `mail` object except those two."""
    assert ("sourceArn" in event_of(ONE_OF_EACH[case])["mail"]) == (case not in {"open", "click"})


@pytest.mark.parametrize("case", ONE_OF_EACH)
def test_only_deliveries_have_the_outgoing_address(case: str) -> None:
    """The tags of the outgoing connection are on deliveries, and the automatic tags on all events."""
    tags = event_of(ONE_OF_EACH[case])["mail"]["tags"]
    assert ({"ses:outgoing-ip", "ses:outgoing-tls-version"} <= set(tags)) == (case == "delivery")
    assert {name: tags[name] for name in AUTOMATIC_TAGS} == AUTOMATIC_TAGS


def test_tags_of_the_user_never_replace_automatic_ones() -> None:
    """The user's tags follow the automatic ones, whose values stay."""
    tags = {"campaign": ("spring", "sale"), "ses:operation": ("Forged",), "ses:feedback-id-a": ("c12",)}
    (event, *_) = publish_email(an_email(tags=tags))
    details = {"campaign": ["spring", "sale"], "ses:feedback-id-a": ["c12"]}
    assert list(event["mail"]["tags"].items()) == [*AUTOMATIC_TAGS.items(), *details.items()]


def test_headers_over_10_kb_are_truncated() -> None:
    """Headers beyond the limit are left out, and `headersTruncated` is true."""
    small, big = (("X-One", "1"),), (("X-One", "1"), ("X-Big", "b" * 10_240), ("X-Two", "2"))
    whole, cut = (publish_email(an_email(headers=headers))[0]["mail"] for headers in (small, big))
    assert (whole["headersTruncated"], cut["headersTruncated"]) == (False, True)
    assert [header["name"] for header in cut["headers"]] == ["From", "To", "Subject", "X-One"]


def test_a_mail_has_at_most_50_recipients() -> None:
    """50 recipients are accepted, and 51 over To, Cc and Bcc are rejected."""
    everyone = [f"reader{number}@example.com" for number in range(51)]
    assert len(publish_email(an_email(*everyone[:50]))[0]["mail"]["destination"]) == 50
    with pytest.raises(UsageError, match="1 to 50 recipients, this one has 51"):
        an_email(*everyone[:20], cc=tuple(everyone[20:40]), bcc=tuple(everyone[40:]))


def test_an_invalid_email_is_rejected_without_its_address() -> None:
    """An e-mail that SES would reject cannot be created, and the message contains no address."""
    with pytest.raises(UsageError, match="1 to 50 recipients, this one has 0"):
        Email(sender="news@shop.example")
    with pytest.raises(UsageError, match="the sender is not an e-mail address"):
        an_email(sender="no-address")
    with pytest.raises(UsageError, match="recipient 2 of 2 is not an e-mail address"):
        an_email(ANN, "no-address")


def test_a_time_without_zone_is_rejected() -> None:
    """Publishing needs an aware time."""
    with pytest.raises(UsageError, match="no time zone"):
        Publisher(seed=1).publish(an_email(), sent_at=datetime(2026, 3, 1))  # noqa: DTZ001 - that is the point


def test_the_processing_time_is_from_sending_to_delivery() -> None:
    """A delivery's processing time and time stamp agree."""
    delivery = event_of(Delivered(after_ms=1_234, recipients=(ANN,)))["delivery"]
    assert (delivery["processingTimeMillis"], delivery["timestamp"]) == (1_234, "2026-03-01T12:00:01.234Z")


def test_times_are_cut_to_milliseconds() -> None:
    """Microseconds of the time of sending are not in the events."""
    events = Publisher(seed=1).publish(an_email(), sent_at=SENT_AT + timedelta(microseconds=999))
    assert {event.sent_at for event in decoded(events)} == {SENT_AT}


def test_suppressed_mail_names_no_remote_server() -> None:
    """A bounce of mail that SES did not send names SES, and no other server."""
    bounce = event_of(Bounced(after_ms=1, recipients=(ANN,), sub_type="OnTenantSuppressionList"))["bounce"]
    assert bounce["reportingMTA"] == "dns; amazonses.com"
    assert "remoteMtaIp" not in bounce
