"""SES's own account-level suppression list, as far as sending feels it.

On by default for every account made after 2019-11-25. An address gets on it by a hard bounce or a complaint, and mail
to it is accepted, counted as sent, and not delivered. Matching ignores case on sending. The simulator's addresses never
get on it. docs.aws.amazon.com/ses/latest/dg/sending-email-suppression-list.html
"""

from collections.abc import Iterable
from enum import StrEnum

from pipeline.address import canonical, is_simulator
from pipeline.local.ses.fate import Bounced, Complained, Occurrence

HARD = frozenset({"General", "NoEmail"})
NOT_SPAM = "not-spam"


class Listing(StrEnum):
    """Why an address is on the list: the API's two reasons."""

    BOUNCE = "BOUNCE"
    COMPLAINT = "COMPLAINT"


class AccountList:
    """Who is on the list, and why."""

    def __init__(self) -> None:
        self._listed: dict[str, Listing] = {}

    def why(self, address: str) -> Listing | None:
        """Return why `address` is on the list; None if it is not."""
        return self._listed.get(canonical(address) or "")

    def note(self, occurrences: Iterable[Occurrence]) -> None:
        """Put on the list everyone who bounced for good, or complained; the newest reason counts."""
        for occurrence in occurrences:
            if isinstance(occurrence, Bounced) and _is_hard(occurrence):
                self._put(occurrence.recipients, Listing.BOUNCE)
            elif isinstance(occurrence, Complained) and _is_fresh(occurrence):
                self._put(occurrence.recipients, Listing.COMPLAINT)

    def _put(self, recipients: Iterable[str], reason: Listing) -> None:
        for key in map(canonical, recipients):
            if key and not is_simulator(key):
                self._listed[key] = reason


def _is_hard(bounce: Bounced) -> bool:
    return bounce.type == "Permanent" and bounce.sub_type in HARD


def _is_fresh(complaint: Complained) -> bool:
    return complaint.sub_type is None and complaint.feedback_type != NOT_SPAM
