"""A record processor stores or quarantines a whole batch, or ends the process."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from pipeline.aws.kcl.health import ShardHealth, ShardState, decode_health
from pipeline.aws.settings import ConsumerSettings
from pipeline.errors import StoreUnavailable
from pipeline.memory import MemoryQuarantine, MemoryStore
from pipeline.ports import Item
from pipeline.standing import Key
from tests.support.builders import ADA, BOB, a_bounce, a_delivery
from tests.support.fake_lease import PATIENCE_SECONDS, Lease
from tests.support.flaky import Failure, FlakyQuarantine, FlakyStore, Script
from tests.support.record_processor_client import ARRIVED_MS

A_BOUNCE, ANOTHER = a_bounce(), a_bounce(recipients=[BOB], feedback_id="other")
POISON = b"no JSON at all"


class UnavailableStore(MemoryStore):
    """A table that never answers."""

    def load(self, keys: Iterable[Key]) -> Mapping[Key, Item]:
        raise StoreUnavailable("the table is unavailable")


class BrokenStore(MemoryStore):
    """A table with an internal error, whose text contains an address."""

    def load(self, keys: Iterable[Key]) -> Mapping[Key, Item]:
        raise ZeroDivisionError(ADA)


def addresses(store: MemoryStore) -> set[str]:
    return {key.address for key, _ in store.scan()}


def reports(error: str) -> list[ShardHealth]:
    """Return the health reports in standard error."""
    return [health for line in error.splitlines() if (health := decode_health(line.encode()))]


def metrics(output: str) -> list[Any]:
    """Return the lines of metrics in standard output."""
    return [json.loads(line) for line in output.splitlines()]


def test_after_an_outage_it_continues_with_the_first_unfinished_record() -> None:
    """What is done is not done again: the bounce before the outage is saved once."""
    store = FlakyStore(Script([Failure.NONE, Failure.NONE, Failure.OUTAGE_BEFORE]))
    lease = Lease(store=store)
    assert lease.process(A_BOUNCE, ANOTHER).written == 1
    assert (store.saves, addresses(store)) == (2, {ADA, BOB})
    assert (lease.health.records, lease.health.errors) == (2, 1)


def test_waits_double_up_to_a_minute_until_the_time_limit() -> None:
    """`patience_seconds` limits an outage without progress. Then the process ends."""
    lease = Lease(store=UnavailableStore())
    with pytest.raises(SystemExit) as exit_info:
        lease.process(A_BOUNCE)
    waits = lease.clock.waits
    assert exit_info.value.code == 1
    assert sum(waits) == pytest.approx(PATIENCE_SECONDS)
    assert all(0.5 <= wait / min(2**number, 60) <= 1 for number, wait in enumerate(waits[:-1]))
    assert lease.health.state is ShardState.FAILED


def test_an_outage_reports_the_age_of_the_first_unfinished_record(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Kinesis reports the lag of a batch when it is fetched, and that number does not grow during an outage."""
    lease = Lease(store=UnavailableStore())
    lease.clock.now_s = ARRIVED_MS / 1_000 + 7
    with pytest.raises(SystemExit):
        lease.process(A_BOUNCE, behind_ms=0)
    behind_ms = [health.millis_behind_latest or 0 for health in reports(capsys.readouterr().err) if health.errors]
    assert behind_ms[0] == 7_000
    assert behind_ms == sorted(behind_ms)
    assert behind_ms[-1] > (PATIENCE_SECONDS - 61) * 1_000


def test_an_outage_counts_the_lag_of_the_shard(capsys: pytest.CaptureFixture[str]) -> None:
    """So the alarm on lag works even while other shards keep up. A clock ahead of AWS yields no negative lag."""
    lease = Lease(store=FlakyStore(Script([Failure.OUTAGE_BEFORE])))
    lease.process(A_BOUNCE)
    lines = metrics(capsys.readouterr().out)
    assert [line["MillisBehindLatest"] for line in lines] == [[0], [0]]


