"""Find the records inside the envelopes that transports put around them.

Envelopes are detected, never configured, and may be nested: SNS in SQS in a Lambda event, EventBridge in Kinesis.
Pure and total: `unwrap` never raises, and one bad part never hides its siblings.
Shapes: docs.aws.amazon.com/lambda/latest/dg/ (with-sns, with-sqs, with-kinesis, services-kinesisfirehose),
docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html,
docs.aws.amazon.com/firehose/latest/dev/retry.html (error rows).
"""

from base64 import b64decode
from collections.abc import Iterator

import msgspec
from msgspec import Raw, field

from pipeline.document import InvalidJSON, is_utf8, repair_json, strip_json
from pipeline.event import Envelope, NotAnEvent, Poison

MAX_DEPTH = 32  # levels; real payloads have at most three envelopes of two or three levels each

# SES sends this once, as plain text, when a topic becomes an event destination.
TEST_LINE = b"Successfully validated SNS topic for Amazon SES event publishing"
CLOUDTRAIL = b'"AWS API Call via CloudTrail"'
CONFIRMATIONS = (b'"SubscriptionConfirmation"', b'"UnsubscribeConfirmation"')

Envelopes = tuple[Envelope, ...]


class Fragment(msgspec.Struct, frozen=True, gc=False):
    """A JSON object that is no envelope: a record, or something that claims to be one.

    Attributes:
        raw: Its exact text, without surrounding white space; U+FFFD replaces bytes that are not text.
        text: The same, in a form that parses.
        envelopes: The envelopes around it, outermost first.
    """

    raw: bytes
    text: bytes
    envelopes: Envelopes


Unwrapped = Fragment | NotAnEvent | Poison


class _Keys(msgspec.Struct, gc=False):
    """The keys that identify an envelope or a record. Their values are raw, because any type may occur."""

    event_type: Raw = field(default=Raw(), name="eventType")
    notification_type: Raw = field(default=Raw(), name="notificationType")
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
    lambda_body: Raw = field(default=Raw(), name="body")
    sqs_body: Raw = field(default=Raw(), name="Body")
    record_id: Raw = field(default=Raw(), name="recordId")
    data: Raw = Raw()
    kinesis_data: Raw = field(default=Raw(), name="Data")


_parse_keys = msgspec.json.Decoder(_Keys).decode
_parse_list = msgspec.json.Decoder(list[Raw]).decode
_parse_text = msgspec.json.Decoder(str).decode


def unwrap(data: bytes, envelopes: Envelopes = (), *, depth: int = 0) -> Iterator[Unwrapped]:
    """Yield the contents of `data`, in order. Never raises."""
    data = strip_json(data)
    try:
        yield from _unwrap(data, envelopes, depth) if depth <= MAX_DEPTH else [_too_deep(data)]
    except RecursionError:
        yield _too_deep(data)


def _too_deep(data: bytes) -> Poison:
    return Poison(why="nested too deep", raw=data)


def _unwrap(data: bytes, envelopes: Envelopes, depth: int) -> Iterator[Unwrapped]:
    if data.startswith(TEST_LINE) and b"\n" not in data:
        yield NotAnEvent(why="SNS's test line", raw=data)
        return
    try:
        text = repair_json(data)
    except InvalidJSON:
        yield from _unwrap_lines(data, envelopes, depth)
    else:
        yield from _unwrap_document(data if is_utf8(data) else text, text, envelopes, depth)


def _unwrap_lines(data: bytes, envelopes: Envelopes, depth: int) -> Iterator[Unwrapped]:
    lines = ndjson_lines(data)
    if not lines:
        yield Poison(why="neither one JSON document nor NDJSON", raw=data)
    for _, line in lines:
        yield from unwrap(line, envelopes, depth=depth + 1)


def _unwrap_document(raw: bytes, text: bytes, envelopes: Envelopes, depth: int) -> Iterator[Unwrapped]:
    match text[:1]:
        case b"{":
            yield from _unwrap_object(raw, text, envelopes, depth)
        case b"[":
            yield from _unwrap_batch(text, envelopes, depth)
        case b'"':
            yield from unwrap(_parse_text(text).encode(), envelopes, depth=depth + 1)
        case _:
            yield Poison(why="JSON, but neither an object nor a list of objects", raw=raw)


def _unwrap_batch(text: bytes, envelopes: Envelopes, depth: int) -> Iterator[Unwrapped]:
    elements = _parse_list(text)
    if not elements:
        yield NotAnEvent(why="an empty batch", raw=text)
    for element in elements:
        yield from unwrap(bytes(element), envelopes, depth=depth + 1)


