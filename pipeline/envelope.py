"""Find the records inside whatever carried them.

Carriers are detected, never configured, and may be nested: SNS in SQS in a Lambda event, EventBridge in Kinesis.
Pure, and total: `unwrap` raises nothing for any bytes, and one bad part never hides its siblings.
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

MAX_DEPTH = 32  # three carriers, each two or three levels, is the most seen; this stops what is wrapped without end

# Sent once, as plain text, when a topic becomes an event destination.
TEST_LINE = b"Successfully validated SNS topic for Amazon SES event publishing"
CLOUDTRAIL = b'"AWS API Call via CloudTrail"'
CONFIRMATIONS = (b'"SubscriptionConfirmation"', b'"UnsubscribeConfirmation"')

Envelopes = tuple[Envelope, ...]


class Fragment(msgspec.Struct, frozen=True, gc=False):
    """One JSON object that carries nothing: a record, or an attempt at one.

    Attributes:
        raw: Its exact text, without white space around it; bytes that are no text stand as U+FFFD.
        text: The same, in a form that parses.
        envelopes: What it was found in, outermost first.
    """

    raw: bytes
    text: bytes
    envelopes: Envelopes


Unwrapped = Fragment | NotAnEvent | Poison


class _Envelope(msgspec.Struct, gc=False):
    """The keys by which a carrier, or a record, gives itself away. Raw: their types are anybody's guess."""

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


_envelope = msgspec.json.Decoder(_Envelope).decode
_elements = msgspec.json.Decoder(list[Raw]).decode
_text = msgspec.json.Decoder(str).decode


def unwrap(data: bytes, envelopes: Envelopes = (), *, depth: int = 0) -> Iterator[Unwrapped]:
    """Give what is inside `data`, in order. Raises nothing."""
    data = strip_json(data)
    try:
        yield from _unwrap(data, envelopes, depth) if depth <= MAX_DEPTH else [_too_deep(data)]
    except RecursionError:
        yield _too_deep(data)


def ndjson_lines(data: bytes) -> list[tuple[int, bytes]]:
    """Return the lines of NDJSON that are not blank, numbered from 1; none if `data` is no NDJSON.

    Broken lines may be among them. What tells NDJSON from one document broken in two is that its first line is whole,
    or that a line says by itself what it is, or that half of them are whole, or that each is JSON, however little.
    """
    numbered = [(number, line) for number, text in enumerate(data.split(b"\n"), 1) if (line := strip_json(text))]
    whole = [line for _, line in numbered if is_container(line)]
    if len(numbered) < 2:  # noqa: PLR2004 - one line is a document, or half of one
        return []
    if whole and (whole[0] is numbered[0][1] or 2 * len(whole) >= len(numbered) or any(map(_is_telling, whole))):
        return numbered
    return numbered if all(_is_sound(line) for _, line in numbered) else []


def _too_deep(data: bytes) -> Poison:
    return Poison(why="nested too deep", raw=data)


def is_container(line: bytes) -> bool:
    """Tell whether a trimmed line is a JSON object or list with something in it."""
    return line[:1] in {b"{", b"["} and line[1:].strip() not in {b"}", b"]"} and _is_sound(line)


def _is_sound(line: bytes) -> bool:
    try:
        return bool(repair_json(line))
    except InvalidJSON:
        return False


def _is_telling(line: bytes) -> bool:
    return line.startswith(b"{") and _envelope(repair_json(line)) != _Envelope()


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
    numbered = ndjson_lines(data)
    if not numbered:
        yield Poison(why="neither one JSON document nor NDJSON", raw=data)
    for _, line in numbered:
        yield from unwrap(line, envelopes, depth=depth + 1)


def _unwrap_document(raw: bytes, text: bytes, envelopes: Envelopes, depth: int) -> Iterator[Unwrapped]:
    match text[:1]:
        case b"{":
            yield from _unwrap_object(raw, text, envelopes, depth)
        case b"[":
            yield from _unwrap_batch(text, envelopes, depth)
        case b'"':
            yield from unwrap(_text(text).encode(), envelopes, depth=depth + 1)
        case _:
            yield Poison(why="JSON, but neither an object nor a list of them", raw=raw)


