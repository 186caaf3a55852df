"""Amazon SES: sending one e-mail, and reading the account-level suppression list.

No message contains an address, although AWS's do.
docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html and API_ListSuppressedDestinations.html
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from pipeline.account_list import ListEntry
from pipeline.aws.errors import translated
from pipeline.errors import AccessDenied, InvalidInput, MailfoldError, UsageError

if TYPE_CHECKING:
    from mypy_boto3_sesv2 import SESV2Client
    from mypy_boto3_sesv2.literals import SuppressionListReasonType
    from mypy_boto3_sesv2.type_defs import SuppressedDestinationSummaryTypeDef

ENTRIES_PER_PAGE = 1_000  # SES's limit for one response

# By SES's code.
REMEDIES = {
    "AccountSuspendedException": "The account may not send any more: see the SES console",
    "LimitExceededException": "SES's sending quota is used up: try again later",
    "MailFromDomainNotVerifiedException": "Finish setting up the identity's MAIL FROM domain",
    "MessageRejected": (
        "The sender must be a verified identity of this region. While the account is in the SES sandbox, each "
        "recipient must be one too, except for addresses of the mailbox simulator"
    ),
    "NotFoundException": "The configuration set does not exist: check the stack with `mailfold doctor`",
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
    """

    sender: str
    to: Sequence[str]
    cc: Sequence[str] = ()
    bcc: Sequence[str] = ()
    subject: str
    body: str
    tags: Sequence[tuple[str, str]] = ()


def send_email(client: SESV2Client, email: OutgoingEmail, *, configuration_set: str) -> str:
    """Send an e-mail through SES, and return its message id.

    Raises:
        InvalidInput: SES rejects the e-mail.
        NotFound: The configuration set does not exist.
        AccessDenied: AWS denies sending.
        ServiceUnavailable: SES's quota is used up, or SES throttles or cannot be reached.
    """
    with translated("sending the e-mail", remedies=REMEDIES):
        response = client.send_email(
            FromEmailAddress=email.sender,
            Destination={"ToAddresses": list(email.to), "CcAddresses": list(email.cc), "BccAddresses": list(email.bcc)},
            Content={"Simple": {"Subject": {"Data": email.subject}, "Body": {"Text": {"Data": email.body}}}},
            EmailTags=[{"Name": name, "Value": value} for name, value in email.tags],
            ConfigurationSetName=configuration_set,
        )
    return response["MessageId"]


class ListPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the account-level suppression list. SES lists its entries in no order.

    Attributes:
        entries: Its entries. There may be none although more pages follow.
        is_last: Whether this is the last page.
    """

    entries: tuple[ListEntry, ...]
    is_last: bool


def read_account_list(
    ses: SESV2Client, *, reasons: Sequence[SuppressionListReasonType] = (), since: datetime | None = None
) -> Iterator[ListPage]:
    """Yield the list page by page. A page is requested when it is taken.

    Args:
        ses: boto3's client; SES answers one call a second, see `clients.limit_rate`.
        reasons: Only entries with one of these reasons; none for all.
        since: Only entries added after this time.

    Raises:
        UsageError: The account is in the SES sandbox.
        AccessDenied: AWS denies reading, or boto3 has no credentials.
        ServiceUnavailable: SES throttles or cannot be reached.
    """
    request: dict[str, Any] = {"PageSize": ENTRIES_PER_PAGE}
    if reasons:
        request["Reasons"] = list(reasons)
    if since:
        request["StartDate"] = since
    is_last = False
    while not is_last:
        with _sandbox_explained(ses), translated("reading the account-level suppression list"):
            response = ses.list_suppressed_destinations(**request)
        request["NextToken"] = response.get("NextToken")
        is_last = not request["NextToken"]
        yield ListPage(entries=tuple(map(_entry, response.get("SuppressedDestinationSummaries", []))), is_last=is_last)


def _entry(summary: SuppressedDestinationSummaryTypeDef) -> ListEntry:
    return ListEntry(address=summary["EmailAddress"], reason=summary["Reason"], updated_at=summary["LastUpdateTime"])


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
