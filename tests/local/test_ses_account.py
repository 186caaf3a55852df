"""SES's account, by both APIs, and operations that the local cloud does not have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.ses_cloud import RAW, SENDER, TEMPLATE, TO_ANN, SesCloud


def test_the_quota_slows_no_application(cloud: SesCloud) -> None:
    """An application that keeps to the rate, such as django-ses, sends fast. Both APIs have the same quota."""
    quota = cloud.ses.get_send_quota()
    assert quota["MaxSendRate"] >= 100
    account = cloud.sesv2.get_account()
    assert account["SendQuota"] == {name: value for name, value in quota.items() if name != "ResponseMetadata"}
    assert (account["SendingEnabled"], account["ProductionAccessEnabled"]) == (True, True)


def test_django_ses_can_send_by_api_v2(cloud: SesCloud) -> None:
    """It asks for the account's rate, then sends a raw message with destinations.

    github.com/django-ses/django-ses/blob/main/django_ses/__init__.py
    """
    assert cloud.sesv2.get_account()["SendQuota"]["MaxSendRate"]
    sent = cloud.sesv2.send_email(
        FromEmailAddress=SENDER, Destination={"ToAddresses": ["ann@example.com"]}, Content={"Raw": {"Data": RAW}}
    )
    assert cloud.sent().message_id == sent["MessageId"]


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda cloud: cloud.sesv2.get_message_insights(MessageId="x"), "BadRequestException"),
        (lambda cloud: cloud.sesv2.list_recommendations(), "BadRequestException"),
        (lambda cloud: cloud.ses.list_receipt_filters(), "InvalidAction"),
        (
            lambda cloud: cloud.ses.create_configuration_set_event_destination(
                ConfigurationSetName="mailfold", EventDestination={"Name": "x", "MatchingEventTypes": ["send"]}
            ),
            "InvalidAction",
        ),
    ],
)
def test_a_missing_operation_has_an_error_of_ses(cloud: SesCloud, call: Callable[[Any], Any], code: str) -> None:
    """It names the operation, and is not a web page."""
    with pytest.raises(ClientError, match="is not in the local cloud") as raised:
        call(cloud)
    assert raised.value.response["Error"]["Code"] == code


def test_each_mail_of_a_bulk_request_has_a_status(cloud: SesCloud) -> None:
    """By API v1, as by API v2."""
    template: Any = {**TEMPLATE, "TemplateName": "bulk"}
    cloud.ses.create_template(Template=template)
    reply = cloud.ses.send_bulk_templated_email(
        Source=SENDER,
        Template="bulk",
        DefaultTemplateData='{"name": "Ann"}',
        Destinations=[{"Destination": TO_ANN}] * 2,
    )
    assert [entry["Status"] for entry in reply["Status"]] == ["Success", "Success"]
    assert all(entry["MessageId"] for entry in reply["Status"])
