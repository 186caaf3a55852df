"""SES's event records: an occurrence and its mail object as the one line of JSON that SES publishes.

Key order is that of SES's records as published from 2019 to 2026. Bounce and Complaint put their own object before the
mail, all others behind it: docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-firehose-examples.html
"""

from typing import Any

import msgspec

from pipeline.local.ses.account import Route
from pipeline.local.ses.mail import MailObject
from pipeline.local.ses.outcome import (
    MAX_DELIVERY_MS,
    Bounced,
    Clicked,
    Complained,
    Delayed,
    Delivered,
    Occurrence,
    Opened,
    RejectedMail,
    RenderingFailed,
    Subscribed,
)
from pipeline.timestamp import format_time, from_ms

# The sub-types of mail that SES never sent: its own word, so no remote server is named.
_BY_SES_ITSELF = frozenset(
    {
        "Suppressed",
        "OnAccountSuppressionList",
        "OnTenantSuppressionList",
        "EmailValidationSuppressed",
        "UnsubscribedRecipient",
    }
)
_NO_REMOTE_SERVER = {"reportingMTA": "dns; amazonses.com"}


class RecordContext(msgspec.Struct, frozen=True, kw_only=True):
    """What an event tells beside what happened.

    Attributes:
        sent_ms: When the message was accepted, in milliseconds since 1970.
        feedback_id: SES's id of this bounce or complaint.
        route: The way the message went out.
    """

    sent_ms: int
    feedback_id: str
    route: Route


def send_record(mail: MailObject) -> bytes:
    """Return the Send record of a message."""
    return _line({"eventType": "Send", "mail": mail.whole, "send": {}})


def record(occurrence: Occurrence, mail: MailObject, known: RecordContext) -> bytes:
    """Return the record of an occurrence."""
    match occurrence:
        case Bounced():
            return _line({"eventType": "Bounce", "bounce": _bounce(occurrence, known), "mail": mail.whole})
        case Complained():
            return _line({"eventType": "Complaint", "complaint": _complaint(occurrence, known), "mail": mail.whole})
        case Delivered():
            delivered = mail.delivered(known.route.outgoing_ip)
            return _line({"eventType": "Delivery", "mail": delivered, "delivery": _delivery(occurrence, known)})
        case Opened():
            return _line({"eventType": "Open", "mail": mail.tracked, "open": _open(occurrence, known)})
        case Clicked():
            return _line({"eventType": "Click", "mail": mail.tracked, "click": _click(occurrence, known)})
        case Delayed():
            delay = _delay(occurrence, known)
            return _line({"eventType": "DeliveryDelay", "mail": mail.without_headers, "deliveryDelay": delay})
        case Subscribed():
            subscription = _subscription(occurrence, known)
            return _line({"eventType": "Subscription", "mail": mail.whole, "subscription": subscription})
        case RejectedMail():
            return _line({"eventType": "Reject", "mail": mail.whole, "reject": {"reason": occurrence.reason}})
        case RenderingFailed():
            failure = {"errorMessage": occurrence.error_message, "templateName": occurrence.template_name}
            return _line({"eventType": "Rendering Failure", "mail": mail.without_headers, "failure": failure})


def _line(fields: dict[str, Any]) -> bytes:
    return msgspec.json.encode(fields) + b"\n"


def _at(occurrence: Any, known: RecordContext) -> str:
    return format_time(from_ms(known.sent_ms + occurrence.after_ms))


def _bounce(bounce: Bounced, known: RecordContext) -> dict[str, Any]:
    told = {"action": "failed", "status": bounce.status, "diagnosticCode": bounce.diagnostic}
    notified = {name: value for name, value in told.items() if value} if bounce.status else {}
    fields = {
        "feedbackId": known.feedback_id,
        "bounceType": bounce.type,
        "bounceSubType": bounce.sub_type,
        "bouncedRecipients": [{"emailAddress": recipient, **notified} for recipient in bounce.recipients],
        "timestamp": _at(bounce, known),
    }
    if not bounce.status:
        return fields
    if bounce.sub_type in _BY_SES_ITSELF:
        return {**fields, **_NO_REMOTE_SERVER}
    return {**fields, "remoteMtaIp": known.route.remote_ip, "reportingMTA": f"dns; {known.route.host}"}


def _complaint(complaint: Complained, known: RecordContext) -> dict[str, Any]:
    at = _at(complaint, known)
    reported = {"userAgent": complaint.user_agent, "complaintFeedbackType": complaint.feedback_type}
    return {
        "feedbackId": known.feedback_id,
        "complaintSubType": complaint.sub_type,
        "complainedRecipients": [{"emailAddress": recipient} for recipient in complaint.recipients],
        "timestamp": at,
        **{name: value for name, value in reported.items() if value},
        "arrivalDate": at,
    }


def _delivery(delivery: Delivered, known: RecordContext) -> dict[str, Any]:
    return {
        "timestamp": _at(delivery, known),
        "processingTimeMillis": delivery.after_ms,
        "recipients": delivery.recipients,
        "smtpResponse": delivery.smtp_response,
        "remoteMtaIp": known.route.remote_ip,
        "reportingMTA": known.route.host,
    }


def _delay(delay: Delayed, known: RecordContext) -> dict[str, Any]:
    return {
        "timestamp": _at(delay, known),
        "delayType": delay.type,
        "expirationTime": format_time(from_ms(known.sent_ms + MAX_DELIVERY_MS)),
        "delayedRecipients": [
            {"emailAddress": recipient, "status": delay.status, "diagnosticCode": delay.diagnostic}
            for recipient in delay.recipients
        ],
    }


def _open(opened: Opened, known: RecordContext) -> dict[str, Any]:
    return {
        "timestamp": _at(opened, known),
        "userAgent": opened.user_agent,
        "ipAddress": opened.ip_address,
        "isBotEvent": _likelihood(bot=opened.bot),
    }


def _click(click: Clicked, known: RecordContext) -> dict[str, Any]:
    return {
        "timestamp": _at(click, known),
        "ipAddress": click.ip_address,
        "userAgent": click.user_agent,
        "link": click.link,
        "linkTags": click.link_tags,
        "isBotEvent": _likelihood(bot=click.bot),
    }


def _likelihood(*, bot: bool) -> str:
    return "Likely" if bot else "Unlikely"


def _subscription(subscription: Subscribed, known: RecordContext) -> dict[str, Any]:
    topic, out = subscription.topic, "OptOut" if subscription.unsubscribe_all else "OptIn"
    old_out = "OptIn" if subscription.unsubscribe_all else "OptOut"
    return {
        "contactList": subscription.contact_list,
        "timestamp": _at(subscription, known),
        "source": "UnsubscribeHeader",
        "newTopicPreferences": _preferences(topic, out, unsubscribe_all=subscription.unsubscribe_all),
        "oldTopicPreferences": _preferences(topic, old_out, unsubscribe_all=not subscription.unsubscribe_all),
    }


def _preferences(topic: str, status: str, *, unsubscribe_all: bool) -> dict[str, Any]:
    return {
        "unsubscribeAll": unsubscribe_all,
        "topicSubscriptionStatus": [{"topicName": topic, "subscriptionStatus": status}],
    }
