"""What the address alone decides: SES's mailbox simulator, at its own domain and at any other.

SES's simulator answers at simulator.amazonses.com only, and its addresses never suppress under the default policy. So
that a suppression can be seen here, the same local parts, with or without a +label, meet the same fate at every domain:
bounce+ann@example.com bounces and is suppressed. Every other address is delivered to.

| local part | becomes |
|---|---|
| success, and any other | Delivery |
| bounce | Bounce Permanent/General, 550 5.1.1 |
| ooto | Delivery, then Bounce Transient/General with addresses only: an automatic reply |
| complaint | Delivery, then Complaint, abuse |
| suppressionlist | Bounce Permanent/Suppressed |

Who is on the account's own suppression list is not delivered to, whatever the local part.
docs.aws.amazon.com/ses/latest/dg/send-an-email-from-console.html

The one virus that SES's scan can be tried with: the EICAR test file, which harms nothing.

docs.aws.amazon.com/ses/latest/dg/send-an-email-from-console.html ("to test rejects")
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from email import message_from_bytes
from random import Random

from pipeline.address import bare, canonical
from pipeline.local.ses.account_list import AccountList, Listing
from pipeline.local.ses.outcome import Bounced, Complained, Delivered, MailOutcome, Occurrence

# In pieces, so that no virus scanner takes this file for one.
EICAR = b"".join((rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$", b"EICAR-STANDARD-", b"ANTIVIRUS-TEST-FILE!", b"$H+H*"))


def is_infected(content: bytes) -> bool:
    """Tell whether a body, an attachment or a raw MIME message holds the EICAR test file, encoded or not."""
    if EICAR in content:
        return True
    parts = message_from_bytes(content).walk()
    return any(EICAR in (part.get_payload(decode=True) or b"") for part in parts)


USER_AGENT = "Amazon SES Mailbox Simulator"
ON_ACCOUNT_LIST = "OnAccountSuppressionList"
# SES's words when it keeps mail back.
ON_ACCOUNT_LIST_DIAGNOSTIC = (
    "Amazon SES did not send the message to this address because it is on the suppression list for your account. "
    "For more information about removing addresses from the suppression list, see the Amazon SES Developer Guide at "
    "https://docs.aws.amazon.com/ses/latest/dg/sending-email-suppression-list.html"
)
ON_GLOBAL_LIST_DIAGNOSTIC = (
    "Amazon SES has suppressed sending to this address because it has a recent history of bouncing as an invalid "
    "address. For more information about how to remove an address from the suppression list, see the Amazon SES "
    "Developer Guide at https://docs.aws.amazon.com/ses/latest/dg/sending-email-global-suppression-list.html"
)

Treatment = Callable[[Sequence[str], Random], Iterator[Occurrence]]


def simulated_outcome(destination: Iterable[str], *, account_list: AccountList | None, random: Random) -> MailOutcome:
    """Return what becomes of a mail to these addresses.

    All who meet the same fate are in one event: SES combines the simulated bounces of one request.
    """
    alike: dict[Treatment, list[str]] = {}
    for recipient in _distinct(destination):
        listing = account_list.why(recipient) if account_list else None
        treatment = _KEPT_BACK[listing] if listing else _MAILBOXES.get(_mailbox(recipient), deliveries)
        alike.setdefault(treatment, []).append(recipient)
    return MailOutcome(
        occurrences=tuple(
            occurrence for treatment, recipients in alike.items() for occurrence in treatment(recipients, random)
        )
    )


def deliveries(recipients: Sequence[str], random: Random) -> Iterator[Delivered]:
    """Give a delivery for each domain: each is another server, with a pace of its own."""
    by_domain: dict[str, list[str]] = {}
    for recipient in recipients:
        by_domain.setdefault((canonical(recipient) or "").rpartition("@")[2], []).append(recipient)
    for there in by_domain.values():
        yield Delivered(after_ms=random.randint(300, 3_000), recipients=tuple(there))


def bounce(recipients: Sequence[str], random: Random) -> Iterator[Occurrence]:
    """Give the bounce of a mailbox that does not exist. A status notification spells addresses without names."""
    yield Bounced(after_ms=random.randint(300, 1_500), recipients=tuple(map(bare, recipients)))


def automatic_reply(recipients: Sequence[str], random: Random) -> Iterator[Occurrence]:
    """Give an out-of-office reply, which SES reports as a soft bounce after the delivery, with addresses only."""
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
    """Give a bounce off the list that SES keeps for all its customers.

    AWS documents suppressionlist@ as "a hard bounce as if the address were on the global suppression list", and such a
    bounce as sub-type Suppressed; captures up to 2019 show it so. Captures since 2022 show General, with a diagnostic
    that names the list. The documented meaning is taken: it shows an echo of a list, which must not suppress, while
    bounce@ shows General already.
    """
    yield Bounced(
        after_ms=random.randint(50, 500),
        recipients=tuple(recipients),
        sub_type="Suppressed",
        diagnostic=ON_GLOBAL_LIST_DIAGNOSTIC,
    )


def _complaint(recipients: Sequence[str], random: Random) -> Iterator[Occurrence]:
    yield from deliveries(recipients, random)
    yield Complained(
        after_ms=random.randint(3_500, 6_000), recipients=tuple(map(bare, recipients)), user_agent=USER_AGENT
    )


# Who is on the account's list for a bounce bounces, and who is on it for a complaint complains, without a feedback
# report: OnAccountSuppressionList is a sub-type of both, in the sense "accepted, but not sent" (SES guide, "Bounce
# object" and "Complaint object").
def _bounce_off_account_list(recipients: Sequence[str], random: Random) -> Iterator[Occurrence]:
    yield Bounced(
        after_ms=random.randint(50, 500),
        recipients=tuple(recipients),
        sub_type=ON_ACCOUNT_LIST,
        diagnostic=ON_ACCOUNT_LIST_DIAGNOSTIC,
    )


def _complaint_off_account_list(recipients: Sequence[str], random: Random) -> Iterator[Occurrence]:
    yield Complained(
        after_ms=random.randint(50, 500),
        recipients=tuple(recipients),
        feedback_type=None,
        user_agent=None,
        sub_type=ON_ACCOUNT_LIST,
    )


_KEPT_BACK: dict[Listing, Treatment] = {
    Listing.BOUNCE: _bounce_off_account_list,
    Listing.COMPLAINT: _complaint_off_account_list,
}
_MAILBOXES: dict[str, Treatment] = {
    "bounce": bounce,
    "ooto": automatic_reply,
    "complaint": _complaint,
    "suppressionlist": on_global_list,
}


def _mailbox(recipient: str) -> str:
    return bare(recipient).rpartition("@")[0].partition("+")[0].lower()


def _distinct(recipients: Iterable[str]) -> list[str]:
    """Return each address once, as first spelt."""
    spellings: dict[str | None, str] = {}
    for recipient in recipients:
        spellings.setdefault(canonical(recipient), recipient)
    return list(spellings.values())
