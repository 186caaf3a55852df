"""The record processor over its protocol, without Java, compared with an empty one and with the rate of a full shard.

A shard delivers at most 1,000 records a second (docs.aws.amazon.com/streams, service-sizes-and-limits). Catching up
needs more. The worst case is feedback with a new address in each record: nothing folds, and every record is a write.
"""

import io
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from statistics import median
from urllib.request import Request, urlopen

import msgspec
from amazon_kclpy.kcl import KCLProcess
from amazon_kclpy.v3.processor import RecordProcessorBase
from aws_lambda_powertools import Logger

from pipeline.aws.dynamodb import DynamoSuppressionStore
from pipeline.aws.kcl.process import CALLS_AT_ONCE
from pipeline.aws.kcl.record_processor import RecordProcessor
from pipeline.aws.kcl.telemetry import Telemetry
from pipeline.aws.settings import ConsumerSettings
from pipeline.local.client import local_client
from pipeline.memory import MemoryQuarantine, MemoryStore
from pipeline.policy import DEFAULT_POLICY
from pipeline.ports import SuppressionStore
from pipeline.projection import BatchProjector
from tests.benchmarks.measure import Ratio, alternate
from tests.benchmarks.sample import feedback, small_feedback
from tests.support.builders import base64

BATCH = 1_000
BATCHES = 5
SHARD_RECORDS_PER_SECOND = 1_000
LATENCY_SECONDS = 0.004  # DynamoDB answers in single-digit milliseconds
ROUNDS = 5

SETTINGS = ConsumerSettings(stream="mail-feedback", checkpoint_seconds=0)
ANSWER = {"action": "checkpoint", "sequenceNumber": None, "subSequenceNumber": None, "error": None}


class Empty(RecordProcessorBase):  # type: ignore[misc]  # kclpy has no types
    """Only checkpoints each batch, as Mailfold's does here."""

    def initialize(self, initialize_input: object) -> None:
        """Do nothing."""

    def process_records(self, process_records_input: object) -> None:
        """Pass the records."""
        process_records_input.checkpointer.checkpoint()  # type: ignore[attr-defined]  # kclpy has no types


def compare() -> list[Ratio]:
    """Return the ratios."""
    payloads = feedback(BATCH * BATCHES)
    lines, size_bytes = conversation(payloads), sum(map(len, payloads)) // len(payloads)
    ratio = alternate(
        "record processor, by one of kclpy's that does nothing",
        lambda: run(a_processor(MemoryStore()), lines),
        lambda: run(Empty(), lines),
        goal=6,
        note=f"per record of {size_bytes} bytes, all feedback; table in memory",
    )
    return [ratio, *against_a_shard(ratio)]


def against_a_shard(ratio: Ratio) -> Iterator[Ratio]:
    """Yield ratios of the time per record and the time in which a full shard delivers one."""
    every_us = 1e6 / SHARD_RECORDS_PER_SECOND
    yield by_shard(
        "record processor, by a shard's 1,000 records a second", [ratio.mailfold_us], every_us, 0.2, ratio.note
    )
    lines, walls, loaded = conversation(small_feedback(BATCH * BATCHES)), [], 0
    with quiet_dynamodb() as url, dynamodb(url) as store:
        for _ in range(ROUNDS):
            walls.append(wall_us(lambda: run(a_processor(store), lines)))
            loaded += loaded_addresses(url)
    note = (
        f"wall time per record, each a new address; DynamoDB answers after {LATENCY_SECONDS * 1e3:g} ms; "
        f"{1e6 / median(walls):,.0f} records a second; loaded {loaded} of {ROUNDS * BATCHES * BATCH} sent"
    )
    yield by_shard("record processor with DynamoDB, by 3,000 records a second", walls, 1e6 / 3_000, 1, note)


def by_shard(name: str, times_us: Sequence[float], every_us: float, goal: float, note: str) -> Ratio:
    """Return the ratio of times per record and the time in which the shard delivers one."""
    return Ratio(
        name=name,
        mailfold_us=median(times_us),
        peer_us=every_us,
        ratio=median(times_us) / every_us,
        low=min(times_us) / every_us,
        high=max(times_us) / every_us,
        goal=goal,
        note=note,
    )


def conversation(payloads: Sequence[bytes]) -> str:
    """Return the daemon's side of the protocol, with its answer to each checkpoint."""
    messages: list[object] = [
        {"action": "initialize", "shardId": "shardId-0", "sequenceNumber": "0", "subSequenceNumber": 0}
    ]
    for first in range(0, len(payloads), BATCH):
        batch = [record(payload, first + number) for number, payload in enumerate(payloads[first : first + BATCH])]
        messages += [{"action": "processRecords", "records": batch, "millisBehindLatest": 0}, ANSWER]
    return "".join(msgspec.json.encode(message).decode() + "\n" for message in messages)


def record(payload: bytes, number: int) -> dict[str, object]:
    """Return a record as the daemon delivers it."""
    return {
        "action": "record",
        "data": base64(payload),
        "partitionKey": "0100018f00000000",
        "sequenceNumber": str(49590338271490256608559692538361571095921575989136588898 + number),
        "subSequenceNumber": 0,
        "approximateArrivalTimestamp": 1_772_366_405_678,
    }


def a_processor(store: SuppressionStore) -> RecordProcessor:
    """Return Mailfold's record processor."""
    projector = BatchProjector(store=store, quarantine=MemoryQuarantine(), policy=DEFAULT_POLICY)
    telemetry = Telemetry(service="consumer", logger=Logger(service="consumer", stream=io.StringIO()))
    return RecordProcessor(lambda: projector, settings=SETTINGS, telemetry=telemetry, wait=lambda _: True)


def run(processor: RecordProcessorBase, lines: str) -> int:
    """Send everything to a processor, and return the number of records."""
    answers, log = io.StringIO(), io.StringIO()
    with redirect_stdout(log), redirect_stderr(log):
        KCLProcess(processor, io.StringIO(lines), answers, log).run()
    assert answers.getvalue().count('"processRecords"') == BATCHES
    return BATCH * BATCHES


def wall_us(work: Callable[[], int]) -> float:
    """Return the wall time per unit of work."""
    start_s = time.perf_counter()
    units = work()
    return (time.perf_counter() - start_s) / units * 1e6


@contextmanager
def dynamodb(url: str) -> Iterator[SuppressionStore]:
    """Yield a table in a DynamoDB, called by as many threads as in production."""
    with ThreadPoolExecutor(CALLS_AT_ONCE) as pool:
        client = local_client("dynamodb", endpoint_url=url, region="us-east-1")
        yield DynamoSuppressionStore(client, table="suppression", each=pool.map)


def loaded_addresses(url: str) -> int:
    """Return how many addresses were put into that DynamoDB since the last call."""
    request = Request(url, data=b"", headers={"X-Amz-Target": "DynamoDB_20120810.CountAddresses"})  # noqa: S310 - http
    with urlopen(request, timeout=30) as response:  # noqa: S310 - the same
        return int(response.read())


@contextmanager
def quiet_dynamodb() -> Iterator[str]:
    """Run that DynamoDB, and yield its URL."""
    program = [sys.executable, str(Path(__file__).with_name("quiet_dynamodb.py")), str(LATENCY_SECONDS)]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - a program of the project
        assert process.stdin
        assert process.stdout
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        process.stdin.close()