def _unwrap_object(raw: bytes, text: bytes, envelopes: Envelopes, depth: int) -> Iterator[Unwrapped]:
    keys = _parse_keys(text)
    if keys.event_type or keys.notification_type:
        yield Fragment(raw, text, envelopes)
    elif keys.ses or keys.receipt:
        yield NotAnEvent(why="received mail", raw=raw)
    elif keys.detail and keys.detail_type:
        yield from _unwrap_eventbridge(raw, keys, envelopes, depth)
    elif keys.message or bytes(keys.type) in CONFIRMATIONS:
        yield from _unwrap_sns(raw, keys, (*envelopes, Envelope.SNS), depth)
    elif bytes(keys.sns).startswith(b"{"):
        yield from _unwrap_sns(raw, _parse_keys(keys.sns), (*envelopes, Envelope.LAMBDA_SNS), depth)
    elif inner := _inner_json(keys):
        yield from unwrap(bytes(inner), envelopes, depth=depth + 1)
    elif encoded := keys.raw_data or keys.data or keys.kinesis_data:
        yield from _unwrap_base64(raw, bytes(encoded), (*envelopes, _base64_envelope(keys)), depth)
    elif keys.quarantined:
        yield from _unwrap_base64(raw, bytes(keys.quarantined), envelopes, depth)
    elif body := keys.lambda_body or keys.sqs_body:
        sqs = Envelope.LAMBDA_SQS if keys.lambda_body else Envelope.SQS
        yield from unwrap(bytes(body), (*envelopes, sqs), depth=depth + 1)
    else:
        yield Poison(why="neither eventType nor notificationType, and no known envelope", raw=raw)


def _unwrap_eventbridge(raw: bytes, keys: _Keys, envelopes: Envelopes, depth: int) -> Iterator[Unwrapped]:
    """Yield the SES record in `detail`.

    The detail of an e-mail event contains the record's type. Events of the SES advisor and of the account have none.
    CloudTrail's `eventType` is not a record's.
    """
    detail_type = bytes(keys.detail_type)
    for part in unwrap(bytes(keys.detail), (*envelopes, Envelope.EVENTBRIDGE), depth=depth + 1):
        if detail_type != CLOUDTRAIL and (isinstance(part, Fragment) or detail_type.startswith(b'"Email ')):
            yield part
        else:
            yield NotAnEvent(why="an EventBridge event about something other than an e-mail", raw=raw)


def _unwrap_sns(raw: bytes, keys: _Keys, envelopes: Envelopes, depth: int) -> Iterator[Unwrapped]:
    message = bytes(keys.message)
    if bytes(keys.type) in CONFIRMATIONS and not message.startswith((b'"{', b"{")):
        yield NotAnEvent(why="an SNS subscription's confirmation", raw=raw)
    elif not message:
        yield Poison(why="an SNS envelope without a message", raw=raw)
    else:
        yield from unwrap(message, envelopes, depth=depth + 1)


def _inner_json(keys: _Keys) -> Raw:
    """Return the JSON inside an envelope that is not listed in `envelopes`.

    Such an envelope is a list of records, Lambda's `kinesis` object, or what Lambda writes to a failure destination:
    `payload` for an event source mapping, `requestPayload` for an asynchronous call.
    """
    batch = keys.lambda_records or keys.firehose_records or keys.sqs_messages or keys.kinesis
    return batch or (keys.failed_payload if keys.failed_batch else keys.failed_request)


def _base64_envelope(keys: _Keys) -> Envelope:
    if keys.raw_data:
        return Envelope.FIREHOSE_ERROR
    return Envelope.FIREHOSE if keys.record_id else Envelope.KINESIS


def _unwrap_base64(raw: bytes, value: bytes, envelopes: Envelopes, depth: int) -> Iterator[Unwrapped]:
    """Yield the contents of base64 data. Fixtures written by hand contain the JSON itself, which is read too."""
    data = value if value.startswith(b"{") else _parse_text(value).encode() if value.startswith(b'"') else b""
    if not data.lstrip().startswith(b"{"):
        try:
            data = b64decode(data, validate=True)
        except ValueError:
            data = b""
    if data:
        yield from unwrap(data, envelopes, depth=depth + 1)
    else:
        yield Poison(why=f"{envelopes[-1] if envelopes else 'quarantine'}: its data is not base64", raw=raw)


def ndjson_lines(data: bytes) -> list[tuple[int, bytes]]:
    """Return the lines of NDJSON that are not blank, numbered from 1; an empty list if `data` is not NDJSON.

    The lines may include broken ones. A single document that is broken is not NDJSON. NDJSON is recognized by any of:

    - the first line is a whole document;
    - a line has a key of an envelope or a record;
    - at least half of the lines are whole documents;
    - every line is valid JSON.
    """
    lines = [(number, line) for number, text in enumerate(data.split(b"\n"), 1) if (line := strip_json(text))]
    documents = [line for _, line in lines if is_container(line)]
    if len(lines) < 2:  # noqa: PLR2004 - one line is a document, or half of one
        return []
    first_is_document = bool(documents) and documents[0] is lines[0][1]
    if documents and (first_is_document or 2 * len(documents) >= len(lines) or any(map(_has_known_key, documents))):
        return lines
    return lines if all(_is_json(line) for _, line in lines) else []


def is_container(line: bytes) -> bool:
    """Return True if a trimmed line is a JSON object or list that is not empty."""
    return line[:1] in {b"{", b"["} and line[1:].strip() not in {b"}", b"]"} and _is_json(line)


def _is_json(line: bytes) -> bool:
    try:
        return bool(repair_json(line))
    except InvalidJSON:
        return False


def _has_known_key(line: bytes) -> bool:
    return line.startswith(b"{") and _parse_keys(repair_json(line)) != _Keys()
