"""When a record processor checkpoints, and what it does about each refusal."""

import pytest

from pipeline.aws.kcl.checkpoint import RETRY_SECONDS
from pipeline.aws.kcl.health import State
from pipeline.aws.settings import ConsumerSettings
from tests.support.builders import a_delivery
from tests.support.fake_lease import CHECKPOINT_SECONDS, Lease

RECORD = a_delivery()
THROTTLED = "ThrottlingException"
DEPENDENCY = "KinesisClientLibDependencyException"
LOST = "ShutdownException"
OUT_OF_STEP = "InvalidStateException"
OTHER = "IllegalArgumentException"
FOR_EVER = 99


def test_the_first_batch_is_checkpointed_at_once_and_then_one_a_minute() -> None:
    lease, written = Lease(), []
    for seconds in (0, 30, 29.9, 0.1, 1, 58.9, 0.1):
        lease.clock.now_s += seconds
        written.append(lease.process(RECORD).written)
    assert CHECKPOINT_SECONDS == 60
    assert written == [1, 0, 0, 1, 0, 0, 1]


def test_where_so_set_every_batch_is_checkpointed() -> None:
    lease = Lease(settings=ConsumerSettings(stream="mail-feedback", checkpoint_seconds=0))
    assert [lease.process(RECORD).written for _ in range(3)] == [1, 1, 1]


def test_a_quiet_shard_is_checkpointed_where_something_waits_for_it() -> None:
    """The daemon may be set to tell of empty reads; each checkpoint is a write to the lease table."""
    lease = Lease()
    assert lease.process().tries == 0
    assert [lease.process(RECORD).written for _ in range(2)] == [1, 0]
    lease.clock.now_s += CHECKPOINT_SECONDS
    assert [lease.process().written for _ in range(2)] == [1, 0]
    lease.clock.now_s += CHECKPOINT_SECONDS
    assert lease.process().tries == 0


@pytest.mark.parametrize(
    ("errors", "tries", "written"),
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
def test_a_batch_is_acknowledged_whatever_becomes_of_its_checkpoint(
    errors: list[str], tries: int, written: int
) -> None:
    """It is stored; who reads it again changes nothing."""
    lease = Lease()
    checkpointer = lease.process(RECORD, errors=errors)
    assert (checkpointer.tries, checkpointer.written) == (tries, written)
    assert lease.health.state is State.PROCESSING
    assert lease.health.errors == len(errors)
    assert (lease.health.checkpointed_at is not None) == bool(written)


@pytest.mark.parametrize("error", [THROTTLED, DEPENDENCY])
def test_a_lease_table_that_throttles_for_long_is_left_alone_until_the_next_checkpoint(error: str) -> None:
    lease = Lease()
    assert lease.process(RECORD, errors=[error] * FOR_EVER).written == 0
    assert sum(lease.clock.waits) == pytest.approx(RETRY_SECONDS)
    assert lease.process(RECORD).tries == 0
    lease.clock.now_s += CHECKPOINT_SECONDS
    assert lease.process(RECORD).written == 1


@pytest.mark.parametrize("error", [OTHER, THROTTLED])
def test_one_that_was_refused_is_tried_again_when_the_next_is_due(error: str) -> None:
    lease = Lease()
    lease.process(RECORD, errors=[error] * FOR_EVER)
    lease.clock.now_s += CHECKPOINT_SECONDS
    assert lease.process().written == 1


def test_one_whose_lease_is_lost_is_never_tried_again_until_the_shard_comes_back() -> None:
    lease = Lease()
    lease.process(RECORD, errors=[LOST])
    lease.clock.now_s += 2 * CHECKPOINT_SECONDS
    assert lease.process(RECORD).tries == 0
    assert lease.act("shutdownRequested").tries == 0
    lease.initialize()
    assert lease.process(RECORD).written == 1


@pytest.mark.parametrize("action", ["processRecords", "shardEnded", "shutdownRequested"])
def test_a_daemon_out_of_step_ends_the_process(action: str) -> None:
    """Its next message may have been taken for an answer: to acknowledge anything now could pass records."""
    lease = Lease()
    with pytest.raises(SystemExit) as ended:
        lease.process(RECORD, errors=[OUT_OF_STEP]) if action == "processRecords" else lease.act(action, [OUT_OF_STEP])
    assert ended.value.code == 1
    assert lease.health.state is State.FAILED


def test_a_lost_lease_is_not_checkpointed() -> None:
    lease = Lease()
    lease.process(RECORD)
    lease.process(RECORD)
    assert lease.act("leaseLost").tries == 0
    assert lease.health.state is State.LEASE_LOST


@pytest.mark.parametrize("errors", [[], [THROTTLED], [THROTTLED, DEPENDENCY]])
def test_the_end_of_a_shard_is_always_checkpointed(errors: list[str]) -> None:
    """Even if all before it is: its children wait for that."""
    lease = Lease()
    lease.process(RECORD)
    assert lease.act("shardEnded", errors).written == 1
    assert lease.health.state is State.SHARD_ENDED


@pytest.mark.parametrize("errors", [[THROTTLED] * FOR_EVER, [OTHER], [DEPENDENCY, OTHER]])
def test_an_end_of_a_shard_that_cannot_be_checkpointed_ends_the_process(errors: list[str]) -> None:
    """Acknowledged without a checkpoint, its children would never begin."""
    lease = Lease()
    with pytest.raises(SystemExit) as ended:
        lease.act("shardEnded", errors)
    assert ended.value.code == 1


def test_the_end_of_a_shard_that_another_worker_has_is_that_one_s_to_checkpoint() -> None:
    lease = Lease()
    assert lease.act("shardEnded", [LOST]).written == 0
    assert lease.health.state is State.LEASE_LOST


@pytest.mark.parametrize(("errors", "written"), [([], 1), ([THROTTLED], 1), ([THROTTLED] * FOR_EVER, 0), ([OTHER], 0)])
def test_a_worker_that_ends_tries_a_last_checkpoint_within_its_grace(errors: list[str], written: int) -> None:
    lease = Lease()
    lease.process(RECORD)
    assert lease.act("shutdownRequested", errors).written == written
    assert sum(lease.clock.waits) <= RETRY_SECONDS + 1e-6
    assert lease.health.state is State.SHUTDOWN_REQUESTED


def test_a_daemon_that_has_gone_is_asked_no_more() -> None:
    lease = Lease()
    lease.clock.somebody_waits = False
    assert lease.process(RECORD, errors=[THROTTLED] * FOR_EVER).tries == 1
