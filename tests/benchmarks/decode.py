"""Decode and fold, as the projection does, against msgspec's untyped decode of the same events."""

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import chain

import msgspec

from pipeline.batch import BatchReader, StreamRecord
from pipeline.local.traffic.generator import generate_traffic
from pipeline.memory import MemoryQuarantine
from tests.benchmarks.measure import Ratio, alternate

EMAILS = 10_000
RECORDS_PER_BATCH = 500
START = datetime(2026, 3, 1, tzinfo=UTC)
GOAL = 0.40


def compare() -> list[Ratio]:
    """Return the ratio, once the fold has been seen to find facts."""
    payloads = list(chain.from_iterable(generate_traffic(emails=EMAILS, seed=1, start=START)))
    records = [StreamRecord(payload=payload, position="") for payload in payloads]
    batches = [records[first : first + RECORDS_PER_BATCH] for first in range(0, len(records), RECORDS_PER_BATCH)]
    facts = sum(_fold(batch) for batch in batches)
    assert facts, "this traffic has no feedback in it"
    note = f"per event, of {len(payloads)} events with {facts} facts, no store"
    return [
        alternate("decode and fold, by msgspec's untyped decode", _ours(batches), _peer(payloads), goal=GOAL, note=note)
    ]


def _ours(batches: list[list[StreamRecord]]) -> Callable[[], int]:
    def work() -> int:
        for batch in batches:
            _fold(batch)
        return sum(map(len, batches))

    return work


def _fold(batch: list[StreamRecord]) -> int:
    """Do what `projection.BatchProjector` does up to the store."""
    gathering = BatchReader(MemoryQuarantine())
    assert gathering.read(batch) is None
    gathering.changes()
    return gathering.counts(len(batch)).facts


def _peer(payloads: list[bytes]) -> Callable[[], int]:
    decode = msgspec.json.Decoder().decode

    def work() -> int:
        for payload in payloads:
            decode(payload)
        return len(payloads)

    return work
