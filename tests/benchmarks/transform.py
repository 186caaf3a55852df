"""Firehose's transform, compared with the same work by powertools' parser and pydantic: base64 in, base64 out."""

import gc
import json
from base64 import b64decode
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import chain
from typing import Any

from pipeline.aws.lambdas.transform import transform
from pipeline.local.traffic.generator import generate_traffic
from tests.benchmarks import pydantic_transform
from tests.benchmarks.measure import Ratio, alternate
from tests.support.lambda_events import a_firehose_event

EMAILS = 2_000
RECORDS_PER_CALL = 500  # about what Firehose's buffer of 1 MB holds
START = datetime(2026, 3, 1, tzinfo=UTC)
GOAL = 0.3

Event = dict[str, Any]


def compare() -> list[Ratio]:
    """Return the ratio, after checking that both return the same rows."""
    payloads = list(chain.from_iterable(generate_traffic(emails=EMAILS, seed=1, start=START)))
    calls = [
        a_firehose_event(*payloads[first : first + RECORDS_PER_CALL])
        for first in range(0, len(payloads), RECORDS_PER_CALL)
    ]
    _check(calls)
    mailfold, peer = _work(calls, _mailfold), _work(calls, pydantic_transform.transform)
    note = f"per event, of {len(payloads)} events; the same rows out"
    gc.freeze()  # a Lambda holds the records of one invocation, not all of these
    try:
        return [alternate("transform, by powertools' parser with pydantic", mailfold, peer, goal=GOAL, note=note)]
    finally:
        gc.unfreeze()


def _mailfold(event: Event) -> Event:
    return transform(event, now=START)


def _work(calls: list[Event], way: Callable[[Event], Event]) -> Callable[[], int]:
    return lambda: sum(len(way(event)["records"]) for event in calls)


def _check(calls: list[Event]) -> None:
    for event in calls:
        for row, peer_row in zip(_rows(_mailfold(event)), _rows(pydantic_transform.transform(event)), strict=True):
            assert row == peer_row, [
                (n, row.get(n), peer_row.get(n)) for n in row | peer_row if row.get(n) != peer_row.get(n)
            ]


def _rows(answer: Event) -> list[Event]:
    assert {record["result"] for record in answer["records"]} == {"Ok"}
    return [json.loads(b64decode(record["data"])) for record in answer["records"]]
