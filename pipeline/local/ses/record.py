"""SES's event records: an occurrence and its mail object as one line of JSON.

Claims: the key order of SES's records published from 2019 to 2026. Bounce and Complaint have their own object before
the mail, all others behind it. Leaves out: identity notifications (`notificationType`).
docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-firehose-examples.html
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

# Sub-types of mail that SES did not send. No remote server is involved, so none is named.
_NOT_SENT = frozenset(
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
    """What a record contains besides its occurrence.

    Attributes:
        sent_ms: Time at which the message was accepted, in milliseconds since 1970.
        feedback_id: SES's id of the bounce or complaint.
        route: Route of the message.
    """

    sent_ms: int
    feedback_id: str
    route: Route


def send_record(mail: MailObject) -> bytes:
    """Return the Send record of a message."""
    return _line({"eventType": "Send", "mail": mail.whole, "send": {}})


def record(occurrence: Occurrence, mail: MailObject, context: RecordContext) -> bytes:
    """Return the record of an occurrence."""
    match occurrence:
        case Bounced():
            return _line({"eventType": "Bounce", "bounce": _bounce(occurrence, context), "mail": mail.whole})
        case Complained():
            return _line({"eventType": "Complaint", "complaint": _complaint(occurrence, context), "mail": mail.whole})
        case Delivered():
            delivered = mail.delivered(context.route.outgoing_ip)
            return _line({"eventType": "Delivery", "mail": delivered, "delivery": _delivery(occurrence, context)})
        case Opened():
            return _line({"eventType": "Open", "mail": mail.tracked, "open": _open(occurrence, context)})
        case Clicked():
            return _line({"eventType": "Click", "mail": mail.tracked, "click": _click(occurrence, context)})
        case Delayed():
            delay = _delay(occurrence, context)
            return _line({"eventType": "DeliveryDelay", "mail": mail.without_headers, "deliveryDelay": delay})
        case Subscribed():
            subscription = _subscription(occurrence, context)
            return _line({"eventType": "Subscription", "mail": mail.whole, "subscription": subscription})
        case RejectedMail():
            return _line({"eventType": "Reject", "mail": mail.whole, "reject": {"reason": occurrence.reason}})
        case RenderingFailed():
            failure = {"errorMessage": occurrence.error_message, "templateName": occurrence.template_name}
            return _line({"eventType": "Rendering Failure", "mail": mail.without_headers, "failure": failure})


def _line(fields: dict[str, Any]) -> bytes:
    return msgspec.json.encode(fields) + b"\n"


def _at(occurrence: Any, context: RecordContext) -> str:
    return format_time(from_ms(context.sent_ms + occurrence.after_ms))


def _bounce(bounce: Bounced, context: RecordContext) -> dict[str, Any]:
    notification = {"action": "failed", "status": bounce.status, "diagnosticCode": bounce.diagnostic}
    details = {name: value for name, value in notification.items() if value} if bounce.status else {}
    fields = {
        "feedbackId": context.feedback_id,
        "bounceType": bounce.type,
        "bounceSubType": bounce.sub_type,
        "bouncedRecipients": [{"emailAddress": recipient, **details} for recipient in bounce.recipients],
        "timestamp": _at(bounce, context),
    }
    if not bounce.status:
        return fields
    if bounce.sub_type in _NOT_SENT:
        return {**fields, **_NO_REMOTE_SERVER}
    return {**fields, "remoteMtaIp": context.route.remote_ip, "reportingMTA": f"dns; {context.route.host}"}


def _complaint(complaint: Complained, context: RecordContext) -> dict[str, Any]:
    at = _at(complaint, context)
    report = {"userAgent": complaint.user_agent, "complaintFeedbackType": complaint.feedback_type}
    return {
        "feedbackId": context.feedback_id,
        "complaintSubType": complaint.sub_type,
        "complainedRecipients": [{"emailAddress": recipient} for recipient in complaint.recipients],
        "timestamp": at,
        **{name: value for name, value in report.items() if value},
        "arrivalDate": at,
    }


def _delivery(delivery: Delivered, context: RecordContext) -> dict[str, Any]:
    return {
        "timestamp": _at(delivery, context),
        "processingTimeMillis": delivery.after_ms,
        "recipients": delivery.recipients,
        "smtpResponse": delivery.smtp_response,
        "remoteMtaIp": context.route.remote_ip,
        "reportingMTA": context.route.host,
    }


def _delay(delay: Delayed, context: RecordContext) -> dict[str, Any]:
    return {
        "timestamp": _at(delay, context),
        "delayType": delay.type,
        "expirationTime": format_time(from_ms(context.sent_ms + MAX_DELIVERY_MS)),
        "delayedRecipients": [
            {"emailAddress": recipient, "status": delay.status, "diagnosticCode": delay.diagnostic}
            for recipient in delay.recipients
        ],
    }


def _open(opened: Opened, context: RecordContext) -> dict[str, Any]:
    return {
        "timestamp": _at(opened, context),
        "userAgent": opened.user_agent,
        "ipAddress": opened.ip_address,
        "isBotEvent": _bot_likelihood(is_bot=opened.bot),
    }


def _click(click: Clicked, context: RecordContext) -> dict[str, Any]:
    return {
        "timestamp": _at(click, context),
        "ipAddress": click.ip_address,
        "userAgent": click.user_agent,
        "link": click.link,
        "linkTags": click.link_tags,
        "isBotEvent": _bot_likelihood(is_bot=click.bot),
    }


def _bot_likelihood(*, is_bot: bool) -> str:
    return "Likely" if is_bot else "Unlikely"


def _subscription(subscription: Subscribed, context: RecordContext) -> dict[str, Any]:
    unsubscribes = subscription.unsubscribe_all
    return {
        "contactList": subscription.contact_list,
        "timestamp": _at(subscription, context),
        "source": "UnsubscribeHeader",
        "newTopicPreferences": _preferences(subscription.topic, unsubscribe_all=unsubscribes),
        "oldTopicPreferences": _preferences(subscription.topic, unsubscribe_all=not unsubscribes),
    }


def _preferences(topic: str, *, unsubscribe_all: bool) -> dict[str, Any]:
    status = "OptOut" if unsubscribe_all else "OptIn"
    return {
        "unsubscribeAll": unsubscribe_all,
        "topicSubscriptionStatus": [{"topicName": topic, "subscriptionStatus": status}],
    }
