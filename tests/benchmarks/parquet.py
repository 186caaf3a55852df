"""SES's JSON to Parquet, raw text included, compared with pyarrow's conversion from JSON to Parquet.

The peer does what an engineer without this project would do: `pyarrow.json` with SES's format as an explicit schema,
and zstd. pyarrow cannot infer the schema and has no maps. The peer keeps neither unknown fields nor tags outside of the
schema, and finds no facts. Both use one thread.
"""

import gzip
import io
from datetime import timedelta

import pyarrow as pa
import pyarrow.json
import pyarrow.parquet

from pipeline.aws.archive import parquet
from pipeline.decode import decode
from pipeline.event import Event
from pipeline.row import to_row
from tests.benchmarks.measure import Ratio, alternate
from tests.benchmarks.sample import START, events

EVENTS = 20_000
GOAL = 1.3
ARRIVED_AT = START + timedelta(days=1)
TAGS = (
    *("ses:operation", "ses:configuration-set", "ses:source-ip", "ses:from-domain", "ses:caller-identity"),
    *("ses:outgoing-ip", "ses:source-tls-version", "ses:outgoing-tls-version", "campaign", "tenant", "abTest"),
)


def compare() -> list[Ratio]:
    """Compare CPU time; the sizes are in the note."""
    json = b"".join(events(EVENTS))
    threads = pa.cpu_count()
    pa.set_cpu_count(1)
    try:
        ratio = alternate(
            "JSON to Parquet, lossless, by pyarrow.json + write_table zstd-3",
            lambda: _mailfold() and EVENTS,
            lambda: _peer(json) and EVENTS,
            goal=GOAL,
            note=_sizes(json),
        )
    finally:
        pa.set_cpu_count(threads)
    return [ratio]


def _mailfold() -> int:
    outcomes = (outcome for payload in events(EVENTS) for outcome in decode(payload))
    rows = (to_row(outcome, arrived_at=ARRIVED_AT) for outcome in outcomes if isinstance(outcome, Event))
    return len(parquet.encode_rows(rows))


def _peer(json: bytes) -> int:
    table = pyarrow.json.read_json(
        io.BytesIO(json),
        read_options=pyarrow.json.ReadOptions(use_threads=False),
        parse_options=pyarrow.json.ParseOptions(explicit_schema=_schema(), unexpected_field_behavior="ignore"),
    )
    sink = io.BytesIO()
    pyarrow.parquet.write_table(table, sink, compression="zstd", compression_level=3)
    return sink.tell()


def _sizes(json: bytes) -> str:
    sizes = {"Mailfold": _mailfold(), "peer": _peer(json), "gzip -6 of the JSON": len(gzip.compress(json, 6))}
    bytes_by_name = ", ".join(f"{name} {size / EVENTS:.0f}" for name, size in sizes.items())
    return f"per event; bytes of JSON {len(json) / EVENTS:.0f}, {bytes_by_name}"


def _schema() -> pa.Schema:
    """Return SES's format as far as AWS documents it.

    docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-firehose-contents.html
    """
    text, texts = pa.string(), pa.list_(pa.string())
    people = pa.list_(_struct("emailAddress action status diagnosticCode"))
    topic = pa.list_(_struct("topicName subscriptionStatus"))
    preferences = _struct("", unsubscribeAll=pa.bool_(), topicSubscriptionStatus=topic)
    names = ("from", "to", "cc", "bcc", "replyTo")
    return pa.schema(
        {
            "eventType": text,
            "mail": _struct(
                "timestamp messageId source sourceArn sendingAccountId",
                destination=texts,
                headersTruncated=pa.bool_(),
                headers=pa.list_(_struct("name value")),
                commonHeaders=_struct("returnPath sender date messageId subject", **dict.fromkeys(names, texts)),
                tags=pa.struct(dict.fromkeys(TAGS, texts)),
            ),
            "bounce": _struct(
                "bounceType bounceSubType timestamp feedbackId reportingMTA remoteMtaIp", bouncedRecipients=people
            ),
            "complaint": _struct(
                "timestamp feedbackId complaintSubType complaintFeedbackType userAgent arrivalDate",
                complainedRecipients=people,
            ),
            "delivery": _struct(
                "timestamp smtpResponse reportingMTA remoteMtaIp", processingTimeMillis=pa.int64(), recipients=texts
            ),
            "reject": _struct("reason"),
            "open": _struct("timestamp ipAddress userAgent isBotEvent"),
            "click": _struct(
                "timestamp ipAddress userAgent isBotEvent link", linkTags=pa.struct({"campaign": texts, "slot": texts})
            ),
            "failure": _struct("templateName errorMessage"),
            "deliveryDelay": _struct("timestamp delayType expirationTime reportingMTA", delayedRecipients=people),
            "subscription": _struct(
                "timestamp contactList source", newTopicPreferences=preferences, oldTopicPreferences=preferences
            ),
        }
    )


def _struct(texts: str, **others: pa.DataType) -> pa.StructType:
    return pa.struct({**dict.fromkeys(texts.split(), pa.string()), **others})
