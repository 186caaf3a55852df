"""The mail that made-up traffic sends: a few senders, each with its own subjects, tags and headers.

Headers are as many as real newsletters and notices have, so that an event is about 1.8 KB.

The people that made-up traffic is sent to: few enough to be written to again, spelt as people spell addresses.

All domains are reserved for examples (RFC 2606, RFC 6761), one of them internationalized.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from email.utils import format_datetime
from random import Random

import msgspec

from pipeline.local.ses.email import Email

_DOMAINS = {
    "mail.example": 34,
    "post.example": 18,
    "inbox.example": 14,
    "example.com": 10,
    "example.net": 8,
    "example.org": 8,
    "Students.Uni.Example": 4,
    "bücher.example": 2,
    "xn--bcher-kva.example": 2,
}
_GIVEN = ("Ada", "Ben", "Chloe", "Dmitri", "Emeka", "Fatima", "Grace", "Hiro", "Ines", "Jonas", "Kemi", "Liu", "Zoë")
_FAMILY = ("Abara", "Brandt", "Costa", "Dubois", "Eriksen", "Fischer", "Garcia", "Haddad", "Ito", "Jansen", "Müller")
_PLAIN, _NAMED = 0.80, 0.94  # up to here as it is, up to here with a name, else in another case
_LABELLED = 0.02


class MailboxOwner(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody with a mailbox."""

    name: str
    address: str

    def spelling(self, random: Random) -> str:
        """Return the address in one of the ways that it is found in address books."""
        chance = random.random()
        if chance < _PLAIN:
            return self.address
        if chance < _NAMED:
            return f"{self.name} <{self.address}>"
        local, _, domain = self.address.partition("@")
        return f"{local.title()}@{domain}"


class RecipientPool:
    """Everybody who may be written to."""

    def __init__(self, *, size: int, random: Random) -> None:
        """Make up `size` people, at least one."""
        domains = random.choices(tuple(_DOMAINS), tuple(_DOMAINS.values()), k=size)
        self._people = [_person(number, domain, random) for number, domain in enumerate(domains)]
        self._by_domain: dict[str, list[MailboxOwner]] = {}
        for person, domain in zip(self._people, domains, strict=True):
            self._by_domain.setdefault(domain, []).append(person)

    def pick(self, number: int, random: Random) -> Sequence[MailboxOwner]:
        """Return some people, all different; fewer if there are no more."""
        if number == 1:
            return (random.choice(self._people),)
        return random.sample(self._people, min(number, len(self._people)))

    def pick_together(self, number: int, random: Random) -> Sequence[MailboxOwner]:
        """Return some people of one domain, all different; fewer if there are no more."""
        there = random.choice(tuple(self._by_domain.values()))
        return random.sample(there, min(number, len(there)))


def _person(number: int, domain: str, random: Random) -> MailboxOwner:
    given, family = random.choice(_GIVEN), random.choice(_FAMILY)
    local = f"{given}.{family}".lower().replace("ë", "e").replace("ü", "ue")
    label = f"+{random.choice(('shop', 'news', 'list'))}" if random.random() < _LABELLED else ""
    return MailboxOwner(name=f"{given} {family}", address=f"{local}{number}{label}@{domain}")


class Campaign(msgspec.Struct, frozen=True, kw_only=True):
    """One sort of mail.

    Attributes:
        name: The tag `campaign`.
        sender: The From address.
        operation: The API action that it is sent by.
        subjects: Of which each mail has one.
        bulk: Whether it is a newsletter, with ways to unsubscribe, or a notice to one person.
        weight: How often it is sent, relative to the others.
    """

    name: str
    sender: str
    operation: str
    subjects: tuple[str, ...]
    bulk: bool
    weight: int


_CAMPAIGNS = (
    Campaign(
        name="weekly-digest",
        sender="Harbour News <news@harbour.example>",
        operation="SendBulkEmail",
        subjects=("What happened this week", "Your digest: 12 stories", "Seven things worth reading"),
        bulk=True,
        weight=40,
    ),
    Campaign(
        name="spring-sale",
        sender='"Lantern & Co." <hello@shop.lantern.example>',
        operation="SendEmail",
        subjects=("Spring sale: 20 % off", "Last day of the sale", "Back in stock 🎉"),
        bulk=True,
        weight=20,
    ),
    Campaign(
        name="receipts",
        sender="receipts@lantern.example",
        operation="SendRawEmail",
        subjects=("Your receipt", "Your order is on its way", "Votre reçu"),
        bulk=False,
        weight=25,
    ),
    Campaign(
        name="sign-in",
        sender="=?UTF-8?Q?Caf=C3=A9_Konto?= <no-reply@konto.example>",
        operation="SendSmtpEmail",
        subjects=("Confirm your address", "Your sign-in code", "Neue Anmeldung auf Ihrem Konto"),
        bulk=False,
        weight=15,
    ),
)
_WEIGHTS = tuple(campaign.weight for campaign in _CAMPAIGNS)


def compose(recipients: Sequence[str], *, sent_at: datetime, random: Random) -> Email:
    """Return a mail of some campaign to these recipients: one in To, the others in Cc and Bcc."""
    campaign = random.choices(_CAMPAIGNS, _WEIGHTS)[0]
    first, *others = recipients
    in_cc = len(others) // 2
    return Email(
        sender=campaign.sender,
        to=(first,),
        cc=tuple(others[:in_cc]),
        bcc=tuple(others[in_cc:]),
        subject=random.choice(campaign.subjects),
        tags=_tags(campaign, random),
        configuration_set="bulk" if campaign.bulk else "transactional",
        operation=campaign.operation,
        headers=_headers(campaign, sent_at, random),
    )


def _tags(campaign: Campaign, random: Random) -> Mapping[str, tuple[str, ...]]:
    tags = {"campaign": (campaign.name,), "tenant": (f"t{random.randint(1, 40):03d}",)}
    return tags | {"abTest": (random.choice("AB"),)} if campaign.bulk else tags


def _headers(campaign: Campaign, sent_at: datetime, random: Random) -> tuple[tuple[str, str], ...]:
    token = f"{random.getrandbits(96):024x}"
    host = campaign.sender.rstrip(">").rpartition("@")[2]
    every = (
        ("Date", format_datetime(sent_at)),
        ("Message-ID", f"<{token}@{host}>"),
        ("MIME-Version", "1.0"),
        ("Content-Type", f'multipart/alternative; boundary="--=_part_{token[:12]}"'),
        ("X-SES-CONFIGURATION-SET", "bulk" if campaign.bulk else "transactional"),
        ("X-Entity-Ref-ID", token),
    )
    if not campaign.bulk:
        return (*every, ("Auto-Submitted", "auto-generated"))
    return (
        *every,
        ("List-Id", f"<{campaign.name}.{host}>"),
        ("List-Unsubscribe", f"<https://{host}/u/{token}>, <mailto:unsubscribe@{host}?subject={token}>"),
        ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
        ("Feedback-ID", f"{campaign.name}:{token[:8]}:bulk:{host}"),
    )
