"""What an application sends with boto3's `ses` or `sesv2` becomes the events that SES would publish."""

from collections.abc import Callable
from typing import Any

import pytest

from pipeline.event import EventKind
from tests.support.ses_cloud import MESSAGE, RAW, SENDER, SUBJECT, TO_ANN, SesCloud, subject, tag


def by_send_email(cloud: SesCloud) -> str:
    return cloud.ses.send_email(Source=SENDER, Destination=TO_ANN, Message=MESSAGE)["MessageId"]


def by_send_raw_email(cloud: SesCloud) -> str:
    return cloud.ses.send_raw_email(RawMessage={"Data": RAW})["MessageId"]


def by_sesv2_simple(cloud: SesCloud) -> str:
    content: Any = {"Simple": MESSAGE}
    return cloud.sesv2.send_email(FromEmailAddress=SENDER, Destination=TO_ANN, Content=content)["MessageId"]


def by_sesv2_raw(cloud: SesCloud) -> str:
    return cloud.sesv2.send_email(Content={"Raw": {"Data": RAW}})["MessageId"]


@pytest.mark.parametrize(
    ("send", "operation"),
    [
        (by_send_email, "SendEmail"),
        (by_send_raw_email, "SendRawEmail"),
        (by_sesv2_simple, "SendEmail"),
        (by_sesv2_raw, "SendEmail"),
    ],
)
def test_a_sent_email_becomes_events_under_the_id_that_the_sender_was_told(
    cloud: SesCloud, send: Callable[[SesCloud], str], operation: str
) -> None:
    message_id = send(cloud)
    assert [event.kind for event in cloud.events()] == [EventKind.SEND, EventKind.DELIVERY]
    assert {event.message_id for event in cloud.events()} == {message_id}
    assert cloud.sent().mail.source == SENDER
    assert cloud.sent().recipients == ("ann@example.com",)
    assert subject(cloud.sent()) == SUBJECT
    assert tag(cloud.sent(), "ses:operation") == [operation]
    assert tag(cloud.sent(), "ses:configuration-set") == ["mailfold"]


def test_every_recipient_is_told_but_hidden_ones_are_in_no_header(cloud: SesCloud) -> None:
    destination: Any = {
        "ToAddresses": ["ann@example.com", "bob@example.com"],
        "CcAddresses": ["cy@example.com"],
        "BccAddresses": ["dee@example.com"],
    }
    cloud.ses.send_email(Source=SENDER, Destination=destination, Message=MESSAGE)
    assert cloud.sent().recipients == ("ann@example.com", "bob@example.com", "cy@example.com", "dee@example.com")
    assert b'"value":"dee@example.com"' not in cloud.records[0]


def test_tags_and_configuration_set_of_the_request_are_told(cloud: SesCloud) -> None:
    tags: Any = [{"Name": "campaign", "Value": "spring"}, {"Name": "team", "Value": "shop"}]
    cloud.ses.send_email(Source=SENDER, Destination=TO_ANN, Message=MESSAGE, Tags=tags, ConfigurationSetName="bulk")
    assert tag(cloud.sent(), "campaign") == ["spring"]
    assert tag(cloud.sent(), "team") == ["shop"]
    assert tag(cloud.sent(), "ses:configuration-set") == ["bulk"]


def test_sesv2_calls_its_tags_otherwise(cloud: SesCloud) -> None:
    content: Any = {"Simple": {**MESSAGE, "Headers": [{"Name": "X-Order", "Value": "42"}]}}
    cloud.sesv2.send_email(
        FromEmailAddress=SENDER,
        Destination=TO_ANN,
        Content=content,
        EmailTags=[{"Name": "campaign", "Value": "spring"}],
        ConfigurationSetName="bulk",
    )
    assert tag(cloud.sent(), "campaign") == ["spring"]
    assert tag(cloud.sent(), "ses:configuration-set") == ["bulk"]
    assert b'{"name":"X-Order","value":"42"}' in cloud.records[0]


def test_a_raw_message_tells_its_own_tags_and_configuration_set(cloud: SesCloud) -> None:
    headers = b"X-SES-MESSAGE-TAGS: campaign=spring, team=shop\r\nX-SES-CONFIGURATION-SET: bulk\r\n"
    cloud.ses.send_raw_email(RawMessage={"Data": headers + RAW})
    assert tag(cloud.sent(), "campaign") == ["spring"]
    assert tag(cloud.sent(), "team") == ["shop"]
    assert tag(cloud.sent(), "ses:configuration-set") == ["bulk"]


def test_the_requests_tags_win_over_those_of_the_raw_message(cloud: SesCloud) -> None:
    cloud.ses.send_raw_email(
        RawMessage={"Data": b"X-SES-MESSAGE-TAGS: campaign=spring\r\nX-SES-CONFIGURATION-SET: bulk\r\n" + RAW},
        Tags=[{"Name": "campaign", "Value": "autumn"}],
        ConfigurationSetName="transactional",
    )
    assert tag(cloud.sent(), "campaign") == ["autumn"]
    assert tag(cloud.sent(), "ses:configuration-set") == ["transactional"]


def test_a_raw_message_goes_to_whom_the_request_names_not_to_whom_its_headers_name(cloud: SesCloud) -> None:
    cloud.ses.send_raw_email(RawMessage={"Data": RAW}, Destinations=["bob@example.com"])
    assert cloud.sent().recipients == ("bob@example.com",)


def test_a_simulator_address_meets_its_fate(cloud: SesCloud) -> None:
    cloud.ses.send_email(Source=SENDER, Destination={"ToAddresses": ["bounce+ann@example.com"]}, Message=MESSAGE)
    assert [event.kind for event in cloud.events()] == [EventKind.SEND, EventKind.BOUNCE]


def test_a_sender_is_verified_in_the_senders_region_so_that_an_application_just_works(cloud: SesCloud) -> None:
    cloud.ses.send_email(Source="New One <one@new.example>", Destination=TO_ANN, Message=MESSAGE)
    assert "one@new.example" in cloud.ses.list_identities()["Identities"]


def test_what_does_not_send_goes_to_the_backend(cloud: SesCloud) -> None:
    cloud.ses.verify_domain_identity(Domain="shop.example")
    assert "shop.example" in cloud.ses.list_identities()["Identities"]
    cloud.sesv2.create_configuration_set(ConfigurationSetName="other")
    assert cloud.sesv2.get_configuration_set(ConfigurationSetName="other")["ConfigurationSetName"] == "other"
    assert cloud.records == []
