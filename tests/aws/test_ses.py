"""SES: an e-mail is sent as it is, and the account-level suppression list is read page by page to its end."""

from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from botocore.exceptions import EndpointConnectionError
from botocore.stub import ANY, Stubber

from pipeline.account_list import ListEntry
from pipeline.aws.ses import (
    ENTRIES_PER_PAGE,
    OutgoingEmail,
    look_up_list,
    read_account_list,
    read_tenant_list,
    send_email,
    tenant_names,
)
from pipeline.errors import AccessDenied, InvalidInput, NotFound, ServiceUnavailable, UsageError
from tests.support.builders import ADA, BOB, OCCURRED_AT
from tests.support.fake_account_list import FakeAccountList
from tests.support.fake_service import client

EMAIL = OutgoingEmail(
    sender="Mail <sender@example.com>", to=["ann@example.com"], subject="Hello", body="Text", tags=[("campaign", "may")]
)
MESSAGE = "Email address is not verified. The following identities failed the check: ann@example.com, bob@example.com"
LIST = {ADA: "BOUNCE", BOB: "COMPLAINT", "Carol@example.com": "BOUNCE"}


@pytest.fixture
def ses() -> Iterator[tuple[Any, Stubber]]:
    sesv2 = client("sesv2")
    with Stubber(sesv2) as stubber:
        yield sesv2, stubber


def addresses(ses: FakeAccountList) -> list[str]:
    return [entry.address for page in read_account_list(ses.client()) for entry in page.entries]


def test_an_email_is_sent_whole_with_its_configuration_set(ses: tuple[Any, Stubber]) -> None:
    """SendEmail gets sender, recipients, content, tags and the configuration set."""
    sesv2, stubber = ses
    request = {
        "FromEmailAddress": EMAIL.sender,
        "Destination": {"ToAddresses": ["ann@example.com"], "CcAddresses": [], "BccAddresses": []},
        "Content": {"Simple": {"Subject": {"Data": "Hello"}, "Body": {"Text": {"Data": "Text"}}}},
        "EmailTags": [{"Name": "campaign", "Value": "may"}],
        "ConfigurationSetName": "mail",
    }
    stubber.add_response("send_email", {"MessageId": "0100"}, request)
    assert send_email(sesv2, EMAIL, configuration_set="mail") == "0100"


@pytest.mark.parametrize(
    ("code", "status", "error", "phrase"),
    [
        ("MessageRejected", 400, InvalidInput, "verified identity of this region"),
        ("MailFromDomainNotVerifiedException", 400, InvalidInput, "MAIL FROM domain"),
        ("NotFoundException", 404, NotFound, "configuration set or the tenant does not exist"),
        ("SendingPausedException", 400, InvalidInput, "Sending is paused"),
        ("AccountSuspendedException", 400, InvalidInput, "may not send any more"),
        ("BadRequestException", 400, InvalidInput, "BadRequestException"),
        ("AccessDeniedException", 403, AccessDenied, "AWS denies sending the e-mail"),
        ("LimitExceededException", 400, ServiceUnavailable, "quota"),
        ("TooManyRequestsException", 429, ServiceUnavailable, "quota"),
        ("InternalFailure", 500, ServiceUnavailable, "try again"),
    ],
)
def test_a_rejected_email_has_advice_and_no_address(
    ses: tuple[Any, Stubber], code: str, status: int, error: type[Exception], phrase: str
) -> None:
    """Each of SES's codes raises its type with what to do, although SES's message quotes addresses."""
    sesv2, stubber = ses
    stubber.add_client_error("send_email", code, MESSAGE, status)
    with pytest.raises(error, match=phrase) as raised:
        send_email(sesv2, EMAIL, configuration_set="mail")
    assert "@example" not in str(raised.value)


# The account-level suppression list.


def test_an_entry_is_as_ses_has_it() -> None:
    """Spelling, reason and time of every entry are SES's."""
    [page] = read_account_list(FakeAccountList(LIST).client())
    assert page.is_last
    assert page.entries == tuple(
        ListEntry(address=address, reason=reason, updated_at=OCCURRED_AT) for address, reason in LIST.items()
    )


