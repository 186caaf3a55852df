"""The process of a record processor, as its daemon sees it over the protocol."""

import pytest

from pipeline.aws.kcl.health import ShardState
from tests.support.builders import ADA, BOB, a_bounce, a_delivery, in_eventbridge
from tests.support.processor_cloud import Cloud
from tests.support.record_processor_client import SHARD, RecordProcessorClient, a_record, records, sequence_number

POISON = b"no JSON at all"

WHOLE_BATCH = {"action": "checkpoint", "sequenceNumber": None, "subSequenceNumber": None}


def a_bounce_of(address: str) -> bytes:
    return in_eventbridge(a_bounce(recipients=[address], feedback_id=address))


def metric_sum(client: RecordProcessorClient, name: str) -> float:
    """Return the sum of a metric over all lines."""
    return sum(sum(line.get(name, ())) for line in client.log_entries if "_aws" in line)


def test_the_life_of_a_shard(cloud: Cloud) -> None:
    """Batches are stored before they are acknowledged. The first batch and the end are checkpointed."""
    with RecordProcessorClient(cloud.environment) as client:
        assert client.initialize().acknowledged == "initialize"
        first = client.process(records(a_bounce_of(ADA), a_delivery(), POISON))
        assert (first.checkpoints, first.acknowledged) == ([WHOLE_BATCH], "processRecords")
        assert cloud.suppressed() == {ADA}
        assert list(cloud.quarantined()) == [f"mail-feedback {SHARD} {sequence_number(2)}"]
        second = client.process(records(a_bounce_of(BOB), first=3))
        assert (second.checkpoints, second.acknowledged) == ([], "processRecords")
        assert cloud.suppressed() == {ADA, BOB}
        end = client.act("shardEnded")
        assert (end.checkpoints, end.acknowledged) == ([WHOLE_BATCH], "shardEnded")
        assert client.close() == 0
    states = [report.state for report in client.reports]
    assert states == [ShardState.INITIALIZED, ShardState.PROCESSING, ShardState.PROCESSING, ShardState.SHARD_ENDED]
    last = client.reports[-1]
    assert (last.shard, last.records, last.poison, last.errors) == (SHARD, 4, 1, 0)
    assert last.checkpointed_at


