"""Builders of payloads for tests: SES's records as bytes, and the envelopes around them.

Every `a_…` returns one record of example traffic as JSON; keyword arguments change what a test is about. `mail` and the
event's details take further fields, or `ABSENT` to omit one. Every `in_…` wraps payloads as AWS does.
"""

import json
from base64 import b64encode
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

from pipeline.timestamp import format_time, to_ms

ADA = "ada@example.com"
BOB = "bob@example.net"
MESSAGE_ID = "0100018f00000000-11111111-2222-4333-8444-555555555555-000000"
FEEDBACK_ID = "0100018f00000000-aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee-000000"
SENT_AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
OCCURRED_AT = SENT_AT + timedelta(seconds=2)
USER_AGENT = "Mozilla/5.0"
ABSENT: Final = object()

Vocabulary = Literal["eventType", "notificationType"]
Fields = Mapping[str, Any]


def a_record(type_name: str, details: Fields, *, vocabulary: Vocabulary = "eventType", **mail: Any) -> bytes:
    """Return a record of any type; `details` contains its own object by name, `mail` changes the mail's fields."""
    fields = {
        "timestamp": format_time(SENT_AT),
        "messageId": MESSAGE_ID,
        "source": "news@example.org",
        "sendingAccountId": "123456789012",
        "destination": [ADA],
    }
    return dumped({vocabulary: type_name, "mail": merged(fields, mail), **details})


def a_send(**mail: Any) -> bytes:
    """Return a Send."""
    return a_record("Send", {"send": {}}, **mail)


def a_delivery(*, recipients: Iterable[str] = (ADA,), at: datetime = OCCURRED_AT, **mail: Any) -> bytes:
    """Return a Delivery."""
    details = {
        "timestamp": format_time(at),
        "processingTimeMillis": 1_234,
        "recipients": list(recipients),
        "smtpResponse": "250 2.6.0 Message received",
        "reportingMTA": "a8-50.smtp-out.amazonses.com",
    }
    return a_record("Delivery", {"delivery": details}, **mail)


def a_bounce(
    *,
    recipients: Iterable[str] = (ADA,),
    bounce_type: str = "Permanent",
    sub_type: str = "General",
    feedback_id: str = FEEDBACK_ID,
    at: datetime = OCCURRED_AT,
    person: Fields | None = None,
    bounce: Fields | None = None,
    **mail: Any,
) -> bytes:
    """Return a Bounce of a mail to its recipients; `person` changes what the remote server reports about each."""
    recipients = list(recipients)
    report = {"action": "failed", "status": "5.1.1", "diagnosticCode": "smtp; 550 5.1.1 user unknown"}
    details = {
        "bounceType": bounce_type,
        "bounceSubType": sub_type,
        "bouncedRecipients": [merged({"emailAddress": address, **report}, person) for address in recipients],
        "timestamp": format_time(at),
        "feedbackId": feedback_id,
        "reportingMTA": "dsn; a8-50.smtp-out.amazonses.com",
    }
    return a_record("Bounce", {"bounce": merged(details, bounce)}, **{"destination": recipients or [ADA]} | mail)


def a_soft_bounce(**changes: Any) -> bytes:
    """Return a transient Bounce from a full mailbox."""
    report = {"status": "4.2.2", "diagnosticCode": "smtp; 452 4.2.2 mailbox full"}
    return a_bounce(**{"bounce_type": "Transient", "sub_type": "MailboxFull", "person": report} | changes)


def a_complaint(
    *,
    recipients: Iterable[str] = (ADA,),
    feedback_id: str = FEEDBACK_ID,
    feedback_type: str = "abuse",
    at: datetime = OCCURRED_AT,
    complaint: Fields | None = None,
    **mail: Any,
) -> bytes:
    """Return a Complaint."""
    details = {
        "complainedRecipients": [{"emailAddress": address} for address in recipients],
        "timestamp": format_time(at),
        "feedbackId": feedback_id,
        "complaintSubType": None,
        "complaintFeedbackType": feedback_type,
        "userAgent": USER_AGENT,
    }
    return a_record("Complaint", {"complaint": merged(details, complaint)}, **mail)


def an_open(*, at: datetime = OCCURRED_AT, ip: str = "192.0.2.1", user_agent: str = USER_AGENT, **mail: Any) -> bytes:
    """Return an Open."""
    details = {"ipAddress": ip, "timestamp": format_time(at), "userAgent": user_agent}
    return a_record("Open", {"open": details}, **mail)


def a_click(*, at: datetime = OCCURRED_AT, link: str = "https://example.org/", **mail: Any) -> bytes:
    """Return a Click."""
    details = {
        "ipAddress": "192.0.2.1",
        "timestamp": format_time(at),
        "userAgent": USER_AGENT,
        "link": link,
        "linkTags": None,
    }
    return a_record("Click", {"click": details}, **mail)


