"""SES's own account-level suppression list, read page by page. SES knows no order in it, and answers once a second.

docs.aws.amazon.com/ses/latest/APIReference-V2/API_ListSuppressedDestinations.html
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from pipeline.aws.refusal import asking
from pipeline.errors import MailfoldError, Misuse
from pipeline.own_list import Entry

if TYPE_CHECKING:
    from mypy_boto3_sesv2 import SESV2Client
    from mypy_boto3_sesv2.literals import SuppressionListReasonType

ENTRIES_PER_PAGE = 1_000  # what one answer holds at most


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the list.

    Attributes:
        entries: Its entries; there may be none, with more to come.
        is_last: Whether nothing comes after it.
    """

    entries: tuple[Entry, ...]
    is_last: bool


def read_own_list(
    ses: SESV2Client, *, reasons: Sequence[SuppressionListReasonType] = (), since: datetime | None = None
) -> Iterator[Page]:
    """Give the list in pages; SES is asked for no more of them than are taken.

    Args:
        ses: boto3's client; see `pace.keep_pace`.
        reasons: For which an address is there; none: for any.
        since: Only what was put there after this moment.

    Raises:
        Misuse: AWS denies it, or the account is in SES's sandbox, or boto3 is not set up.
        CloudUnavailable: SES throttles or cannot be reached.
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
        yield Page(entries=tuple(map(_entry, answer.get("SuppressedDestinationSummaries", []))), is_last=is_last)


def _entry(summary: Any) -> Entry:
    return Entry(address=summary["EmailAddress"], reason=summary["Reason"], updated_at=summary["LastUpdateTime"])


@contextmanager
def _reading(ses: SESV2Client) -> Iterator[None]:
    try:
        with asking("reading SES's own suppression list"):
            yield
    except Misuse as error:
        # In the sandbox, "API calls related to suppression list management are disabled".
        # docs.aws.amazon.com/ses/latest/dg/request-production-access.html
        if _is_in_sandbox(ses):
            raise Misuse(
                "SES is in its sandbox in this region, where its own suppression list stays closed: ask for production "
                "access in the SES console, then run this again"
            ) from error
        raise


def _is_in_sandbox(ses: SESV2Client) -> bool:
    """Tell whether SES says so; if it does not answer, the first refusal is what is told."""
    try:
        with asking("looking at SES's account"):
            return ses.get_account().get("ProductionAccessEnabled") is False
    except MailfoldError:
        return False
