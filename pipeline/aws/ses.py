"""SES's own account-level suppression list, read page by page. SES knows no order in it, and answers once a second.

docs.aws.amazon.com/ses/latest/APIReference-V2/API_ListSuppressedDestinations.html

One e-mail through SES, and what SES's refusals mean. No address is repeated: SES's words quote them.

docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from pipeline.account_list import ListEntry
from pipeline.aws.errors import ErrorKind, classify, error_code, redact_addresses, translated
from pipeline.errors import AccessDenied, InvalidInput, MailfoldError, ServiceUnavailable, UsageError

if TYPE_CHECKING:
    from botocore.exceptions import ClientError
    from mypy_boto3_sesv2 import SESV2Client
    from mypy_boto3_sesv2.literals import SuppressionListReasonType

# What it means, or what to do, by SES's code.
REMEDIES = {
    "AccountSuspendedException": ". The account may send nothing any more: see SES's console",
    "MailFromDomainNotVerifiedException": ". Finish setting up the identity's MAIL FROM domain",
    "MessageRejected": (
        ". The sender has to be a verified identity of this region, and so has each recipient while the account is in "
        "SES's sandbox, but for those of the mailbox simulator"
    ),
    "NotFoundException": ". There is no such configuration set: is the stack whole? See `mailfold doctor`",
    "SendingPausedException": ". Sending is switched off, for the account or the set: see `mailfold doctor`",
}
QUOTAS = frozenset({"LimitExceededException", "TooManyRequestsException"})


class OutgoingEmail(msgspec.Struct, frozen=True, kw_only=True):
    """An e-mail of plain text.

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
    """Give an e-mail to SES, and return SES's id of it.

    Raises:
        UsageError: SES refuses it; with what to do.
        ServiceUnavailable: A quota of SES's is used up, or it cannot be reached.
    """
    with translated("sending the e-mail"):
        from botocore.exceptions import ClientError  # noqa: PLC0415 - heavy: see `pipeline.aws.clients`

        try:
            answer = client.send_email(
                FromEmailAddress=email.sender,
                Destination={
                    "ToAddresses": list(email.to),
                    "CcAddresses": list(email.cc),
                    "BccAddresses": list(email.bcc),
                },
                Content={"Simple": {"Subject": {"Data": email.subject}, "Body": {"Text": {"Data": email.body}}}},
                EmailTags=[{"Name": name, "Value": value} for name, value in email.tags],
                ConfigurationSetName=configuration_set,
            )
        except ClientError as error:
            if refusal := _refusal(error):
                raise refusal from error
            raise
    return answer["MessageId"]


def _refusal(error: ClientError) -> UsageError | ServiceUnavailable | None:
    """Return what SES's refusal means; None for an outage, whose words are not repeated anyway."""
    code = error_code(error)
    words = f"{code}: {redact_addresses(error.response['Error'].get('Message', '').strip().rstrip('.'))}"
    if code in QUOTAS:
        return ServiceUnavailable(f"SES answers {words}. Its quota for sending is used up for now: try again later")
    if classify(error) in {ErrorKind.THROTTLED, ErrorKind.UNAVAILABLE}:
        return None
    if classify(error) is ErrorKind.DENIED:
        return UsageError(f"AWS denies sending, these credentials may not do it: {words}")
    return UsageError(f"SES refused the e-mail: {words}{REMEDIES.get(code, '')}")


ENTRIES_PER_PAGE = 1_000  # what one answer holds at most


class ListPage(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the list.

    Attributes:
        entries: Its entries; there may be none, with more to come.
        is_last: Whether nothing comes after it.
    """

    entries: tuple[ListEntry, ...]
    is_last: bool


def read_account_list(
    ses: SESV2Client, *, reasons: Sequence[SuppressionListReasonType] = (), since: datetime | None = None
) -> Iterator[ListPage]:
    """Give the list in pages; SES is asked for no more of them than are taken.

    Args:
        ses: boto3's client; see `pace.keep_pace`.
        reasons: For which an address is there; none: for any.
        since: Only what was put there after this moment.

    Raises:
        UsageError: AWS denies it, or the account is in SES's sandbox, or boto3 is not set up.
        ServiceUnavailable: SES throttles or cannot be reached.
    """
    asked: dict[str, Any] = {"PageSize": ENTRIES_PER_PAGE}
    if reasons:
        asked["Reasons"] = list(reasons)
    if since:
        asked["StartDate"] = since
    is_last = False
    while not is_last:
        with _reading(ses):
            answer = ses.list_suppressed_destinations(**asked)
        asked["NextToken"] = answer.get("NextToken")
        is_last = not asked["NextToken"]
        yield ListPage(entries=tuple(map(_entry, answer.get("SuppressedDestinationSummaries", []))), is_last=is_last)


def _entry(summary: Any) -> ListEntry:
    return ListEntry(address=summary["EmailAddress"], reason=summary["Reason"], updated_at=summary["LastUpdateTime"])


@contextmanager
def _reading(ses: SESV2Client) -> Iterator[None]:
    try:
        with translated("reading SES's own suppression list"):
            yield
    except (AccessDenied, InvalidInput) as error:
        # In the sandbox, "API calls related to suppression list management are disabled".
        # docs.aws.amazon.com/ses/latest/dg/request-production-access.html
        if _is_in_sandbox(ses):
            raise UsageError(
                "SES is in its sandbox in this region, where its own suppression list stays closed: ask for production "
                "access in the SES console, then run this again"
            ) from error
        raise


def _is_in_sandbox(ses: SESV2Client) -> bool:
    """Tell whether SES says so; if it does not answer, the first refusal is what is told."""
    try:
        with translated("looking at SES's account"):
            return ses.get_account().get("ProductionAccessEnabled") is False
    except MailfoldError:
        return False
