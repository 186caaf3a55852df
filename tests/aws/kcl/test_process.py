"""The record processor as the daemon knows it: a process that is spoken with over two pipes."""

import signal

import pytest

from pipeline.aws.kcl.health import State
from tests.aws.kcl.conftest import Cloud
from tests.support.builders import ADA, BOB, a_bounce, a_delivery, in_eventbridge
from tests.support.record_processor_client import SHARD, Daemon, records, sequence_number

POISON = b"no JSON at all"
WHOLE_BATCH = {"action": "checkpoint", "sequenceNumber": None, "subSequenceNumber": None}


def a_bounce_of(address: str) -> bytes:
    return in_eventbridge(a_bounce(recipients=[address], feedback_id=address))


def counted(daemon: Daemon, name: str) -> float:
    """Return the sum of a count over all its lines."""
    return sum(sum(line.get(name, ())) for line in daemon.log_entries if "_aws" in line)


def test_a_shard_s_life(cloud: Cloud) -> None:
    """Batches are stored before they are acknowledged; the first is checkpointed, and so is the end."""
    with Daemon(cloud.environment) as daemon:
        assert daemon.initialize().acknowledged == "initialize"
        first = daemon.process(records(a_bounce_of(ADA), a_delivery(), POISON))
        assert (first.checkpoints, first.acknowledged) == ([WHOLE_BATCH], "processRecords")
        assert cloud.suppressed() == {ADA}
        assert list(cloud.quarantined()) == [f"mail-feedback {SHARD} {sequence_number(2)}"]
        second = daemon.process(records(a_bounce_of(BOB), first=3))
        assert (second.checkpoints, second.acknowledged) == ([], "processRecords")
        assert cloud.suppressed() == {ADA, BOB}
        end = daemon.ask("shardEnded")
        assert (end.checkpoints, end.acknowledged) == ([WHOLE_BATCH], "shardEnded")
        assert daemon.close() == 0
    states = [health.state for health in daemon.healths]
    assert states == [State.INITIALIZED, State.PROCESSING, State.PROCESSING, State.SHARD_ENDED]
    last = daemon.healths[-1]
    assert (last.shard, last.records, last.poison, last.errors) == (SHARD, 4, 1, 0)
    assert last.checkpointed_at


