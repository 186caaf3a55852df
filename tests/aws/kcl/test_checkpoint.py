"""When a record processor writes a checkpoint, and how it reacts to each refusal."""

import pytest

from pipeline.aws.kcl.checkpoint import RETRY_SECONDS
from pipeline.aws.kcl.health import ShardState
from pipeline.aws.settings import ConsumerSettings
from tests.support.builders import a_delivery
from tests.support.fake_lease import CHECKPOINT_SECONDS, Lease

RECORD = a_delivery()
THROTTLED = "ThrottlingException"
DEPENDENCY = "KinesisClientLibDependencyException"
LOST = "ShutdownException"
OUT_OF_STEP = "InvalidStateException"
OTHER = "IllegalArgumentException"
ALWAYS = 99


def test_the_first_batch_is_checkpointed_at_once_then_one_a_minute() -> None:
    """A new lease is checkpointed with its first batch. Then a minute passes between two checkpoints."""
    lease, written = Lease(), []
    for seconds in (0, 30, 29.9, 0.1, 1, 58.9, 0.1):
        lease.clock.now_s += seconds
        written.append(lease.process(RECORD).written)
    assert CHECKPOINT_SECONDS == 60
    assert written == [1, 0, 0, 1, 0, 0, 1]


def test_an_interval_of_zero_checkpoints_every_batch() -> None:
    """`MAILFOLD_CHECKPOINT_SECONDS=0` writes a checkpoint with each batch."""
    lease = Lease(settings=ConsumerSettings(stream="mail-feedback", checkpoint_seconds=0))
    assert [lease.process(RECORD).written for _ in range(3)] == [1, 1, 1]


def test_an_empty_batch_is_checkpointed_only_if_records_are_pending() -> None:
    """The daemon also reports empty reads, and each checkpoint is a write to the lease table."""
    lease = Lease()
    assert lease.process().attempts == 0
    assert [lease.process(RECORD).written for _ in range(2)] == [1, 0]
    lease.clock.now_s += CHECKPOINT_SECONDS
    assert [lease.process().written for _ in range(2)] == [1, 0]
    lease.clock.now_s += CHECKPOINT_SECONDS
    assert lease.process().attempts == 0


@pytest.mark.parametrize(
    ("errors", "attempts", "written"),
    [
        ([], 1, 1),
        ([THROTTLED], 2, 1),
        ([THROTTLED, DEPENDENCY, THROTTLED], 4, 1),
        ([DEPENDENCY], 2, 1),
        ([LOST], 1, 0),
        ([OTHER], 1, 0),
        ([THROTTLED, LOST], 2, 0),
    ],
)
def test_a_batch_is_acknowledged_even_if_its_checkpoint_fails(errors: list[str], attempts: int, written: int) -> None:
    """It is stored, so reading it again changes nothing."""
    lease = Lease()
    checkpointer = lease.process(RECORD, errors=errors)
    assert (checkpointer.attempts, checkpointer.written) == (attempts, written)
    assert lease.health.state is ShardState.PROCESSING
    assert lease.health.errors == len(errors)
    assert (lease.health.checkpointed_at is not None) == bool(written)


@pytest.mark.parametrize("error", [THROTTLED, DEPENDENCY])
def test_a_lease_table_that_keeps_throttling_rests_until_the_next_checkpoint(error: str) -> None:
    """Retries end after `RETRY_SECONDS`. The next batch does not try at once."""
    lease = Lease()
    assert lease.process(RECORD, errors=[error] * ALWAYS).written == 0
    assert sum(lease.clock.waits) == pytest.approx(RETRY_SECONDS)
    assert lease.process(RECORD).attempts == 0
    lease.clock.now_s += CHECKPOINT_SECONDS
    assert lease.process(RECORD).written == 1


@pytest.mark.parametrize("error", [OTHER, THROTTLED])
def test_a_refused_checkpoint_is_written_when_the_next_is_due(error: str) -> None:
    """Its records stay pending, so that even an empty batch writes it."""
    lease = Lease()
    lease.process(RECORD, errors=[error] * ALWAYS)
    lease.clock.now_s += CHECKPOINT_SECONDS
    assert lease.process().written == 1


