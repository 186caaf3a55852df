"""What an application asks SES to send, read from its request: the form of SES's first API, or the JSON of the second.

docs.aws.amazon.com/ses/latest/APIReference/API_SendEmail.html,
docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html

A raw message that is sent by SES: its addresses, subject, and what headers of SES's own say.

docs.aws.amazon.com/ses/latest/dg/send-email-raw.html, event-publishing-send-email.html (X-SES-MESSAGE-TAGS)
"""

import re
from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from email import message_from_bytes
from email.header import decode_header, make_header
from email.utils import getaddresses, quote
from typing import Any

import msgspec

from pipeline.errors import UsageError
from pipeline.local.gateway.protocols import unflatten
from pipeline.local.ses.email import CONFIGURATION_SET, Email

MessageTags = dict[str, tuple[str, ...]]

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
    tags: MessageTags
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


def tags_of(pairs: Iterator[tuple[str, str]] | Sequence[tuple[str, str]]) -> MessageTags:
    """Return names and values as tags: a name that stands several times has several values."""
    tags: MessageTags = {}
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


RequestFields = Mapping[str, Any]


class EmailTemplate(msgspec.Struct, frozen=True, kw_only=True):
    """What an e-mail is made of.

    Attributes:
        name: The stored template's name.
        data: What it is filled in with, as JSON.
    """

    name: str
    data: str


class Submission(msgspec.Struct, frozen=True, kw_only=True):
    """One e-mail to be sent; if it has a template, its subject is not known yet."""

    email: Email
    template: EmailTemplate | None = None


def read_form(form: Mapping[str, str], *, operation: str | None = None) -> list[Submission]:
    """Return what a request of the first API asks for: SendBulkTemplatedEmail for several e-mails, others for one.

    Args:
        form: The request.
        operation: What SES says of how it was sent; None: the request's Action.

    Raises:
        UsageError: SES would refuse it.
    """
    request = unflatten(form)
    action = request["Action"]
    envelope = _envelope(request, sender=request.get("Source", ""), tags="Tags", operation=operation or action)
    match action:
        case "SendRawEmail":
            destinations = tuple(request.get("Destinations", ()))
            return [_raw(envelope, request.get("RawMessage", {}), destinations)]
        case "SendTemplatedEmail":
            template = EmailTemplate(name=request.get("Template", ""), data=request.get("TemplateData", "{}"))
            return [Submission(email=Email(**envelope, **_recipients(request)), template=template)]
        case "SendBulkTemplatedEmail":
            return [_bulk_entry(envelope, request, entry) for entry in request.get("Destinations", ())]
        case _:
            return [_simple({**envelope, **_recipients(request)}, request.get("Message", {}))]


def read_json(request: RequestFields) -> Submission:
    """Return what a SendEmail of the second API asks for, if it is not made of a template.

    Raises:
        UsageError: SES would refuse it.
    """
    content = request.get("Content", {})
    envelope = _envelope(request, sender=request.get("FromEmailAddress", ""), tags="EmailTags", operation="SendEmail")
    recipients = _recipients(request)
    if raw := content.get("Raw"):
        return _raw(envelope, raw, tuple(address for addresses in recipients.values() for address in addresses))
    return _simple({**envelope, **recipients}, content.get("Simple", {}))


def _envelope(request: RequestFields, *, sender: str, tags: str, operation: str) -> dict[str, Any]:
    """Return what every kind of e-mail has, as `Email` takes it."""
    return {
        "sender": sender,
        "reply_to": tuple(request.get("ReplyToAddresses", ())),
        "tags": _tags(request.get(tags, ())),
        "configuration_set": request.get("ConfigurationSetName") or CONFIGURATION_SET,
        "operation": operation,
    }


def _recipients(request: RequestFields) -> dict[str, Any]:
    destination = request.get("Destination") or {}
    return {
        "to": tuple(destination.get("ToAddresses", ())),
        "cc": tuple(destination.get("CcAddresses", ())),
        "bcc": tuple(destination.get("BccAddresses", ())),
    }


def _simple(envelope: RequestFields, message: RequestFields) -> Submission:
    bodies = [part.get("Data", "").encode() for part in (message.get("Body") or {}).values()]
    attachments = [
        _submission_decoded(attachment.get("RawContent", "")) for attachment in message.get("Attachments") or ()
    ]
    headers = tuple((header["Name"], header["Value"]) for header in message.get("Headers") or ())
    subject = message.get("Subject", {}).get("Data", "")
    return Submission(email=Email(**envelope, subject=subject, headers=headers, content=(*bodies, *attachments)))


def _raw(envelope: RequestFields, raw: RequestFields, destinations: tuple[str, ...]) -> Submission:
    """Read a raw message. What the request itself says wins over what the message's headers say."""
    data = _submission_decoded(raw.get("Data", ""))
    message = read_raw(data)
    in_request = {name: value for name, value in envelope.items() if value}
    if in_request["configuration_set"] == CONFIGURATION_SET and message.configuration_set:
        in_request["configuration_set"] = message.configuration_set
    in_message = {"sender": message.sender, "reply_to": message.reply_to, "tags": message.tags}
    email = Email(
        **{**in_message, **in_request, **_raw_recipients(message, destinations)},
        subject=message.subject,
        headers=message.headers,
        content=(data,),
    )
    return Submission(email=email)


def _raw_recipients(message: RawMessage, destinations: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Return who gets it: those whom the request names, if it names any, whatever the headers say."""
    if not destinations:
        return {"to": message.to, "cc": message.cc, "bcc": message.bcc}
    to = tuple(address for address in message.to if address in destinations)
    cc = tuple(address for address in message.cc if address in destinations and address not in to)
    return {"to": to, "cc": cc, "bcc": tuple(address for address in destinations if address not in (*to, *cc))}


def _bulk_entry(envelope: RequestFields, request: RequestFields, entry: RequestFields) -> Submission:
    """Read one destination of many: its own data and tags stand in for the default ones."""
    data = entry.get("ReplacementTemplateData") or request.get("DefaultTemplateData", "{}")
    tags = _tags(request.get("DefaultTags", ())) | _tags(entry.get("ReplacementTags", ()))
    email = Email(**{**envelope, **_recipients(entry), "tags": tags})
    return Submission(email=email, template=EmailTemplate(name=request.get("Template", ""), data=data))


def _tags(tags: Any) -> dict[str, tuple[str, ...]]:
    return tags_of([(tag["Name"], tag["Value"]) for tag in tags])


def _submission_decoded(data: str) -> bytes:
    try:
        return b64decode(data, validate=True)
    except ValueError as error:
        raise UsageError("the raw message or the attachment is not base64") from error
