"""Whatever crashes, is refused or goes to another worker: no checkpoint is ahead of the table, and all ends alike."""

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

IMPATIENT = ConsumerSettings(stream="mail-feedback", checkpoint_seconds=2, patience_seconds=0.1)
REFUSALS = ("ThrottlingException", "KinesisClientLibDependencyException", "ShutdownException", "InvalidStateException")

payloads = st.lists(payload_strategy, max_size=8)
failures = st.lists(st.sampled_from(Failure), max_size=12)
refusals = st.lists(st.none() | st.sampled_from(REFUSALS), max_size=6)
steps = st.lists(
    st.tuples(st.integers(1, 4), st.sampled_from(["go on", "lease lost", "shutdown", "killed"])), max_size=6
)

Steps = list[tuple[int, str]]


class Shard:
    """A shard as the daemon delivers it: from the last checkpoint on, as often as it takes.

    Attributes:
        delivered: How many records the worker of the moment has got.
        checkpoint: How many need never be read again.
    """

    def __init__(self, data: list[bytes], store: FlakyStore, quarantine: FlakyQuarantine) -> None:
        self.data, self.store, self.quarantine = data, store, quarantine
        self.checkpoint = self.delivered = 0
        self.begin()

    def begin(self) -> None:
        """Give the shard to a new process."""
        self.lease = Lease(store=self.store, quarantine=self.quarantine, settings=IMPATIENT)
        self.delivered = self.checkpoint

    def deliver(self, size: int, refusal: str | None) -> bool:
        """Deliver the next batch; return whether the process still has the shard. Another follows one that has not."""
        batch = self.data[self.delivered : self.delivered + size]
        try:
            checkpointer = self.lease.process(*batch, errors=[refusal] if refusal else [])
        except SystemExit:
            self.begin()
            return False
        self.delivered += len(batch)
        self.note(checkpointer.written)
        self.lease.clock.now_s += 1
        if checkpointer.tries and refusal == "ShutdownException":  # which is told when the lease is lost, and only then
            self.end("leaseLost")
            return False
        return True

    def end(self, action: str) -> None:
        """Let the worker lose the shard; another gets it."""
        self.note(self.lease.act(action).written)
        self.begin()

    def note(self, written: int) -> None:
        """Take a checkpoint, and see that everything before it is kept."""
        if not written:
            return
        self.checkpoint = self.delivered
        done = self.data[: self.checkpoint]
        assert known(Scenario(*done).store).keys() <= known(self.store).keys()
        assert poison(done) <= {held.payload for held in self.quarantine.held}


def known(store: MemoryStore) -> dict[Key, bytes]:
    return {key: facts_json(item.standing) for key, item in store.scan()}


def poison(data: list[bytes]) -> set[bytes]:
    return {one.raw for payload in data for one in decode(payload) if quarantine_reason(one)}


def drive(shard: Shard, plan: Steps, refused: Iterator[str | None]) -> None:
    """Do what the plan says, and then what is left, until the end of the shard is checkpointed."""
    for size, then in plan:
        if shard.deliver(size, next(refused, None)):
            match then:
                case "lease lost":
                    shard.end("leaseLost")
                case "shutdown":
                    shard.end("shutdownRequested")
                case "killed":
                    shard.begin()
    while shard.delivered < len(shard.data):
        shard.deliver(3, None)
    shard.note(shard.lease.act("shardEnded").written)


@settings(deadline=None)
@given(payloads, steps, failures, failures, refusals)
def test_whatever_happens_on_the_way_the_table_is_the_fold_of_the_shard(
    data: list[bytes], plan: Steps, of_store: list[Failure], of_quarantine: list[Failure], refused: list[str | None]
) -> None:
    shard = Shard(data, FlakyStore(Script(of_store)), FlakyQuarantine(Script(of_quarantine)))
    drive(shard, plan, iter(refused))
    assert shard.checkpoint == len(data)
    assert known(shard.store) == known(Scenario(*data).store)
    assert {held.payload for held in shard.quarantine.held} == poison(data)
