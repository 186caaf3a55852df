"""Templated e-mail has the rendered subject; a template that cannot be rendered is not sent."""

from collections.abc import Iterator
from typing import Any

import pytest

from pipeline.event import EventKind
from tests.support.ses_cloud import DATA, SENDER, TEMPLATE, TO_ANN, SesCloud, subject, tag


@pytest.fixture
def hello(cloud: SesCloud) -> Iterator[SesCloud]:
    """A cloud with the template `hello`."""
    cloud.ses.create_template(Template=TEMPLATE)
    yield cloud
    cloud.ses.delete_template(TemplateName="hello")


def test_a_template_renders_the_subject(hello: SesCloud) -> None:
    """The Send event of a templated e-mail has the rendered subject."""
    hello.ses.send_templated_email(Source=SENDER, Destination=TO_ANN, Template="hello", TemplateData=DATA)
    assert subject(hello.sent()) == "Hello Ann"
    assert tag(hello.sent(), "ses:operation") == ["SendTemplatedEmail"]


def test_a_template_renders_the_subject_in_api_v2(hello: SesCloud) -> None:
    """API v2 returns the message id of the Send event, which has the rendered subject and the tags."""
    content: Any = {"Template": {"TemplateName": "hello", "TemplateData": DATA}}
    reply = hello.sesv2.send_email(
        FromEmailAddress=SENDER, Destination=TO_ANN, Content=content, EmailTags=[{"Name": "a", "Value": "b"}]
    )
    assert hello.sent().message_id == reply["MessageId"]
    assert subject(hello.sent()) == "Hello Ann"
    assert tag(hello.sent(), "ses:operation") == ["SendEmail"]
    assert tag(hello.sent(), "a") == ["b"]


def test_a_template_is_created_and_updated_in_api_v2(cloud: SesCloud) -> None:
    """A template can be created once, and an update changes its subject."""
    cloud.sesv2.create_email_template(TemplateName="saved", TemplateContent={"Subject": "Old", "Text": "one"})
    with pytest.raises(cloud.sesv2.exceptions.AlreadyExistsException):
        cloud.sesv2.create_email_template(TemplateName="saved", TemplateContent={"Subject": "Old", "Text": "one"})
    cloud.sesv2.update_email_template(TemplateName="saved", TemplateContent={"Subject": "New", "Text": "one"})
    content: Any = {"Template": {"TemplateName": "saved", "TemplateData": "{}"}}
    cloud.sesv2.send_email(FromEmailAddress=SENDER, Destination=TO_ANN, Content=content)
    assert subject(cloud.sent()) == "New"


def test_a_missing_attribute_is_a_rendering_failure(hello: SesCloud) -> None:
    """A template without the data that it needs becomes a Rendering Failure and no Send."""
    hello.ses.send_templated_email(Source=SENDER, Destination=TO_ANN, Template="hello", TemplateData="{}")
    assert [event.kind for event in hello.events()] == [EventKind.RENDERING_FAILURE]
    assert b"Attribute 'name' is not present in the rendering data." in hello.records[0]


def test_each_bulk_destination_has_its_own_event(hello: SesCloud) -> None:
    """Each destination has its own message id, subject and tags."""
    reply = hello.ses.send_bulk_templated_email(
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
    sends = [event for event in hello.events() if event.kind is EventKind.SEND]
    assert [event.message_id for event in sends] == [status["MessageId"] for status in reply["Status"]]
    assert [event.recipients for event in sends] == [("ann@example.com",), ("bob@example.com",)]
    assert [subject(event) for event in sends] == ["Hello Ann", "Hello Bob"]
    assert [tag(event, "campaign") for event in sends] == [["spring"], ["spring"]]
    assert [tag(event, "vip") for event in sends] == [None, ["yes"]]


def test_bulk_email_is_sent_in_api_v2(hello: SesCloud) -> None:
    """SendBulkEmail returns the message id of each destination."""
    reply = hello.sesv2.send_bulk_email(
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
    sends = [event for event in hello.events() if event.kind is EventKind.SEND]
    assert [(entry["Status"], entry["MessageId"]) for entry in reply["BulkEmailEntryResults"]] == [
        ("SUCCESS", event.message_id) for event in sends
    ]
    assert [subject(event) for event in sends] == ["Hello Ann", "Hello Bob"]
    assert [tag(event, "ses:operation") for event in sends] == [["SendBulkEmail"]] * 2