def test_no_checkpoint_is_attempted_after_the_lease_is_lost() -> None:
    """The next attempt comes when the shard is assigned again."""
    lease = Lease()
    lease.process(RECORD, errors=[LOST])
    lease.clock.now_s += 2 * CHECKPOINT_SECONDS
    assert lease.process(RECORD).attempts == 0
    assert lease.act("shutdownRequested").attempts == 0
    lease.initialize()
    assert lease.process(RECORD).written == 1


@pytest.mark.parametrize("action", ["processRecords", "shardEnded", "shutdownRequested"])
def test_a_daemon_out_of_step_ends_the_process(action: str) -> None:
    """Its next message may have been read as an answer. Any acknowledgement now could skip records."""
    lease = Lease()
    lease.process(RECORD, errors=[OTHER])
    lease.clock.now_s += CHECKPOINT_SECONDS
    with pytest.raises(SystemExit) as exit_info:
        lease.process(RECORD, errors=[OUT_OF_STEP]) if action == "processRecords" else lease.act(action, [OUT_OF_STEP])
    assert exit_info.value.code == 1
    assert lease.health.state is ShardState.FAILED


def test_a_lost_lease_is_not_checkpointed() -> None:
    """Another worker has the shard, and may be further."""
    lease = Lease()
    lease.process(RECORD)
    lease.process(RECORD)
    assert lease.act("leaseLost").attempts == 0
    assert lease.health.state is ShardState.LEASE_LOST


@pytest.mark.parametrize("errors", [[], [THROTTLED], [THROTTLED, DEPENDENCY]])
def test_the_end_of_a_shard_is_always_checkpointed(errors: list[str]) -> None:
    """Even if every record before it is, because the shard's children wait for it."""
    lease = Lease()
    lease.process(RECORD)
    assert lease.act("shardEnded", errors).written == 1
    assert lease.health.state is ShardState.SHARD_ENDED


@pytest.mark.parametrize("errors", [[THROTTLED] * ALWAYS, [OTHER], [DEPENDENCY, OTHER]])
def test_an_end_of_a_shard_without_a_checkpoint_ends_the_process(errors: list[str]) -> None:
    """If it were acknowledged, the shard's children would never start."""
    lease = Lease()
    with pytest.raises(SystemExit) as exit_info:
        lease.act("shardEnded", errors)
    assert exit_info.value.code == 1


def test_the_end_of_a_lost_shard_is_left_to_its_new_worker() -> None:
    """The process goes on, because the new worker writes the checkpoint."""
    lease = Lease()
    assert lease.act("shardEnded", [LOST]).written == 0
    assert lease.health.state is ShardState.LEASE_LOST


@pytest.mark.parametrize(("errors", "written"), [([], 1), ([THROTTLED], 1), ([THROTTLED] * ALWAYS, 0), ([OTHER], 0)])
def test_a_shutdown_attempts_a_last_checkpoint_within_its_grace(errors: list[str], written: int) -> None:
    """Retries end before the daemon's grace does."""
    lease = Lease()
    lease.process(RECORD)
    lease.process(RECORD)
    assert lease.act("shutdownRequested", errors).written == written
    assert sum(lease.clock.waits) <= RETRY_SECONDS + 1e-6
    assert lease.health.state is ShardState.SHUTDOWN_REQUESTED


def test_a_shutdown_without_finished_records_writes_no_checkpoint() -> None:
    """Health names no checkpoint of a shard that has none, and the last one holds."""
    idle, done = Lease(), Lease()
    idle.process()
    assert idle.act("shutdownRequested").attempts == 0
    assert idle.health.checkpointed_at is None
    done.process(RECORD)
    assert done.act("shutdownRequested").attempts == 0


def test_a_daemon_that_is_gone_ends_the_retries() -> None:
    """No second checkpoint is requested once the daemon's pipe is closed."""
    lease = Lease()
    lease.clock.is_connected = False
    assert lease.process(RECORD, errors=[THROTTLED] * ALWAYS).attempts == 1
