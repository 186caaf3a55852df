"""The record processor over its protocol, without Java: against one that does nothing, and against a full shard.

A shard brings at most 1,000 records and 1 MB a second (docs.aws.amazon.com/streams, service-sizes-and-limits), so a
record must not take longer than a thousandth of a second, nor than its share of that second by size. The worst case is
feedback alone with an address that is new in each record: nothing folds, and every record is a write.
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

import msgspec
from amazon_kclpy.kcl import KCLProcess
from amazon_kclpy.v3.processor import RecordProcessorBase
from aws_lambda_powertools import Logger

from pipeline.aws.dynamodb import DynamoSuppressionStore
from pipeline.aws.kcl.process import SAVES_AT_ONCE
from pipeline.aws.kcl.record_processor import RecordProcessor
from pipeline.aws.kcl.telemetry import Telemetry
from pipeline.aws.settings import ConsumerSettings
from pipeline.local.client import local_client
from pipeline.memory import MemoryQuarantine, MemoryStore
from pipeline.policy import DEFAULT_POLICY
from pipeline.ports import SuppressionStore
from pipeline.projection import BatchProjector, MapFunction
from tests.benchmarks.measure import Ratio, alternate
from tests.benchmarks.sample import events
from tests.support.builders import base64, in_eventbridge

BATCH = 1_000
BATCHES = 5
SHARD_RECORDS_PER_SECOND = 1_000
SHARD_BYTES_PER_SECOND = 1_000_000  # AWS says 1 MB
LATENCY_SECONDS = 0.004  # DynamoDB answers in single-digit milliseconds
ROUNDS = 5

SETTINGS = ConsumerSettings(stream="mail-feedback", checkpoint_seconds=0)
ANSWER = {"action": "checkpoint", "sequenceNumber": None, "subSequenceNumber": None, "error": None}


class Empty(RecordProcessorBase):  # type: ignore[misc]  # kclpy has no types
    """Does nothing but checkpoint each batch, as ours does here."""

    def initialize(self, initialize_input: object) -> None:
        """Do nothing."""

    def process_records(self, process_records_input: object) -> None:
        """Pass the records."""
        process_records_input.checkpointer.checkpoint()  # type: ignore[attr-defined]  # kclpy has no types


def compare() -> list[Ratio]:
    """Return the ratios."""
    payloads = feedback(BATCH * BATCHES)
    lines, size_bytes = conversation(payloads), sum(map(len, payloads)) // len(payloads)
    ours = alternate(
        "record processor, by one of kclpy's that does nothing",
        lambda: run(a_processor(MemoryStore()), lines),
        lambda: run(Empty(), lines),
        goal=6,
        note=f"per record of {size_bytes} bytes, all feedback; table in memory",
    )
    return [ours, *against_a_shard(ours, lines, size_bytes)]


def against_a_shard(ours: Ratio, lines: str, size_bytes: int) -> Iterator[Ratio]:
    """Give our time for a record by the time in which a full shard brings one."""
    every_us = 1e6 / SHARD_RECORDS_PER_SECOND
    yield by_shard("record processor, by a shard's 1,000 records a second", [ours.ours_us], every_us, 0.2, ours.note)
    with dynamodb() as store, ThreadPoolExecutor(SAVES_AT_ONCE) as pool:
        walls = [wall_us(lambda: run(a_processor(store, pool.map), lines)) for _ in range(ROUNDS)]
    every_us = 1e6 * size_bytes / SHARD_BYTES_PER_SECOND
    note = f"wall time per record; each a write to a DynamoDB that answers after {LATENCY_SECONDS * 1e3:g} ms"
    yield by_shard("record processor with DynamoDB, by a shard's 1 MB a second", walls, every_us, 1, note)


def by_shard(name: str, times_us: Sequence[float], every_us: float, goal: float, note: str) -> Ratio:
    """Return times for a record by the time in which the shard brings one."""
    return Ratio(
        name=name,
        ours_us=median(times_us),
        peer_us=every_us,
        ratio=median(times_us) / every_us,
        low=min(times_us) / every_us,
        high=max(times_us) / every_us,
        goal=goal,
        note=note,
    )


def feedback(count: int) -> list[bytes]:
    """Return bounces and complaints as EventBridge hands them on; each number is another person's."""
    found = [
        one.strip() for one in events(40_000) if b'"eventType":"Bounce"' in one or b'"eventType":"Complaint"' in one
    ]
    return [in_eventbridge(renamed(found[number % len(found)], number)) for number in range(count)]


def renamed(event: bytes, number: int) -> bytes:
    """Return an event of other people."""
    return event.replace(b"@", b"%d@" % number)


def conversation(payloads: Sequence[bytes]) -> str:
    """Return all that the daemon says: it answers each checkpoint."""
    said: list[object] = [
        {"action": "initialize", "shardId": "shardId-0", "sequenceNumber": "0", "subSequenceNumber": 0}
    ]
    for first in range(0, len(payloads), BATCH):
        batch = [record(payload, first + number) for number, payload in enumerate(payloads[first : first + BATCH])]
        said += [{"action": "processRecords", "records": batch, "millisBehindLatest": 0}, ANSWER]
    return "".join(msgspec.json.encode(message).decode() + "\n" for message in said)


def record(payload: bytes, number: int) -> dict[str, object]:
    """Return a record as the daemon hands it on."""
    return {
        "action": "record",
        "data": base64(payload),
        "partitionKey": "0100018f00000000",
        "sequenceNumber": str(49590338271490256608559692538361571095921575989136588898 + number),
        "subSequenceNumber": 0,
        "approximateArrivalTimestamp": 1_772_366_405_678,
    }


def a_processor(store: SuppressionStore, each: MapFunction = map) -> RecordProcessor:
    """Return ours."""
    projector = BatchProjector(store=store, quarantine=MemoryQuarantine(), policy=DEFAULT_POLICY, map_function=each)
    telemetry = Telemetry(service="consumer", logger=Logger(service="consumer", stream=io.StringIO()))
    return RecordProcessor(lambda: projector, settings=SETTINGS, telemetry=telemetry, wait=lambda _: True)


def run(processor: RecordProcessorBase, lines: str) -> int:
    """Say everything to a processor, and return how many records it took."""
    answers, log = io.StringIO(), io.StringIO()
    with redirect_stdout(log), redirect_stderr(log):
        KCLProcess(processor, io.StringIO(lines), answers, log).run()
    assert answers.getvalue().count('"processRecords"') == BATCHES
    return BATCH * BATCHES


def wall_us(work: Callable[[], int]) -> float:
    """Return the time that goes by for each unit of work."""
    start_s = time.perf_counter()
    units = work()
    return (time.perf_counter() - start_s) / units * 1e6


@contextmanager
def dynamodb() -> Iterator[SuppressionStore]:
    """Give a table in a DynamoDB that answers as fast as AWS's, and keeps nothing."""
    with quiet_dynamodb() as url:
        client = local_client("dynamodb", endpoint_url=url, region="us-east-1")
        yield DynamoSuppressionStore(client, table="suppression")


@contextmanager
def quiet_dynamodb() -> Iterator[str]:
    """Run that DynamoDB, and give its address."""
    program = [sys.executable, str(Path(__file__).with_name("quiet_dynamodb.py")), str(LATENCY_SECONDS)]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own program
        assert process.stdin
        assert process.stdout
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        process.stdin.close()
