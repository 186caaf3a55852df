"""Requests to send e-mail, read from the form of SES API v1 or the JSON of SES API v2.

Claims: simple, raw and templated e-mail, and bulk e-mail by a template. Values in a request take precedence over the
headers of its raw message.
Leaves out: inline templates and list management options.
docs.aws.amazon.com/ses/latest/APIReference/API_SendEmail.html,
docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html
"""

from base64 import b64decode
from collections.abc import Mapping
from typing import Any

import msgspec

from pipeline.errors import UsageError
from pipeline.local.gateway.protocols import unflatten
from pipeline.local.gateway.raw_message import MessageTags, RawMessage, read_raw, to_tags
from pipeline.local.ses.email import CONFIGURATION_SET, Email

RequestFields = Mapping[str, Any]
EmailFields = dict[str, Any]
"""Arguments of `Email`."""


class EmailTemplate(msgspec.Struct, frozen=True, kw_only=True):
    """A stored template with the data that fills it.

    Attributes:
        name: The template's name.
        data: The template data, as JSON.
    """

    name: str
    data: str


class Submission(msgspec.Struct, frozen=True, kw_only=True):
    """One e-mail to send. The subject of a templated e-mail is not known yet."""

    email: Email
    template: EmailTemplate | None = None


def read_form(form: Mapping[str, str], *, operation: str | None = None, tenant: str = "") -> list[Submission]:
    """Return the e-mails of an API v1 request: several for SendBulkTemplatedEmail, one for the others.

    Args:
        form: The request.
        operation: Value of the tag `ses:operation`; None for the request's Action.
        tenant: The tenant that sends; API v1 knows none.

    Raises:
        UsageError: SES would reject it.
    """
    request = unflatten(form)
    action = request["Action"]
    fields = _common_fields(request, sender=request.get("Source", ""), tags="Tags", operation=operation or action)
    fields["tenant"] = tenant
    match action:
        case "SendRawEmail":
            destinations = tuple(request.get("Destinations", ()))
            return [_raw(fields, request.get("RawMessage", {}), destinations)]
        case "SendTemplatedEmail":
            template = EmailTemplate(name=request.get("Template", ""), data=request.get("TemplateData", "{}"))
            return [Submission(email=Email(**fields, **_recipients(request)), template=template)]
        case "SendBulkTemplatedEmail":
            return [_bulk_entry(fields, request, entry) for entry in request.get("Destinations", ())]
        case _:
            return [_simple({**fields, **_recipients(request)}, request.get("Message", {}))]


def read_json(request: RequestFields) -> Submission:
    """Return the e-mail of an API v2 SendEmail request that uses no template.

    Raises:
        UsageError: SES would reject it.
    """
    content = request.get("Content", {})
    sender = request.get("FromEmailAddress", "")
    fields = _common_fields(request, sender=sender, tags="EmailTags", operation="SendEmail")
    recipients = _recipients(request)
    if raw := content.get("Raw"):
        return _raw(fields, raw, tuple(address for addresses in recipients.values() for address in addresses))
    return _simple({**fields, **recipients}, content.get("Simple", {}))


def _common_fields(request: RequestFields, *, sender: str, tags: str, operation: str) -> EmailFields:
    """Return the fields that every kind of e-mail has."""
    return {
        "sender": sender,
        "reply_to": tuple(request.get("ReplyToAddresses", ())),
        "tags": _tags(request.get(tags, ())),
        "configuration_set": request.get("ConfigurationSetName") or CONFIGURATION_SET,
        "operation": operation,
        "tenant": request.get("TenantName") or "",
    }


def _recipients(request: RequestFields) -> EmailFields:
    destination = request.get("Destination") or {}
    return {
        "to": tuple(destination.get("ToAddresses", ())),
        "cc": tuple(destination.get("CcAddresses", ())),
        "bcc": tuple(destination.get("BccAddresses", ())),
    }


def _simple(fields: EmailFields, message: RequestFields) -> Submission:
    bodies = [part.get("Data", "").encode() for part in (message.get("Body") or {}).values()]
    attachments = [_decode_base64(attachment.get("RawContent", "")) for attachment in message.get("Attachments") or ()]
    headers = tuple((header["Name"], header["Value"]) for header in message.get("Headers") or ())
    subject = message.get("Subject", {}).get("Data", "")
    return Submission(email=Email(**fields, subject=subject, headers=headers, content=(*bodies, *attachments)))


def _raw(fields: EmailFields, raw: RequestFields, destinations: tuple[str, ...]) -> Submission:
    """Read a raw message. Values in the request take precedence over the message's headers."""
    data = _decode_base64(raw.get("Data", ""))
    message = read_raw(data)
    request_fields = {name: value for name, value in fields.items() if value}
    if request_fields["configuration_set"] == CONFIGURATION_SET and message.configuration_set:
        request_fields["configuration_set"] = message.configuration_set
    message_fields = {"sender": message.sender, "reply_to": message.reply_to, "tags": message.tags}
    email = Email(
        **{**message_fields, **request_fields, **_raw_recipients(message, destinations)},
        subject=message.subject,
        headers=message.headers,
        content=(data,),
    )
    return Submission(email=email)


def _raw_recipients(message: RawMessage, destinations: tuple[str, ...]) -> EmailFields:
    """Return the recipients. Destinations in the request replace those in the headers."""
    if not destinations:
        return {"to": message.to, "cc": message.cc, "bcc": message.bcc}
    to = tuple(address for address in message.to if address in destinations)
    cc = tuple(address for address in message.cc if address in destinations and address not in to)
    return {"to": to, "cc": cc, "bcc": tuple(address for address in destinations if address not in (*to, *cc))}


def _bulk_entry(fields: EmailFields, request: RequestFields, entry: RequestFields) -> Submission:
    """Read one destination of a bulk request. Its replacement data and tags take precedence over the defaults."""
    data = entry.get("ReplacementTemplateData") or request.get("DefaultTemplateData", "{}")
    tags = _tags(request.get("DefaultTags", ())) | _tags(entry.get("ReplacementTags", ()))
    email = Email(**{**fields, **_recipients(entry), "tags": tags})
    return Submission(email=email, template=EmailTemplate(name=request.get("Template", ""), data=data))


def _tags(tags: Any) -> MessageTags:
    return to_tags((tag["Name"], tag["Value"]) for tag in tags)


def _decode_base64(data: str) -> bytes:
    try:
        return b64decode(data, validate=True)
    except ValueError as error:
        raise UsageError("the raw message or the attachment is not base64") from error
