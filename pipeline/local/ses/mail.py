"""SES's `mail` object, which describes the message in each of its events, with variations by event type.

Claims: the order of keys and tags, and the keys that each type leaves out, as in SES's records published from 2019 to
2026. The place of `ses:tenant-name` among the tags is not published.
docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-examples.html
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import accumulate
from typing import Any

import msgspec

from pipeline.address import bare
from pipeline.local.ses.account import Account
from pipeline.local.ses.email import Email
from pipeline.timestamp import format_time, from_ms

MAX_HEADERS_BYTES = 10 * 1024  # SES truncates the rest ("Mail object", headersTruncated)
CALLER_IDENTITY = "mailfold"
SOURCE_IP = "192.0.2.10"
TLS_VERSION = "TLSv1.3"

Header = tuple[str, str]
Tags = Mapping[str, Sequence[str]]


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """An e-mail that SES has accepted.

    Attributes:
        email: E-mail from the application.
        id: SES's message id.
        sent_ms: Time of acceptance, in milliseconds since 1970.
        account: Sending account.
    """

    email: Email
    id: str
    sent_ms: int
    account: Account


class MailObject:
    """The `mail` object of one message as JSON, in each of SES's forms."""

    def __init__(self, message: Message) -> None:
        email = message.email
        from_domain = bare(email.sender).rpartition("@")[2]
        headers = list(_headers(email))
        kept = headers[: _count_fitting(headers)]
        self._origin = {"timestamp": format_time(from_ms(message.sent_ms)), "source": email.sender}
        self._arn = {"sourceArn": message.account.identity_arn(from_domain)}
        self._envelope = {
            "sendingAccountId": message.account.id,
            "messageId": message.id,
            "destination": email.destination,
            "headersTruncated": len(kept) < len(headers),
        }
        self._headers = {
            "headers": [{"name": name, "value": value} for name, value in kept],
            "commonHeaders": _common_headers(message),
        }
        self._tags = {"tags": _tags(email, from_domain)}

    @cached_property
    def whole(self) -> msgspec.Raw:
        """The form of most events."""
        return _json({**self._origin, **self._arn, **self._envelope, **self._headers, **self._tags})

    @cached_property
    def tracked(self) -> msgspec.Raw:
        """The form of Open and Click, without the identity."""
        return _json({**self._origin, **self._envelope, **self._headers, **self._tags})

    @cached_property
    def without_headers(self) -> msgspec.Raw:
        """The form of DeliveryDelay and Rendering Failure."""
        return _json({**self._origin, **self._arn, **self._envelope, **self._tags})

    def delivered(self, outgoing_ip: str) -> msgspec.Raw:
        """Return the form of Delivery, the only one with the outgoing IP address."""
        tags = {"tags": _delivered_tags(self._tags["tags"], outgoing_ip)}
        return _json({**self._origin, **self._arn, **self._envelope, **self._headers, **tags})


def _json(form: Mapping[str, Any]) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(form))


def _headers(email: Email) -> Iterator[Header]:
    """Yield the headers as SES writes them, with the application's further ones behind the subject and without Bcc."""
    yield "From", email.sender
    for name, addresses in (("Reply-To", email.reply_to), ("To", email.to), ("Cc", email.cc)):
        if addresses:
            yield name, ", ".join(addresses)
    yield "Subject", email.subject
    further = [header for header in email.headers if header[0].lower() != "bcc"]
    yield from further
    if not any(name.lower() == "content-type" for name, _ in further):
        yield "MIME-Version", "1.0"
        yield "Content-Type", "text/plain; charset=UTF-8"
        yield "Content-Transfer-Encoding", "7bit"


def _count_fitting(headers: Sequence[Header]) -> int:
    """Return the number of headers, from the first on, that fit into SES's limit, counted as lines of a message."""
    sizes_bytes = accumulate(len(f"{name}: {value}\r\n".encode()) for name, value in headers)
    return sum(size_bytes <= MAX_HEADERS_BYTES for size_bytes in sizes_bytes)


def _common_headers(message: Message) -> dict[str, Any]:
    """Return SES's selection of headers. Its messageId is SES's own id, not the Message-ID header."""
    email = message.email
    date = next((value for name, value in email.headers if name.lower() == "date"), None)
    headers = {
        "from": [email.sender],
        "replyTo": email.reply_to,
        "date": date,
        "to": email.to,
        "cc": email.cc,
        "messageId": message.id,
        "subject": email.subject,
    }
    return {name: value for name, value in headers.items() if value or name == "subject"}


def _tags(email: Email, from_domain: str) -> Tags:
    automatic: Tags = {
        "ses:source-tls-version": (TLS_VERSION,),
        "ses:operation": (email.operation,),
        "ses:configuration-set": (email.configuration_set,),
        "ses:source-ip": (SOURCE_IP,),
        "ses:from-domain": (from_domain,),
        "ses:caller-identity": (CALLER_IDENTITY,),
        **({"ses:tenant-name": (email.tenant,)} if email.tenant else {}),
    }
    return {**automatic, **email.tags, **automatic}


def _delivered_tags(tags: Tags, outgoing_ip: str) -> Tags:
    """Return the tags with the two that only a delivery has, in SES's order."""
    delivered_tags: dict[str, Sequence[str]] = {}
    for name, values in tags.items():
        delivered_tags[name] = values
        if name == "ses:configuration-set":
            delivered_tags["ses:outgoing-tls-version"] = (TLS_VERSION,)
        if name == "ses:caller-identity":
            delivered_tags["ses:outgoing-ip"] = (outgoing_ip,)
    return delivered_tags
