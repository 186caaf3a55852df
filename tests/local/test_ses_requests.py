"""Fields of a request to send, and of its raw message, as the events have them."""

from typing import Any

import pytest

from pipeline.errors import UsageError
from pipeline.local.gateway.ses_requests import read_json
from tests.support.ses_cloud import DELIVERY_STREAM, MESSAGE, RAW, SENDER, TO_ANN, SesCloud, tag


@pytest.fixture(autouse=True, scope="module")
def _sets(running_ses: SesCloud) -> None:
    """The configuration sets that the requests name."""
    destination: Any = {
        "Enabled": True,
        "MatchingEventTypes": ["SEND"],
        "KinesisFirehoseDestination": {"IamRoleArn": "arn:aws:iam::1:role/x", "DeliveryStreamArn": DELIVERY_STREAM},
    }
    for name in ("bulk", "transactional"):
        running_ses.sesv2.create_configuration_set(ConfigurationSetName=name)
        running_ses.sesv2.create_configuration_set_event_destination(
            ConfigurationSetName=name, EventDestinationName="archive", EventDestination=destination
        )


def test_every_recipient_is_in_the_event(cloud: SesCloud) -> None:
    """To, Cc and Bcc are all destinations, and Bcc is in no header."""
    destination: Any = {
        "ToAddresses": ["ann@example.com", "bob@example.com"],
        "CcAddresses": ["cy@example.com"],
        "BccAddresses": ["dee@example.com"],
    }
    cloud.ses.send_email(Source=SENDER, Destination=destination, Message=MESSAGE)
    assert cloud.sent().recipients == ("ann@example.com", "bob@example.com", "cy@example.com", "dee@example.com")
    assert b'"value":"dee@example.com"' not in cloud.records[0]


def test_a_request_has_tags_and_a_configuration_set(cloud: SesCloud) -> None:
    """Tags and configuration set of an API v1 request are in the event."""
    tags: Any = [{"Name": "campaign", "Value": "spring"}, {"Name": "team", "Value": "shop"}]
    cloud.ses.send_email(Source=SENDER, Destination=TO_ANN, Message=MESSAGE, Tags=tags, ConfigurationSetName="bulk")
    assert tag(cloud.sent(), "campaign") == ["spring"]
    assert tag(cloud.sent(), "team") == ["shop"]
    assert tag(cloud.sent(), "ses:configuration-set") == ["bulk"]


def test_api_v2_has_email_tags_and_headers(cloud: SesCloud) -> None:
    """EmailTags, configuration set and headers of an API v2 request are in the event."""
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


def test_a_raw_message_has_tags_and_a_configuration_set(cloud: SesCloud) -> None:
    """The X-SES headers of a raw message are in the event as tags and configuration set."""
    headers = b"X-SES-MESSAGE-TAGS: campaign=spring, team=shop\r\nX-SES-CONFIGURATION-SET: bulk\r\n"
    cloud.ses.send_raw_email(RawMessage={"Data": headers + RAW})
    assert tag(cloud.sent(), "campaign") == ["spring"]
    assert tag(cloud.sent(), "team") == ["shop"]
    assert tag(cloud.sent(), "ses:configuration-set") == ["bulk"]


def test_a_request_takes_precedence_over_its_raw_message(cloud: SesCloud) -> None:
    """Tags and configuration set in the request replace those in the message's headers."""
    cloud.ses.send_raw_email(
        RawMessage={"Data": b"X-SES-MESSAGE-TAGS: campaign=spring\r\nX-SES-CONFIGURATION-SET: bulk\r\n" + RAW},
        Tags=[{"Name": "campaign", "Value": "autumn"}],
        ConfigurationSetName="transactional",
    )
    assert tag(cloud.sent(), "campaign") == ["autumn"]
    assert tag(cloud.sent(), "ses:configuration-set") == ["transactional"]


def test_destinations_replace_the_headers_of_a_raw_message(cloud: SesCloud) -> None:
    """A raw message goes to the request's destinations, not to those in its headers."""
    cloud.ses.send_raw_email(RawMessage={"Data": RAW}, Destinations=["bob@example.com"])
    assert cloud.sent().recipients == ("bob@example.com",)


def test_invalid_base64_is_rejected() -> None:
    """A raw message that is not base64 is a usage error."""
    with pytest.raises(UsageError, match="is not base64"):
        read_json({"Content": {"Raw": {"Data": "no base64"}}})
