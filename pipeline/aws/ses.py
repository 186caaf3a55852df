"""Amazon SES: sending one e-mail, and reading the suppression lists of the account and its tenants.

No message contains an address, although AWS's do.
docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html, API_ListTenants.html and
API_ListSuppressedDestinations.html
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from pipeline.account_list import ListEntry
from pipeline.aws.errors import missing_ok, tolerate, translated
from pipeline.errors import AccessDenied, InvalidInput, MailfoldError, NotFound, UsageError
from pipeline.explanation import ListAnswer
from pipeline.standing import EVERY_SCOPE

if TYPE_CHECKING:
    from mypy_boto3_sesv2 import SESV2Client
    from mypy_boto3_sesv2.literals import SuppressionListReasonType
    from mypy_boto3_sesv2.type_defs import (
        ListTenantsResponseTypeDef,
        SuppressedDestinationSummaryTypeDef,
        SuppressedDestinationTypeDef,
    )

ENTRIES_PER_PAGE = 1_000  # SES's limit for one response
TENANTS_PER_PAGE = 100  # ListTenants' limit
# Codes by which an emulator, or SES in a region without tenants, answers an operation that it does not know.
UNKNOWN_OPERATION = ("UnknownOperationException", "UnknownOperation", "InvalidAction", "NotImplemented", "501")

# By SES's code.
REMEDIES = {
    "AccountSuspendedException": "The account may not send any more: see the SES console",
    "LimitExceededException": "SES's sending quota is used up: try again later",
    "MailFromDomainNotVerifiedException": "Finish setting up the identity's MAIL FROM domain",
    "MessageRejected": (
        "The sender must be a verified identity of this region. While the account is in the SES sandbox, each "
        "recipient must be one too, except for addresses of the mailbox simulator"
    ),
    "NotFoundException": "The configuration set or the tenant does not exist: check them with `mailfold doctor`",
    "SendingPausedException": "Sending is paused for the account or the configuration set: see `mailfold doctor`",
    "TooManyRequestsException": "SES's sending quota is used up: try again later",
}


class OutgoingEmail(msgspec.Struct, frozen=True, kw_only=True):
    """A plain-text e-mail.

    Attributes:
        sender: The From address.
        to: The To addresses.
        cc: The Cc addresses.
        bcc: The Bcc addresses.
        subject: The subject.
        body: The text.
        tags: Message tags, by name.
        tenant: The SES tenant that sends it; "" if none.
    """

    sender: str
    to: Sequence[str]
    cc: Sequence[str] = ()
    bcc: Sequence[str] = ()
    subject: str
    body: str
    tags: Sequence[tuple[str, str]] = ()
    tenant: str = ""


def send_email(client: SESV2Client, email: OutgoingEmail, *, configuration_set: str) -> str:
    """Send an e-mail through SES, and return its message id.

    Raises:
        InvalidInput: SES rejects the e-mail.
        NotFound: The configuration set or the tenant does not exist.
        AccessDenied: AWS denies sending.
        ServiceUnavailable: SES's quota is used up, or SES throttles or cannot be reached.
    """
    tenant: Any = {"TenantName": email.tenant} if email.tenant else {}
    with translated("sending the e-mail", remedies=REMEDIES):
        response = client.send_email(
            FromEmailAddress=email.sender,
            Destination={"ToAddresses": list(email.to), "CcAddresses": list(email.cc), "BccAddresses": list(email.bcc)},
            Content={"Simple": {"Subject": {"Data": email.subject}, "Body": {"Text": {"Data": email.body}}}},
            EmailTags=[{"Name": name, "Value": value} for name, value in email.tags],
            ConfigurationSetName=configuration_set,
            **tenant,
        )
    return response["MessageId"]


def ensure_tenant(client: SESV2Client, name: str) -> None:
    """Create a tenant that uses the account's suppression list, unless it exists.

    Raises:
        InvalidInput: SES rejects the name.
        AccessDenied, ServiceUnavailable: See `send_email`.
    """
    with translated("creating the tenant"):
        tolerate(lambda: client.create_tenant(TenantName=name), "AlreadyExistsException")


class ListPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of a suppression list. SES lists its entries in no order.

    Attributes:
        entries: Its entries. There may be none although more pages follow.
        is_last: Whether this is the last page.
    """

    entries: tuple[ListEntry, ...]
    is_last: bool


