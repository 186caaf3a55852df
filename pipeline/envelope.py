"""Find the records inside the envelopes that transports put around them.

Envelopes are detected, never configured, and may be nested: SNS in SQS in a Lambda event, EventBridge in Kinesis.
Pure and total: `unwrap` never raises, and one bad part never hides its siblings. What claims to carry an event of SES
and cannot be read is poison, whatever is around it. A text that strangers write, such as a header of a mail or a remote
server's diagnostic, is never read as a record.
Shapes: docs.aws.amazon.com/lambda/latest/dg/ (with-sns, with-sqs, with-kinesis, services-kinesisfirehose,
services-apigateway), docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html,
docs.aws.amazon.com/firehose/latest/dev/retry.html (error rows),
docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html
"""

from base64 import b64decode
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Raw, structs

from pipeline.bounce_table import bounce_table_record, plain_item
from pipeline.document import InvalidJSON, is_too_deep, is_utf8, repair_json, strip_json, to_python
from pipeline.envelope_keys import (
    EnvelopeKeys,
    base64_envelope,
    claims_a_record,
    inner_json,
    names_a_type,
    parse_keys,
    parse_list,
    parse_object,
    parse_text,
)
from pipeline.event import Envelope, NotAnEvent, Poison
from pipeline.framing import GZIP_MAGIC, decompress, split_documents, to_text
from pipeline.pinpoint import pinpoint_record
from pipeline.wire import Record

MAX_DEPTH = 32  # layers; real payloads have at most three envelopes of two or three layers each
GZIP_LAYERS = 8  # that gzip counts for, because its content stays in memory: at most four are read inside each other

# SES sends this once, as plain text, when a topic becomes an event destination.
TEST_LINE = b"Successfully validated SNS topic for Amazon SES event publishing"
CLOUDTRAIL = b'"AWS API Call via CloudTrail"'
CONFIRMATIONS = (b'"SubscriptionConfirmation"', b'"UnsubscribeConfirmation"')
CONTROL_MESSAGE = b'"CONTROL_MESSAGE"'
# Members of SES's objects, in lower case. Remote servers and the senders of mail write the texts inside them.
TEXTS_OF_STRANGERS = frozenset(
    {*(field.encode_name.lower() for field in structs.fields(Record)), "receipt", "content", "headers", "commonheaders"}
)

Envelopes = tuple[Envelope, ...]


class Fragment(msgspec.Struct, frozen=True, gc=False):
    """A JSON object that is no envelope: a record, or something that claims to be one.

    Attributes:
        raw: Its exact text, without surrounding white space; U+FFFD replaces bytes that are not text.
        text: The same, in a form that parses and has SES's keys.
        envelopes: The envelopes around it, outermost first.
        is_member: True if it is a member of another program's object.
    """

    raw: bytes
    text: bytes
    envelopes: Envelopes
    is_member: bool = False


Unwrapped = Fragment | NotAnEvent | Poison


def unwrap(data: bytes, envelopes: Envelopes = (), *, depth: int = 0) -> Iterator[Unwrapped]:
    """Yield the contents of `data`, in order. Never raises."""
    if depth > MAX_DEPTH:
        yield _too_deep(data)
    elif data.startswith(GZIP_MAGIC):
        yield from _unwrap_gzip(data, envelopes, depth)
    else:
        yield from _unwrap_text(strip_json(to_text(data)) or data, envelopes, depth)


def _too_deep(data: bytes) -> Poison:
    return Poison(why="nested too deep", raw=data)


def _unwrap_gzip(data: bytes, envelopes: Envelopes, depth: int) -> Iterator[Unwrapped]:
    """Yield the contents of gzip. What follows damage is poison; what precedes it is read."""
    content = decompress(data)
    if content.data:
        yield from unwrap(content.data, envelopes, depth=depth + GZIP_LAYERS)
    if content.problem or not content.data:
        yield Poison(why=content.problem or "empty gzip", raw=data)


def _unwrap_text(data: bytes, envelopes: Envelopes, depth: int) -> Iterator[Unwrapped]:
    if data.startswith(TEST_LINE):
        yield NotAnEvent(why="SNS's test line", raw=TEST_LINE)
        if following := data[len(TEST_LINE) :].lstrip(b". \t\r\n"):
            yield from unwrap(following, envelopes, depth=depth + 1)
        return
    try:
        text = b"" if is_too_deep(data) else repair_json(data)
    except InvalidJSON:
        text = b""
    if text:
        yield from _unwrap_document(data if is_utf8(data) else text, text, envelopes, depth)
        return
    parts = split_documents(data)
    has_document = any(part.is_container or part.data.startswith(TEST_LINE) for part in parts)
    if not has_document or [part.data for part in parts] == [data]:
        yield _too_deep(data) if is_too_deep(data) else Poison(why="not a JSON document", raw=data)
        return
    for part in parts:
        yield from unwrap(part.data, envelopes, depth=depth + 1)


