"""The transform as usually written with powertools' parser and pydantic: the peer of Mailfold's.

It returns the same columns for well-formed records of SES, and tolerates no others. Facts are found for feedback only,
by rules as simple as the traffic allows.
"""

import base64
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from aws_lambda_powertools.utilities.data_classes import (
    KinesisFirehoseDataTransformationRecord,
    KinesisFirehoseDataTransformationResponse,
)
from aws_lambda_powertools.utilities.parser import parse
from aws_lambda_powertools.utilities.parser.models import KinesisFirehoseModel

from pipeline.address import bare, canonical, domain
from pipeline.decode import DECODER_VERSION
from pipeline.evidence import DIAGNOSTIC_KEPT
from pipeline.fact import BOUNCES, LISTS
from tests.benchmarks.pydantic_wire import Header, Recipient, SesEvent, Wire

KINDS = {
    "Send": "send",
    "Delivery": "delivery",
    "Bounce": "bounce",
    "Complaint": "complaint",
    "Reject": "reject",
    "Open": "open",
    "Click": "click",
    "Rendering Failure": "rendering_failure",
    "DeliveryDelay": "delivery_delay",
    "Subscription": "subscription",
}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Columns = dict[str, Any]


def transform(event: dict[str, Any]) -> dict[str, Any]:
    """Return the response to Firehose."""
    response = KinesisFirehoseDataTransformationResponse()
    for record in parse(event, model=KinesisFirehoseModel).records:
        assert isinstance(record.data, bytes)
        payload = record.data.decode()
        arrived_at = EPOCH + timedelta(milliseconds=record.approximateArrivalTimestamp)
        ses_event = parse(payload, model=SesEvent)  # type: ignore[call-overload] # text, as its own envelopes do
        columns = _columns(ses_event, payload.strip(), arrived_at)
        line = json.dumps(columns, separators=(",", ":"), ensure_ascii=False) + "\n"
        data = base64.b64encode(line.encode()).decode()
        response.add_record(KinesisFirehoseDataTransformationRecord(record_id=record.recordId, result="Ok", data=data))
    answer: dict[str, Any] = response.asdict()
    return answer


def _columns(event: SesEvent, raw: str, arrived_at: datetime) -> Columns:
    mail, kind = event.mail, KINDS[event.event_type]
    own, more, discriminator = _own(event)
    named = _recipients(event)
    recipients = list(dict.fromkeys(address for address in map(canonical, named) if address))
    occurred_at = getattr(own, "timestamp", None) or mail.timestamp
    if kind in {"bounce", "complaint", "delivery", "delivery_delay"}:
        discriminator.append(sorted(recipients))
    name = sha256(json.dumps([kind, mail.message_id, *discriminator], separators=(",", ":")).encode()).hexdigest()[:32]
    columns: Columns = {
        "event_id": name,
        "event_type": kind,
        "ses_type": event.event_type,
        "is_feedback": kind in {"bounce", "complaint"},
        "occurred_at": _text(occurred_at),
        "sent_at": _text(mail.timestamp),
        "arrived_at": _text(arrived_at),
        "message_id": mail.message_id,
        "source": mail.source,
        "source_arn": mail.source_arn,
        "sending_account_id": mail.sending_account_id,
        "destinations": list(dict.fromkeys(address for address in map(canonical, mail.destination) if address)),
        "recipients": recipients,
        "recipient_domains": list(dict.fromkeys(map(domain, recipients))),
        "from_header": ", ".join(mail.common_headers.from_) if mail.common_headers else None,
        "subject": mail.common_headers.subject if mail.common_headers else None,
        "headers": _headers(mail.headers),
        "configuration_set": (mail.tags or {}).get("ses:configuration-set", [None])[0],
        "tenant": (mail.tags or {}).get("ses:tenant-name", [None])[0],
        "tags": mail.tags,
        **more,
        "facts": _facts(event, name, recipients, max(occurred_at, mail.timestamp)),
        "decoder_version": DECODER_VERSION,
        "raw": raw,
    }
    return {column: value for column, value in columns.items() if value is not None and value != []}


def _headers(headers: list[Header]) -> dict[str, list[str]] | None:
    values: dict[str, list[str]] = {}
    for header in headers:
        values.setdefault(header.name.lower(), []).append(header.value)
    return values or None


def _recipients(event: SesEvent) -> list[str]:
    if event.bounce:
        return [person.email_address for person in event.bounce.bounced_recipients]
    if event.complaint:
        return [person.email_address for person in event.complaint.complained_recipients] or event.mail.destination
    if event.delivery:
        return event.delivery.recipients
    if event.delivery_delay:
        return [person.email_address for person in event.delivery_delay.delayed_recipients]
    return event.mail.destination


