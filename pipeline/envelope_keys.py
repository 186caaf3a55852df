"""The keys by which envelopes and records are recognized. Pure.

Each is a key of AWS's own format; `pipeline.envelope` says which envelope it belongs to.
"""

import msgspec
from msgspec import Raw, field

from pipeline.event import Envelope

TYPE_KEYS = (b"eventtype", b"notificationtype", b"notification_type", b'"_email.')
"""The keys that name a record's type, and the beginning of Pinpoint's types; in lower case."""


class EnvelopeKeys(msgspec.Struct, gc=False):
    """The keys that identify an envelope or a record. Their values are raw, because any type may occur."""

    event_type: Raw = field(default=Raw(), name="eventType")
    notification_type: Raw = field(default=Raw(), name="notificationType")
    mail: Raw = Raw()
    decision: Raw = Raw()
    evidence: Raw = Raw()
    type: Raw = field(default=Raw(), name="Type")
    message: Raw = field(default=Raw(), name="Message")
    detail: Raw = Raw()
    detail_type: Raw = field(default=Raw(), name="detail-type")
    raw_data: Raw = field(default=Raw(), name="rawData")
    lambda_records: Raw = field(default=Raw(), name="Records")
    firehose_records: Raw = field(default=Raw(), name="records")
    sqs_messages: Raw = field(default=Raw(), name="Messages")
    failed_batch: Raw = field(default=Raw(), name="KinesisBatchInfo")
    failed_payload: Raw = field(default=Raw(), name="payload")
    failed_request: Raw = field(default=Raw(), name="requestPayload")
    quarantined: Raw = field(default=Raw(), name="payload_base64")
    sns: Raw = field(default=Raw(), name="Sns")
    ses: Raw = Raw()
    receipt: Raw = Raw()
    kinesis: Raw = Raw()
    body: Raw = Raw()
    is_base64: Raw = field(default=Raw(), name="isBase64Encoded")
    request_context: Raw = field(default=Raw(), name="requestContext")
    route: Raw = field(default=Raw(), name="routeKey")
    sqs_body: Raw = field(default=Raw(), name="Body")
    record_id: Raw = field(default=Raw(), name="recordId")
    data: Raw = Raw()
    kinesis_version: Raw = field(default=Raw(), name="kinesisSchemaVersion")
    kinesis_data: Raw = field(default=Raw(), name="Data")
    logs_type: Raw = field(default=Raw(), name="messageType")
    log_events: Raw = field(default=Raw(), name="logEvents")
    log_message: Raw = field(default=Raw(), name="message")
    cloudwatch_logs: Raw = field(default=Raw(), name="awslogs")
    pinpoint_type: Raw = field(default=Raw(), name="event_type")
    exported_item: Raw = field(default=Raw(), name="Item")
    scanned_items: Raw = field(default=Raw(), name="Items")


parse_keys = msgspec.json.Decoder(EnvelopeKeys).decode
parse_list = msgspec.json.Decoder(list[Raw]).decode
parse_object = msgspec.json.Decoder(dict[str, Raw]).decode
parse_text = msgspec.json.Decoder(str).decode


def claims_a_record(data: bytes) -> bool:
    """Return True if an object is a record or an envelope around records, whether or not these can be read."""
    if not data.startswith(b"{") or names_a_type(data):
        return True
    keys = parse_keys(data)
    carriers = keys.message or keys.sns or keys.cloudwatch_logs or keys.log_events or inner_json(keys)
    base64 = keys.raw_data or keys.quarantined or (keys.data and (keys.record_id or keys.kinesis_version))
    return bool(carriers or base64 or ((keys.body or keys.sqs_body) and keys.is_base64))


def names_a_type(data: bytes) -> bool:
    """Return True if the bytes contain a key that names a record's type, whatever its case."""
    plain = data.lower()
    return any(key in plain for key in TYPE_KEYS)


def inner_json(keys: EnvelopeKeys) -> Raw:
    """Return the JSON inside an envelope that is not listed in `envelopes`.

    Such an envelope is a list of records, Lambda's `kinesis` object, or what Lambda writes to a failure destination:
    `payload` for an event source mapping, `requestPayload` for an asynchronous call.
    """
    batch = keys.lambda_records or keys.firehose_records or keys.sqs_messages or keys.kinesis
    return batch or (keys.failed_payload if keys.failed_batch else keys.failed_request)


def base64_envelope(keys: EnvelopeKeys) -> Envelope:
    """Return the envelope whose data is in base64."""
    if keys.raw_data:
        return Envelope.FIREHOSE_ERROR
    return Envelope.FIREHOSE if keys.record_id else Envelope.KINESIS
