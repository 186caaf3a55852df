"""An e-mail goes to SES as it is, and what SES refuses is told with what to do, and without anybody's address."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.stub import Stubber

from pipeline.aws.ses import OutgoingEmail, send_email
from pipeline.errors import ServiceUnavailable, UsageError
from tests.support.fake_service import client

EMAIL = OutgoingEmail(
    sender="Mail <sender@example.com>", to=["ann@example.com"], subject="Hello", body="Text", tags=[("campaign", "may")]
)
WORDS = "Email address is not verified. The following identities failed the check: ann@example.com, bob@example.com"


@pytest.fixture
def ses() -> Iterator[tuple[Any, Stubber]]:
    sesv2 = client("sesv2")
    with Stubber(sesv2) as stubber:
        yield sesv2, stubber


def test_all_of_it_is_sent_with_the_configuration_set(ses: tuple[Any, Stubber]) -> None:
    sesv2, stubber = ses
    asked = {
        "FromEmailAddress": EMAIL.sender,
        "Destination": {"ToAddresses": ["ann@example.com"], "CcAddresses": [], "BccAddresses": []},
        "Content": {"Simple": {"Subject": {"Data": "Hello"}, "Body": {"Text": {"Data": "Text"}}}},
        "EmailTags": [{"Name": "campaign", "Value": "may"}],
        "ConfigurationSetName": "mail",
    }
    stubber.add_response("send_email", {"MessageId": "0100"}, asked)
    assert send_email(sesv2, EMAIL, configuration_set="mail") == "0100"


@pytest.mark.parametrize(
    ("code", "status", "error", "told"),
    [
        ("MessageRejected", 400, UsageError, "verified identity of this region"),
        ("MailFromDomainNotVerifiedException", 400, UsageError, "MAIL FROM domain"),
        ("NotFoundException", 404, UsageError, "no such configuration set"),
        ("SendingPausedException", 400, UsageError, "switched off"),
        ("AccountSuspendedException", 400, UsageError, "nothing any more"),
        ("BadRequestException", 400, UsageError, "BadRequestException"),
        ("AccessDeniedException", 403, UsageError, "may not do it"),
        ("LimitExceededException", 400, ServiceUnavailable, "quota"),
        ("TooManyRequestsException", 429, ServiceUnavailable, "quota"),
        ("InternalFailure", 500, ServiceUnavailable, "try again"),
    ],
)
def test_a_refusal_is_told_with_what_to_do_and_without_an_address(
    ses: tuple[Any, Stubber], code: str, status: int, error: type[Exception], told: str
) -> None:
    sesv2, stubber = ses
    stubber.add_client_error("send_email", code, WORDS, status)
    with pytest.raises(error, match=told) as raised:
        send_email(sesv2, EMAIL, configuration_set="mail")
    assert "@example" not in str(raised.value)
