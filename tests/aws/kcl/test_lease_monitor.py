"""The monitor of the leases: shards without a reader are late, and checkpoints of another stream end the consumer."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from pipeline.aws.clients import Clients
from pipeline.aws.kcl import lease_monitor
from pipeline.aws.kcl.health import ShardState
from pipeline.aws.kcl.health_monitor import HealthMonitor
from pipeline.aws.kcl.lease_monitor import LeaseMonitor
from pipeline.aws.leases import SHARD_END, Lease, StreamShard
from pipeline.errors import AccessDenied, UsageError
from tests.support.shard_health import a_shard
from tests.support.waiting import until

WORKER, OTHER = "host:1:a:0", "host:2:b:0"
WAIT_SECONDS = 300.0


class Bench:
    """A monitor of two shards, whose leases a test changes. A minute passes before each check but the first."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.leases = {"a": self.lease("a"), "b": self.lease("b", owner=OTHER)}
        self.shards = [self.shard("a"), self.shard("b")]
        self.errors: list[Exception] = []
        self.warnings: list[str] = []
        self.now_seconds = 0.0
        self.health = HealthMonitor(workers=1, stalled_seconds=300, clock=lambda: self.now_seconds)
        monkeypatch.setattr(lease_monitor, "read_leases", lambda *_: self.read())
        monkeypatch.setattr(lease_monitor, "read_shards", lambda *_: self.shards)
        self.read: Callable[[], tuple[Lease, ...]] = lambda: tuple(self.leases.values())
        self.monitor = LeaseMonitor(
            Clients(lambda _: None),
            stream="feedback",
            table="mail-consumer",
            worker_names=[WORKER],
            health=self.health,
            service="mail-projector",
            fail=self.errors.append,
            warn=self.warnings.append,
            clock=lambda: self.now_seconds,
        )

    def lease(self, shard: str, *, owner: str | None = WORKER, counter: int = 1, checkpoint: str = "250") -> Lease:
        return Lease(shard=shard, owner=owner, counter=counter, checkpoint=checkpoint)

    def shard(self, shard: str, *, first_sequence_number: int = 200) -> StreamShard:
        return StreamShard(id=shard, parents=frozenset(), first_sequence_number=first_sequence_number, is_open=True)

    def renew(self, shard: str, **fields: Any) -> None:
        """Let the owner renew a lease, or give it to another."""
        self.leases[shard] = self.lease(shard, counter=self.leases[shard].counter + 1, **fields)

    def pass_a_minute(self) -> list[str]:
        """Check after a minute, and return the shards without a reader."""
        self.now_seconds += 60
        self.health.record_heartbeat(0)
        self.monitor.check()
        return self.health.overview().unread


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(monkeypatch)


def lags(output: str) -> list[float]:
    """Return the values of the metric that the alarm on late feedback watches."""
    lines = [json.loads(line) for line in output.splitlines()]
    assert all(line["service"] == "mail-projector" for line in lines)
    return [value for line in lines for value in line["MillisBehindLatest"]]


def test_shards_whose_leases_are_renewed_have_a_reader(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    """Whichever host reads them. No metric is written, because record processors write the shards' own."""
    for _ in range(3):
        assert bench.pass_a_minute() == []
        bench.renew("a")
        bench.renew("b", owner=OTHER)
    assert lags(capsys.readouterr().err) == []


@pytest.mark.parametrize("how", ["no owner", "a dead owner", "no lease"])
def test_a_shard_without_a_reader_is_as_late_as_it_is_unread(
    bench: Bench, capsys: pytest.CaptureFixture[str], how: str
) -> None:
    """The lag of the other shards alone would not show it."""
    assert bench.pass_a_minute() == []
    if how == "no lease":
        del bench.leases["b"]
    elif how == "no owner":
        bench.leases["b"] = bench.lease("b", owner=None)
    for _ in range(3):
        bench.renew("a")
        assert bench.pass_a_minute() == ["b"]
    output = capsys.readouterr()
    assert (lags(output.err), output.out) == ([0, 60_000, 120_000], "")


def test_a_shard_that_gets_a_reader_is_late_no_more(bench: Bench) -> None:
    """If it loses it again, its time starts at zero."""
    bench.leases["b"] = bench.lease("b", owner=None)
    assert bench.pass_a_minute() == ["b"]
    for counter in (2, 3):
        bench.leases["b"] = bench.lease("b", owner=OTHER, counter=counter)
        bench.renew("a")
        assert bench.pass_a_minute() == []


def test_a_shard_that_is_read_to_its_end_needs_no_reader(bench: Bench) -> None:
    """Its lease stays for some time, and is renewed no more."""
    bench.shards = bench.shards[:1]
    bench.leases["b"] = bench.lease("b", checkpoint=SHARD_END)
    for _ in range(2):
        bench.renew("a")
        assert bench.pass_a_minute() == []


def test_a_lease_that_this_host_renews_and_does_not_read_is_unhealthy(bench: Bench) -> None:
    """No other host can take it. `b` is another host's."""
    for _ in range(7):
        bench.pass_a_minute()
        bench.renew("a")
    assert bench.health.overview().problems == ["worker 0: the daemon owns a, but has not read it for 360 s"]
    bench.health.record_report(0, a_shard(ShardState.INITIALIZED, shard="a"))
    assert bench.health.overview().healthy


def test_checkpoints_of_another_stream_are_a_usage_error(bench: Bench) -> None:
    """It names the table and the remedy. The daemon would retry for ever, and look well."""
    bench.shards = [bench.shard("a"), bench.shard("b", first_sequence_number=300)]
    with pytest.raises(
        UsageError, match=r"mail-consumer has checkpoints of another stream.*1 shards.*b.*--application"
    ):
        bench.monitor.check()


def test_the_first_check_is_made_at_the_start(bench: Bench) -> None:
    """Its usage error ends the consumer."""
    bench.shards = [bench.shard("a", first_sequence_number=300)]
    with bench.monitor:
        until(lambda: bench.errors, timeout_seconds=WAIT_SECONDS)
    assert [type(error) for error in bench.errors] == [UsageError]


@pytest.mark.parametrize(
    ("error", "warning"),
    [(AccessDenied("AWS denies it"), "AWS denies it"), (KeyError("checkpoint"), "internal error, KeyError")],
)
def test_any_other_error_is_a_warning(bench: Bench, error: Exception, warning: str) -> None:
    """The daemons go on without the monitor."""

    def fail() -> tuple[Lease, ...]:
        raise error

    bench.read = fail
    with bench.monitor:
        until(lambda: bench.warnings, timeout_seconds=WAIT_SECONDS)
    assert bench.warnings[0].startswith(warning)
    assert bench.errors == []
