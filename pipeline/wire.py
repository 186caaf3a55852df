"""The fields of SES's records that Mailfold reads, in SES's own shape. Records that deviate: `pipeline.coercion`.

Only what a column, an identity or a fact needs is named; everything else is skipped and stays in `raw`. Every field is
optional, because each of them has been seen missing.
Field names: docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html and
docs.aws.amazon.com/ses/latest/dg/notification-contents.html
"""

from typing import Annotated

import msgspec

Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""An integer that a bigint column can hold."""


class Wire(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """A part of a SES record. Attributes are snake_case; JSON keys are SES's camelCase."""


class CommonHeaders(Wire, frozen=True):
    """The headers that SES copies into the record, parsed."""

    from_: list[str] | None = msgspec.field(default=None, name="from")
    subject: str | None = None


class Mail(Wire, frozen=True):
    """The message that the event is about. `timestamp` is when it was sent.

    `headers` is parsed where it is needed: the log has a column for it, the projection of facts does not read it.
    """

    timestamp: str | None = None
    message_id: str | None = None
    source: str | None = None
    source_arn: str | None = None
    sending_account_id: str | None = None
    destination: list[str] | None = None
    headers: msgspec.Raw = msgspec.Raw()
    common_headers: CommonHeaders | None = None
    tags: dict[str, list[str]] | None = None


NO_MAIL = Mail()


class Recipient(Wire, frozen=True):
    """A recipient of a bounce, complaint or delay. A delivery status notification adds all but the address."""

    email_address: str | None = None
    action: str | None = None
    status: str | None = None
    diagnostic_code: str | None = None


class Bounce(Wire, frozen=True):
    """The remote server rejected the message, or SES stopped trying."""

    bounce_type: str | None = None
    bounce_sub_type: str | None = None
    bounced_recipients: list[Recipient] | None = None
    timestamp: str | None = None
    feedback_id: str | None = None
    reporting_mta: str | None = msgspec.field(default=None, name="reportingMTA")
    remote_mta_ip: str | None = None


class Complaint(Wire, frozen=True):
    """A recipient reported spam. Where the provider hides which one, SES lists all candidates."""

    complained_recipients: list[Recipient] | None = None
    timestamp: str | None = None
    feedback_id: str | None = None
    complaint_sub_type: str | None = None
    complaint_feedback_type: str | None = None
    user_agent: str | None = None
    arrival_date: str | None = None


class Delivery(Wire, frozen=True):
    """The remote server accepted the message."""

    timestamp: str | None = None
    processing_time_millis: Int64 | None = None
    recipients: list[str] | None = None
    smtp_response: str | None = None
    reporting_mta: str | None = msgspec.field(default=None, name="reportingMTA")
    remote_mta_ip: str | None = None


class Reject(Wire, frozen=True):
    """SES rejected the message because of a virus. It has no timestamp."""

    reason: str | None = None


class Open(Wire, frozen=True):
    """The tracking pixel was fetched. The record does not name the recipient who did."""

    timestamp: str | None = None
    ip_address: str | None = None
    user_agent: str | None = None
    is_bot_event: str | None = None


class Click(Wire, frozen=True):
    """A tracked link was opened. The record does not name the recipient who did."""

    timestamp: str | None = None
    ip_address: str | None = None
    user_agent: str | None = None
    link: str | None = None
    link_tags: dict[str, list[str]] | None = None
    is_bot_event: str | None = None


class Failure(Wire, frozen=True):
    """SES could not render the template. It has no timestamp."""

    template_name: str | None = None
    error_message: str | None = None


class DeliveryDelay(Wire, frozen=True):
    """SES could not deliver the message yet and still tries."""

    timestamp: str | None = None
    delay_type: str | None = None
    delayed_recipients: list[Recipient] | None = None
    expiration_time: str | None = None
    reporting_mta: str | None = msgspec.field(default=None, name="reportingMTA")


class TopicPreferences(Wire, frozen=True):
    """The topics of a list that a contact subscribes to."""

    unsubscribe_all: bool | None = None


class Subscription(Wire, frozen=True):
    """A contact changed a subscription through SES's list management."""

    timestamp: str | None = None
    contact_list: str | None = None
    source: str | None = None
    new_topic_preferences: TopicPreferences | None = None


class Shown(Wire, frozen=True):
    """The newest evidence that the author of a decision was shown."""

    event_id: str | None = None
    at_ms: Int64 | None = None


class Decision(Wire, frozen=True):
    """An operator's decision: Mailfold's own event, in the same log as SES's. See schemas/wire/README.md.

    `at_ms` is its hybrid logical clock, `timestamp` its plain wall time. `batch` is the id of the request that made it,
    `batch_size` the number of that request's decisions.
    """

    id: str | None = None
    action: str | None = None
    address: str | None = None
    scope: str | None = None
    timestamp: str | None = msgspec.field(default=None, name="decidedAt")
    at_ms: Int64 | None = None
    after: Shown | None = None
    batch: str | None = None
    batch_size: Int64 | None = None


class TableEvidence(Wire, frozen=True):
    """A fact that a table had and the log had not: Mailfold's own event. See schemas/wire/README.md.

    All but `address`, `scope` and `fact` are the fields of `standing.Evidence`.
    """

    address: str | None = None
    scope: str | None = None
    fact: str | None = None
    at_ms: Int64 | None = None
    event_id: str | None = None
    message_id: str = ""
    sub_type: str = ""
    status: str = ""
    diagnostic: str = ""
    spelling: str = ""


Details = (
    Bounce
    | Complaint
    | Delivery
    | Reject
    | Open
    | Click
    | Failure
    | DeliveryDelay
    | Subscription
    | Decision
    | TableEvidence
)
"""The record's object for its kind of event."""


class Record(Wire, frozen=True):
    """A record. Event publishing names its type `eventType`; feedback notifications name it `notificationType`."""

    event_type: str | None = None
    notification_type: str | None = None
    mail: Mail | None = None
    bounce: Bounce | None = None
    complaint: Complaint | None = None
    delivery: Delivery | None = None
    reject: Reject | None = None
    open: Open | None = None
    click: Click | None = None
    failure: Failure | None = None
    delivery_delay: DeliveryDelay | None = None
    subscription: Subscription | None = None
    decision: Decision | None = None
    evidence: TableEvidence | None = None


class Header(msgspec.Struct, frozen=True, gc=False):
    """A header as the mail contained it."""

    name: str = ""
    value: str | None = None


_parse_headers = msgspec.json.Decoder(list[Header]).decode


def parse_headers(raw: msgspec.Raw) -> dict[str, list[str]] | None:
    """Return the values of each header; None if there is none, or if they do not have SES's form."""
    try:
        headers = _parse_headers(raw) if raw else []
    except msgspec.ValidationError:
        return None
    values = {header.name.lower(): [header.value or ""] for header in headers}
    if len(values) == len(headers) and "" not in values:
        return values or None
    values = {}
    for header in headers:
        if header.name:
            values.setdefault(header.name.lower(), []).append(header.value or "")
    return values or None
