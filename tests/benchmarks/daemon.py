"""Records through the KCL's daemon and the record processor into the table, compared with the rate of a full shard.

Kinesis and the lease table are ministack's. The suppression table answers as fast as AWS's and stores nothing. Every
record has another address, so each is a write. The time runs from the record processor's first report to its last,
which leaves out the daemon's start of ten seconds.
"""

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pipeline.aws.batching import batches
from pipeline.aws.clients import Service
from pipeline.aws.kcl.configuration import find_java
from pipeline.aws.settings import BUCKET, STREAM, TABLE
from pipeline.local.client import ACCESS_KEY_ID, SECRET_ACCESS_KEY, local_client
from tests.acceptance.emulators import ministack
from tests.acceptance.emulators.ministack import REGION
from tests.acceptance.kcl import lease_table
from tests.acceptance.kcl.consumer import Consumer, consuming
from tests.benchmarks.measure import Ratio
from tests.benchmarks.record_processor import SHARD_RECORDS_PER_SECOND, loaded_addresses, quiet_dynamodb
from tests.benchmarks.sample import small_feedback

RECORDS = 20_000
STREAM_NAME = "feedback"
CALL_BYTES, CALL_RECORDS = 4_000_000, 500
POLL_SECONDS = 0.1
END_SECONDS = 120.0
SERVICES: tuple[Service, ...] = ("kinesis", "dynamodb")


def compare() -> list[Ratio]:
    """Return the ratio."""
    with ExitStack() as resources:
        kinesis_url = resources.enter_context(ministack.running(guarded=False)).endpoint_url
        dynamodb_url = resources.enter_context(quiet_dynamodb())
        variables = environment(kinesis_url, dynamodb_url)
        log = Path(resources.enter_context(TemporaryDirectory())) / "log"
        payloads = small_feedback(RECORDS)
        fill(kinesis_url, payloads)
        options = ("--property", f"dynamoDBEndpoint={kinesis_url}", "--java", find_java(os.environ))
        first, last = follow(resources.enter_context(consuming(variables, log, *options)))
        loaded = loaded_addresses(dynamodb_url)
    records = last["records"] - first["records"]
    record_us = (reported_at(last) - reported_at(first)).total_seconds() / records * 1e6
    shard_us = 1e6 / SHARD_RECORDS_PER_SECOND
    note = f"wall time per record, each a new address; {1e6 / record_us:,.0f} records a second"
    return [
        Ratio(
            name="daemon and record processor, by a shard's 1,000 records a second",
            mailfold_us=record_us,
            peer_us=shard_us,
            ratio=record_us / shard_us,
            low=record_us / shard_us,
            high=record_us / shard_us,
            goal=1,
            note=f"{note}; loaded {loaded} of {RECORDS} sent",
        )
    ]


def environment(kinesis_url: str, dynamodb_url: str) -> dict[str, str]:
    """Return the environment of a consumer."""
    return {
        "AWS_ACCESS_KEY_ID": ACCESS_KEY_ID,
        "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
        "AWS_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": kinesis_url,
        "AWS_ENDPOINT_URL_DYNAMODB": dynamodb_url,
        TABLE: "suppression",
        BUCKET: "mailfold-log",
        STREAM: STREAM_NAME,
        "MAILFOLD_APPLICATION": STREAM_NAME,
    }


def fill(url: str, payloads: Sequence[bytes]) -> None:
    """Put the records into a stream of one shard, and create its lease."""
    kinesis, dynamodb = (local_client(service, endpoint_url=url, region=REGION) for service in SERVICES)
    kinesis.create_stream(StreamName=STREAM_NAME, ShardCount=1)
    kinesis.get_waiter("stream_exists").wait(StreamName=STREAM_NAME, WaiterConfig={"Delay": 1})
    for batch in batches(payloads, size_bytes=len, max_bytes=CALL_BYTES, max_items=CALL_RECORDS):
        records = [{"Data": payload, "PartitionKey": str(number)} for number, payload in enumerate(batch)]
        assert kinesis.put_records(StreamName=STREAM_NAME, Records=records)["FailedRecordCount"] == 0
    lease_table.seed(dynamodb, kinesis, application=STREAM_NAME, stream=STREAM_NAME)
    kinesis.close()
    dynamodb.close()


def follow(consumer: Consumer) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Return the shard's health when its first records were done, and when its last were."""
    first: Mapping[str, Any] | None = None
    end_s = time.monotonic() + END_SECONDS
    while time.monotonic() < end_s:
        for shard in consumer.shards().values():
            first = first or (shard if shard["records"] else None)
            if first and shard["records"] == RECORDS:
                return first, shard
        time.sleep(POLL_SECONDS)
    raise AssertionError(f"the consumer did not reach the end of the stream:\n{consumer.log()}")


def reported_at(shard: Mapping[str, Any]) -> datetime:
    """Return when the record processor reported the shard's health."""
    return datetime.fromisoformat(shard["reported_at"])
