"""Laws of the record processor: no checkpoint is ahead of the table, and any history ends in the same table."""

from collections.abc import Iterator

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.aws.settings import ConsumerSettings
from pipeline.batch import quarantine_reason
from pipeline.decode import decode
from pipeline.memory import MemoryStore
from pipeline.standing import Key, facts_json
from tests.support.fake_lease import Lease
from tests.support.flaky import Failure, FlakyQuarantine, FlakyStore, Script
from tests.support.scenario import Scenario
from tests.support.strategies import records as payload_strategy

SHORT_LIMITS = ConsumerSettings(stream="mail-feedback", checkpoint_seconds=2, patience_seconds=0.1)
REFUSALS = ("ThrottlingException", "KinesisClientLibDependencyException", "ShutdownException", "InvalidStateException")

payloads = st.lists(payload_strategy, max_size=8)
failures = st.lists(st.sampled_from(Failure), max_size=12)
refusals = st.lists(st.none() | st.sampled_from(REFUSALS), max_size=6)
steps = st.lists(
    st.tuples(st.integers(1, 4), st.sampled_from(["continue", "lease lost", "shutdown", "killed"])), max_size=6
)

Steps = list[tuple[int, str]]


class Shard:
    """A shard as the daemon delivers it: from the last checkpoint on, as often as necessary.

    Attributes:
        delivered: Number of records that the current process has received.
        checkpoint: Number of records before the last checkpoint.
    """

    def __init__(self, data: list[bytes], store: FlakyStore, quarantine: FlakyQuarantine) -> None:
        self.data, self.store, self.quarantine = data, store, quarantine
        self.checkpoint = self.delivered = 0
        self.start_process()

    def start_process(self) -> None:
        """Assign the shard to a new process."""
        self.lease = Lease(store=self.store, quarantine=self.quarantine, settings=SHORT_LIMITS)
        self.delivered = self.checkpoint

    def deliver(self, size: int, refusal: str | None) -> bool:
        """Deliver the next batch. Return True if the same process still has the shard."""
        batch = self.data[self.delivered : self.delivered + size]
        try:
            checkpointer = self.lease.process(*batch, errors=[refusal] if refusal else [])
        except SystemExit:
            self.start_process()
            return False
        self.delivered += len(batch)
        self.record_checkpoint(checkpointer.written)
        self.lease.clock.now_s += 1
        if checkpointer.attempts and refusal == "ShutdownException":  # it means that the lease is lost
            self.end("leaseLost")
            return False
        return True

    def end(self, action: str) -> None:
        """Take the shard from the worker and assign it to another."""
        self.record_checkpoint(self.lease.act(action).written)
        self.start_process()

    def record_checkpoint(self, written: int) -> None:
        """Record a checkpoint, and check that every record before it is stored or in quarantine."""
        if not written:
            return
        self.checkpoint = self.delivered
        finished = self.data[: self.checkpoint]
        assert facts(Scenario(*finished).store).keys() <= facts(self.store).keys()
        assert poison(finished) <= {entry.payload for entry in self.quarantine.held}


def facts(store: MemoryStore) -> dict[Key, bytes]:
    return {key: facts_json(item.standing) for key, item in store.scan()}


def poison(data: list[bytes]) -> set[bytes]:
    return {result.raw for payload in data for result in decode(payload) if quarantine_reason(result)}


def drive(shard: Shard, plan: Steps, refused: Iterator[str | None]) -> None:
    """Follow the plan, then deliver the rest, until the end of the shard is checkpointed."""
    for size, event in plan:
        if shard.deliver(size, next(refused, None)):
            match event:
                case "lease lost":
                    shard.end("leaseLost")
                case "shutdown":
                    shard.end("shutdownRequested")
                case "killed":
                    shard.start_process()
    while shard.delivered < len(shard.data):
        shard.deliver(3, None)
    shard.record_checkpoint(shard.lease.act("shardEnded").written)


@settings(deadline=None)
@given(payloads, steps, failures, failures, refusals)
def test_after_any_history_the_table_is_the_fold_of_the_shard(
    data: list[bytes], plan: Steps, of_store: list[Failure], of_quarantine: list[Failure], refused: list[str | None]
) -> None:
    """Outages, refusals, lost leases, shutdowns and crashes change nothing, and all poison is in quarantine."""
    shard = Shard(data, FlakyStore(Script(of_store)), FlakyQuarantine(Script(of_quarantine)))
    drive(shard, plan, iter(refused))
    assert shard.checkpoint == len(data)
    assert facts(shard.store) == facts(Scenario(*data).store)
    assert {entry.payload for entry in shard.quarantine.held} == poison(data)
