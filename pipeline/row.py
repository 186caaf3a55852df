"""A row of the event log: flat columns, and the record itself in `raw`.

The columns and their types are those of schemas/log.json, as a test proves. Pure.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from pipeline.address import Address, canonical, domain
from pipeline.decode import DECODER_VERSION, decode, destinations
from pipeline.event import FEEDBACK, Event, EventKind, Poison
from pipeline.fact import Fact, facts, tenant
from pipeline.standing import Evidence, FactKind, Key
from pipeline.timestamp import parse_time
from pipeline.wire import (
    Bounce,
    Click,
    CommonHeaders,
    Complaint,
    Delivery,
    DeliveryDelay,
    Details,
    Failure,
    Open,
    Recipient,
    Reject,
    Subscription,
    TableEvidence,
    parse_headers,
)

CONFIGURATION_SET_TAG = "ses:configuration-set"
NO_HEADERS = CommonHeaders()


class Diagnosis(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The remote server's report about one recipient of a bounce or a delay, not truncated."""

    address: str | None
    action: str | None
    status: str | None
    diagnostic: str | None


if TYPE_CHECKING:

    class FactColumn(Evidence, frozen=True, kw_only=True):
        """A fact, flat: its address, scope and kind, then the fields of `standing.Evidence`."""

        address: Address
        scope: str
        fact: str

else:  # a subclass would put the fields of Evidence first, and schemas/log.json puts them last
    FactColumn = msgspec.defstruct(
        "FactColumn",
        [
            *(("address", Address), ("scope", str), ("fact", str)),
            *((field.name, field.type, field.default) for field in msgspec.structs.fields(Evidence)),
        ],
        frozen=True,
        kw_only=True,
        gc=False,
        module=__name__,
    )


