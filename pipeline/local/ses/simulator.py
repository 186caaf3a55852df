"""SES's mailbox simulator: outcomes that the recipient's address decides, at the simulator's domain and any other.

Claims: the simulator's mailboxes, the suppression lists, and the scan for the EICAR test virus:

| local part | outcome |
|---|---|
| success, and any other | Delivery |
| bounce | Bounce Permanent/General, 550 5.1.1 |
| ooto | Delivery, then Bounce Transient/General with addresses only: an automatic reply |
| complaint | Delivery, then Complaint, abuse |
| suppressionlist | Bounce Permanent/Suppressed |

More than SES: its simulator has one domain, simulator.amazonses.com, whose addresses never suppress under the default
policy. Here the local parts, with or without a +label, work at every domain, so that bounce+ann@example.com suppresses.
Leaves out: other viruses.
docs.aws.amazon.com/ses/latest/dg/send-an-email-from-console.html (mailboxes, and the EICAR file "to test rejects")
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from email import message_from_bytes
from functools import partial
from random import Random

from pipeline.address import bare, canonical
from pipeline.local.ses.account_list import ON_ACCOUNT_LIST, AccountList, Listing
from pipeline.local.ses.outcome import Bounced, Complained, Delivered, MailOutcome, Occurrence

# In pieces, so that no virus scanner reports this file. The test file itself is harmless.
EICAR = b"".join((rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$", b"EICAR-STANDARD-", b"ANTIVIRUS-TEST-FILE!", b"$H+H*"))

SIMULATOR_FEEDBACK_LOOP = "Amazon SES Mailbox Simulator"
# SES's diagnostics for mail to addresses on its lists.
ON_LIST_DIAGNOSTIC = (
    "Amazon SES did not send the message to this address because it is on the suppression list for your {owner}. "
    "For more information about removing addresses from the suppression list, see the Amazon SES Developer Guide at "
    "https://docs.aws.amazon.com/ses/latest/dg/sending-email-suppression-list.html"
)
ON_GLOBAL_LIST_DIAGNOSTIC = (
    "Amazon SES has suppressed sending to this address because it has a recent history of bouncing as an invalid "
    "address. For more information about how to remove an address from the suppression list, see the Amazon SES "
    "Developer Guide at https://docs.aws.amazon.com/ses/latest/dg/sending-email-global-suppression-list.html"
)

Mailbox = Callable[[Sequence[str], Random], Iterator[Occurrence]]
"""Yields what happens to a mail for these recipients."""


def is_infected(content: bytes) -> bool:
    """Return True if a body, an attachment or a raw MIME message contains the EICAR test file, encoded or not."""
    if EICAR in content:
        return True
    parts = message_from_bytes(content).walk()
    return any(EICAR in (part.get_payload(decode=True) or b"") for part in parts)


def simulated_outcome(destination: Iterable[str], *, account_list: AccountList | None, random: Random) -> MailOutcome:
    """Return the outcome of a mail to these addresses.

    Recipients with the same outcome share an event: SES combines the simulated bounces of one request.
    """
    recipients_of: dict[Mailbox, list[str]] = {}
    sub_type = account_list.sub_type if account_list else ON_ACCOUNT_LIST
    listed = {listing: partial(mailbox, sub_type=sub_type) for listing, mailbox in _LISTED.items()}
    for recipient in _distinct(destination):
        listing = account_list.reason(recipient) if account_list else None
        mailbox = listed[listing] if listing else _MAILBOXES.get(_local_part(recipient), deliveries)
        recipients_of.setdefault(mailbox, []).append(recipient)
    return MailOutcome(
        occurrences=tuple(
            occurrence for mailbox, recipients in recipients_of.items() for occurrence in mailbox(recipients, random)
        )
    )


def deliveries(recipients: Sequence[str], random: Random) -> Iterator[Delivered]:
    """Yield a delivery for each domain, because each has another server with its own delay."""
    by_domain: dict[str, list[str]] = {}
    for recipient in recipients:
        by_domain.setdefault((canonical(recipient) or "").rpartition("@")[2], []).append(recipient)
    for domain_recipients in by_domain.values():
        yield Delivered(after_ms=random.randint(300, 3_000), recipients=tuple(domain_recipients))


def automatic_reply(recipients: Sequence[str], random: Random) -> Iterator[Occurrence]:
    """Yield an out-of-office reply, which SES reports as a soft bounce after the delivery, with addresses only."""
    yield from deliveries(recipients, random)
    yield Bounced(
        after_ms=random.randint(3_500, 6_000),
        recipients=tuple(map(bare, recipients)),
        type="Transient",
        sub_type="General",
        status=None,
        diagnostic=None,
    )


def on_global_list(recipients: Sequence[str], random: Random) -> Iterator[Occurrence]:
    """Yield a bounce by the list that SES keeps for all its customers.

    AWS documents suppressionlist@ as "a hard bounce as if the address were on the global suppression list", and such a
    bounce as sub-type Suppressed; captures up to 2019 agree. Captures since 2022 have General, with a diagnostic that
    names the list. The documented sub-type is used: it shows an echo of a list, which must not suppress, while bounce@
    shows General already.
    """
    yield Bounced(
        after_ms=random.randint(50, 500),
        recipients=tuple(recipients),
        sub_type="Suppressed",
        diagnostic=ON_GLOBAL_LIST_DIAGNOSTIC,
    )


def _bounce(recipients: Sequence[str], random: Random) -> Iterator[Occurrence]:
    """Yield the bounce of a mailbox that does not exist. Its recipients are addresses without names."""
    yield Bounced(after_ms=random.randint(300, 1_500), recipients=tuple(map(bare, recipients)))


def _complaint(recipients: Sequence[str], random: Random) -> Iterator[Occurrence]:
    yield from deliveries(recipients, random)
    yield Complained(
        after_ms=random.randint(3_500, 6_000),
        recipients=tuple(map(bare, recipients)),
        user_agent=SIMULATOR_FEEDBACK_LOOP,
    )


# Mail to an address that is on a list for a bounce bounces; for a complaint, it complains, without a
# feedback report. OnAccountSuppressionList is a sub-type of both, meaning "accepted, but not sent" (SES guide, "Bounce
# object" and "Complaint object"); a tenant's list has a sub-type of its own.
def _listed_for_bounce(recipients: Sequence[str], random: Random, *, sub_type: str) -> Iterator[Occurrence]:
    yield Bounced(
        after_ms=random.randint(50, 500),
        recipients=tuple(recipients),
        sub_type=sub_type,
        diagnostic=ON_LIST_DIAGNOSTIC.format(owner="account" if sub_type == ON_ACCOUNT_LIST else "tenant"),
    )


def _listed_for_complaint(recipients: Sequence[str], random: Random, *, sub_type: str) -> Iterator[Occurrence]:
    yield Complained(
        after_ms=random.randint(50, 500),
        recipients=tuple(recipients),
        feedback_type=None,
        user_agent=None,
        sub_type=sub_type,
    )


_LISTED: dict[Listing, Callable[..., Iterator[Occurrence]]] = {
    Listing.BOUNCE: _listed_for_bounce,
    Listing.COMPLAINT: _listed_for_complaint,
}
_MAILBOXES: dict[str, Mailbox] = {
    "bounce": _bounce,
    "ooto": automatic_reply,
    "complaint": _complaint,
    "suppressionlist": on_global_list,
}


def _local_part(recipient: str) -> str:
    """Return the local part in lower case and without its label."""
    return bare(recipient).rpartition("@")[0].partition("+")[0].lower()


def _distinct(recipients: Iterable[str]) -> list[str]:
    """Return each address once, in its first spelling."""
    spellings: dict[str | None, str] = {}
    for recipient in recipients:
        spellings.setdefault(canonical(recipient), recipient)
    return list(spellings.values())
