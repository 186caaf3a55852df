"""SES's suppression list: the account's, or a tenant's own.

Claims: a hard bounce or a complaint adds an address, and mail to it is accepted, counted as sent, and not delivered.
Sending ignores case; the API does not, so that the list may hold an address in several spellings. The simulator's
addresses are never added automatically. Leaves out: configuration sets that turn it off.
The list is on by default for every account created after 2019-11-25.
docs.aws.amazon.com/ses/latest/dg/sending-email-suppression-list.html
"""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from threading import Lock

import msgspec

from pipeline.address import bare, canonical, is_simulator
from pipeline.errors import UsageError
from pipeline.local.ses.outcome import Bounced, Complained, Occurrence
from pipeline.timestamp import from_ms

HARD = frozenset({"General", "NoEmail"})
NOT_SPAM = "not-spam"
ON_ACCOUNT_LIST, ON_TENANT_LIST = "OnAccountSuppressionList", "OnTenantSuppressionList"


class Listing(StrEnum):
    """Reason for an entry, as the API names it."""

    BOUNCE = "BOUNCE"
    COMPLAINT = "COMPLAINT"


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of the list.

    Attributes:
        address: Address in the spelling of its addition.
        reason: Reason for the entry.
        updated_at: Time of its last addition.
    """

    address: str
    reason: Listing
    updated_at: datetime


class AccountList:
    """The list. Safe to use from several threads.

    Attributes:
        sub_type: Sub-type of the bounce or complaint of mail that it stops.
    """

    def __init__(self, *, sub_type: str = ON_ACCOUNT_LIST) -> None:
        self.sub_type = sub_type
        self._lock = Lock()
        self._listed: dict[str, dict[str, Listed]] = {}  # by key and spelling, the newest last

    def reason(self, address: str) -> Listing | None:
        """Return the newest reason for not delivering to an address, in any spelling. None: it is not on the list."""
        with self._lock:
            spellings = self._listed.get(canonical(address) or "")
            return next(reversed(spellings.values())).reason if spellings else None

    def add_from(self, occurrences: Iterable[Occurrence], *, sent_ms: int) -> None:
        """Add the recipients of hard bounces and complaints about a mail that was sent at that time."""
        for occurrence in occurrences:
            if isinstance(occurrence, Bounced) and _is_hard(occurrence):
                self._add(occurrence, Listing.BOUNCE, sent_ms)
            elif isinstance(occurrence, Complained) and _is_fresh(occurrence):
                self._add(occurrence, Listing.COMPLAINT, sent_ms)

    def put(self, address: str, reason: Listing, *, at: datetime) -> None:
        """Add an entry, or update the one with exactly this spelling.

        Raises:
            UsageError: It is not an e-mail address.
        """
        if (key := canonical(address)) is None:
            raise UsageError("the address to suppress is not an e-mail address")
        with self._lock:
            spellings = self._listed.setdefault(key, {})
            spellings.pop(address, None)
            spellings[address] = Listed(address=address, reason=reason, updated_at=at)

    def get(self, address: str) -> Listed | None:
        """Return the entry with exactly this spelling; None if there is none."""
        with self._lock:
            return self._listed.get(canonical(address) or "", {}).get(address)

    def delete(self, address: str) -> bool:
        """Remove the entry with exactly this spelling. Return True if there was one."""
        with self._lock:
            return self._listed.get(canonical(address) or "", {}).pop(address, None) is not None

    def entries(self) -> list[Listed]:
        """Return all entries, by spelling."""
        with self._lock:
            entries = [entry for spellings in self._listed.values() for entry in spellings.values()]
        return sorted(entries, key=lambda entry: entry.address)

    def _add(self, occurrence: Bounced | Complained, reason: Listing, sent_ms: int) -> None:
        at = from_ms(sent_ms + occurrence.after_ms)
        for recipient in map(bare, occurrence.recipients):
            key = canonical(recipient)
            if key and not is_simulator(key):
                self.put(recipient, reason, at=at)


def _is_hard(bounce: Bounced) -> bool:
    return bounce.type == "Permanent" and bounce.sub_type in HARD


def _is_fresh(complaint: Complained) -> bool:
    return complaint.sub_type is None and complaint.feedback_type != NOT_SPAM