def read_account_list(
    ses: SESV2Client,
    *,
    reasons: Sequence[SuppressionListReasonType] = (),
    since: datetime | None = None,
    tenant: str | None = None,
) -> Iterator[ListPage]:
    """Yield a list page by page. A page is requested when it is taken.

    Args:
        ses: boto3's client; SES answers one call a second, see `clients.limit_rate`.
        reasons: Only entries with one of these reasons; none for all.
        since: Only entries added after this time.
        tenant: The tenant whose own list is read; None for the account's list.

    Raises:
        NotFound: There is no such tenant.
        InvalidInput: The tenant has no list of its own.
        UsageError: The account is in the SES sandbox.
        AccessDenied: AWS denies reading, or boto3 has no credentials.
        ServiceUnavailable: SES throttles or cannot be reached.
    """
    request: dict[str, Any] = {"PageSize": ENTRIES_PER_PAGE}
    if reasons:
        request["Reasons"] = list(reasons)
    if since:
        request["StartDate"] = since
    if tenant:
        request["TenantName"] = tenant
    owner = f"the suppression list of the tenant {tenant}" if tenant else "the account-level suppression list"
    is_last = False
    while not is_last:
        with _sandbox_explained(ses), translated(f"reading {owner}"):
            response = ses.list_suppressed_destinations(**request)
        request["NextToken"] = response.get("NextToken")
        is_last = not request["NextToken"]
        summaries = response.get("SuppressedDestinationSummaries", [])
        yield ListPage(entries=tuple(_entry(summary, tenant) for summary in summaries), is_last=is_last)


def read_tenant_list(
    ses: SESV2Client,
    tenant: str,
    *,
    reasons: Sequence[SuppressionListReasonType] = (),
    since: datetime | None = None,
) -> Iterator[ListPage]:
    """Yield a tenant's own list page by page, and nothing if it has none. See `read_account_list`."""
    pages = read_account_list(ses, reasons=reasons, since=since, tenant=tenant)
    try:
        first = next(pages)
    except (InvalidInput, NotFound):  # it uses the account's list, or was deleted since it was listed
        return
    yield first
    yield from pages


def look_up_list(ses: SESV2Client, spellings: Sequence[str], *, tenant: str | None = None) -> ListAnswer:
    """Return what a list says about an address in these spellings. If SES does not answer, the answer says why.

    Args:
        ses: boto3's client; SES answers one call a second, see `clients.limit_rate`.
        spellings: The spellings to look up, because the list compares them by case.
        tenant: The tenant whose own list is asked; None for the account's list.
    """
    scope = tenant or EVERY_SCOPE
    try:
        entries = tuple(filter(None, (_find_entry(ses, spelling, tenant) for spelling in spellings)))
    except InvalidInput as error:
        return ListAnswer(scope=scope, problem=str(error) if tenant is None else "the tenant has no list of its own")
    except MailfoldError as error:
        return ListAnswer(scope=scope, problem=str(error))
    return ListAnswer(scope=scope, entries=entries)


def _find_entry(ses: SESV2Client, spelling: str, tenant: str | None) -> ListEntry | None:
    request: Any = {"EmailAddress": spelling} | ({"TenantName": tenant} if tenant else {})
    owner = f"the suppression list of the tenant {tenant}" if tenant else "the account-level suppression list"
    with _sandbox_explained(ses), translated(f"reading {owner}"):
        response = missing_ok(lambda: ses.get_suppressed_destination(**request))
    return _entry(response["SuppressedDestination"], tenant) if response else None


def tenant_names(ses: SESV2Client) -> Iterator[str] | None:
    """Return the names of the account's tenants, of which a page is read when it is needed.

    None: this SES, or this version of boto3, knows no tenants.

    Raises:
        AccessDenied: AWS denies reading, or boto3 has no credentials.
        ServiceUnavailable: SES throttles or cannot be reached.
    """
    if not hasattr(ses, "list_tenants"):
        return None
    with translated("listing the tenants"):
        first = missing_ok(lambda: ses.list_tenants(PageSize=TENANTS_PER_PAGE), *UNKNOWN_OPERATION)
    return None if first is None else _tenant_names(ses, first)


def _tenant_names(ses: SESV2Client, page: ListTenantsResponseTypeDef) -> Iterator[str]:
    while True:
        yield from (tenant["TenantName"] for tenant in page.get("Tenants", []) if "TenantName" in tenant)
        if not (token := page.get("NextToken")):
            return
        with translated("listing the tenants"):
            page = ses.list_tenants(PageSize=TENANTS_PER_PAGE, NextToken=token)


def _entry(
    summary: SuppressedDestinationSummaryTypeDef | SuppressedDestinationTypeDef, tenant: str | None
) -> ListEntry:
    return ListEntry(
        address=summary["EmailAddress"],
        reason=summary["Reason"],
        updated_at=summary["LastUpdateTime"],
        scope=tenant or EVERY_SCOPE,
    )


@contextmanager
def _sandbox_explained(ses: SESV2Client) -> Iterator[None]:
    try:
        yield
    except (AccessDenied, InvalidInput) as error:
        # In the sandbox, "API calls related to suppression list management are disabled".
        # docs.aws.amazon.com/ses/latest/dg/request-production-access.html
        if _is_in_sandbox(ses):
            raise UsageError(
                "SES is in its sandbox in this region, where the account-level suppression list cannot be read: "
                "request production access in the SES console, then run this again"
            ) from error
        raise


def _is_in_sandbox(ses: SESV2Client) -> bool:
    """Return True if SES reports it. If SES does not answer, the first error is the one to show."""
    try:
        with translated("reading the SES account"):
            return ses.get_account().get("ProductionAccessEnabled") is False
    except MailfoldError:
        return False
