"""The people that made-up traffic is sent to: few enough to be written to again, spelt as people spell addresses.

All domains are reserved for examples (RFC 2606, RFC 6761), one of them internationalized.
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
_GIVEN = ("Ada", "Ben", "Chloe", "Dmitri", "Emeka", "Fatima", "Grace", "Hiro", "Ines", "Jonas", "Kemi", "Liu", "Zoë")
_FAMILY = ("Abara", "Brandt", "Costa", "Dubois", "Eriksen", "Fischer", "Garcia", "Haddad", "Ito", "Jansen", "Müller")
_PLAIN, _NAMED = 0.80, 0.94  # up to here as it is, up to here with a name, else in another case
_LABELLED = 0.02


class Person(msgspec.Struct, frozen=True, kw_only=True):
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


class Audience:
    """Everybody who may be written to."""

    def __init__(self, *, size: int, random: Random) -> None:
        """Make up `size` people, at least one."""
        domains = random.choices(tuple(_DOMAINS), tuple(_DOMAINS.values()), k=size)
        self._people = [_person(number, domain, random) for number, domain in enumerate(domains)]
        self._by_domain: dict[str, list[Person]] = {}
        for person, domain in zip(self._people, domains, strict=True):
            self._by_domain.setdefault(domain, []).append(person)

    def pick(self, number: int, random: Random) -> Sequence[Person]:
        """Return some people, all different; fewer if there are no more."""
        if number == 1:
            return (random.choice(self._people),)
        return random.sample(self._people, min(number, len(self._people)))

    def pick_together(self, number: int, random: Random) -> Sequence[Person]:
        """Return some people of one domain, all different; fewer if there are no more."""
        there = random.choice(tuple(self._by_domain.values()))
        return random.sample(there, min(number, len(there)))


def _person(number: int, domain: str, random: Random) -> Person:
    given, family = random.choice(_GIVEN), random.choice(_FAMILY)
    local = f"{given}.{family}".lower().replace("ë", "e").replace("ü", "ue")
    label = f"+{random.choice(('shop', 'news', 'list'))}" if random.random() < _LABELLED else ""
    return Person(name=f"{given} {family}", address=f"{local}{number}{label}@{domain}")