class Row(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """One record in the log. Every attribute is a column of schemas/log.json, which describes it."""

    event_id: str
    event_type: str
    ses_type: str
    is_feedback: bool
    occurred_at: datetime | None = None
    sent_at: datetime | None = None
    arrived_at: datetime
    message_id: str | None = None
    source: str | None = None
    source_arn: str | None = None
    sending_account_id: str | None = None
    destinations: tuple[str, ...] = ()
    recipients: tuple[str, ...] = ()
    recipient_domains: tuple[str, ...] = ()
    from_header: str | None = None
    subject: str | None = None
    headers: Mapping[str, list[str]] | None = None
    configuration_set: str | None = None
    tenant: str | None = None
    tags: Mapping[str, list[str]] | None = None
    feedback_id: str | None = None
    bounce_type: str | None = None
    bounce_sub_type: str | None = None
    complaint_feedback_type: str | None = None
    complaint_sub_type: str | None = None
    complaint_arrived_at: datetime | None = None
    diagnoses: tuple[Diagnosis, ...] = ()
    reporting_mta: str | None = None
    remote_mta_ip: str | None = None
    smtp_response: str | None = None
    processing_time_ms: int | None = None
    delay_type: str | None = None
    expires_at: datetime | None = None
    reject_reason: str | None = None
    template_name: str | None = None
    error_message: str | None = None
    ip_address: str | None = None
    user_agent: str | None = None
    is_bot: str | None = None
    link: str | None = None
    link_tags: Mapping[str, list[str]] | None = None
    contact_list: str | None = None
    subscription_source: str | None = None
    unsubscribed_all: bool | None = None
    decision: str | None = None
    facts: tuple[FactColumn, ...] = ()
    decoder_version: int
    raw: str


def to_row(event: Event, *, arrived_at: datetime) -> Row:
    """Return an event as a row; `arrived_at` is when the log received it."""
    mail = event.mail
    is_feedback = event.kind in FEEDBACK
    common_headers = mail.common_headers or NO_HEADERS
    configuration_set = (mail.tags or {}).get(CONFIGURATION_SET_TAG)
    return Row(
        event_id=event.id,
        event_type=event.kind.value,
        ses_type=event.type,
        is_feedback=is_feedback,
        occurred_at=event.occurred_at,
        sent_at=event.sent_at,
        arrived_at=arrived_at,
        message_id=event.message_id,
        source=mail.source,
        source_arn=mail.source_arn,
        sending_account_id=mail.sending_account_id,
        destinations=destinations(event),
        recipients=event.recipients,
        recipient_domains=_domains(event.recipients),
        from_header=", ".join(common_headers.from_) if common_headers.from_ else None,
        subject=common_headers.subject,
        headers=parse_headers(mail.headers),
        configuration_set=configuration_set[0] if configuration_set else None,
        tenant=tenant(event),
        tags=mail.tags,
        facts=tuple(map(to_column, facts(event))) if is_feedback else (),
        decoder_version=DECODER_VERSION,
        raw=event.raw.decode(),
        **detail_columns(event.details),
    )


def poison_row(poison: Poison, *, name: str, arrived_at: datetime) -> Row:
    """Return poison as a row, so that it is not lost when the events in the same payload are stored."""
    return Row(
        event_id=name,
        event_type=EventKind.UNKNOWN.value,
        ses_type="",
        is_feedback=False,
        arrived_at=arrived_at,
        error_message=poison.why,
        decoder_version=DECODER_VERSION,
        raw=poison.raw.decode(errors="replace"),
    )


def event_time(row: Row) -> datetime:
    """Return the time by which the log is selected: that of the event, else that of its mail, but never after arrival.

    A mailbox provider's clock may be ahead, and a time may be unreadable.
    """
    return min(row.occurred_at or row.sent_at or row.arrived_at, row.arrived_at)


def row_facts(row: Row) -> Iterator[Fact]:
    """Yield the facts in a row; a row of another decoder version is decoded again from its raw text."""
    if row.decoder_version == DECODER_VERSION:
        yield from map(to_fact, row.facts)
        return
    for outcome in decode(row.raw.encode()):
        if isinstance(outcome, Event):
            yield from facts(outcome)


def to_fact(column: FactColumn) -> Fact:
    """Return the fact that a column was made from."""
    evidence = Evidence(**{name: getattr(column, name) for name in Evidence.__struct_fields__})
    return Fact(Key(column.address, column.scope), FactKind(column.fact), evidence)


def to_column(fact: Fact) -> FactColumn:
    """Return a fact as a column."""
    evidence = msgspec.structs.asdict(fact.evidence)
    return FactColumn(address=fact.key.address, scope=fact.key.scope, fact=fact.kind.value, **evidence)


def _is_bot(likelihood: str | None) -> str:
    """Return SES's judgement of an open or click; before August 2026 records have none."""
    plain = (likelihood or "").lower()
    return plain if plain in {"likely", "unlikely"} else "unknown"


def _domains(recipients: tuple[Address, ...]) -> tuple[str, ...]:
    if len(recipients) == 1:
        return (domain(recipients[0]),)
    return tuple(dict.fromkeys(map(domain, recipients)))


def detail_columns(details: Details | None) -> dict[str, Any]:  # noqa: C901 - one flat branch per kind
    """Return the columns that the details of an event fill, by name."""
    match details:  # the most frequent first
        case None | TableEvidence():
            return {}
        case Delivery():
            return {
                "processing_time_ms": details.processing_time_millis,
                "smtp_response": details.smtp_response,
                "reporting_mta": details.reporting_mta,
                "remote_mta_ip": details.remote_mta_ip,
            }
        case Bounce():
            return {
                "feedback_id": details.feedback_id,
                "bounce_type": details.bounce_type,
                "bounce_sub_type": details.bounce_sub_type,
                "diagnoses": _diagnoses(details.bounced_recipients),
                "reporting_mta": details.reporting_mta,
                "remote_mta_ip": details.remote_mta_ip,
            }
        case Complaint():
            return {
                "feedback_id": details.feedback_id,
                "complaint_feedback_type": details.complaint_feedback_type,
                "complaint_sub_type": details.complaint_sub_type,
                "complaint_arrived_at": parse_time(details.arrival_date),
                "user_agent": details.user_agent,
            }
        case DeliveryDelay():
            return {
                "delay_type": details.delay_type,
                "expires_at": parse_time(details.expiration_time),
                "diagnoses": _diagnoses(details.delayed_recipients),
                "reporting_mta": details.reporting_mta,
            }
        case Open():
            return {
                "ip_address": details.ip_address,
                "user_agent": details.user_agent,
                "is_bot": _is_bot(details.is_bot_event),
            }
        case Click():
            return {
                "ip_address": details.ip_address,
                "user_agent": details.user_agent,
                "is_bot": _is_bot(details.is_bot_event),
                "link": details.link,
                "link_tags": details.link_tags,
            }
        case Failure():
            return {"template_name": details.template_name, "error_message": details.error_message}
        case Reject():
            return {"reject_reason": details.reason}
        case Subscription():
            preferences = details.new_topic_preferences
            return {
                "contact_list": details.contact_list,
                "subscription_source": details.source,
                "unsubscribed_all": preferences.unsubscribe_all if preferences else None,
            }
        case _:  # a decision
            return {"decision": details.action}


def _diagnoses(recipients: list[Recipient] | None) -> tuple[Diagnosis, ...]:
    return tuple(
        Diagnosis(
            address=canonical(recipient.email_address or ""),
            action=recipient.action,
            status=recipient.status,
            diagnostic=recipient.diagnostic_code,
        )
        for recipient in recipients or ()
    )
