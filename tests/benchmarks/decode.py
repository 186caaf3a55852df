"""Decoding and folding what the stream carries, compared with msgspec's untyped decode of the same records.

The stream carries only feedback, each record in EventBridge's envelope. The peer neither validates nor finds facts.
"""

from collections.abc import Callable

import msgspec

from pipeline.batch import BatchReader, StreamRecord
from pipeline.memory import MemoryQuarantine
from tests.benchmarks.measure import Ratio, alternate
from tests.benchmarks.sample import feedback

RECORDS = 10_000
RECORDS_PER_BATCH = 500
GOAL = 8


def compare() -> list[Ratio]:
    """Return the ratio, after checking that the fold finds facts."""
    payloads = feedback(RECORDS)
    records = [StreamRecord(payload=payload, position="") for payload in payloads]
    batches = [records[first : first + RECORDS_PER_BATCH] for first in range(0, len(records), RECORDS_PER_BATCH)]
    facts = sum(map(_fold, batches))
    assert facts, "the traffic has no facts"
    note = f"per record, of {RECORDS} with {facts} facts, no store"
    return [
        alternate(
            "decode and fold, by msgspec's untyped decode", _mailfold(batches), _peer(payloads), goal=GOAL, note=note
        )
    ]


def _mailfold(batches: list[list[StreamRecord]]) -> Callable[[], int]:
    def work() -> int:
        for batch in batches:
            _fold(batch)
        return sum(map(len, batches))

    return work


def _fold(batch: list[StreamRecord]) -> int:
    """Do what `projection.BatchProjector` does before it uses the store."""
    reader = BatchReader(MemoryQuarantine())
    assert reader.read(batch) is None
    reader.changes()
    return reader.counts(len(batch)).facts


def _peer(payloads: list[bytes]) -> Callable[[], int]:
    decode = msgspec.json.Decoder().decode

    def work() -> int:
        for payload in payloads:
            decode(payload)
        return len(payloads)

    return work
