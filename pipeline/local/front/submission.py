"""What an application asks SES to send, read from its request: the form of SES's first API, or the JSON of the second.

docs.aws.amazon.com/ses/latest/APIReference/API_SendEmail.html,
docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html
"""

from base64 import b64decode
from collections.abc import Mapping
from typing import Any

import msgspec

from pipeline.errors import Misuse
from pipeline.local.front.query_form import nested
from pipeline.local.front.raw_message import RawMessage, read_raw, tags_of
from pipeline.local.ses.email import CONFIGURATION_SET, Email

Fields = Mapping[str, Any]


class Template(msgspec.Struct, frozen=True, kw_only=True):
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
    template: Template | None = None


def read_form(form: Mapping[str, str], *, operation: str | None = None) -> list[Submission]:
    """Return what a request of the first API asks for: SendBulkTemplatedEmail for several e-mails, others for one.

    Args:
        form: The request.
        operation: What SES says of how it was sent; None: the request's Action.

    Raises:
        Misuse: SES would refuse it.
    """
    request = nested(form)
    action = request["Action"]
    envelope = _envelope(request, sender=request.get("Source", ""), tags="Tags", operation=operation or action)
    match action:
        case "SendRawEmail":
            destinations = tuple(request.get("Destinations", ()))
            return [_raw(envelope, request.get("RawMessage", {}), destinations)]
        case "SendTemplatedEmail":
            template = Template(name=request.get("Template", ""), data=request.get("TemplateData", "{}"))
            return [Submission(email=Email(**envelope, **_recipients(request)), template=template)]
        case "SendBulkTemplatedEmail":
            return [_bulk_entry(envelope, request, entry) for entry in request.get("Destinations", ())]
        case _:
            return [_simple({**envelope, **_recipients(request)}, request.get("Message", {}))]


def read_json(request: Fields) -> Submission:
    """Return what a SendEmail of the second API asks for, if it is not made of a template.

    Raises:
        Misuse: SES would refuse it.
    """
    content = request.get("Content", {})
    envelope = _envelope(request, sender=request.get("FromEmailAddress", ""), tags="EmailTags", operation="SendEmail")
    recipients = _recipients(request)
    if raw := content.get("Raw"):
        return _raw(envelope, raw, tuple(address for addresses in recipients.values() for address in addresses))
    return _simple({**envelope, **recipients}, content.get("Simple", {}))


def _envelope(request: Fields, *, sender: str, tags: str, operation: str) -> dict[str, Any]:
    """Return what every kind of e-mail has, as `Email` takes it."""
    return {
        "sender": sender,
        "reply_to": tuple(request.get("ReplyToAddresses", ())),
        "tags": _tags(request.get(tags, ())),
        "configuration_set": request.get("ConfigurationSetName") or CONFIGURATION_SET,
        "operation": operation,
    }


def _recipients(request: Fields) -> dict[str, Any]:
    destination = request.get("Destination") or {}
    return {
        "to": tuple(destination.get("ToAddresses", ())),
        "cc": tuple(destination.get("CcAddresses", ())),
        "bcc": tuple(destination.get("BccAddresses", ())),
    }


def _simple(envelope: Fields, message: Fields) -> Submission:
    bodies = [part.get("Data", "").encode() for part in (message.get("Body") or {}).values()]
    attachments = [_decoded(attachment.get("RawContent", "")) for attachment in message.get("Attachments") or ()]
    headers = tuple((header["Name"], header["Value"]) for header in message.get("Headers") or ())
    subject = message.get("Subject", {}).get("Data", "")
    return Submission(email=Email(**envelope, subject=subject, headers=headers, content=(*bodies, *attachments)))


def _raw(envelope: Fields, raw: Fields, destinations: tuple[str, ...]) -> Submission:
    """Read a raw message. What the request itself says wins over what the message's headers say."""
    data = _decoded(raw.get("Data", ""))
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


def _bulk_entry(envelope: Fields, request: Fields, entry: Fields) -> Submission:
    """Read one destination of many: its own data and tags stand in for the default ones."""
    data = entry.get("ReplacementTemplateData") or request.get("DefaultTemplateData", "{}")
    tags = _tags(request.get("DefaultTags", ())) | _tags(entry.get("ReplacementTags", ()))
    email = Email(**{**envelope, **_recipients(entry), "tags": tags})
    return Submission(email=email, template=Template(name=request.get("Template", ""), data=data))


def _tags(tags: Any) -> dict[str, tuple[str, ...]]:
    return tags_of([(tag["Name"], tag["Value"]) for tag in tags])


def _decoded(data: str) -> bytes:
    try:
        return b64decode(data, validate=True)
    except ValueError as error:
        raise Misuse("the raw message or the attachment is not base64") from error
