"""Convert Amazon Pinpoint's e-mail events into SES's records. Pinpoint sent by way of SES; its archives outlive it.

Pinpoint's event contains SES's objects `mail`, `bounce` and so on, with keys in snake_case. Pure.
docs.aws.amazon.com/pinpoint/latest/developerguide/event-streams-data-email.html
"""

from typing import Any

PREFIX = "_email."

# By Pinpoint's type, after the prefix.
TYPES = {
    "send": "Send",
    "delivered": "Delivery",
    "delivery": "Delivery",
    "hardbounce": "Bounce",
    "softbounce": "Bounce",
    "bounce": "Bounce",
    "complaint": "Complaint",
    "open": "Open",
    "click": "Click",
    "rejected": "Reject",
    "reject": "Reject",
    "rendering_failure": "Rendering Failure",
    "renderingfailure": "Rendering Failure",
    "unsubscribe": "Subscription",
}

# SES's object for a type, where it is not the type's name in lower case.
_OBJECTS = {"Rendering Failure": "failure"}
_NEEDED = frozenset({"bounce", "complaint"})


def pinpoint_record(event: dict[str, Any]) -> dict[str, Any] | None:
    """Return the record of SES in an event of Pinpoint, or None if it holds none.

    Pinpoint's own time is that of the event. It replaces a time that the record lacks.
    """
    type_name = str(event.get("event_type", "")).removeprefix(PREFIX).lower()
    mail_event = _inside(event, "facets", "email_channel", "mail_event") or _inside(event, "mail_event")
    if mail_event is None or not isinstance(mail_event.get("mail"), dict):
        return None
    ses_type = TYPES.get(type_name, type_name)
    name = _OBJECTS.get(ses_type, ses_type.lower())
    mail = dict(mail_event["mail"])
    for key, pinpoint_key in (("timestamp", "message_send_timestamp"), ("source", "from_address")):
        if pinpoint_key in mail:
            mail.setdefault(key, mail[pinpoint_key])
    details = mail_event.get(name)
    if not isinstance(details, dict):
        details = None if name in _NEEDED else {}
    if details is not None:
        details = {"timestamp": event.get("event_timestamp"), **details}
    return {**mail_event, "eventType": ses_type, "mail": mail, name: details}


def _inside(value: Any, *keys: str) -> dict[str, Any] | None:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else None
