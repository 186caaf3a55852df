"""The Lambda with which Firehose transforms records: SES's JSON in, rows of the event log out.

Every record gets one result, and none loses its bytes:

- `Ok`: a JSON line for each row.
- `Dropped`: the record holds no sending event.
- `ProcessingFailed`: any other record, unchanged. Firehose keeps it under the error prefix `processing-failed/`, where
  ingesting finds it.

No payload is ever logged.
docs.aws.amazon.com/firehose/latest/dev/data-transformation-status-model.html
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import msgspec
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.utilities.typing import LambdaContext
from pybase64 import b64decode, b64encode_as_string

from pipeline.aws.metrics import count, count_events
from pipeline.aws.settings import NAMESPACE, service_name
from pipeline.decision import decode_arrived
from pipeline.errors import describe
from pipeline.event import Event, Outcome, Poison
from pipeline.fact import is_recognized
from pipeline.row import Row, poison_row, to_row
from pipeline.timestamp import from_ms

# Lambda's limit for a response is 6 MB (6,291,556 bytes). A larger one fails the whole batch, and again when Firehose
# repeats it. Rows are about twice as large as their records; with Firehose's default buffer of 1 MB they would have to
# be four times as large. AWS's own blueprints put what does not fit back into the stream and drop it: a side effect in
# a function that is repeated on failure, and the time of arrival is lost. Here only the record that does not fit fails,
# and is ingested from the error prefix. docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
RESPONSE_BYTES = 6_000_000
RESULT_BYTES = 256  # at most, of one result without its data: the record's id and the JSON around both

FirehoseRecord = Mapping[str, Any]
"""A record of Firehose's event. Powertools' objects would take a sixth of the start, and a tenth of the total cost."""

logger = Logger(service=service_name("transform"))
metrics = Metrics(namespace=NAMESPACE, service=service_name("transform"))

_encode_lines = msgspec.json.Encoder().encode_lines


class TransformCounts(msgspec.Struct, kw_only=True):
    """The counts of a batch.

    Attributes:
        rows: Rows by kind of event. Poison that came together with events counts as `unknown`.
        unrecognized: Events of a type or sub-type that this version does not know.
        dropped: Records without a sending event.
        failed: Records returned unchanged, by reason.
    """

    rows: Counter[str] = msgspec.field(default_factory=Counter)
    unrecognized: int = 0
    dropped: int = 0
    failed: Counter[str] = msgspec.field(default_factory=Counter)


class TransformResult(msgspec.Struct, frozen=True, kw_only=True):
    """The response to Firehose, and the counts of the batch."""

    response: dict[str, Any]
    counts: TransformCounts


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001 - Lambda's signature
    """Return the response to Firehose, and publish the counts."""
    result = transform_batch(event, now=datetime.now(UTC))
    counts = result.counts
    count_events(metrics, counts.rows)
    count(metrics, {"Unrecognized": counts.unrecognized, "Dropped": counts.dropped, "Failed": counts.failed.total()})
    if counts.failed:
        logger.warning("records failed; they are under the error prefix", reasons=dict(counts.failed))
    return result.response


def transform(event: dict[str, Any], *, now: datetime) -> dict[str, Any]:
    """Return the response to Firehose.

    Args:
        event: Firehose's event.
        now: The arrival time of records without one.
    """
    return transform_batch(event, now=now).response


def transform_batch(event: dict[str, Any], *, now: datetime) -> TransformResult:
    """Return the response to Firehose, and the counts of the batch. See `transform`."""
    records: Sequence[FirehoseRecord] = event["records"]
    transformer = _BatchTransformer(records, now)
    response = {"records": [transformer.transform(record) for record in records]}
    return TransformResult(response=response, counts=transformer.counts)


class _BatchTransformer:
    """Transforms the records of one invocation. Keeps the counts and the room left in the response."""

    def __init__(self, records: Sequence[FirehoseRecord], now: datetime) -> None:
        self.counts = TransformCounts()
        self._now = now
        # Any record may have to be returned unchanged. The rest of the response is room for rows to be larger.
        self._room_bytes = RESPONSE_BYTES - sum(len(record["data"]) + RESULT_BYTES for record in records)

    def transform(self, record: FirehoseRecord) -> dict[str, str]:
        try:
            arrived_ms = record.get("approximateArrivalTimestamp")
            arrived_at = self._now if arrived_ms is None else from_ms(arrived_ms)
            outcomes = _decode(record["data"], arrived_at)
            rows = self._to_rows(outcomes, arrived_at)
            if rows:
                self.counts.unrecognized += _count_unrecognized(outcomes)
                return self._ok(record, rows)
        except Exception as error:  # noqa: BLE001 - an unexpected error in one record must not fail the others
            return self._failed(record, describe(error))
        why_poison = next((outcome.why for outcome in outcomes if isinstance(outcome, Poison)), None)
        if why_poison:
            return self._failed(record, why_poison)
        self.counts.dropped += 1
        return _result(record, "Dropped", "")

    @staticmethod
    def _to_rows(outcomes: Sequence[Outcome], arrived_at: datetime) -> list[Row]:
        """Return a row for each event, then one for each poison among them; none if there is no event."""
        rows = [to_row(outcome, arrived_at=arrived_at) for outcome in outcomes if isinstance(outcome, Event)]
        if rows and len(rows) < len(outcomes):
            rows += [_to_poison_row(outcome, arrived_at) for outcome in outcomes if isinstance(outcome, Poison)]
        return rows

    def _ok(self, record: FirehoseRecord, rows: list[Row]) -> dict[str, str]:
        data = b64encode_as_string(_encode_lines(rows))
        growth_bytes = len(data) - len(record["data"])
        if growth_bytes > self._room_bytes:
            return self._failed(record, "its rows do not fit into Lambda's response")
        self._room_bytes -= growth_bytes
        for row in rows:
            self.counts.rows[row.event_type] += 1
        return _result(record, "Ok", data)

    def _failed(self, record: FirehoseRecord, why: str) -> dict[str, str]:
        self.counts.failed[why] += 1
        return _result(record, "ProcessingFailed", record["data"])


def _result(record: FirehoseRecord, status: str, data: str) -> dict[str, str]:
    return {"recordId": record["recordId"], "result": status, "data": data}


def _decode(data: str, arrived_at: datetime) -> list[Outcome]:
    try:
        payload = b64decode(data, validate=True)
    except ValueError:
        return [Poison(why="its data is not base64", raw=data.encode())]
    return decode_arrived(payload, arrived_at=arrived_at)


def _count_unrecognized(outcomes: Sequence[Outcome]) -> int:
    return sum(isinstance(outcome, Event) and not is_recognized(outcome) for outcome in outcomes)


def _to_poison_row(poison: Poison, arrived_at: datetime) -> Row:
    name = sha256(poison.raw).hexdigest()[:32]
    try:
        poison.raw.decode()
    except UnicodeDecodeError:
        # In base64, as in Firehose's own error rows, so that decoding `raw` returns the bytes.
        poison = Poison(why=poison.why, raw=msgspec.json.encode({"rawData": poison.raw}))
    return poison_row(poison, name=name, arrived_at=arrived_at)
