"""What a record processor does about a batch: all of it is stored or set aside, or the process ends."""

import json
from collections.abc import Iterable, Mapping

import pytest

from pipeline.aws.kcl.health import ShardHealth, State, decode_health
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


class Away(MemoryStore):
    """A table that never answers."""

    def load(self, keys: Iterable[Key]) -> Mapping[Key, Item]:
        raise StoreUnavailable("the table is away")


class Broken(MemoryStore):
    """A table with an error of ours, and a quarantine that is no better."""

    def load(self, keys: Iterable[Key]) -> Mapping[Key, Item]:
        raise ZeroDivisionError(ADA)


def addresses(store: MemoryStore) -> set[str]:
    return {key.address for key, _ in store.scan()}


def test_after_an_outage_it_goes_on_with_the_first_record_that_is_not_done() -> None:
    """What is done is not read again: the bounce before the outage is saved once."""
    store = FlakyStore(Script([Failure.NONE, Failure.NONE, Failure.OUTAGE_BEFORE]))
    lease = Lease(store=store)
    assert lease.process(A_BOUNCE, ANOTHER).written == 1
    assert (store.saves, addresses(store)) == (2, {ADA, BOB})
    assert (lease.health.records, lease.health.errors) == (2, 1)


def test_waits_grow_up_to_a_minute_and_end_with_its_patience() -> None:
    lease = Lease(store=Away())
    with pytest.raises(SystemExit) as ended:
        lease.process(A_BOUNCE)
    waits = lease.clock.waits
    assert ended.value.code == 1
    assert sum(waits) == pytest.approx(PATIENCE_SECONDS)
    assert all(0.5 <= wait / min(2**number, 60) <= 1 for number, wait in enumerate(waits[:-1]))
    assert lease.health.state is State.FAILED


def test_while_an_outage_lasts_it_tells_how_old_the_first_record_is_that_is_not_done(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What Kinesis said of a batch was said when it was fetched, and stays as it is for as long as the outage lasts."""
    lease = Lease(store=Away())
    lease.clock.now_s = ARRIVED_MS / 1_000 + 7
    with pytest.raises(SystemExit):
        lease.process(A_BOUNCE, behind_ms=0)
    behind_ms = [health.millis_behind_latest or 0 for health in told(capsys.readouterr().err) if health.errors]
    assert behind_ms[0] == 7_000
    assert behind_ms == sorted(behind_ms)
    assert behind_ms[-1] > (PATIENCE_SECONDS - 61) * 1_000


def test_how_far_behind_an_outage_leaves_a_shard_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    """So that the alarm on it rings, even while other shards fare well. A clock that is ahead is no lag below none."""
    lease = Lease(store=FlakyStore(Script([Failure.OUTAGE_BEFORE])))
    lease.process(A_BOUNCE)
    counts = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["MillisBehindLatest"] for line in counts] == [[0], [0]]


def test_progress_renews_its_patience() -> None:
    """A table that is slow for an hour is no table that is away: every attempt comes further."""
    slow = [Failure.NONE, Failure.NONE, Failure.OUTAGE_BEFORE]  # a load, a save, and no second one
    lease = Lease(
        store=FlakyStore(Script(slow * 5)),
        settings=ConsumerSettings(stream="mail-feedback", patience_seconds=1),
    )
    people = [a_bounce(recipients=[f"user{number}@example.com"], feedback_id=f"f{number}") for number in range(6)]
    assert lease.process(*people).written == 1
    assert lease.health.records == 6
    assert sum(lease.clock.waits) > 1


def test_a_daemon_that_has_gone_is_not_worked_for() -> None:
    lease = Lease(store=Away())
    lease.clock.somebody_waits = False
    with pytest.raises(SystemExit):
        lease.process(A_BOUNCE)
    assert len(lease.clock.waits) == 1


def test_poison_waits_for_a_quarantine_that_is_away() -> None:
    quarantine = FlakyQuarantine(Script([Failure.OUTAGE_BEFORE]))
    lease = Lease(quarantine=quarantine)
    assert lease.process(POISON, a_delivery()).written == 1
    assert [held.payload for held in quarantine.held] == [POISON]
    assert (lease.health.poison, lease.health.records) == (1, 2)


def test_an_error_of_ours_is_set_aside_and_counted_without_its_text() -> None:
    quarantine = MemoryQuarantine()
    lease = Lease(store=Broken(), quarantine=quarantine)
    assert lease.process(a_delivery(), A_BOUNCE).written == 1
    assert [held.payload for held in quarantine.held] == [A_BOUNCE]
    assert (lease.health.poison, lease.health.errors) == (1, 1)
    assert "ZeroDivisionError" in lease.log.getvalue()
    assert ADA not in lease.log.getvalue()


def test_any_other_error_ends_the_process_instead_of_being_swallowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library would print it, and acknowledge the batch."""

    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError(ADA)

    lease = Lease()
    monkeypatch.setattr(lease.report, "projected", fail)
    with pytest.raises(SystemExit) as ended:
        lease.process(A_BOUNCE)
    assert ended.value.code == 1
    assert ADA not in lease.log.getvalue()


def test_to_be_given_the_shard_again_changes_no_count() -> None:
    """During the end of a worker that happens once more after the lease was lost."""
    lease = Lease()
    lease.process(A_BOUNCE)
    before = lease.health
    lease.act("leaseLost")
    lease.initialize()
    lease.initialize()
    assert lease.health.records == before.records
    assert lease.health.state is State.INITIALIZED


# What it tells.


def told(error: str) -> list[ShardHealth]:
    return [health for line in error.splitlines() if (health := decode_health(line.encode()))]


def healths(error: str) -> list[State]:
    return [health.state for health in told(error)]


def test_while_there_is_more_to_read_it_tells_its_health_once_a_second(capsys: pytest.CaptureFixture[str]) -> None:
    lease = Lease()
    for _ in range(10):
        lease.process(a_delivery(), behind_ms=5_000)
        lease.clock.now_s += 0.3
    assert healths(capsys.readouterr().err) == [State.INITIALIZED] + [State.PROCESSING] * 3


def test_with_the_latest_records_it_tells_it_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    """No other batch may come for long, and what it said before would stand meanwhile."""
    lease = Lease()
    for _ in range(3):
        lease.process(a_delivery(), behind_ms=5_000)
    lease.process(a_delivery())
    last = decode_health(capsys.readouterr().err.splitlines()[-1].encode())
    assert last == lease.health
    assert (lease.health.records, lease.health.millis_behind_latest) == (4, 0)


def test_a_quiet_shard_is_counted_once_a_minute(capsys: pytest.CaptureFixture[str]) -> None:
    lease = Lease()
    for _ in range(130):
        lease.process()
        lease.clock.now_s += 1
    counts = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [sum(line["MillisBehindLatest"]) for line in counts] == [0, 0]


def test_what_waits_for_its_checkpoint_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    """And nothing waits where nothing was done since."""
    lease = Lease()
    for seconds in (0, 10, 25):
        lease.clock.now_s += seconds
        lease.process(a_delivery())
    counts = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["CheckpointAgeMilliseconds"] for line in counts] == [[0], [0], [25_000]]
