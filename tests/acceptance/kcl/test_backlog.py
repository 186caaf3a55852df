"""A backlog in every shard: the daemon works it off within the heap that a size of the container gives each shard."""

import json
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path

import pytest

from tests.acceptance.kcl.consumer import consuming
from tests.acceptance.kcl.feedback import feedback
from tests.acceptance.kcl.scenario import a_scenario
from tests.support.consumer_memory import heap_mebibytes
from tests.support.waiting import until

SHARDS = 3
RECORDS = SHARDS * 5_000
HEADER_BYTES = 1_500  # so that a record has over 2 kB, and 5,000 of them are more than Kinesis's largest response
WAIT_SECONDS = 400


@pytest.mark.long
def test_a_backlog_in_every_shard_fits_into_the_heap(tmp_path: Path) -> None:
    """No daemon restarts. The heap is the least that a size of the template has for so many shards."""
    heap = str(heap_mebibytes(SHARDS))
    with a_scenario(shards=SHARDS) as scenario:
        scenario.put(list(islice(cycle(large_feedback()), RECORDS)))
        with consuming(scenario.environment(), tmp_path / "log", "--heap", heap) as consumer:
            until(lambda: consumer.records() >= RECORDS or consumer.restarts(), timeout_seconds=WAIT_SECONDS)
            assert (consumer.records(), consumer.restarts()) == (RECORDS, 0), consumer.log()
            scenario.settle()


def large_feedback() -> Iterator[bytes]:
    """Yield feedback on a few mails with long headers. The library's memory is at stake, and not the table's speed."""
    for record in feedback(10):
        document = json.loads(record)
        document["detail"]["mail"]["headers"] = [{"name": "Received", "value": "x" * HEADER_BYTES}]
        yield json.dumps(document).encode()