def test_what_it_says_is_counted_logged_and_holds_nothing_about_anybody(cloud: Cloud) -> None:
    with Daemon({**cloud.environment, "POWERTOOLS_SERVICE_NAME": "mail-consumer"}) as daemon:
        daemon.initialize(sequence_number=sequence_number(0))
        daemon.process(records(a_bounce_of(ADA), a_delivery(), POISON), behind_ms=1_234)
        assert daemon.await_line(b'"_aws"'), "counts are told at once, not when the process ends"
        daemon.ask("leaseLost")
        daemon.close()
    names = ("BounceEvents", "DeliveryEvents", "Quarantined", "Facts", "Written", "Unfinished", "MillisBehindLatest")
    assert [counted(daemon, name) for name in names] == [1, 1, 1, 1, 1, 0, 1_234]
    (counts,) = [line for line in daemon.log_entries if "_aws" in line]
    assert (counts["service"], counts["shard"]) == ("mail-consumer", SHARD)
    assert counts["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["service"]]
    begun = daemon.log_entries[0]
    assert (begun["level"], begun["shard"], begun["sequence_number"]) == ("INFO", SHARD, sequence_number(0))
    said = b"".join(daemon.log)
    assert ADA.encode() not in said
    assert POISON not in said


def test_a_throttled_checkpoint_is_tried_again_within_the_action(cloud: Cloud) -> None:
    with Daemon(cloud.environment) as daemon:
        daemon.initialize()
        handled = daemon.process(records(a_bounce_of(ADA)), errors=["ThrottlingException"])
        assert (handled.checkpoints, handled.acknowledged) == ([WHOLE_BATCH] * 2, "processRecords")
        assert daemon.close() == 0
    assert counted(daemon, "CheckpointsRefused") == 1


def test_an_outage_is_waited_out_and_nothing_is_lost(cloud_without_table: Cloud) -> None:
    """While it lasts nothing is acknowledged; then the batch is done to its end, as if nothing had been."""
    cloud = cloud_without_table
    with Daemon(cloud.environment) as daemon:
        daemon.initialize()
        daemon.send({"action": "processRecords", "records": records(a_bounce_of(ADA), POISON), "millisBehindLatest": 0})
        waiting = daemon.await_health(state=State.WAITING)
        assert (waiting.records, waiting.errors) == (0, 1)
        cloud.make_table()
        handled = daemon.answered()
        assert (handled.checkpoints, handled.acknowledged) == ([WHOLE_BATCH], "processRecords")
        assert daemon.close() == 0
    assert cloud.suppressed() == {ADA}
    assert [health.state for health in daemon.healths][-1] is State.PROCESSING
    assert daemon.healths[-1].records == 2
    assert counted(daemon, "Unfinished") >= 1


def test_an_outage_that_outlasts_its_patience_ends_the_process_and_nothing_is_acknowledged(
    cloud_without_table: Cloud,
) -> None:
    with Daemon({**cloud_without_table.environment, "MAILFOLD_PATIENCE_SECONDS": "0.2"}) as daemon:
        daemon.initialize()
        handled = daemon.process(records(a_delivery(), a_bounce_of(ADA)))
        assert (handled.checkpoints, handled.acknowledged) == ([], None)
        assert daemon.wait() == 1
    assert daemon.healths[-1].state is State.FAILED
    (why,) = [entry["why"] for entry in daemon.log_entries if entry.get("level") == "ERROR"]
    assert f"not found while reading the table {cloud_without_table.table}: ResourceNotFoundException" in why


def test_a_daemon_that_goes_during_an_outage_is_not_waited_for(cloud_without_table: Cloud) -> None:
    with Daemon(cloud_without_table.environment) as daemon:
        daemon.initialize()
        daemon.send({"action": "processRecords", "records": records(a_bounce_of(ADA)), "millisBehindLatest": 0})
        daemon.await_health(state=State.WAITING)
        assert daemon.close() == 1


@pytest.mark.slow
def test_an_endpoint_that_nobody_listens_on_is_an_outage_too(cloud: Cloud) -> None:
    nowhere = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "MAILFOLD_PATIENCE_SECONDS": "1"}
    with Daemon({**cloud.environment, **nowhere}) as daemon:
        daemon.initialize()
        handled = daemon.process(records(a_bounce_of(ADA)))
        assert (handled.checkpoints, handled.acknowledged, daemon.wait()) == ([], None, 1)


def test_a_lost_lease_is_not_checkpointed(cloud: Cloud) -> None:
    """Then the daemon may hand it the shard again, from where the other worker left it."""
    with Daemon(cloud.environment) as daemon:
        daemon.initialize()
        daemon.process(records(a_bounce_of(ADA)))
        lost = daemon.ask("leaseLost")
        assert (lost.checkpoints, lost.acknowledged) == ([], "leaseLost")
        assert daemon.initialize(sequence_number=sequence_number(5)).acknowledged == "initialize"
        again = daemon.process(records(a_bounce_of(BOB), first=6))
        assert (again.checkpoints, again.acknowledged) == ([WHOLE_BATCH], "processRecords")
        assert daemon.close() == 0


def test_a_worker_that_ends_gets_a_last_checkpoint(cloud: Cloud) -> None:
    with Daemon(cloud.environment) as daemon:
        daemon.initialize()
        daemon.process(records(a_bounce_of(ADA)))
        daemon.process(records(a_bounce_of(BOB), first=1))
        requested = daemon.ask("shutdownRequested")
        assert (requested.checkpoints, requested.acknowledged) == ([WHOLE_BATCH], "shutdownRequested")
        assert daemon.ask("leaseLost").checkpoints == []
        assert daemon.close() == 0


def test_an_end_of_a_shard_that_cannot_be_checkpointed_is_left_to_another_process(cloud: Cloud) -> None:
    with Daemon(cloud.environment) as daemon:
        daemon.initialize()
        handled = daemon.ask("shardEnded", errors=["KinesisClientLibNonRetryableException"])
        assert (len(handled.checkpoints), handled.acknowledged) == (1, None)
        assert daemon.wait() == 1


def test_signals_to_all_of_the_service_are_the_daemon_s_to_answer(cloud: Cloud) -> None:
    with Daemon(cloud.environment) as daemon:
        daemon.initialize()
        for number in (signal.SIGINT, signal.SIGTERM):
            daemon.signal(number)
        assert daemon.process(records(a_bounce_of(ADA))).acknowledged == "processRecords"
        assert daemon.ask("shutdownRequested").checkpoints == [WHOLE_BATCH]
        assert daemon.close() == 0