def test_pages_are_followed_to_the_last() -> None:
    """Each page is requested with the token of the one before, and only the last is marked as such."""
    ses = FakeAccountList(LIST, page_size=1)
    pages = list(read_account_list(ses.client()))
    assert [entry.address for page in pages for entry in page.entries] == list(LIST)
    assert [page.is_last for page in pages] == [False, False, True]
    assert [request.get("NextToken") for _, request in ses.calls] == [None, "1", "2"]
    assert {request["PageSize"] for _, request in ses.calls} == {ENTRIES_PER_PAGE}


def test_a_page_is_requested_when_it_is_taken() -> None:
    """SES answers only once a second, so no page is read ahead."""
    ses = FakeAccountList(LIST, page_size=1)
    next(read_account_list(ses.client()))
    assert len(ses.calls) == 1


def test_an_empty_page_is_not_the_end() -> None:
    """SES filters a page after reading it, so it may be empty while more follow."""
    ses = FakeAccountList(LIST, page_size=1)
    pages = list(read_account_list(ses.client(), reasons=["COMPLAINT"]))
    assert [len(page.entries) for page in pages] == [0, 1, 0]


def test_an_empty_list_has_no_entries() -> None:
    """An account without entries is no error."""
    assert addresses(FakeAccountList({})) == []


def test_every_page_is_filtered_by_reasons_and_time() -> None:
    """Filters are part of every request, not only of the first."""
    ses, since = FakeAccountList(LIST, page_size=2), OCCURRED_AT - timedelta(days=1)
    list(read_account_list(ses.client(), reasons=["BOUNCE"], since=since))
    assert [(request["Reasons"], request["StartDate"]) for _, request in ses.calls] == [(["BOUNCE"], since)] * 2


@pytest.mark.parametrize(
    ("code", "error", "phrase"),
    [
        ("TooManyRequestsException", ServiceUnavailable, "try again later"),
        ("AccessDeniedException", AccessDenied, "AWS denies reading the account-level suppression list"),
        ("InvalidNextTokenException", InvalidInput, "AWS rejects reading the account-level suppression list"),
    ],
)
def test_an_error_of_the_list_is_translated(code: str, error: type[Exception], phrase: str) -> None:
    """Each of SES's codes raises its type."""
    with pytest.raises(error, match=phrase):
        addresses(FakeAccountList(LIST, refuses=[code]))


def test_an_error_on_a_later_page_follows_the_earlier_entries() -> None:
    """What was read before an error is not lost."""
    pages = read_account_list(FakeAccountList(LIST, page_size=1, refuses=["", "AccessDeniedException"]).client())
    assert len(next(pages).entries) == 1
    with pytest.raises(AccessDenied, match="denies"):
        next(pages)


def test_the_sandbox_is_reported_as_the_reason() -> None:
    """In the sandbox SES rejects every request for the list, and its message does not say why."""
    with pytest.raises(UsageError, match="SES is in its sandbox in this region") as raised:
        addresses(FakeAccountList(LIST, in_sandbox=True))
    assert "production access" in str(raised.value)


def test_an_unknown_sandbox_state_leaves_the_first_error() -> None:
    """If SES does not report the account's state, its first error is raised."""
    ses = FakeAccountList(LIST, refuses=["AccessDeniedException"])
    ses.interrupts["get_account"] = EndpointConnectionError(endpoint_url="https://email.eu-west-1.amazonaws.com")
    with pytest.raises(AccessDenied, match="AWS denies reading"):
        addresses(ses)


# Tenants.


def test_a_tenants_mail_names_it(ses: tuple[Any, Stubber]) -> None:
    """SES puts the tag `ses:tenant-name` on the events of mail that names a tenant."""
    sesv2, stubber = ses
    request = dict.fromkeys(("FromEmailAddress", "Destination", "Content", "EmailTags", "ConfigurationSetName"), ANY)
    stubber.add_response("send_email", {"MessageId": "0100"}, request | {"TenantName": "acme"})
    assert send_email(sesv2, msgspec.structs.replace(EMAIL, tenant="acme"), configuration_set="mail") == "0100"


