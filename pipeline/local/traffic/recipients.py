"""Recipients of simulated traffic: few enough to be mailed repeatedly, with addresses spelled as in address books.

Claims: names, labels, upper case and internationalized domains. Leaves out: real domains; all are reserved for examples
(RFC 2606, RFC 6761).
"""

from collections.abc import Sequence
from random import Random

import msgspec

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
_FIRST_NAMES = (
    "Ada",
    "Ben",
    "Chloe",
    "Dmitri",
    "Emeka",
    "Fatima",
    "Grace",
    "Hiro",
    "Ines",
    "Jonas",
    "Kemi",
    "Liu",
    "Zoë",
)
_FAMILY_NAMES = (
    "Abara",
    "Brandt",
    "Costa",
    "Dubois",
    "Eriksen",
    "Fischer",
    "Garcia",
    "Haddad",
    "Ito",
    "Jansen",
    "Müller",
)
_PLAIN, _NAMED = 0.80, 0.94  # below the first: the plain address; below the second: with a name; else: another case
_LABELED = 0.02


class MailboxOwner(msgspec.Struct, frozen=True, kw_only=True):
    """A person with a mailbox."""

    name: str
    address: str

    def spelling(self, random: Random) -> str:
        """Return the address in one of the spellings found in address books."""
        chance = random.random()
        if chance < _PLAIN:
            return self.address
        if chance < _NAMED:
            return f"{self.name} <{self.address}>"
        local, _, domain = self.address.partition("@")
        return f"{local.title()}@{domain}"


class RecipientPool:
    """All people that the traffic is sent to.

    Args:
        size: Number of people, at least 1.
        random: Source of their names and domains.
    """

    def __init__(self, *, size: int, random: Random) -> None:
        domains = random.choices(tuple(_DOMAINS), tuple(_DOMAINS.values()), k=size)
        self._people = [_create_person(number, domain, random) for number, domain in enumerate(domains)]
        self._by_domain: dict[str, list[MailboxOwner]] = {}
        for person, domain in zip(self._people, domains, strict=True):
            self._by_domain.setdefault(domain, []).append(person)

    def pick(self, number: int, random: Random) -> Sequence[MailboxOwner]:
        """Return this number of different people; fewer if the pool is smaller."""
        if number == 1:
            return (random.choice(self._people),)
        return random.sample(self._people, min(number, len(self._people)))

    def pick_of_one_domain(self, number: int, random: Random) -> Sequence[MailboxOwner]:
        """Return this number of different people of one domain; fewer if it has fewer."""
        people = random.choice(tuple(self._by_domain.values()))
        return random.sample(people, min(number, len(people)))


def _create_person(number: int, domain: str, random: Random) -> MailboxOwner:
    first_name, family_name = random.choice(_FIRST_NAMES), random.choice(_FAMILY_NAMES)
    local = f"{first_name}.{family_name}".lower().replace("ë", "e").replace("ü", "ue")
    label = f"+{random.choice(('shop', 'news', 'list'))}" if random.random() < _LABELED else ""
    return MailboxOwner(name=f"{first_name} {family_name}", address=f"{local}{number}{label}@{domain}")
