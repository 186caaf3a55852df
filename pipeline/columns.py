"""The columns of the log that only some kinds of event fill.

Pure. What they mean stands in schemas/log.json.
"""

from typing import Any

import msgspec

from pipeline.address import canonical
from pipeline.timestamp import parse
from pipeline.wire import (
    Bounce,
    Click,
    Complaint,
    Delivery,
    DeliveryDelay,
    Failure,
    Open,
    Own,
    Recipient,
    Reject,
    Subscription,
)


class Diagnosis(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What the remote server said about one recipient of a bounce or a delay, uncut."""

    address: str | None
    action: str | None
    status: str | None
    diagnostic: str | None


def own_columns(own: Own | None) -> dict[str, Any]:  # noqa: C901 - one flat branch per kind
    """Return the columns that a kind's own object fills, by name."""
    match own:  # the most frequent first
        case None:
            return {}
        case Delivery():
            return {
                "processing_time_ms": own.processing_time_millis,
                "smtp_response": own.smtp_response,
                "reporting_mta": own.reporting_mta,
                "remote_mta_ip": own.remote_mta_ip,
            }
        case Bounce():
            return {
                "feedback_id": own.feedback_id,
                "bounce_type": own.bounce_type,
                "bounce_sub_type": own.bounce_sub_type,
                "diagnoses": _diagnoses(own.bounced_recipients),
                "reporting_mta": own.reporting_mta,
                "remote_mta_ip": own.remote_mta_ip,
            }
        case Complaint():
            return {
                "feedback_id": own.feedback_id,
                "complaint_feedback_type": own.complaint_feedback_type,
                "complaint_sub_type": own.complaint_sub_type,
                "complaint_arrived_at": parse(own.arrival_date),
                "user_agent": own.user_agent,
            }
        case DeliveryDelay():
            return {
                "delay_type": own.delay_type,
                "expires_at": parse(own.expiration_time),
                "diagnoses": _diagnoses(own.delayed_recipients),
                "reporting_mta": own.reporting_mta,
            }
        case Open():
            return {
                "ip_address": own.ip_address,
                "user_agent": own.user_agent,
                "bot_likelihood": own.is_bot_event,
            }
        case Click():
            return {
                "ip_address": own.ip_address,
                "user_agent": own.user_agent,
                "bot_likelihood": own.is_bot_event,
                "link": own.link,
                "link_tags": own.link_tags,
            }
        case Failure():
            return {"template_name": own.template_name, "error_message": own.error_message}
        case Reject():
            return {"reject_reason": own.reason}
        case Subscription():
            preferences = own.new_topic_preferences
            return {
                "contact_list": own.contact_list,
                "subscription_source": own.source,
                "unsubscribed_all": preferences.unsubscribe_all if preferences else None,
            }
        case _:  # a decision
            return {"decision": own.action}


def _diagnoses(people: list[Recipient] | None) -> tuple[Diagnosis, ...]:
    return tuple(
        Diagnosis(
            address=canonical(person.email_address or ""),
            action=person.action,
            status=person.status,
            diagnostic=person.diagnostic_code,
        )
        for person in people or ()
    )