def test_tenants_are_followed_to_the_last_page() -> None:
    """A page of tenants is requested when it is needed."""
    ses = FakeAccountList({}, tenants={"acme": {}, "best": None, "corp": {}}, page_size=2)
    names = tenant_names(ses.client())
    assert names is not None
    assert (next(names), len(ses.calls), list(names)) == ("acme", 1, ["best", "corp"])
    assert [request.get("NextToken") for _, request in ses.calls] == [None, "2"]


def test_an_account_without_tenants_has_no_names() -> None:
    """None is something else: an API that knows no tenants, by an emulator or an older boto3."""
    names = tenant_names(FakeAccountList({}).client())
    assert names is not None
    assert list(names) == []
    assert tenant_names(FakeAccountList({}, tenants=None).client()) is None
    without_operation: Any = SimpleNamespace()
    assert tenant_names(without_operation) is None


def test_denied_tenants_are_an_error() -> None:
    """Lists that cannot be read are not empty."""
    ses = FakeAccountList({})
    ses.interrupts["list_tenants"] = EndpointConnectionError(endpoint_url="https://email.eu-west-1.amazonaws.com")
    with pytest.raises(ServiceUnavailable, match="listing the tenants"):
        tenant_names(ses.client())


def test_an_entry_of_a_tenants_list_lies_in_its_scope() -> None:
    """Every page is requested with the tenant's name."""
    ses = FakeAccountList(LIST, tenants={"acme": {ADA: "COMPLAINT", BOB: "BOUNCE"}}, page_size=1)
    entries = [entry for page in read_tenant_list(ses.client(), "acme") for entry in page.entries]
    assert [(entry.address, entry.scope) for entry in entries] == [(ADA, "acme"), (BOB, "acme")]
    assert [request["TenantName"] for _, request in ses.calls] == ["acme", "acme"]


@pytest.mark.parametrize("name", ["best", "deleted"])
def test_a_tenant_without_its_own_list_has_no_entries(name: str) -> None:
    """SES rejects the request for a tenant that uses the account's list, and for one that was deleted meanwhile."""
    ses = FakeAccountList(LIST, tenants={"best": None})
    assert list(read_tenant_list(ses.client(), name)) == []
    with pytest.raises((InvalidInput, NotFound), match=f"the suppression list of the tenant {name}"):
        next(read_account_list(ses.client(), tenant=name))


def test_a_list_is_asked_for_every_spelling() -> None:
    """SES compares them by case: each spelling on the list is an entry of the answer."""
    ses = FakeAccountList({"Ada@example.com": "BOUNCE", BOB: "COMPLAINT"}, tenants={"acme": {ADA: "COMPLAINT"}})
    spellings = (ADA, "Ada@example.com")
    answer = look_up_list(ses.client(), spellings)
    assert [(entry.address, entry.reason, entry.updated_at, entry.scope) for entry in answer.entries] == [
        ("Ada@example.com", "BOUNCE", OCCURRED_AT, "*")
    ]
    of_tenant = look_up_list(ses.client(), spellings, tenant="acme")
    assert (of_tenant.scope, [(entry.address, entry.scope) for entry in of_tenant.entries]) == ("acme", [(ADA, "acme")])


@pytest.mark.parametrize(
    ("fake", "problem"),
    [
        ({"refuses": ["AccessDeniedException"]}, "AWS denies reading the account-level suppression list: no. Grant"),
        ({"refuses": ["InternalFailure"] * 9}, "AWS is unavailable while reading the account-level suppression list"),
        ({"in_sandbox": True}, "SES is in its sandbox in this region"),
        ({"refuses": ["BadRequestException"]}, "AWS rejects reading the account-level suppression list"),
    ],
)
def test_a_list_that_is_not_read_says_why(fake: dict[str, Any], problem: str) -> None:
    """It is a sentence in the answer, and no error: table and log still explain."""
    answer = look_up_list(FakeAccountList({ADA: "BOUNCE"}, **fake).client(), [ADA])
    assert answer.entries == ()
    assert answer.problem.startswith(problem)


def test_a_tenant_without_a_list_of_its_own_is_said_to_have_none() -> None:
    """The account's list counts for its mail."""
    answer = look_up_list(FakeAccountList({}, tenants={"acme": None}).client(), [ADA], tenant="acme")
    assert (answer.scope, answer.problem) == ("acme", "the tenant has no list of its own")
