"""SES's own account-level suppression list.

On by default for every account made after 2019-11-25. An address gets on it by a hard bounce or a complaint, and mail
to it is accepted, counted as sent, and not delivered. Sending ignores case; managing the list does not, so that an
address may stand there in several spellings. The simulator's addresses never get on it by themselves.
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


class Listing(StrEnum):
    """Why an address is on the list: the API's two reasons."""

    BOUNCE = "BOUNCE"
    COMPLAINT = "COMPLAINT"


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of the list.

    Attributes:
        address: As it was spelt when it got there.
        reason: Why it is there.
        updated_at: When it got there, or last got there again.
    """

    address: str
    reason: Listing
    updated_at: datetime


class AccountList:
    """Who is on the list, and why. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._listed: dict[str, dict[str, Listed]] = {}  # by key and spelling, the newest last

    def why(self, address: str) -> Listing | None:
        """Return why mail to `address` is kept back, in whatever spelling; the newest reason. None if it is not."""
        with self._lock:
            spellings = self._listed.get(canonical(address) or "")
            return next(reversed(spellings.values())).reason if spellings else None

    def note(self, occurrences: Iterable[Occurrence], *, sent_ms: int) -> None:
        """Put on the list everyone who bounced for good, or complained, when their mail was sent at that moment."""
        for occurrence in occurrences:
            if isinstance(occurrence, Bounced) and _is_hard(occurrence):
                self._note(occurrence, Listing.BOUNCE, sent_ms)
            elif isinstance(occurrence, Complained) and _is_fresh(occurrence):
                self._note(occurrence, Listing.COMPLAINT, sent_ms)

    def put(self, address: str, reason: Listing, *, at: datetime) -> None:
        """Put an entry on the list, or update the one of that very spelling.

        Raises:
            UsageError: It is no address.
        """
        if (key := canonical(address)) is None:
            raise UsageError("what is to be suppressed is no e-mail address")
        with self._lock:
            spellings = self._listed.setdefault(key, {})
            spellings.pop(address, None)
            spellings[address] = Listed(address=address, reason=reason, updated_at=at)

    def get(self, address: str) -> Listed | None:
        """Return the entry of that very spelling; None if there is none."""
        with self._lock:
            return self._listed.get(canonical(address) or "", {}).get(address)

    def delete(self, address: str) -> bool:
        """Take the entry of that very spelling from the list; return whether there was one."""
        with self._lock:
            return self._listed.get(canonical(address) or "", {}).pop(address, None) is not None

    def entries(self) -> list[Listed]:
        """Return all entries, by spelling."""
        with self._lock:
            return sorted((one for some in self._listed.values() for one in some.values()), key=lambda one: one.address)

    def _note(self, occurrence: Bounced | Complained, reason: Listing, sent_ms: int) -> None:
        at = from_ms(sent_ms + occurrence.after_ms)
        for recipient in map(bare, occurrence.recipients):
            key = canonical(recipient)
            if key and not is_simulator(key):
                self.put(recipient, reason, at=at)


def _is_hard(bounce: Bounced) -> bool:
    return bounce.type == "Permanent" and bounce.sub_type in HARD


def _is_fresh(complaint: Complained) -> bool:
    return complaint.sub_type is None and complaint.feedback_type != NOT_SPAM
