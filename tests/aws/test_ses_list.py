"""Changing SES's suppression lists: the account's and a tenant's own, in the exact spelling."""

from typing import Any

import pytest

from pipeline.aws.ses_list import ListChange, SuppressionList
from pipeline.errors import AccessDenied, InvalidInput, MailfoldError, ServiceUnavailable, UsageError
from tests.support.fake_account_list import FakeAccountList

LIST = {"Ann@example.com": "BOUNCE", "ann@example.com": "COMPLAINT"}


def test_only_the_exact_spelling_is_removed() -> None:
    """Each spelling is an entry of its own."""
    fake = FakeAccountList(LIST)
    account_list = SuppressionList(fake.client(), tenant=None)
    assert account_list.remove_all(["ann@example.com", "ANN@example.com"]) == {
        "ann@example.com": ListChange.REMOVED,
        "ANN@example.com": ListChange.NOT_LISTED,
    }
    assert fake.entries() == {"Ann@example.com": "BOUNCE"}


def test_an_address_is_added_as_it_is_spelled() -> None:
    """With SES's reason."""
    fake = FakeAccountList({})
    assert SuppressionList(fake.client(), tenant=None).add("Bob@example.com", "COMPLAINT") is ListChange.ADDED
    assert fake.entries() == {"Bob@example.com": "COMPLAINT"}


def test_a_tenants_list_is_its_own() -> None:
    """The account's stays."""
    fake = FakeAccountList(LIST, tenants={"acme": {"ann@example.com": "COMPLAINT"}})
    tenant_list = SuppressionList(fake.client(), tenant="acme")
    assert tenant_list.remove("ann@example.com") is ListChange.REMOVED
    assert tenant_list.add("eve@example.com", "BOUNCE") is ListChange.ADDED
    assert (fake.entries("acme"), fake.entries()) == ({"eve@example.com": "BOUNCE"}, LIST)


@pytest.mark.parametrize("tenant", ["none", "best"])
def test_a_scope_without_a_list_is_refused_at_once(tenant: str) -> None:
    """No tenant has this name, or it uses the account's list."""
    with pytest.raises(UsageError, match="SES has no list for this scope, so leave out --also-ses"):
        SuppressionList(FakeAccountList(LIST, tenants={"best": None}).client(), tenant=tenant)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("AccessDeniedException", AccessDenied),
        ("BadRequestException", InvalidInput),
        ("TooManyRequestsException", ServiceUnavailable),
    ],
)
@pytest.mark.parametrize("change", ["add", "remove"])
def test_an_error_names_the_list_and_no_address(code: str, expected: type[MailfoldError], change: str) -> None:
    """AWS's message may quote the address."""
    fake = FakeAccountList(LIST)
    account_list: Any = SuppressionList(fake.client(), tenant=None)
    fake.refuse(code)
    arguments = ("ann@example.com", "BOUNCE") if change == "add" else ("ann@example.com",)
    with pytest.raises(expected, match="changing the account-level suppression list") as error:
        getattr(account_list, change)(*arguments)
    assert "@example" not in str(error.value)
