"""Put an address on a suppression list of SES, or take it off: the account's list, or a tenant's own.

SES's lists distinguish the spellings of an address, although sending does not.
docs.aws.amazon.com/ses/latest/APIReference-V2/API_PutSuppressedDestination.html and
API_DeleteSuppressedDestination.html
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from pipeline.aws.errors import missing_ok, translated
from pipeline.aws.ses import read_account_list
from pipeline.errors import InvalidInput, NotFound, UsageError

if TYPE_CHECKING:
    from mypy_boto3_sesv2 import SESV2Client
    from mypy_boto3_sesv2.literals import SuppressionListReasonType


class ListChange(StrEnum):
    """What was done with an address on a list."""

    ADDED = "added"
    REMOVED = "removed"
    NOT_LISTED = "not on the list"


class SuppressionList:
    """One of SES's lists.

    Args:
        ses: boto3's client; SES answers one call a second, see `clients.limit_rate`.
        tenant: The tenant whose own list it is; None for the account's list.

    Raises:
        UsageError: There is no such tenant, it has no list of its own, or the account is in the SES sandbox.
        AccessDenied: AWS denies reading, or boto3 has no credentials.
        ServiceUnavailable: SES throttles or cannot be reached.
    """

    def __init__(self, ses: SESV2Client, *, tenant: str | None) -> None:
        self._ses = ses
        self._list: Any = {"TenantName": tenant} if tenant else {}
        self._name = f"the suppression list of the tenant {tenant}" if tenant else "the account-level suppression list"
        try:
            next(read_account_list(ses, tenant=tenant))
        except (InvalidInput, NotFound) as error:
            raise UsageError(f"SES has no list for this scope, so leave out --also-ses: {error}") from error

    def add(self, spelling: str, reason: SuppressionListReasonType) -> ListChange:
        """Put an address on the list. An entry of the same spelling is replaced.

        Raises:
            MailfoldError: AWS denies it, or SES rejects the address, throttles or cannot be reached.
        """
        with translated(f"changing {self._name}"):
            self._ses.put_suppressed_destination(EmailAddress=spelling, Reason=reason, **self._list)
        return ListChange.ADDED

    def remove(self, spelling: str) -> ListChange:
        """Take an address off the list, in exactly this spelling. Raises as `add` does."""
        with translated(f"changing {self._name}"):
            response = missing_ok(lambda: self._ses.delete_suppressed_destination(EmailAddress=spelling, **self._list))
        return ListChange.NOT_LISTED if response is None else ListChange.REMOVED

    def remove_all(self, spellings: Sequence[str]) -> dict[str, ListChange]:
        """Take an address off the list in each of its spellings. Raises as `add` does."""
        return {spelling: self.remove(spelling) for spelling in spellings}
