"""What an application sends with boto3's `ses` or `sesv2` becomes the events that SES would publish."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pytest
import urllib3
from botocore.exceptions import ClientError

from pipeline.decode import decode
from pipeline.errors import ArchiveUnavailable, Misuse
from pipeline.event import Event, Kind
from pipeline.local.client import local_client
from pipeline.local.front.application import Front
from pipeline.local.front.backend import Moto
from pipeline.local.front.outbox import Outbox
from pipeline.local.front.server import Server
from pipeline.local.front.ses_api import SesApi
from pipeline.local.front.ses_backend import SesBackend
from pipeline.local.front.submission import read_json
from pipeline.local.ses.publisher import Email, Publisher

if TYPE_CHECKING:
    from mypy_boto3_ses import SESClient
    from mypy_boto3_sesv2 import SESV2Client

REGION = "eu-west-1"
SENDER = "News <news@example.com>"
SUBJECT = "Seven things"
MESSAGE: Any = {"Subject": {"Data": SUBJECT}, "Body": {"Text": {"Data": "one"}, "Html": {"Data": "<p>one</p>"}}}
TO_ANN: Any = {"ToAddresses": ["Ann <ann@example.com>"]}
RAW = b"From: News <news@example.com>\r\nTo: Ann <ann@example.com>\r\nSubject: Seven things\r\n\r\none"
TEMPLATE: Any = {"TemplateName": "hello", "SubjectPart": "Hello {{name}}", "TextPart": "one", "HtmlPart": "one"}
DATA = '{"name": "Ann"}'


class Cloud:
    """A front before moto, with what it has published."""

    def __init__(self, moto: Moto) -> None:
        self.records: list[bytes] = []
        outbox = Outbox(Publisher(seed=1, region=REGION), self.records.extend)
        self.server = Server(Front(moto, answers=(SesApi(SesBackend(moto), outbox=outbox).answer,)))
        self.ses: SESClient = local_client("ses", endpoint_url=self.server.url, region=REGION)
        self.sesv2: SESV2Client = local_client("sesv2", endpoint_url=self.server.url, region=REGION)

    def events(self) -> list[Event]:
        outcomes = [outcome for record in self.records for outcome in decode(record)]
        events = [outcome for outcome in outcomes if isinstance(outcome, Event)]
        assert len(events) == len(self.records)
        return events

    def sent(self) -> Event:
        """Return the one Send."""
        (sent,) = [event for event in self.events() if event.kind is Kind.SEND]
        return sent


@pytest.fixture(scope="module")
def running() -> Iterator[Cloud]:
    moto = Moto()
    cloud = Cloud(moto)
    yield cloud
    cloud.server.close()
    moto.close()


@pytest.fixture
def cloud(running: Cloud) -> Cloud:
    running.records.clear()
    return running


def tag(event: Event, name: str) -> list[str] | None:
    return (event.mail.tags or {}).get(name)


def subject(event: Event) -> str | None:
    return event.mail.common_headers.subject if event.mail.common_headers else None


def by_send_email(cloud: Cloud) -> str:
    return cloud.ses.send_email(Source=SENDER, Destination=TO_ANN, Message=MESSAGE)["MessageId"]


def by_send_raw_email(cloud: Cloud) -> str:
    return cloud.ses.send_raw_email(RawMessage={"Data": RAW})["MessageId"]


def by_sesv2_simple(cloud: Cloud) -> str:
    content: Any = {"Simple": MESSAGE}
    return cloud.sesv2.send_email(FromEmailAddress=SENDER, Destination=TO_ANN, Content=content)["MessageId"]


def by_sesv2_raw(cloud: Cloud) -> str:
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
    cloud: Cloud, send: Callable[[Cloud], str], operation: str
) -> None:
    message_id = send(cloud)
    assert [event.kind for event in cloud.events()] == [Kind.SEND, Kind.DELIVERY]
    assert {event.message_id for event in cloud.events()} == {message_id}
    assert cloud.sent().mail.source == SENDER
    assert cloud.sent().recipients == ("ann@example.com",)
    assert subject(cloud.sent()) == SUBJECT
    assert tag(cloud.sent(), "ses:operation") == [operation]
    assert tag(cloud.sent(), "ses:configuration-set") == ["mailfold"]


def test_every_recipient_is_told_but_hidden_ones_are_in_no_header(cloud: Cloud) -> None:
    destination: Any = {
        "ToAddresses": ["ann@example.com", "bob@example.com"],
        "CcAddresses": ["cy@example.com"],
        "BccAddresses": ["dee@example.com"],
    }
    cloud.ses.send_email(Source=SENDER, Destination=destination, Message=MESSAGE)
    assert cloud.sent().recipients == ("ann@example.com", "bob@example.com", "cy@example.com", "dee@example.com")
    assert b'"value":"dee@example.com"' not in cloud.records[0]


def test_tags_and_configuration_set_of_the_request_are_told(cloud: Cloud) -> None:
    tags: Any = [{"Name": "campaign", "Value": "spring"}, {"Name": "team", "Value": "shop"}]
    cloud.ses.send_email(Source=SENDER, Destination=TO_ANN, Message=MESSAGE, Tags=tags, ConfigurationSetName="bulk")
    assert tag(cloud.sent(), "campaign") == ["spring"]
    assert tag(cloud.sent(), "team") == ["shop"]
    assert tag(cloud.sent(), "ses:configuration-set") == ["bulk"]


def test_sesv2_calls_its_tags_otherwise(cloud: Cloud) -> None:
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


def test_a_raw_message_tells_its_own_tags_and_configuration_set(cloud: Cloud) -> None:
    headers = b"X-SES-MESSAGE-TAGS: campaign=spring, team=shop\r\nX-SES-CONFIGURATION-SET: bulk\r\n"
    cloud.ses.send_raw_email(RawMessage={"Data": headers + RAW})
    assert tag(cloud.sent(), "campaign") == ["spring"]
    assert tag(cloud.sent(), "team") == ["shop"]
    assert tag(cloud.sent(), "ses:configuration-set") == ["bulk"]


def test_the_requests_tags_win_over_those_of_the_raw_message(cloud: Cloud) -> None:
    cloud.ses.send_raw_email(
        RawMessage={"Data": b"X-SES-MESSAGE-TAGS: campaign=spring\r\nX-SES-CONFIGURATION-SET: bulk\r\n" + RAW},
        Tags=[{"Name": "campaign", "Value": "autumn"}],
        ConfigurationSetName="transactional",
    )
    assert tag(cloud.sent(), "campaign") == ["autumn"]
    assert tag(cloud.sent(), "ses:configuration-set") == ["transactional"]


def test_a_raw_message_goes_to_whom_the_request_names_not_to_whom_its_headers_name(cloud: Cloud) -> None:
    cloud.ses.send_raw_email(RawMessage={"Data": RAW}, Destinations=["bob@example.com"])
    assert cloud.sent().recipients == ("bob@example.com",)


def test_a_simulator_address_meets_its_fate(cloud: Cloud) -> None:
    cloud.ses.send_email(Source=SENDER, Destination={"ToAddresses": ["bounce+ann@example.com"]}, Message=MESSAGE)
    assert [event.kind for event in cloud.events()] == [Kind.SEND, Kind.BOUNCE]


def test_a_sender_is_verified_in_the_senders_region_so_that_an_application_just_works(cloud: Cloud) -> None:
    cloud.ses.send_email(Source="New One <one@new.example>", Destination=TO_ANN, Message=MESSAGE)
    assert "one@new.example" in cloud.ses.list_identities()["Identities"]


@pytest.fixture
def hello(cloud: Cloud) -> Iterator[Cloud]:
    """A cloud with the template `hello`."""
    cloud.ses.create_template(Template=TEMPLATE)
    yield cloud
    cloud.ses.delete_template(TemplateName="hello")


def test_a_template_gives_the_subject(hello: Cloud) -> None:
    hello.ses.send_templated_email(Source=SENDER, Destination=TO_ANN, Template="hello", TemplateData=DATA)
    assert subject(hello.sent()) == "Hello Ann"
    assert tag(hello.sent(), "ses:operation") == ["SendTemplatedEmail"]


def test_a_template_gives_the_subject_in_sesv2_too(hello: Cloud) -> None:
    content: Any = {"Template": {"TemplateName": "hello", "TemplateData": DATA}}
    answer = hello.sesv2.send_email(
        FromEmailAddress=SENDER, Destination=TO_ANN, Content=content, EmailTags=[{"Name": "a", "Value": "b"}]
    )
    assert hello.sent().message_id == answer["MessageId"]
    assert subject(hello.sent()) == "Hello Ann"
    assert tag(hello.sent(), "ses:operation") == ["SendEmail"]
    assert tag(hello.sent(), "a") == ["b"]


def test_a_template_can_be_kept_and_changed_by_sesv2(cloud: Cloud) -> None:
    cloud.sesv2.create_email_template(TemplateName="kept", TemplateContent={"Subject": "Old", "Text": "one"})
    with pytest.raises(cloud.sesv2.exceptions.AlreadyExistsException):
        cloud.sesv2.create_email_template(TemplateName="kept", TemplateContent={"Subject": "Old", "Text": "one"})
    cloud.sesv2.update_email_template(TemplateName="kept", TemplateContent={"Subject": "New", "Text": "one"})
    content: Any = {"Template": {"TemplateName": "kept", "TemplateData": "{}"}}
    cloud.sesv2.send_email(FromEmailAddress=SENDER, Destination=TO_ANN, Content=content)
    assert subject(cloud.sent()) == "New"


def test_a_template_that_cannot_be_filled_in_is_a_rendering_failure_and_nothing_is_sent(hello: Cloud) -> None:
    hello.ses.send_templated_email(Source=SENDER, Destination=TO_ANN, Template="hello", TemplateData="{}")
    assert [event.kind for event in hello.events()] == [Kind.RENDERING_FAILURE]
    assert b"Attribute 'name' is not present in the rendering data." in hello.records[0]


def test_each_of_many_has_its_own_id_subject_and_tags(hello: Cloud) -> None:
    answer = hello.ses.send_bulk_templated_email(
        Source=SENDER,
        Template="hello",
        DefaultTemplateData=DATA,
        DefaultTags=[{"Name": "campaign", "Value": "spring"}],
        Destinations=[
            {"Destination": {"ToAddresses": ["ann@example.com"]}},
            {
                "Destination": {"ToAddresses": ["bob@example.com"]},
                "ReplacementTemplateData": '{"name": "Bob"}',
                "ReplacementTags": [{"Name": "vip", "Value": "yes"}],
            },
        ],
    )
    sends = [event for event in hello.events() if event.kind is Kind.SEND]
    assert [event.message_id for event in sends] == [status["MessageId"] for status in answer["Status"]]
    assert [event.recipients for event in sends] == [("ann@example.com",), ("bob@example.com",)]
    assert [subject(event) for event in sends] == ["Hello Ann", "Hello Bob"]
    assert [tag(event, "campaign") for event in sends] == [["spring"], ["spring"]]
    assert [tag(event, "vip") for event in sends] == [None, ["yes"]]


def test_many_can_be_sent_by_sesv2_too(hello: Cloud) -> None:
    answer = hello.sesv2.send_bulk_email(
        FromEmailAddress=SENDER,
        DefaultContent={"Template": {"TemplateName": "hello", "TemplateData": DATA}},
        BulkEmailEntries=[
            {"Destination": {"ToAddresses": ["ann@example.com"]}},
            {
                "Destination": {"ToAddresses": ["bob@example.com"]},
                "ReplacementEmailContent": {"ReplacementTemplate": {"ReplacementTemplateData": '{"name": "Bob"}'}},
            },
        ],
    )
    sends = [event for event in hello.events() if event.kind is Kind.SEND]
    assert [(entry["Status"], entry["MessageId"]) for entry in answer["BulkEmailEntryResults"]] == [
        ("SUCCESS", event.message_id) for event in sends
    ]
    assert [subject(event) for event in sends] == ["Hello Ann", "Hello Bob"]
    assert [tag(event, "ses:operation") for event in sends] == [["SendBulkEmail"]] * 2


def no_sender(cloud: Cloud) -> None:
    cloud.ses.send_email(Source="nobody", Destination=TO_ANN, Message=MESSAGE)


def no_sender_by_sesv2(cloud: Cloud) -> None:
    content: Any = {"Simple": MESSAGE}
    cloud.sesv2.send_email(FromEmailAddress="nobody", Destination=TO_ANN, Content=content)


def no_recipient(cloud: Cloud) -> None:
    cloud.ses.send_email(Source=SENDER, Destination={}, Message=MESSAGE)


def no_destinations(cloud: Cloud) -> None:
    cloud.ses.send_bulk_templated_email(Source=SENDER, Template="none", DefaultTemplateData="{}", Destinations=[])


def no_template(cloud: Cloud) -> None:
    cloud.ses.send_templated_email(Source=SENDER, Destination=TO_ANN, Template="none", TemplateData=DATA)


def no_template_by_sesv2(cloud: Cloud) -> None:
    content: Any = {"Template": {"TemplateName": "none", "TemplateData": DATA}}
    cloud.sesv2.send_email(FromEmailAddress=SENDER, Destination=TO_ANN, Content=content)


def an_inline_template(cloud: Cloud) -> None:
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
    cloud: Cloud, send: Callable[[Cloud], None], code: str, sentence: str
) -> None:
    with pytest.raises(ClientError, match=sentence) as raised:
        send(cloud)
    assert raised.value.response["Error"]["Code"] == code
    assert cloud.records == []


def test_what_does_not_send_goes_to_the_backend(cloud: Cloud) -> None:
    cloud.ses.verify_domain_identity(Domain="shop.example")
    assert "shop.example" in cloud.ses.list_identities()["Identities"]
    cloud.sesv2.create_configuration_set(ConfigurationSetName="other")
    assert cloud.sesv2.get_configuration_set(ConfigurationSetName="other")["ConfigurationSetName"] == "other"
    assert cloud.records == []


def test_a_request_that_is_no_json_is_refused_with_a_sentence(cloud: Cloud) -> None:
    answer = urllib3.request(
        "POST",
        f"{cloud.server.url}/v2/email/outbound-emails",
        body=b"[]",
        headers={"Authorization": "AWS4-HMAC-SHA256 Credential=local/20260301/eu-west-1/ses/aws4_request"},
    )
    assert (answer.status, answer.json()) == (400, {"message": "the request is no JSON object"})


def test_what_should_be_base64_and_is_not_is_refused() -> None:
    with pytest.raises(Misuse, match="is not base64"):
        read_json({"Content": {"Raw": {"Data": "no base64"}}})


def test_an_email_is_sent_even_if_its_events_cannot_be_published(caplog: pytest.LogCaptureFixture) -> None:
    def away(_: Sequence[bytes]) -> None:
        raise ArchiveUnavailable("S3 is away")

    email = Email(sender=SENDER, to=("ann@example.com",))
    Outbox(Publisher(seed=1), away).publish(email, message_id="an-id")
    assert caplog.messages == ["the events of message an-id are lost: S3 is away"]
