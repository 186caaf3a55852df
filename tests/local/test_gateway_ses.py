"""E-mail sent with boto3's `ses` or `sesv2` becomes the events that SES would publish; a rejected one becomes none."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import urllib3
from botocore.exceptions import ClientError

from pipeline.errors import ArchiveUnavailable
from pipeline.event import EventKind
from pipeline.local.gateway.ses import Outbox
from pipeline.local.ses.email import Email
from pipeline.local.ses.publisher import Publisher
from tests.support.ses_cloud import DATA, MESSAGE, RAW, SENDER, SUBJECT, TO_ANN, SesCloud, subject, tag


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
def test_an_email_becomes_events(cloud: SesCloud, send: Callable[[SesCloud], str], operation: str) -> None:
    """The events have the message id that the sender received, and the fields of the request."""
    message_id = send(cloud)
    assert [event.kind for event in cloud.events()] == [EventKind.SEND, EventKind.DELIVERY]
    assert {event.message_id for event in cloud.events()} == {message_id}
    assert cloud.sent().mail.source == SENDER
    assert cloud.sent().recipients == ("ann@example.com",)
    assert subject(cloud.sent()) == SUBJECT
    assert tag(cloud.sent(), "ses:operation") == [operation]
    assert tag(cloud.sent(), "ses:configuration-set") == ["mailfold"]


def test_a_simulator_address_bounces(cloud: SesCloud) -> None:
    """The local part `bounce` has its meaning in SES's mailbox simulator."""
    cloud.ses.send_email(Source=SENDER, Destination={"ToAddresses": ["bounce+ann@example.com"]}, Message=MESSAGE)
    assert [event.kind for event in cloud.events()] == [EventKind.SEND, EventKind.BOUNCE]


def test_an_unverified_sender_is_verified(cloud: SesCloud) -> None:
    """A sender is verified in the region that it sends from, so that an application needs no set-up."""
    cloud.ses.send_email(Source="New One <one@new.example>", Destination=TO_ANN, Message=MESSAGE)
    assert "one@new.example" in cloud.ses.list_identities()["Identities"]


def test_other_operations_reach_the_backend(cloud: SesCloud) -> None:
    """Identities and configuration sets are the backend's, in both APIs, and publish no event."""
    cloud.ses.verify_domain_identity(Domain="shop.example")
    assert "shop.example" in cloud.ses.list_identities()["Identities"]
    cloud.sesv2.create_configuration_set(ConfigurationSetName="other")
    assert cloud.sesv2.get_configuration_set(ConfigurationSetName="other")["ConfigurationSetName"] == "other"
    assert cloud.records == []


def no_sender(cloud: SesCloud) -> None:
    cloud.ses.send_email(Source="no address", Destination=TO_ANN, Message=MESSAGE)


def no_sender_by_sesv2(cloud: SesCloud) -> None:
    content: Any = {"Simple": MESSAGE}
    cloud.sesv2.send_email(FromEmailAddress="no address", Destination=TO_ANN, Content=content)


def no_recipient(cloud: SesCloud) -> None:
    cloud.ses.send_email(Source=SENDER, Destination={}, Message=MESSAGE)


def no_destinations(cloud: SesCloud) -> None:
    cloud.ses.send_bulk_templated_email(Source=SENDER, Template="none", DefaultTemplateData="{}", Destinations=[])


def no_template(cloud: SesCloud) -> None:
    cloud.ses.send_templated_email(Source=SENDER, Destination=TO_ANN, Template="none", TemplateData=DATA)


def no_template_by_sesv2(cloud: SesCloud) -> None:
    content: Any = {"Template": {"TemplateName": "none", "TemplateData": DATA}}
    cloud.sesv2.send_email(FromEmailAddress=SENDER, Destination=TO_ANN, Content=content)


def an_inline_template(cloud: SesCloud) -> None:
    content: Any = {"Template": {"TemplateContent": {"Subject": "Hello"}, "TemplateData": DATA}}
    cloud.sesv2.send_email(FromEmailAddress=SENDER, Destination=TO_ANN, Content=content)


@pytest.mark.parametrize(
    ("send", "code", "message"),
    [
        (no_sender, "InvalidParameterValue", "the sender is no"),
        (no_sender_by_sesv2, "BadRequestException", "the sender is no"),
        (no_recipient, "InvalidParameterValue", "1 to 50 recipients, this one has 0"),
        (no_destinations, "InvalidParameterValue", "the request names no destination"),
        (no_template, "TemplateDoesNotExist", "does not exist"),
        (no_template_by_sesv2, "NotFoundException", "does not exist"),
        (an_inline_template, "BadRequestException", "only stored templates can be sent here"),
    ],
)
def test_a_rejected_email_becomes_no_event(
    cloud: SesCloud, send: Callable[[SesCloud], None], code: str, message: str
) -> None:
    """An e-mail that SES rejects is rejected with the same code, and publishes nothing."""
    with pytest.raises(ClientError, match=message) as raised:
        send(cloud)
    assert raised.value.response["Error"]["Code"] == code
    assert cloud.records == []


def test_a_request_that_is_not_json_is_rejected(cloud: SesCloud) -> None:
    """API v2 answers a body that is not a JSON object with status 400 and a message."""
    reply = urllib3.request(
        "POST",
        f"{cloud.server.url}/v2/email/outbound-emails",
        body=b"[]",
        headers={"Authorization": "AWS4-HMAC-SHA256 Credential=local/20260301/eu-west-1/ses/aws4_request"},
    )
    assert (reply.status, reply.json()) == (400, {"message": "the request is not a JSON object"})


def test_an_email_is_sent_even_if_its_events_are_lost(caplog: pytest.LogCaptureFixture) -> None:
    """A failure to publish is logged with the message id, and not raised."""

    def unavailable(*_: Sequence[bytes]) -> None:
        raise ArchiveUnavailable("S3 is unavailable")

    email = Email(sender=SENDER, to=("ann@example.com",))
    Outbox(Publisher(seed=1), unavailable).publish(email, message_id="an-id")
    assert caplog.messages == ["the events of message an-id are lost: S3 is unavailable"]