def a_decision(
    *,
    action: str = "suppress",
    address: str = ADA,
    at: datetime = OCCURRED_AT,
    decision_id: str = "0" * 32,
    **decision: Any,
) -> bytes:
    """Return an operator's decision."""
    details = {"id": decision_id, "action": action, "address": address, "decidedAt": format_time(at)}
    return dumped({"eventType": "Decision", "decision": merged(details, decision)})


def some_evidence(*, address: str = ADA, fact: str = "hard", at: datetime = OCCURRED_AT, **evidence: Any) -> bytes:
    """Return evidence that only a table had."""
    details = {"address": address, "scope": "*", "fact": fact, "atMs": to_ms(at), "eventId": "0" * 32}
    return dumped({"eventType": "Evidence", "evidence": merged(details, evidence)})


def one_of_each() -> dict[str, bytes]:
    """Return a record of each of SES's ten types, by the name of its kind."""
    delay = {
        "timestamp": format_time(OCCURRED_AT),
        "delayType": "General",
        "delayedRecipients": [{"emailAddress": ADA}],
    }
    subscription = {"timestamp": format_time(OCCURRED_AT), "contactList": "news", "source": "UnsubscribeHeader"}
    failure = {"templateName": "welcome", "errorMessage": "Attribute 'name' is not present"}
    return {
        "send": a_send(),
        "delivery": a_delivery(),
        "bounce": a_bounce(),
        "complaint": a_complaint(),
        "reject": a_record("Reject", {"reject": {"reason": "Bad content"}}),
        "open": an_open(),
        "click": a_click(),
        "rendering_failure": a_record("Rendering Failure", {"failure": failure}),
        "delivery_delay": a_record("DeliveryDelay", {"deliveryDelay": delay}),
        "subscription": a_record("Subscription", {"subscription": subscription}),
    }


def as_notification(record: bytes) -> bytes:
    """Return an event-publishing record as the feedback notification of the same event."""
    event = json.loads(record)
    return dumped({"notificationType": event.pop("eventType"), **event})


def in_sns(payload: bytes, **changes: Any) -> bytes:
    """Return SNS's JSON envelope, as its HTTP and SQS subscribers receive it."""
    return dumped(merged({"Type": "Notification", "MessageId": "sns-1", "Message": payload.decode()}, changes))


def in_sqs(*payloads: bytes) -> bytes:
    """Return the answer of SQS's ReceiveMessage."""
    return dumped({"Messages": [{"MessageId": "sqs-1", "Body": payload.decode()} for payload in payloads]})


def in_lambda_sns(*payloads: bytes) -> bytes:
    """Return a Lambda event from SNS."""
    return dumped({"Records": [{"EventSource": "aws:sns", "Sns": json.loads(in_sns(payload))} for payload in payloads]})


def in_lambda_sqs(*payloads: bytes) -> bytes:
    """Return a Lambda event from SQS."""
    return dumped(
        {"Records": [{"messageId": "1", "eventSource": "aws:sqs", "body": payload.decode()} for payload in payloads]}
    )


def in_eventbridge(payload: bytes, *, detail_type: str = "Email Bounced") -> bytes:
    """Return EventBridge's envelope; its detail is an object."""
    envelope = {"version": "0", "id": "eb-1", "detail-type": detail_type, "source": "aws.ses", "region": "eu-west-1"}
    return dumped(envelope)[:-1] + b',"detail":' + payload.strip() + b"}"


def in_kinesis(*payloads: bytes) -> bytes:
    """Return a Lambda event from a Kinesis stream."""
    data = ({"partitionKey": "1", "sequenceNumber": str(n), "data": base64(p)} for n, p in enumerate(payloads))
    return dumped({"Records": [{"eventSource": "aws:kinesis", "kinesis": record} for record in data]})


def in_firehose(*payloads: bytes) -> bytes:
    """Return a transformation Lambda's event from Firehose."""
    return dumped({"records": [{"recordId": str(n), "data": base64(p)} for n, p in enumerate(payloads)]})


def in_firehose_error(payload: bytes) -> bytes:
    """Return a row of Firehose's error output."""
    return dumped({"attemptsMade": 4, "errorCode": "Lambda.FunctionError", "rawData": base64(payload)})


def dumped(value: Any) -> bytes:
    """Return a value as JSON without spaces, as SES writes it."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def base64(payload: bytes) -> str:
    """Return bytes as AWS's JSON contains them."""
    return b64encode(payload).decode()


def merged(fields: Fields, changes: Fields | None) -> dict[str, Any]:
    """Return fields with changes; `ABSENT` omits one."""
    return {key: value for key, value in {**fields, **(changes or {})}.items() if value is not ABSENT}