def _own(event: SesEvent) -> tuple[Wire | None, Columns, list[Any]]:
    """Return the object of a kind, its columns, and the values that distinguish two such events of one mail."""
    if own := event.delivery:
        more: Columns = {
            "processing_time_ms": own.processing_time_millis,
            "smtp_response": own.smtp_response,
            "reporting_mta": own.reporting_mta,
            "remote_mta_ip": own.remote_mta_ip,
        }
        return own, more, [_text(own.timestamp)]
    if bounce := event.bounce:
        more = {
            "feedback_id": bounce.feedback_id,
            "bounce_type": bounce.bounce_type,
            "bounce_sub_type": bounce.bounce_sub_type,
            "diagnoses": _diagnoses(bounce.bounced_recipients),
            "reporting_mta": bounce.reporting_mta,
            "remote_mta_ip": bounce.remote_mta_ip,
        }
        return bounce, more, [bounce.feedback_id]
    if complaint := event.complaint:
        more = {
            "feedback_id": complaint.feedback_id,
            "complaint_feedback_type": complaint.complaint_feedback_type,
            "complaint_sub_type": complaint.complaint_sub_type,
            "complaint_arrived_at": _text(complaint.arrival_date),
            "user_agent": complaint.user_agent,
        }
        return complaint, more, [complaint.feedback_id]
    if click := event.click:
        more = {
            "ip_address": click.ip_address,
            "user_agent": click.user_agent,
            "is_bot": (click.is_bot_event or "unknown").lower(),
            "link": click.link,
            "link_tags": click.link_tags,
        }
        return click, more, [_text(click.timestamp), click.ip_address, click.user_agent, click.link]
    if opened := event.open:
        more = {
            "ip_address": opened.ip_address,
            "user_agent": opened.user_agent,
            "is_bot": (opened.is_bot_event or "unknown").lower(),
        }
        return opened, more, [_text(opened.timestamp), opened.ip_address, opened.user_agent]
    if delay := event.delivery_delay:
        more = {
            "delay_type": delay.delay_type,
            "expires_at": _text(delay.expiration_time),
            "diagnoses": _diagnoses(delay.delayed_recipients),
            "reporting_mta": delay.reporting_mta,
        }
        return delay, more, [_text(delay.timestamp)]
    if subscription := event.subscription:
        preferences = subscription.new_topic_preferences
        more = {
            "contact_list": subscription.contact_list,
            "subscription_source": subscription.source,
            "unsubscribed_all": preferences.unsubscribe_all if preferences else None,
        }
        return subscription, more, [_text(subscription.timestamp)]
    if event.failure:
        more = {"template_name": event.failure.template_name, "error_message": event.failure.error_message}
        return event.failure, more, []
    return event.reject, {"reject_reason": event.reject.reason if event.reject else None}, []


def _diagnoses(people: list[Recipient]) -> list[Columns]:
    return [
        {
            "address": canonical(person.email_address),
            "action": person.action,
            "status": person.status,
            "diagnostic": person.diagnostic_code,
        }
        for person in people
    ]


def _facts(event: SesEvent, name: str, recipients: Sequence[str], at: datetime) -> list[Columns]:
    fixed = {
        "scope": "*",
        "at_ms": (at - EPOCH) // timedelta(milliseconds=1),
        "event_id": name,
        "message_id": event.mail.message_id,
        "status": "",
        "diagnostic": "",
    }
    if bounce := event.bounce:
        fact = BOUNCES.get((bounce.bounce_type.lower(), bounce.bounce_sub_type.lower()))
        said = ((person, person.status or "", person.diagnostic_code or "") for person in bounce.bounced_recipients)
        return [
            {
                **fixed,
                "address": canonical(person.email_address),
                "fact": fact,
                "sub_type": bounce.bounce_sub_type,
                "status": status,
                "diagnostic": "" if fact == "soft" else diagnostic[:DIAGNOSTIC_KEPT],
                "spelling": "" if fact == "soft" else bare(person.email_address),
            }
            for person, status, diagnostic in said
            if fact and (fact != "soft" or bounce.bounce_sub_type != "General" or status or diagnostic)
        ]
    if complaint := event.complaint:
        sub_type = complaint.complaint_sub_type or ""
        fact_name = "complaint" if len(recipients) == 1 else "uncertain_complaint"
        if complaint.complaint_feedback_type == "not-spam":
            fact_name = "not_spam" if len(recipients) == 1 else ""
        if not fact_name or (sub_type and sub_type.lower() not in LISTS):
            return []
        tenants = (event.mail.tags or {}).get("ses:tenant-name")
        spellings = {canonical(text): bare(text) for text in (*event.mail.destination, *_recipients(event))}
        return [
            {
                **fixed,
                "address": address,
                "scope": tenants[0] if tenants and not sub_type else "*",
                "fact": "echo" if sub_type else fact_name,
                "sub_type": sub_type or complaint.complaint_feedback_type or "",
                "spelling": spellings[canonical(address)],
            }
            for address in recipients
        ]
    return []


def _text(moment: datetime | None) -> str | None:
    return moment.isoformat().replace("+00:00", "Z") if moment else None
