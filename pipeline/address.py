"""Canonical e-mail addresses: every spelling of a mailbox has the same key, and nothing else has one.

A key is one mailbox: `local@domain` by RFC 5321, with local parts in UTF-8 by RFC 6531, in lower case, its domain in
A-label form (IDNA, UTS 46). Plus tags and dots are never stripped, because to most providers they are part of the
mailbox. SES sends without regard to case but manages its own suppression list by exact case. Evidence therefore keeps
the spelling as received beside this key (docs.aws.amazon.com/ses/latest/dg/sending-email-suppression-list.html). Pure.
"""

import re
from functools import lru_cache
from ipaddress import ip_address
from typing import NewType
from unicodedata import normalize

import idna
import msgspec

from pipeline.mailbox_text import split_mailboxes

Address = NewType("Address", str)
"""A canonical address: one mailbox, lower-case, its domain in A-label form, at most 320 bytes."""

MAX_ADDRESS_BYTES = 320  # RFC 3696 erratum 1690: 64 for the local part, "@", 255 for the domain
MAX_DOMAIN_LENGTH = 253  # RFC 1035, without the dots of its wire format
MAX_TEXT_LENGTH = 20_000  # characters of a field; SES sends a mail to at most 50 recipients
SIMULATOR_DOMAIN = "simulator.amazonses.com"  # docs.aws.amazon.com/ses/latest/dg/send-an-email-from-console.html

_ATEXT = r"A-Za-z0-9!#$%&'*+/=?^_`{|}~\-"  # RFC 5321, section 4.1.2
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"  # underscores are no host name's, but occur in domains with mail
_PLAIN = re.compile(rf"(?!\.+@)[a-z0-9!#$%&'*+/=?^_`{{|}}~.-]+@(?:{_LABEL}\.)*{_LABEL}", re.ASCII)
_DOMAIN = re.compile(rf"(?:{_LABEL}\.)*{_LABEL}", re.ASCII)
# Two dots in a row, or one at an end, break RFC 5321. Japanese mobile providers gave such addresses to their customers,
# and SES delivers to them.
_DOT_STRING = re.compile(rf"(?!\.+\Z)[{_ATEXT}.\u0080-\U0010ffff]+")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_SEPARATORS = re.compile(r"[\s\x00-\x1f\x7f-\x9f]")  # of a Unicode local part: white space and controls


class Mailbox(msgspec.Struct, frozen=True, gc=False):
    """A mailbox named in a field.

    Attributes:
        address: Its canonical address.
        spelling: The address as written, without display name, brackets and comments.
    """

    address: Address
    spelling: str


class Mailboxes(msgspec.Struct, frozen=True, gc=False):
    """The mailboxes named in a field.

    Attributes:
        found: The mailboxes, distinct, in order.
        unusable: Number of parts that name no mailbox; 1 for an empty field.
    """

    found: tuple[Mailbox, ...]
    unusable: int


def mailboxes(text: str) -> Mailboxes:
    """Return the mailboxes in a field of a record, which may hold several.

    Read are: display names, angle brackets, quotes, comments, groups, lists with commas or semicolons, `mailto:`, the
    type prefix of a delivery status notification (`rfc822;`), and characters without width.
    """
    # Remote servers write such fields. So a longer text is not kept, and the cache has at most 80 MB.
    return _cached_mailboxes(text) if len(text) <= MAX_ADDRESS_BYTES else _parse_mailboxes(text)


def _parse_mailboxes(text: str) -> Mailboxes:
    if len(text) <= MAX_ADDRESS_BYTES and _PLAIN.fullmatch(text) and len(text) - text.rindex("@") <= MAX_DOMAIN_LENGTH:
        return Mailboxes((Mailbox(Address(text), text),), 0)
    parts = split_mailboxes(text) if len(text) <= MAX_TEXT_LENGTH else []
    keys = [(_key(part), part) for part in parts]
    found = {address: Mailbox(address, part) for address, part in reversed(keys) if address}
    unusable = sum(address is None for address, _ in keys)
    return Mailboxes(tuple(reversed(found.values())), unusable if keys else 1)


_cached_mailboxes = lru_cache(maxsize=65_536)(_parse_mailboxes)


def canonical(text: str) -> Address | None:
    """Return the address of the one mailbox that `text` names; None if it names none, several, or something else."""
    only = _only(text)
    return only.address if only else None


def bare(text: str) -> str:
    """Return the address inside `text` as written, without display name, brackets and comments; "" if not one."""
    only = _only(text)
    return only.spelling if only else ""


def domain(address: Address) -> str:
    """Return the part after the last "@"."""
    return address[address.rfind("@") + 1 :]


def is_simulator(address: Address) -> bool:
    """Return True if the address belongs to the SES mailbox simulator, with or without a label."""
    return address.endswith("@" + SIMULATOR_DOMAIN)


def _only(text: str) -> Mailbox | None:
    parsed = mailboxes(text)
    return parsed.found[0] if len(parsed.found) == 1 and not parsed.unusable else None


def _key(text: str) -> Address | None:
    """Return the canonical form of `local@domain`, or None if it is something else."""
    local, _, domain_name = text.rpartition("@")
    local_part, host = _local(local.rstrip()), _host(domain_name.strip())
    if not local_part or not host:
        return None
    key = f"{local_part}@{host}"
    try:
        size_bytes = len(key.encode())
    except UnicodeEncodeError:  # half of a surrogate pair is not text
        return None
    return Address(key) if size_bytes <= MAX_ADDRESS_BYTES else None


def _local(text: str) -> str | None:
    """Return a local part in canonical form. Quotes are removed where it needs none; so both spellings have one key."""
    quoted = _QUOTED.fullmatch(text)
    plain = _fold_case(re.sub(r"\\(.)", r"\1", quoted[1], flags=re.DOTALL) if quoted else text)
    if _DOT_STRING.fullmatch(plain) and not _SEPARATORS.search(plain):
        return plain
    if not quoted or not plain or _SEPARATORS.search(plain.replace(" ", "")):
        return None
    return '"' + re.sub(r'(["\\])', r"\\\1", plain) + '"'


def _fold_case(text: str) -> str:
    """Return a local part in lower case and in Unicode's composed form (NFC), as RFC 6532, section 3.1, recommends."""
    return text.lower() if text.isascii() else normalize("NFC", normalize("NFC", text).lower())


def _host(name: str) -> str | None:
    """Return a domain in A-label form, or an address literal; None if it is neither."""
    if name.startswith("[") and name.endswith("]"):
        return _literal(name[1:-1].lower())
    if not name.isascii():
        try:
            name = idna.encode(name, uts46=True).decode("ascii")
        except (idna.IDNAError, UnicodeError):
            return None
    name = name.lower().rstrip(".")
    return name if len(name) <= MAX_DOMAIN_LENGTH and _DOMAIN.fullmatch(name) else None


def _literal(text: str) -> str | None:
    """Return an address literal, such as [192.0.2.1] or [ipv6:2001:db8::1] (RFC 5321, section 4.1.3)."""
    try:
        return f"[ipv6:{ip_address(text[5:])}]" if text.startswith("ipv6:") else f"[{ip_address(text)}]"
    except ValueError:
        return None
