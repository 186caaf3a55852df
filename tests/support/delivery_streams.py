"""Builders for tests of the delivery stream: a stream into a fake bucket, transforms, and what was delivered."""

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from typing import Any

import msgspec

from pipeline.aws.archive.parquet import decode_rows as rows_in
from pipeline.aws.lambdas.transform import transform as log_transform
from pipeline.local.firehose.delivery_stream import DeliveryCounters, DeliveryStream
from pipeline.local.firehose.transformation import Transform
from pipeline.row import Row
from tests.support.fake_s3 import FakeS3

ARRIVED_AT = datetime(2026, 3, 1, 23, 59, 58, 123_000, tzinfo=UTC)
QUICKLY = 0.001
NEVER = 3600.0

to_log_row: Transform = partial(log_transform, now=ARRIVED_AT)

Answer = dict[str, Any]


def answering(answer: Callable[[str, bytes], list[Answer]]) -> Transform:
    """Return a transform that returns any number of answers for each record's id and data."""

    def transform(event: dict[str, Any]) -> dict[str, Any]:
        records = [(record["recordId"], b64decode(record["data"])) for record in event["records"]]
        return {"records": [result for record_id, data in records for result in answer(record_id, data)]}

    return transform


def ok(record_id: str, data: bytes) -> Answer:
    """Return the answer that a record becomes `data`."""
    return {"recordId": record_id, "result": "Ok", "data": b64encode(data).decode()}


def a_row(*, name: str = "e1", **columns: Any) -> Row:
    """Return a row of the log."""
    required: dict[str, Any] = {"event_type": "send", "ses_type": "Send", "is_feedback": False, "raw": "{}"}
    return Row(event_id=name, arrived_at=ARRIVED_AT, decoder_version=1, **(required | columns))


def as_row(record_id: str, data: bytes) -> list[Answer]:
    """Return the answer that a record becomes a row whose `raw` is the record."""
    return [ok(record_id, msgspec.json.encode(a_row(raw=data.decode())) + b"\n")]


AS_ROWS = answering(as_row)


class AClock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = ARRIVED_AT

    def __call__(self) -> datetime:
        return self.now


def a_stream(s3: FakeS3, transform: Transform = AS_ROWS, **options: Any) -> "closing[DeliveryStream]":
    """Return a stream that delivers when it is flushed or closed."""
    settings: dict[str, Any] = {"buffer_seconds": NEVER, "retry_after_seconds": QUICKLY, "clock": AClock()} | options
    return closing(DeliveryStream(s3.client(), bucket="log", transform=transform, **settings))


def delivered(records: Sequence[bytes], transform: Transform) -> tuple[FakeS3, DeliveryCounters]:
    """Return S3 and the counters after the delivery of these records."""
    s3 = FakeS3()
    with a_stream(s3, transform) as stream:
        stream.put(records)
        stream.flush(10)
        return s3, stream.counters


def raws_in(s3: FakeS3) -> list[str]:
    """Return `raw` of each row in the log."""
    return [row.raw for key, body in s3.objects.items() if key.startswith("events/") for row in rows_in(body)]


def errors_in(s3: FakeS3, kind: str) -> list[dict[str, Any]]:
    """Return all error rows of a kind."""
    bodies = [body for key, body in s3.objects.items() if key.startswith(f"errors/{kind}/")]
    return [json.loads(line) for body in bodies for line in body.splitlines()]
