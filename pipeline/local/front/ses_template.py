"""The second API's templates told to the backend in the first API's words: no emulator knows them in the second's.

docs.aws.amazon.com/ses/latest/APIReference/API_SendTemplatedEmail.html
"""

from collections.abc import Mapping
from typing import Any

from pipeline.errors import Misuse
from pipeline.local.front.query_form import flat

Fields = Mapping[str, Any]

VERSION = "2010-12-01"  # of SES's first API


def action_form(action: str, request: Fields) -> dict[str, str]:
    """Return a request of the first API; what is None is left out."""
    given = {name: value for name, value in request.items() if value is not None}
    return flat({"Action": action, "Version": VERSION, **given})


def templated_form(request: Fields) -> dict[str, str]:
    """Return a SendEmail that is made of a template as a SendTemplatedEmail.

    Raises:
        Misuse: The template is not a stored one.
    """
    return action_form(
        "SendTemplatedEmail",
        {
            **_sender(request),
            "Destination": request.get("Destination") or {},
            "Tags": request.get("EmailTags") or (),
            "Template": _name(request["Content"]["Template"]),
            "TemplateData": request["Content"]["Template"].get("TemplateData") or "{}",
        },
    )


def bulk_form(request: Fields) -> dict[str, str]:
    """Return a SendBulkEmail as a SendBulkTemplatedEmail.

    Raises:
        Misuse: The template is not a stored one.
    """
    template = request.get("DefaultContent", {}).get("Template", {})
    return action_form(
        "SendBulkTemplatedEmail",
        {
            **_sender(request),
            "Template": _name(template),
            "DefaultTemplateData": template.get("TemplateData") or "{}",
            "DefaultTags": request.get("DefaultEmailTags") or (),
            "Destinations": [_entry(entry) for entry in request.get("BulkEmailEntries", ())],
        },
    )


def template_form(action: str, name: str, content: Fields) -> dict[str, str]:
    """Return a CreateEmailTemplate or UpdateEmailTemplate as a CreateTemplate or UpdateTemplate."""
    parts = {
        "TemplateName": name,
        "SubjectPart": content.get("Subject") or "",
        "TextPart": content.get("Text") or "",
        "HtmlPart": content.get("Html") or "",
    }
    return action_form(action, {"Template": parts})


def _sender(request: Fields) -> dict[str, Any]:
    return {
        "Source": request.get("FromEmailAddress"),
        "ReplyToAddresses": request.get("ReplyToAddresses") or (),
        "ConfigurationSetName": request.get("ConfigurationSetName"),
    }


def _entry(entry: Fields) -> dict[str, Any]:
    own = entry.get("ReplacementEmailContent", {}).get("ReplacementTemplate", {})
    return {
        "Destination": entry.get("Destination") or {},
        "ReplacementTags": entry.get("ReplacementTags") or (),
        "ReplacementTemplateData": own.get("ReplacementTemplateData") or "",
    }


def _name(template: Fields) -> str:
    name = template.get("TemplateName")
    if not name:
        raise Misuse("only stored templates can be sent here: store it with CreateEmailTemplate, and name it")
    return str(name)