def test_its_output_is_log_metrics_and_health_without_addresses(cloud: Cloud) -> None:
    """Metrics have the service as their one dimension. No line contains an address or a payload."""
    with RecordProcessorClient({**cloud.environment, "POWERTOOLS_SERVICE_NAME": "mail-consumer"}) as client:
        client.initialize(sequence_number=sequence_number(0))
        client.process(records(a_bounce_of(ADA), a_delivery(), POISON), behind_ms=1_234)
        assert client.await_line(b'"_aws"'), "metrics are written at once, not when the process ends"
        client.act("leaseLost")
        client.close()
    names = ("BounceEvents", "DeliveryEvents", "Quarantined", "Facts", "Written", "Unfinished", "MillisBehindLatest")
    assert [metric_sum(client, name) for name in names] == [1, 1, 1, 1, 1, 0, 1_234]
    (line,) = [entry for entry in client.log_entries if "_aws" in entry]
    assert (line["service"], line["shard"]) == ("mail-consumer", SHARD)
    assert line["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["service"]]
    first = client.log_entries[0]
    assert (first["level"], first["shard"], first["sequence_number"]) == ("INFO", SHARD, sequence_number(0))
    log = b"".join(client.log)
    assert ADA.encode() not in log
    assert POISON not in log


def test_a_throttled_checkpoint_is_retried_within_the_action(cloud: Cloud) -> None:
    """The batch is acknowledged after the retry, and the refusal is counted."""
    with RecordProcessorClient(cloud.environment) as client:
        client.initialize()
        reaction = client.process(records(a_bounce_of(ADA)), errors=["ThrottlingException"])
        assert (reaction.checkpoints, reaction.acknowledged) == ([WHOLE_BATCH] * 2, "processRecords")
        assert client.close() == 0
    assert metric_sum(client, "CheckpointsRefused") == 1


def test_an_outage_delays_a_batch_and_loses_nothing(cloud_without_table: Cloud) -> None:
    """Nothing is acknowledged while it lasts. Then the whole batch is done."""
    cloud = cloud_without_table
    with RecordProcessorClient(cloud.environment) as client:
        client.initialize()
        client.send({"action": "processRecords", "records": records(a_bounce_of(ADA), POISON), "millisBehindLatest": 0})
        waiting = client.await_health(state=ShardState.WAITING)
        assert (waiting.records, waiting.errors) == (0, 1)
        cloud.create_table()
        reaction = client.await_reaction()
        assert (reaction.checkpoints, reaction.acknowledged) == ([WHOLE_BATCH], "processRecords")
        assert client.close() == 0
    assert cloud.suppressed() == {ADA}
    assert client.reports[-1].state is ShardState.PROCESSING
    assert client.reports[-1].records == 2
    assert metric_sum(client, "Unfinished") >= 1


def test_an_outage_beyond_the_time_limit_ends_the_process(
    cloud_without_table: Cloud,
) -> None:
    """Nothing is acknowledged, so the next process reads the batch again. The log names the table."""
    with RecordProcessorClient({**cloud_without_table.environment, "MAILFOLD_PATIENCE_SECONDS": "0.2"}) as client:
        client.initialize()
        reaction = client.process(records(a_delivery(), a_bounce_of(ADA)))
        assert (reaction.checkpoints, reaction.acknowledged) == ([], None)
        assert client.wait() == 1
    assert client.reports[-1].state is ShardState.FAILED
    (reason,) = [entry["reason"] for entry in client.log_entries if entry.get("level") == "ERROR"]
    assert f"not found while reading the table {cloud_without_table.table}: ResourceNotFoundException" in reason


@pytest.mark.slow
def test_an_unreachable_endpoint_is_an_outage_too(cloud: Cloud) -> None:
    """A refused connection ends the process at the time limit, and acknowledges nothing."""
    unreachable = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "MAILFOLD_PATIENCE_SECONDS": "1"}
    with RecordProcessorClient({**cloud.environment, **unreachable}) as client:
        client.initialize()
        reaction = client.process(records(a_bounce_of(ADA)))
        assert (reaction.checkpoints, reaction.acknowledged, client.wait()) == ([], None, 1)


def test_a_lost_lease_is_not_checkpointed(cloud: Cloud) -> None:
    """The daemon may assign the shard to it again, from where the other worker left it."""
    with RecordProcessorClient(cloud.environment) as client:
        client.initialize()
        client.process(records(a_bounce_of(ADA)))
        lost = client.act("leaseLost")
        assert (lost.checkpoints, lost.acknowledged) == ([], "leaseLost")
        assert client.initialize(sequence_number=sequence_number(5)).acknowledged == "initialize"
        again = client.process(records(a_bounce_of(BOB), first=6))
        assert (again.checkpoints, again.acknowledged) == ([WHOLE_BATCH], "processRecords")
        assert client.close() == 0


def test_a_shutdown_writes_a_last_checkpoint(cloud: Cloud) -> None:
    """The lost lease that follows writes none."""
    with RecordProcessorClient(cloud.environment) as client:
        client.initialize()
        client.process(records(a_bounce_of(ADA)))
        client.process(records(a_bounce_of(BOB), first=1))
        requested = client.act("shutdownRequested")
        assert (requested.checkpoints, requested.acknowledged) == ([WHOLE_BATCH], "shutdownRequested")
        assert client.act("leaseLost").checkpoints == []
        assert client.close() == 0


def test_an_end_of_a_shard_without_a_checkpoint_ends_the_process(cloud: Cloud) -> None:
    """It is not acknowledged, so another process does it."""
    with RecordProcessorClient(cloud.environment) as client:
        client.initialize()
        reaction = client.act("shardEnded", errors=["KinesisClientLibNonRetryableException"])
        assert (len(reaction.checkpoints), reaction.acknowledged) == (1, None)
        assert client.wait() == 1


