"""Decoding and folding up to the store, compared with msgspec's untyped decode.

Two inputs: all ten event types as SES writes them, and feedback as the stream carries it, in EventBridge's envelope in a
Lambda event with base64, which the peer reads with powertools. The peers neither validate nor find facts.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import Any

import msgspec
from aws_lambda_powertools.utilities.data_classes import KinesisStreamEvent

from pipeline.aws.lambdas.events import read_batch
from pipeline.batch import BatchReader, StreamRecord
from pipeline.local.traffic.generator import generate_traffic
from pipeline.memory import MemoryQuarantine
from tests.benchmarks.measure import Ratio, alternate
from tests.benchmarks.sample import feedback
from tests.support.lambda_events import a_kinesis_event

EMAILS = 10_000
FEEDBACK = 10_000
RECORDS_PER_BATCH = 500
START = datetime(2026, 3, 1, tzinfo=UTC)
GOAL_OF_ALL = 0.40
GOAL_OF_FEEDBACK = 0.50

_decode = msgspec.json.Decoder().decode


def compare() -> list[Ratio]:
    """Return both ratios, after checking that each fold finds facts."""
    return [_all_types(), _feedback()]


def _all_types() -> Ratio:
    payloads = list(chain.from_iterable(generate_traffic(emails=EMAILS, seed=1, start=START)))
    batches = [[StreamRecord(payload=payload, position="") for payload in batch] for batch in _batches(payloads)]
    note = f"per event, of {len(payloads)} events with {sum(map(_fold, batches))} facts, no store"

    def peer() -> int:
        for payload in payloads:
            _decode(payload)
        return len(payloads)

    name = "decode and fold all types, by msgspec's untyped decode"
    return alternate(name, _counted(lambda: batches, len(payloads)), peer, goal=GOAL_OF_ALL, note=note)


def _feedback() -> Ratio:
    events = [a_kinesis_event(*batch) for batch in _batches(feedback(FEEDBACK))]
    facts = sum(_fold(read_batch(event).records) for event in events)
    note = f"per record, of {FEEDBACK} records with {facts} facts, no store"

    def peer() -> int:
        for event in events:
            for record in KinesisStreamEvent(event).records:
                _decode(record.kinesis.data_as_bytes())
        return FEEDBACK

    name = "decode and fold feedback of a Lambda event, by powertools and untyped decode"
    mailfold = _counted(lambda: [read_batch(event).records for event in events], FEEDBACK)
    return alternate(name, mailfold, peer, goal=GOAL_OF_FEEDBACK, note=note)


def _batches(payloads: Sequence[bytes]) -> list[Sequence[bytes]]:
    return [payloads[first : first + RECORDS_PER_BATCH] for first in range(0, len(payloads), RECORDS_PER_BATCH)]


def _counted(batches: Callable[[], Sequence[Sequence[Any]]], count: int) -> Callable[[], int]:
    def work() -> int:
        for batch in batches():
            _fold(batch)
        return count

    return work


def _fold(batch: Sequence[StreamRecord]) -> int:
    """Do what `projection.BatchProjector` does before it uses the store, and return the number of facts."""
    reader = BatchReader(MemoryQuarantine())
    assert reader.read(batch) is None
    reader.changes()
    return reader.counts(len(batch)).facts