def _unwrap_document(raw: bytes, text: bytes, envelopes: Envelopes, depth: int) -> Iterator[Unwrapped]:
    match text[:1]:
        case b"{":
            yield from _unwrap_object(raw, text, envelopes, depth)
        case b"[":
            yield from _unwrap_batch(text, envelopes, depth)
        case b'"':
            yield from unwrap(parse_text(text).encode(), envelopes, depth=depth + 1)
        case _:
            yield Poison(why="JSON, but neither an object nor a list of objects", raw=raw)


def _unwrap_batch(text: bytes, envelopes: Envelopes, depth: int) -> Iterator[Unwrapped]:
    elements = parse_list(text)
    if not elements:
        yield NotAnEvent(why="an empty batch", raw=text)
    for element in elements:
        yield from unwrap(bytes(element), envelopes, depth=depth + 1)


def _unwrap_object(raw: bytes, text: bytes, envelopes: Envelopes, depth: int) -> Iterator[Unwrapped]:
    keys = parse_keys(text)
    if keys.event_type or keys.notification_type:
        yield from _unwrap_typed(raw, text, keys, envelopes, depth)
    elif keys.ses or keys.receipt:
        inside = _members(text, envelopes, depth)
        yield from inside if _has_record(inside) else [NotAnEvent(why="received mail", raw=raw)]
    elif keys.detail and keys.detail_type:
        yield from _unwrap_eventbridge(raw, keys, envelopes, depth)
    elif keys.message or bytes(keys.type) in CONFIRMATIONS:
        yield from _unwrap_sns(raw, keys, (*envelopes, Envelope.SNS), depth)
    elif bytes(keys.sns).startswith(b"{"):
        yield from _unwrap_sns(raw, parse_keys(keys.sns), (*envelopes, Envelope.LAMBDA_SNS), depth)
    else:
        yield from _unwrap_carrier(raw, text, keys, envelopes, depth)


def _unwrap_typed(raw: bytes, text: bytes, keys: EnvelopeKeys, envelopes: Envelopes, depth: int) -> Iterator[Unwrapped]:
    """Yield an object with a type. Without a mail it may be another program's, with the record in a member."""
    inside = [] if keys.mail or keys.decision or keys.evidence else _members(text, envelopes, depth)
    yield from inside if _has_record(inside) else [Fragment(raw, text, envelopes)]


def _has_record(parts: list[Unwrapped]) -> bool:
    return any(isinstance(part, Fragment) for part in parts)


def _members(text: bytes, envelopes: Envelopes, depth: int) -> list[Unwrapped]:
    """Return the contents of those members of an object that may hold a record."""
    found: list[Unwrapped] = []
    for key, raw in parse_object(text).items():
        value = bytes(raw)
        may_hold_record = key.lower() not in TEXTS_OF_STRANGERS and value.startswith((b"{", b"[", b'"'))
        if may_hold_record and names_a_type(value):
            found += unwrap(value, envelopes, depth=depth + 1)
    return [structs.replace(part, is_member=True) if isinstance(part, Fragment) else part for part in found]


def _unwrap_carrier(
    raw: bytes, text: bytes, keys: EnvelopeKeys, envelopes: Envelopes, depth: int
) -> Iterator[Unwrapped]:
    """Yield the contents of an envelope that only carries: a list, base64 or a body."""
    if keys.logs_type or keys.log_events or keys.cloudwatch_logs:
        yield from _unwrap_logs(raw, keys, envelopes, depth)
    elif inner := inner_json(keys):
        yield from unwrap(bytes(inner), envelopes, depth=depth + 1)
    elif encoded := keys.raw_data or keys.data or keys.kinesis_data:
        yield from _unwrap_base64(raw, bytes(encoded), (*envelopes, base64_envelope(keys)), depth)
    elif keys.quarantined:
        yield from _unwrap_base64(raw, bytes(keys.quarantined), envelopes, depth)
    elif keys.body or keys.sqs_body:
        yield from _unwrap_body(raw, keys, envelopes, depth)
    else:
        yield from _unwrap_other(raw, text, keys, envelopes, depth)


def _unwrap_eventbridge(raw: bytes, keys: EnvelopeKeys, envelopes: Envelopes, depth: int) -> Iterator[Unwrapped]:
    """Yield the SES record in `detail`, on any bus.

    The detail of an e-mail event contains the record's type. Events of the SES advisor and of the account have none.
    CloudTrail's `eventType` is not a record's. A detail that is neither a record nor an envelope is about something
    else; but one that is an envelope claims to carry a record, so what cannot be read in it is poison.
    """
    detail_type, detail = bytes(keys.detail_type), bytes(keys.detail)
    inside = [] if detail_type == CLOUDTRAIL else [*unwrap(detail, (*envelopes, Envelope.EVENTBRIDGE), depth=depth + 1)]
    if detail_type.startswith(b'"Email ') and all(isinstance(part, NotAnEvent) for part in inside):
        yield Poison(why="an EventBridge event about an e-mail without a record", raw=raw)
    elif inside and (detail_type.startswith(b'"Email ') or claims_a_record(detail) or _has_record(inside)):
        yield from inside
    else:
        yield NotAnEvent(why="an EventBridge event about something other than an e-mail", raw=raw)