def test_parts_of_an_aggregate_have_their_own_positions(cloud: Cloud) -> None:
    """The daemon takes records out of an aggregate. They share a sequence number and are numbered from 0."""
    with RecordProcessorClient(cloud.environment) as client:
        client.initialize()
        parts = [a_record(data, 4, sub=sub) for sub, data in enumerate([POISON, a_bounce_of(ADA), POISON, POISON])]
        assert client.process([*parts, a_record(a_bounce_of(BOB), 5)]).acknowledged == "processRecords"
        assert client.close() == 0
    place = f"mail-feedback {SHARD} {sequence_number(4)}"
    assert cloud.suppressed() == {ADA, BOB}
    assert set(cloud.quarantined()) == {place, f"{place} 2", f"{place} 3"}


@pytest.mark.parametrize("data", [None, "", "no base64!"])
def test_missing_or_invalid_data_is_quarantined(cloud: Cloud, data: str | None) -> None:
    """A record without data, or with data that is not base64, stops nothing."""
    with RecordProcessorClient(cloud.environment) as client:
        client.initialize()
        assert client.process([{**a_record(b""), "data": data}]).acknowledged == "processRecords"
        assert client.close() == 0
    assert list(cloud.quarantined()) == [f"mail-feedback {SHARD} {sequence_number(0)}"]


def test_the_largest_batch_is_one_round(cloud: Cloud) -> None:
    """Kinesis returns at most 10,000 records at once. They are folded before the table is read."""
    batch = [a_delivery() if index % 100 else a_bounce_of(f"user{index % 500}@example.com") for index in range(10_000)]
    with RecordProcessorClient(cloud.environment) as client:
        client.initialize()
        assert client.process(records(*batch)).acknowledged == "processRecords"
        assert client.process([]).acknowledged == "processRecords"
        assert client.close() == 0
    assert len(cloud.suppressed()) == 5
    assert client.reports[-1].records == 10_000
    (written,) = [line["Written"] for line in client.log_entries if "Written" in line]
    assert written == [5]


@pytest.mark.parametrize(
    "line",
    [
        b"no JSON",
        b'{"action":"processRecords"',
        b'{"action":"dance","records":["' + ADA.encode() + b'"]}',
        b'{"records":["' + ADA.encode() + b'"]}',
        b"[]",
    ],
)
def test_a_line_that_is_no_message_ends_the_process(cloud: Cloud, line: bytes) -> None:
    """Nothing is acknowledged. The log does not quote the line, because it may contain records."""
    with RecordProcessorClient(cloud.environment) as client:
        client.initialize()
        client.send_line(line)
        assert client.await_reaction().acknowledged is None
        assert client.wait() == 1
    assert ADA.encode() not in b"".join(client.log)


def test_a_daemon_out_of_step_ends_the_process(cloud: Cloud) -> None:
    """A message in place of an answer to a checkpoint would be acknowledged unread."""
    with RecordProcessorClient(cloud.environment) as client:
        client.initialize()
        client.send({"action": "processRecords", "records": records(a_bounce_of(ADA)), "millisBehindLatest": 0})
        assert client.receive() == WHOLE_BATCH
        assert client.process(records(a_bounce_of(BOB), first=1)).acknowledged is None
        assert client.wait() == 1


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("MAILFOLD_STREAM", "MAILFOLD_STREAM is not set"),
        ("AWS_DEFAULT_REGION", "a region"),
    ],
)
def test_a_process_that_cannot_start_logs_the_reason(cloud: Cloud, missing: str, message: str) -> None:
    """It exits with 2, as for any wrong use."""
    with RecordProcessorClient({name: value for name, value in cloud.environment.items() if name != missing}) as client:
        assert client.wait() == 2
    (entry,) = client.log_entries
    assert entry["level"] == "ERROR"
    assert message in entry["reason"]
