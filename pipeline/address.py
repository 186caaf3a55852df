"""Canonical e-mail addresses: every spelling of a mailbox has the same key.

Pure. Plus tags and dots are never stripped, because to most providers they are part of the mailbox.
SES sends without regard to case but manages its own suppression list by exact case. Evidence therefore keeps the
spelling as received beside this key (docs.aws.amazon.com/ses/latest/dg/sending-email-suppression-list.html).
"""

from functools import lru_cache
from typing import NamedTuple, NewType

import idna

Address = NewType("Address", str)
"""A canonical address: bare, trimmed, lower-case, its domain in A-label form, at most 320 bytes."""

MAX_ADDRESS_BYTES = 320  # RFC 3696 erratum 1690: 64 for the local part, "@", 255 for the domain
MAX_TEXT_LENGTH = 2_000  # characters, display name included; parsing a longer text would take too long
SIMULATOR_DOMAIN = "simulator.amazonses.com"  # docs.aws.amazon.com/ses/latest/dg/send-an-email-from-console.html


@lru_cache(maxsize=65_536)
def canonical(text: str) -> Address | None:
    """Return the canonical form of the address inside `text`, or None if there is no usable address.

    A display name is removed. A text without "@", with nothing on one side of it, or over 320 bytes is not an address.
    A domain that UTS 46 rejects is kept in lower case, so that such an address still has a key.
    """
    local, at, domain_name = bare(text).rpartition("@")
    if not (local and at and domain_name):
        return None
    key = f"{local.lower()}@{_a_label(domain_name.lower())}"
    try:
        size_bytes = len(key.encode())
    except UnicodeEncodeError:  # half of a surrogate pair is not text
        return None
    return Address(key) if size_bytes <= MAX_ADDRESS_BYTES else None


class Mailbox(NamedTuple):
    """An address in a field.

    Attributes:
        address: Its canonical form.
        spelling: The address as written.
    """

    address: Address
    spelling: str


class Mailboxes(NamedTuple):
    """The addresses in a field.

    Attributes:
        found: The addresses.
        unusable: Number of parts that are not addresses.
    """

    found: tuple[Mailbox, ...]
    unusable: int


def mailboxes(text: str) -> Mailboxes:
    """Return the addresses in a field."""
    address = canonical(text)
    return Mailboxes((Mailbox(address, bare(text)),), 0) if address else Mailboxes((), 1)


def bare(text: str) -> str:
    """Return the address inside `text` as written, without display name, brackets, comments and outer white space.

    Both forms of RFC 5322 are read: "Ann" <ann@example.com>, and the older ann@example.com (Ann).
    """
    if len(text) > MAX_TEXT_LENGTH:
        return ""
    while True:
        before, text = text, text.strip().rstrip(";,")
        if text.endswith(">"):
            text = text[text.rfind("<") + 1 : -1]
        elif text.endswith(")") and "(" in text:
            text = text[: text.rfind("(")]
        elif text == before:
            return text


def domain(address: Address) -> str:
    """Return the part after the last "@"."""
    return address[address.rfind("@") + 1 :]


def is_simulator(address: Address) -> bool:
    """Return True if the address belongs to the SES mailbox simulator, with or without a label."""
    return address.endswith("@" + SIMULATOR_DOMAIN)


def _a_label(name: str) -> str:
    """Return a domain in A-label form (IDNA, UTS 46), or unchanged if it has none."""
    if name.isascii():
        return name
    try:
        return idna.encode(name, uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        return name
