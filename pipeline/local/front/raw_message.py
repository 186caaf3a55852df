"""A raw message that is sent by SES: its addresses, subject, and what headers of SES's own say.

docs.aws.amazon.com/ses/latest/dg/send-email-raw.html, event-publishing-send-email.html (X-SES-MESSAGE-TAGS)
"""

import re
from collections.abc import Iterator, Sequence
from email import message_from_bytes
from email.header import decode_header, make_header
from email.utils import getaddresses, quote

import msgspec

Tags = dict[str, tuple[str, ...]]

_SPECIAL = re.compile(r'[()<>@,:;".\[\]\\]')  # what makes a name need quotes (RFC 5322, 3.2.3)
_TOLD_APART = frozenset({"from", "reply-to", "to", "cc", "bcc", "subject"})


class RawMessage(msgspec.Struct, frozen=True, kw_only=True):
    """What a raw message says of itself.

    Attributes:
        sender: The From header; empty if it has none.
        to: The To header's addresses.
        cc: The Cc header's.
        bcc: The Bcc header's, which SES takes out.
        reply_to: The Reply-To header's.
        subject: The Subject, decoded.
        headers: All others, in order.
        tags: Those of X-SES-MESSAGE-TAGS.
        configuration_set: That of X-SES-CONFIGURATION-SET; None if it names none.
    """

    sender: str
    to: tuple[str, ...]
    cc: tuple[str, ...]
    bcc: tuple[str, ...]
    reply_to: tuple[str, ...]
    subject: str
    headers: tuple[tuple[str, str], ...]
    tags: Tags
    configuration_set: str | None


def read_raw(data: bytes) -> RawMessage:
    """Return what a raw message says of itself; a header that cannot be read counts as absent."""
    headers = [(name, _text(value)) for name, value in message_from_bytes(data).raw_items()]
    first: dict[str, str] = {}
    for name, value in headers:
        first.setdefault(name.lower(), value)
    return RawMessage(
        sender=next(iter(_addresses(headers, "from")), ""),
        to=_addresses(headers, "to"),
        cc=_addresses(headers, "cc"),
        bcc=_addresses(headers, "bcc"),
        reply_to=_addresses(headers, "reply-to"),
        subject=_decoded(first.get("subject", "")),
        headers=tuple((name, _decoded(value)) for name, value in headers if name.lower() not in _TOLD_APART),
        tags=tags_of(_message_tags(first.get("x-ses-message-tags", ""))),
        configuration_set=first.get("x-ses-configuration-set") or None,
    )


def tags_of(pairs: Iterator[tuple[str, str]] | Sequence[tuple[str, str]]) -> Tags:
    """Return names and values as tags: a name that stands several times has several values."""
    tags: Tags = {}
    for name, value in pairs:
        tags[name] = (*tags.get(name, ()), value)
    return tags


def _message_tags(text: str) -> Iterator[tuple[str, str]]:
    """Give the tags of `name=value, name=value`."""
    for part in text.split(","):
        name, separator, value = part.partition("=")
        if separator:
            yield name.strip(), value.strip()


def _addresses(headers: Sequence[tuple[str, str]], wanted: str) -> tuple[str, ...]:
    values = [value for name, value in headers if name.lower() == wanted]
    return tuple(_with_name(_decoded(name), address) for name, address in getaddresses(values) if address)


def _with_name(name: str, address: str) -> str:
    if not name:
        return address
    return f'"{quote(name)}" <{address}>' if _SPECIAL.search(name) else f"{name} <{address}>"


def _text(value: str) -> str:
    """Return a header as it stands, unfolded; what is not ASCII in it is UTF-8."""
    return "".join(value.encode("ascii", "surrogateescape").decode("utf-8", "replace").splitlines())


def _decoded(text: str) -> str:
    """Return a text with its encoded words decoded, where they can be."""
    try:
        return str(make_header(decode_header(text)))
    except (LookupError, ValueError):  # an unknown character set, or bytes that are none of it
        return text