def _unwrap_sns(raw: bytes, keys: EnvelopeKeys, envelopes: Envelopes, depth: int) -> Iterator[Unwrapped]:
    message = bytes(keys.message)
    if bytes(keys.type) in CONFIRMATIONS and not message.startswith((b'"{', b"{")):
        yield NotAnEvent(why="an SNS subscription's confirmation", raw=raw)
    elif not message:
        yield Poison(why="an SNS envelope without a message", raw=raw)
    else:
        yield from unwrap(message, envelopes, depth=depth + 1)


def _unwrap_logs(raw: bytes, keys: EnvelopeKeys, envelopes: Envelopes, depth: int) -> Iterator[Unwrapped]:
    """Yield the records in a batch of CloudWatch Logs, as a subscription or Lambda delivers it."""
    inside = (*envelopes, Envelope.CLOUDWATCH_LOGS)
    if keys.cloudwatch_logs:
        data = parse_keys(keys.cloudwatch_logs).data if bytes(keys.cloudwatch_logs).startswith(b"{") else Raw()
        yield from _unwrap_base64(raw, bytes(data), envelopes, depth)
    elif bytes(keys.logs_type) == CONTROL_MESSAGE:
        yield NotAnEvent(why="a control message of CloudWatch Logs", raw=raw)
    elif bytes(keys.log_events).startswith(b"["):
        entries = parse_list(keys.log_events)
        if not entries:
            yield NotAnEvent(why="an empty batch", raw=raw)
        for entry in entries:
            message = parse_keys(entry).log_message if bytes(entry).startswith(b"{") else Raw()
            yield from unwrap(bytes(message or entry), inside, depth=depth + 1)
    else:
        yield Poison(why="a batch of CloudWatch Logs without its events", raw=raw)


def _unwrap_body(raw: bytes, keys: EnvelopeKeys, envelopes: Envelopes, depth: int) -> Iterator[Unwrapped]:
    """Yield the records in a body: of an HTTP request, which may be in base64, or of a message of SQS."""
    body = bytes(keys.body or keys.sqs_body)
    if bytes(keys.is_base64) == b"true":
        yield from _unwrap_base64(raw, body, (*envelopes, Envelope.HTTP), depth)
    elif keys.is_base64 or keys.request_context or keys.route:
        yield from unwrap(body, (*envelopes, Envelope.HTTP), depth=depth + 1)
    else:
        sqs = Envelope.LAMBDA_SQS if keys.body else Envelope.SQS
        yield from unwrap(body, (*envelopes, sqs), depth=depth + 1)


def _unwrap_other(raw: bytes, text: bytes, keys: EnvelopeKeys, envelopes: Envelopes, depth: int) -> Iterator[Unwrapped]:
    """Yield the records in an object that is no known envelope: converted, or below any of its keys."""
    if record := _converted(text, keys):
        yield Fragment(raw, msgspec.json.encode(record), envelopes)
        return
    if bytes(keys.scanned_items).startswith(b"["):
        for item in parse_list(keys.scanned_items):
            yield from unwrap(b'{"Item":%b}' % bytes(item), envelopes, depth=depth + 1)
        return
    if not names_a_type(text):
        yield Poison(why="neither eventType nor notificationType, and no known envelope", raw=raw)
        return
    if any(names_a_type(key.encode()) for key in parse_object(text)):
        yield Fragment(raw, text, envelopes)  # in another case, which the decoder reads
    elif inside := _members(text, envelopes, depth):
        yield from inside
    else:
        yield Poison(why="neither eventType nor notificationType, and no known envelope", raw=raw)


def _converted(text: bytes, keys: EnvelopeKeys) -> dict[str, Any] | None:
    """Return the record in an event of Pinpoint, or in an item of a DynamoDB export."""
    if bytes(keys.pinpoint_type).startswith(b'"_email.'):
        return pinpoint_record(to_python(text))
    if bytes(keys.exported_item).startswith(b"{"):
        return bounce_table_record(plain_item(to_python(bytes(keys.exported_item))))
    return None


def _unwrap_base64(raw: bytes, value: bytes, envelopes: Envelopes, depth: int) -> Iterator[Unwrapped]:
    """Yield the contents of base64 data. Fixtures written by hand contain the JSON itself, which is read too."""
    data = value if value.startswith(b"{") else parse_text(value).encode() if value.startswith(b'"') else b""
    if not data.lstrip().startswith(b"{"):
        try:
            data = b64decode(data, validate=True)
        except ValueError:
            data = b""
    if data:
        yield from unwrap(data, envelopes, depth=depth + 1)
    else:
        yield Poison(why=f"{envelopes[-1] if envelopes else 'quarantine'}: its data is not base64", raw=raw)
