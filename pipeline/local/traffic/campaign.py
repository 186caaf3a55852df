"""Simulated e-mails: a few senders, each with its subjects, tags and headers.

Claims: as many headers as real newsletters and notices have, so that an event is about 1.8 KB. Leaves out: bodies.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from email.utils import format_datetime
from random import Random

import msgspec

from pipeline.local.ses.email import Email


class Campaign(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of e-mail.

    Attributes:
        name: Value of the tag `campaign`.
        sender: From address.
        operation: API action that sends it.
        subjects: Subjects, of which each e-mail has one.
        is_bulk: True for a newsletter, with ways to unsubscribe; False for a notice to one person.
        weight: Relative frequency.
        tenant: SES tenant that sends it; "" if none.
    """

    name: str
    sender: str
    operation: str
    subjects: tuple[str, ...]
    is_bulk: bool
    weight: int
    tenant: str = ""


_CAMPAIGNS = (
    Campaign(
        name="weekly-digest",
        sender="Harbour News <news@harbour.example>",
        operation="SendBulkEmail",
        subjects=("What happened this week", "Your digest: 12 stories", "Seven things worth reading"),
        is_bulk=True,
        weight=40,
    ),
    Campaign(
        name="spring-sale",
        sender='"Lantern & Co." <hello@shop.lantern.example>',
        operation="SendEmail",
        subjects=("Spring sale: 20 % off", "Last day of the sale", "Back in stock 🎉"),
        is_bulk=True,
        weight=20,
        tenant="lantern",
    ),
    Campaign(
        name="receipts",
        sender="receipts@lantern.example",
        operation="SendRawEmail",
        subjects=("Your receipt", "Your order is on its way", "Votre reçu"),
        is_bulk=False,
        weight=25,
    ),
    Campaign(
        name="sign-in",
        sender="=?UTF-8?Q?Caf=C3=A9_Konto?= <no-reply@konto.example>",
        operation="SendSmtpEmail",
        subjects=("Confirm your address", "Your sign-in code", "Neue Anmeldung auf Ihrem Konto"),
        is_bulk=False,
        weight=15,
    ),
)
_WEIGHTS = tuple(campaign.weight for campaign in _CAMPAIGNS)


def compose(recipients: Sequence[str], *, sent_at: datetime, random: Random) -> Email:
    """Return an e-mail of a random campaign to these recipients: the first in To, the others in Cc and Bcc."""
    campaign = random.choices(_CAMPAIGNS, _WEIGHTS)[0]
    first, *others = recipients
    cc_count = len(others) // 2
    return Email(
        sender=campaign.sender,
        to=(first,),
        cc=tuple(others[:cc_count]),
        bcc=tuple(others[cc_count:]),
        subject=random.choice(campaign.subjects),
        tags=_tags(campaign, random),
        configuration_set="bulk" if campaign.is_bulk else "transactional",
        tenant=campaign.tenant,
        operation=campaign.operation,
        headers=_headers(campaign, sent_at, random),
    )


def _tags(campaign: Campaign, random: Random) -> Mapping[str, tuple[str, ...]]:
    tags = {"campaign": (campaign.name,), "tenant": (f"t{random.randint(1, 40):03d}",)}
    return tags | {"abTest": (random.choice("AB"),)} if campaign.is_bulk else tags


def _headers(campaign: Campaign, sent_at: datetime, random: Random) -> tuple[tuple[str, str], ...]:
    token = f"{random.getrandbits(96):024x}"
    host = campaign.sender.rstrip(">").rpartition("@")[2]
    common = (
        ("Date", format_datetime(sent_at)),
        ("Message-ID", f"<{token}@{host}>"),
        ("MIME-Version", "1.0"),
        ("Content-Type", f'multipart/alternative; boundary="--=_part_{token[:12]}"'),
        ("X-SES-CONFIGURATION-SET", "bulk" if campaign.is_bulk else "transactional"),
        ("X-Entity-Ref-ID", token),
    )
    if not campaign.is_bulk:
        return (*common, ("Auto-Submitted", "auto-generated"))
    return (
        *common,
        ("List-Id", f"<{campaign.name}.{host}>"),
        ("List-Unsubscribe", f"<https://{host}/u/{token}>, <mailto:unsubscribe@{host}?subject={token}>"),
        ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
        ("Feedback-ID", f"{campaign.name}:{token[:8]}:bulk:{host}"),
    )
