"""The Lambda that Firehose calls to transform records: SES's JSON in, rows of the log out.

Every record gets one answer, and none loses its bytes: `Ok` with a JSON line for each row; `Dropped` if all of it is
no sending event; `ProcessingFailed` with its own data otherwise, which Firehose then keeps under the error prefix
`processing-failed/`, where ingesting finds it again. No payload is ever logged.
docs.aws.amazon.com/firehose/latest/dev/data-transformation-status-model.html
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import msgspec
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.utilities.data_classes import (
    KinesisFirehoseDataTransformationRecord,
    KinesisFirehoseDataTransformationResponse,
    KinesisFirehoseEvent,
)
from aws_lambda_powertools.utilities.typing import LambdaContext
from pybase64 import b64decode, b64encode_as_string

from pipeline.aws.metrics import NAMESPACE, count, count_events
from pipeline.aws.settings import service_name
from pipeline.decode import decode
from pipeline.errors import describe
from pipeline.event import Event, Outcome, Poison
from pipeline.row import Row, poison_row, to_row
from pipeline.timestamp import from_ms

# Lambda takes 6 MB (6,291,556 bytes) as an answer; one that is larger fails the whole batch, and again when Firehose
# repeats it. With Firehose's buffer at its default of 1 MB, rows would have to be four times as large as their records
# to get there; they are twice. AWS's own blueprints then put what does not fit back into the stream and drop it: a side
# effect in a function that is called again when it fails, and the time of arrival is lost. Here what does not fit fails
# alone, and is ingested from the error prefix. docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
RESPONSE_BYTES = 6_000_000
ANSWER_BYTES = 256  # at most, of an answer without its data: the record's id and the JSON around both

TransformedRecord = KinesisFirehoseDataTransformationRecord

FirehoseRecord = Mapping[str, Any]
"""One of the records that Firehose calls with."""

logger = Logger(service=service_name("transform"))
metrics = Metrics(namespace=NAMESPACE, service=service_name("transform"))

_lines = msgspec.json.Encoder().encode_lines


class TransformCounts(msgspec.Struct, kw_only=True):
    """What became of a batch.

    Attributes:
        rows: Rows by kind of event; poison that came together with events is `unknown`.
        dropped: Records that are no sending event.
        failed: Records given back as they came, by what is wrong with them.
    """

    rows: Counter[str] = msgspec.field(default_factory=Counter)
    dropped: int = 0
    failed: Counter[str] = msgspec.field(default_factory=Counter)


class TransformResult(msgspec.Struct, frozen=True, kw_only=True):
    """What Firehose is answered, and what became of the batch."""

    response: dict[str, Any]
    tally: TransformCounts


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001 - Lambda's signature
    """Answer Firehose, and publish the counts."""
    done = transform_batch(event, now=datetime.now(UTC))
    count_events(metrics, done.tally.rows)
    count(metrics, {"Dropped": done.tally.dropped, "Failed": done.tally.failed.total()})
    if done.tally.failed:
        logger.warning("records failed; they are under the error prefix", reasons=dict(done.tally.failed))
    return done.response


def transform(event: dict[str, Any], *, now: datetime) -> dict[str, Any]:
    """Return what Firehose is answered.

    Args:
        event: What Firehose calls the Lambda with.
        now: When a record arrived that does not say.
    """
    return transform_batch(event, now=now).response


def transform_batch(event: dict[str, Any], *, now: datetime) -> TransformResult:
    """Return what Firehose is answered, and what became of the batch. See `transform`."""
    # Powertools' objects for single records would add a tenth to the whole cost: so each stays the dict that it is.
    records: Sequence[FirehoseRecord] = KinesisFirehoseEvent(event)["records"]
    batch = _Batch(records, now)
    response = KinesisFirehoseDataTransformationResponse([batch.answer(record) for record in records])
    return TransformResult(response=response.asdict(), tally=batch.tally)


class _Batch:
    """One call's records, the counts so far, and the room left in the answer."""

    def __init__(self, records: Sequence[FirehoseRecord], now: datetime) -> None:
        self.tally = TransformCounts()
        self._now = now
        # Each record may have to be given back as it came; what is left is room for rows to be larger than that.
        self._room_bytes = RESPONSE_BYTES - sum(len(record["data"]) + ANSWER_BYTES for record in records)

    def answer(self, record: FirehoseRecord) -> TransformedRecord:
        try:
            outcomes = _outcomes(record["data"])
            rows = self._rows(outcomes, record)
            if rows:
                return self._ok(record, rows)
        except Exception as error:  # noqa: BLE001 - one record must not lose its siblings, whatever is wrong
            return self._failed(record, describe(error))
        poison = next((outcome.why for outcome in outcomes if isinstance(outcome, Poison)), None)
        if poison:
            return self._failed(record, poison)
        self.tally.dropped += 1
        return TransformedRecord(record["recordId"], "Dropped")

    def _rows(self, outcomes: Sequence[Outcome], record: FirehoseRecord) -> list[Row]:
        """Return a row for each event, then for the poison among events; none if there is no event."""
        arrived_ms = record.get("approximateArrivalTimestamp")
        arrived_at = self._now if arrived_ms is None else from_ms(arrived_ms)
        rows = [to_row(outcome, arrived_at=arrived_at) for outcome in outcomes if isinstance(outcome, Event)]
        if rows and len(rows) < len(outcomes):
            rows += [_poison_row(outcome, arrived_at) for outcome in outcomes if isinstance(outcome, Poison)]
        return rows

    def _ok(self, record: FirehoseRecord, rows: list[Row]) -> TransformedRecord:
        data = b64encode_as_string(_lines(rows))
        growth_bytes = len(data) - len(record["data"])
        if growth_bytes > self._room_bytes:
            return self._failed(record, "its rows do not fit into Lambda's answer")
        self._room_bytes -= growth_bytes
        for each in rows:
            self.tally.rows[each.event_type] += 1
        return TransformedRecord(record["recordId"], "Ok", data)

    def _failed(self, record: FirehoseRecord, why: str) -> TransformedRecord:
        self.tally.failed[why] += 1
        return TransformedRecord(record["recordId"], "ProcessingFailed", record["data"])


def _poison_row(poison: Poison, arrived_at: datetime) -> Row:
    name = sha256(poison.raw).hexdigest()[:32]
    try:
        poison.raw.decode()
    except (
        UnicodeDecodeError
    ):  # in base64, as in Firehose's own error rows, so that decoding `raw` gives the bytes back
        poison = Poison(why=poison.why, raw=msgspec.json.encode({"rawData": poison.raw}))
    return poison_row(poison, name=name, arrived_at=arrived_at)


def _outcomes(data: str) -> list[Outcome]:
    try:
        payload = b64decode(data, validate=True)
    except ValueError:
        return [Poison(why="its data is not base64", raw=data.encode())]
    return decode(payload)