def test_progress_renews_the_time_limit() -> None:
    """A table that is slow for an hour is not unavailable: each attempt stores more."""
    slow = [Failure.NONE, Failure.NONE, Failure.OUTAGE_BEFORE]  # one load, one save, then an outage
    lease = Lease(
        store=FlakyStore(Script(slow * 5)),
        settings=ConsumerSettings(stream="mail-feedback", patience_seconds=1),
    )
    bounces = [a_bounce(recipients=[f"user{number}@example.com"], feedback_id=f"f{number}") for number in range(6)]
    assert lease.process(*bounces).written == 1
    assert lease.health.records == 6
    assert sum(lease.clock.waits) > 1


def test_a_daemon_that_is_gone_ends_the_retries() -> None:
    """Its shard may already have another worker."""
    lease = Lease(store=UnavailableStore())
    lease.clock.is_connected = False
    with pytest.raises(SystemExit):
        lease.process(A_BOUNCE)
    assert len(lease.clock.waits) == 1


def test_poison_waits_for_an_unavailable_quarantine() -> None:
    """It is quarantined once, and then the batch continues."""
    quarantine = FlakyQuarantine(Script([Failure.OUTAGE_BEFORE]))
    lease = Lease(quarantine=quarantine)
    assert lease.process(POISON, a_delivery()).written == 1
    assert [entry.payload for entry in quarantine.held] == [POISON]
    assert (lease.health.poison, lease.health.records) == (1, 2)


def test_an_internal_error_quarantines_its_record_without_its_text() -> None:
    """The log names the type of the error. Its text may contain an address."""
    quarantine = MemoryQuarantine()
    lease = Lease(store=BrokenStore(), quarantine=quarantine)
    assert lease.process(a_delivery(), A_BOUNCE).written == 1
    assert [entry.payload for entry in quarantine.held] == [A_BOUNCE]
    assert (lease.health.poison, lease.health.errors) == (1, 1)
    assert "ZeroDivisionError" in lease.log.getvalue()
    assert ADA not in lease.log.getvalue()


def test_any_other_error_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kclpy would print it and acknowledge the batch."""

    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError(ADA)

    lease = Lease()
    monkeypatch.setattr(lease.telemetry, "report_result", fail)
    with pytest.raises(SystemExit) as exit_info:
        lease.process(A_BOUNCE)
    assert exit_info.value.code == 1
    assert ADA not in lease.log.getvalue()


def test_a_shard_assigned_again_keeps_its_counts() -> None:
    """A worker that shuts down assigns a lost shard once more."""
    lease = Lease()
    lease.process(A_BOUNCE)
    before = lease.health
    lease.act("leaseLost")
    lease.initialize()
    lease.initialize()
    assert lease.health.records == before.records
    assert lease.health.state is ShardState.INITIALIZED


def test_a_backlog_reports_health_once_a_second(capsys: pytest.CaptureFixture[str]) -> None:
    """A report for each batch would flood the log."""
    lease = Lease()
    for _ in range(10):
        lease.process(a_delivery(), behind_ms=5_000)
        lease.clock.now_s += 0.3
    assert [report.state for report in reports(capsys.readouterr().err)] == [ShardState.INITIALIZED] + [
        ShardState.PROCESSING
    ] * 3


def test_the_latest_records_are_reported_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    """The next batch may be long in coming, and the previous report would be out of date until then."""
    lease = Lease()
    for _ in range(3):
        lease.process(a_delivery(), behind_ms=5_000)
    lease.process(a_delivery())
    last = decode_health(capsys.readouterr().err.splitlines()[-1].encode())
    assert last == lease.health
    assert (lease.health.records, lease.health.millis_behind_latest) == (4, 0)


def test_a_quiet_shard_writes_metrics_once_a_minute(capsys: pytest.CaptureFixture[str]) -> None:
    """CloudWatch keeps one value a minute."""
    lease = Lease()
    for _ in range(130):
        lease.process()
        lease.clock.now_s += 1
    lines = metrics(capsys.readouterr().out)
    assert [sum(line["MillisBehindLatest"]) for line in lines] == [0, 0]


def test_metrics_contain_the_age_of_a_pending_checkpoint(capsys: pytest.CaptureFixture[str]) -> None:
    """It is zero where no finished record waits for a checkpoint."""
    lease = Lease()
    for seconds in (0, 10, 25):
        lease.clock.now_s += seconds
        lease.process(a_delivery())
    lines = metrics(capsys.readouterr().out)
    assert [line["CheckpointAgeMilliseconds"] for line in lines] == [[0], [0], [25_000]]
