"""A raw MIME message that is sent by SES: its addresses, its subject, and SES's own headers.

Claims: every bytes object parses, and a header that cannot be decoded is kept as it is.
Leaves out: the check of the MIME structure, and every X-SES header but X-SES-MESSAGE-TAGS and X-SES-CONFIGURATION-SET.
docs.aws.amazon.com/ses/latest/dg/send-email-raw.html,
docs.aws.amazon.com/ses/latest/dg/event-publishing-send-email.html
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from email import message_from_bytes
from email.header import decode_header, make_header
from email.utils import getaddresses, quote

import msgspec

MessageTags = dict[str, tuple[str, ...]]

_SPECIAL = re.compile(r'[()<>@,:;".\[\]\\]')  # characters for which a display name needs quotes (RFC 5322, 3.2.3)
_PARSED_HEADERS = frozenset({"from", "reply-to", "to", "cc", "bcc", "subject"})


class RawMessage(msgspec.Struct, frozen=True, kw_only=True):
    """The headers of a raw message.

    Attributes:
        sender: The From header; "" if there is none.
        to: Addresses of the To header.
        cc: Addresses of the Cc header.
        bcc: Addresses of the Bcc header, which SES removes.
        reply_to: Addresses of the Reply-To header.
        subject: The Subject, decoded.
        headers: All other headers, in order.
        tags: Tags of X-SES-MESSAGE-TAGS.
        configuration_set: Value of X-SES-CONFIGURATION-SET; None if there is none.
    """

    sender: str
    to: tuple[str, ...]
    cc: tuple[str, ...]
    bcc: tuple[str, ...]
    reply_to: tuple[str, ...]
    subject: str
    headers: tuple[tuple[str, str], ...]
    tags: MessageTags
    configuration_set: str | None


def read_raw(data: bytes) -> RawMessage:
    """Parse a raw message. An unreadable header counts as absent."""
    headers = [(name, _unfolded(value)) for name, value in message_from_bytes(data).raw_items()]
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
        headers=tuple((name, _decoded(value)) for name, value in headers if name.lower() not in _PARSED_HEADERS),
        tags=to_tags(_tag_pairs(first.get("x-ses-message-tags", ""))),
        configuration_set=first.get("x-ses-configuration-set") or None,
    )


def to_tags(pairs: Iterable[tuple[str, str]]) -> MessageTags:
    """Return pairs of name and value as tags. A repeated name has several values."""
    tags: MessageTags = {}
    for name, value in pairs:
        tags[name] = (*tags.get(name, ()), value)
    return tags


def _tag_pairs(text: str) -> Iterator[tuple[str, str]]:
    """Yield the pairs of `name=value, name=value`."""
    for part in text.split(","):
        name, separator, value = part.partition("=")
        if separator:
            yield name.strip(), value.strip()


def _addresses(headers: Sequence[tuple[str, str]], header: str) -> tuple[str, ...]:
    values = [value for name, value in headers if name.lower() == header]
    return tuple(_mailbox(_decoded(name), address) for name, address in getaddresses(values) if address)


def _mailbox(name: str, address: str) -> str:
    if not name:
        return address
    return f'"{quote(name)}" <{address}>' if _SPECIAL.search(name) else f"{name} <{address}>"


def _unfolded(value: str) -> str:
    """Return a header's value on one line. Bytes outside ASCII are read as UTF-8."""
    return "".join(value.encode("ascii", "surrogateescape").decode("utf-8", "replace").splitlines())


def _decoded(text: str) -> str:
    """Return a text with its encoded words decoded, where that is possible."""
    try:
        return str(make_header(decode_header(text)))
    except (LookupError, ValueError):  # an unknown character set, or bytes that are invalid in it
        return text
