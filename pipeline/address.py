"""Addresses as keys: one person's mailbox has one spelling here, however a payload wrote it.

Pure. Plus tags and dots are never stripped: to most providers they are part of the mailbox.
SES itself sends case-insensitively but manages its own list by exact case, so evidence keeps the spelling as
received beside this key (docs.aws.amazon.com/ses/latest/dg/sending-email-suppression-list.html).
"""

from functools import lru_cache
from typing import NewType

import idna

Address = NewType("Address", str)
"""A canonical address: bare, trimmed, lower-case, its domain in A-label form, at most 320 bytes."""

MAX_ADDRESS_BYTES = 320  # RFC 3696 erratum 1690: 64 for the local part, "@", 255 for the domain
MAX_TEXT_LENGTH = 2_000  # with any display name; a longer text is no recipient, and parsing it would take time
SIMULATOR_DOMAIN = "simulator.amazonses.com"  # docs.aws.amazon.com/ses/latest/dg/send-an-email-from-console.html


def bare(text: str) -> str:
    """Return the address inside `text` as written: without display name, brackets, comments and white space around it.

    RFC 5322 has "Ann" <ann@example.com>, and the older ann@example.com (Ann).
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


@lru_cache(maxsize=65_536)
def canonical(text: str) -> Address | None:
    """Return the key for the address inside `text`, or None if there is no usable address.

    A display name is parsed away. Empty, without "@", nothing on a side of it, or over 320 bytes is no address.
    A domain that UTS 46 refuses stays as it is, lower-cased: such an address still deserves a key.
    """
    local, at, domain = bare(text).rpartition("@")
    if not (local and at and domain):
        return None
    key = f"{local.lower()}@{_a_label(domain.lower())}"
    try:
        size_bytes = len(key.encode())
    except UnicodeEncodeError:  # half of a surrogate pair: no text, so no address
        return None
    return Address(key) if size_bytes <= MAX_ADDRESS_BYTES else None


def is_simulator(address: Address) -> bool:
    """Tell whether this is one of the SES mailbox simulator's addresses, with or without a label."""
    return address.endswith("@" + SIMULATOR_DOMAIN)


def domain(address: Address) -> str:
    """Return what stands behind the last "@"."""
    return address[address.rfind("@") + 1 :]


def _a_label(name: str) -> str:
    if name.isascii():
        return name
    try:
        return idna.encode(name, uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        return name