def _unwrap_batch(text: bytes, envelopes: Envelopes, depth: int) -> Iterator[Unwrapped]:
    elements = _elements(text)
    if not elements:
        yield NotAnEvent(why="an empty batch", raw=text)
    for element in elements:
        yield from unwrap(bytes(element), envelopes, depth=depth + 1)


def _unwrap_object(raw: bytes, text: bytes, envelopes: Envelopes, depth: int) -> Iterator[Unwrapped]:
    e = _envelope(text)
    if e.event_type or e.notification_type:
        yield Fragment(raw, text, envelopes)
    elif e.ses or e.receipt:
        yield NotAnEvent(why="received mail", raw=raw)
    elif e.detail and e.detail_type:
        yield from _unwrap_eventbridge(raw, e, envelopes, depth)
    elif e.message or bytes(e.type) in CONFIRMATIONS:
        yield from _unwrap_sns(raw, e, (*envelopes, Envelope.SNS), depth)
    elif bytes(e.sns).startswith(b"{"):
        yield from _unwrap_sns(raw, _envelope(e.sns), (*envelopes, Envelope.LAMBDA_SNS), depth)
    elif inner := e.lambda_records or e.firehose_records or e.sqs_messages or e.kinesis or _given_up(e):
        yield from unwrap(bytes(inner), envelopes, depth=depth + 1)
    elif encoded := e.raw_data or e.data or e.kinesis_data:
        yield from _unwrap_base64(raw, bytes(encoded), (*envelopes, _encoder(e)), depth)
    elif e.quarantined:
        yield from _unwrap_base64(raw, bytes(e.quarantined), envelopes, depth)
    elif body := e.lambda_body or e.sqs_body:
        sqs = Envelope.LAMBDA_SQS if e.lambda_body else Envelope.SQS
        yield from unwrap(bytes(body), (*envelopes, sqs), depth=depth + 1)
    else:
        yield Poison(why="neither eventType nor notificationType, and no carrier that is known", raw=raw)


def _unwrap_eventbridge(raw: bytes, e: _Envelope, envelopes: Envelopes, depth: int) -> Iterator[Unwrapped]:
    """An e-mail event's type is in its detail; the advisor's and the account's have none, CloudTrail's is its own."""
    detail_type = bytes(e.detail_type)
    for found in unwrap(bytes(e.detail), (*envelopes, Envelope.EVENTBRIDGE), depth=depth + 1):
        if detail_type != CLOUDTRAIL and (isinstance(found, Fragment) or detail_type.startswith(b'"Email ')):
            yield found
        else:
            yield NotAnEvent(why="an EventBridge event about something other than an e-mail", raw=raw)


def _unwrap_sns(raw: bytes, e: _Envelope, envelopes: Envelopes, depth: int) -> Iterator[Unwrapped]:
    message = bytes(e.message)
    if bytes(e.type) in CONFIRMATIONS and not message.startswith((b'"{', b"{")):
        yield NotAnEvent(why="an SNS subscription's confirmation", raw=raw)
    elif not message:
        yield Poison(why="an SNS envelope without a message", raw=raw)
    else:
        yield from unwrap(message, envelopes, depth=depth + 1)


def _given_up(e: _Envelope) -> Raw:
    """Return what Lambda gave up, as the failure destination of a mapping or of an asynchronous call keeps it."""
    return e.failed_payload if e.failed_batch else e.failed_request


def _encoder(e: _Envelope) -> Envelope:
    if e.raw_data:
        return Envelope.FIREHOSE_ERROR
    return Envelope.FIREHOSE if e.record_id else Envelope.KINESIS


def _unwrap_base64(raw: bytes, value: bytes, envelopes: Envelopes, depth: int) -> Iterator[Unwrapped]:
    """Base64, as it is on the wire; or, as in fixtures written by hand, the JSON itself."""
    data = value if value.startswith(b"{") else _text(value).encode() if value.startswith(b'"') else b""
    if not data.lstrip().startswith(b"{"):
        try:
            data = b64decode(data, validate=True)
        except ValueError:
            data = b""
    if data:
        yield from unwrap(data, envelopes, depth=depth + 1)
    else:
        yield Poison(why=f"{envelopes[-1] if envelopes else 'quarantine'}: its data is not base64", raw=raw)
