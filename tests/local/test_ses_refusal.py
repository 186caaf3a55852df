"""What SES would not take is refused with its error and a sentence, and becomes no event."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import urllib3
from botocore.exceptions import ClientError

from pipeline.errors import ArchiveUnavailable, UsageError
from pipeline.local.gateway.ses import Outbox
from pipeline.local.gateway.ses_requests import read_json
from pipeline.local.ses.publisher import Email, Publisher
from tests.support.ses_cloud import DATA, MESSAGE, SENDER, TO_ANN, SesCloud


def no_sender(cloud: SesCloud) -> None:
    cloud.ses.send_email(Source="nobody", Destination=TO_ANN, Message=MESSAGE)


def no_sender_by_sesv2(cloud: SesCloud) -> None:
    content: Any = {"Simple": MESSAGE}
    cloud.sesv2.send_email(FromEmailAddress="nobody", Destination=TO_ANN, Content=content)


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
    ("send", "code", "sentence"),
    [
        (no_sender, "InvalidParameterValue", "the sender is no e-mail address"),
        (no_sender_by_sesv2, "BadRequestException", "the sender is no e-mail address"),
        (no_recipient, "InvalidParameterValue", "an e-mail has 1 to 50 recipients, this one has 0"),
        (no_destinations, "InvalidParameterValue", "no destination is given"),
        (no_template, "TemplateDoesNotExist", "does not exist"),
        (no_template_by_sesv2, "NotFoundException", "does not exist"),
        (an_inline_template, "BadRequestException", "only stored templates can be sent here"),
    ],
)
def test_what_is_refused_becomes_no_event(
    cloud: SesCloud, send: Callable[[SesCloud], None], code: str, sentence: str
) -> None:
    with pytest.raises(ClientError, match=sentence) as raised:
        send(cloud)
    assert raised.value.response["Error"]["Code"] == code
    assert cloud.records == []


def test_a_request_that_is_no_json_is_refused_with_a_sentence(cloud: SesCloud) -> None:
    answer = urllib3.request(
        "POST",
        f"{cloud.server.url}/v2/email/outbound-emails",
        body=b"[]",
        headers={"Authorization": "AWS4-HMAC-SHA256 Credential=local/20260301/eu-west-1/ses/aws4_request"},
    )
    assert (answer.status, answer.json()) == (400, {"message": "the request is no JSON object"})


def test_what_should_be_base64_and_is_not_is_refused() -> None:
    with pytest.raises(UsageError, match="is not base64"):
        read_json({"Content": {"Raw": {"Data": "no base64"}}})


def test_an_email_is_sent_even_if_its_events_cannot_be_published(caplog: pytest.LogCaptureFixture) -> None:
    def away(_: Sequence[bytes]) -> None:
        raise ArchiveUnavailable("S3 is away")

    email = Email(sender=SENDER, to=("ann@example.com",))
    Outbox(Publisher(seed=1), away).publish(email, message_id="an-id")
    assert caplog.messages == ["the events of message an-id are lost: S3 is away"]
