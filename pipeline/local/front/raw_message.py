"""A raw message that is sent by SES: its addresses, subject, and what headers of SES's own say.

docs.aws.amazon.com/ses/latest/dg/send-email-raw.html, event-publishing-send-email.html (X-SES-MESSAGE-TAGS)
"""

from collections.abc import Iterator, Sequence
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import Message
from email.utils import formataddr, getaddresses

import msgspec

Tags = dict[str, tuple[str, ...]]

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
    message = message_from_bytes(data)
    return RawMessage(
        sender=next(iter(_addresses(message, "From")), ""),
        to=_addresses(message, "To"),
        cc=_addresses(message, "Cc"),
        bcc=_addresses(message, "Bcc"),
        reply_to=_addresses(message, "Reply-To"),
        subject=_text(message, "Subject"),
        headers=tuple(
            (name, _decoded(str(value))) for name, value in message.items() if name.lower() not in _TOLD_APART
        ),
        tags=tags_of(_message_tags(_text(message, "X-SES-MESSAGE-TAGS"))),
        configuration_set=_text(message, "X-SES-CONFIGURATION-SET") or None,
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


def _addresses(message: Message, name: str) -> tuple[str, ...]:
    values = [str(value) for value in message.get_all(name, ())]
    return tuple(formataddr((_decoded(person), address)) for person, address in getaddresses(values) if address)


def _text(message: Message, name: str) -> str:
    return _decoded(str(message.get(name, "")))


def _decoded(value: str) -> str:
    """Return a header's text, its folding undone and its encoded words decoded where they can be."""
    unfolded = "".join(value.splitlines())
    try:
        return str(make_header(decode_header(unfolded)))
    except (LookupError, ValueError):  # an unknown character set, or bytes that are none of it
        return unfolded
