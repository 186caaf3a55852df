"""Whatever is lost, repeated, disordered or interrupted: the live table, a replay and a rebuild have the log's facts.

A history is a list of steps. An event may reach the log only, the table only, or both, in any number of copies. In
between, the policy changes, a reconciliation is interrupted, and a rebuild begins, is interrupted, or becomes live.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.adoption import evidence_records
from pipeline.difference import Difference, differences
from pipeline.errors import STOPS_BATCH
from pipeline.memory import MemoryStore
from pipeline.policy import DEFAULT_POLICY, Policy, Rule
from pipeline.projection import merge_fully
from pipeline.reconcile import reconcile
from pipeline.rederivation import rederive
from pipeline.replay import store_digest
from pipeline.standing import NOTHING_KNOWN, Key, Standing
from tests.support.builders import ADA, BOB, a_bounce
from tests.support.flaky import Failure, FlakyStore, Script
from tests.support.items import all_items
from tests.support.memory_fold import MemoryFold
from tests.support.rows import rows_of
from tests.support.scenario import a_batch, project
from tests.support.strategies import feedback

FAILURES = (Failure.NONE, Failure.OUTAGE_BEFORE, Failure.OUTAGE_AFTER, Failure.CONFLICT, Failure.DENIED)
POLICIES = (
    DEFAULT_POLICY,
    Policy(version=2, complaint=None),
    Policy(version=3, hard=Rule(expiry_seconds=86_400), forwarded=Rule()),
)
scripts = st.lists(st.sampled_from(FAILURES), max_size=6)
reaches = st.sampled_from(["both", "both", "log", "table"])
steps = st.one_of(
    st.tuples(st.just("event"), st.lists(feedback, min_size=1, max_size=3), reaches, scripts),
    st.tuples(st.just("policy")),
    st.tuples(st.just("reconcile"), scripts),
    st.tuples(st.just("rebuild"), scripts),
    st.tuples(st.just("flip")),
)


class World:
    """A log, a live table and perhaps a new one, which a rebuild fills."""

    def __init__(self) -> None:
        self.log = MemoryFold()
        self.live, self.new = FlakyStore(), FlakyStore()
        self.is_rebuilding = False
        self.policies = list(POLICIES)

    @property
    def policy(self) -> Policy:
        return self.policies[0]

    def play(self, step: Any) -> None:
        """Do a step of a history."""
        name, *arguments = step
        steps_by_name: dict[str, Callable[..., None]] = {
            "event": self.receive,
            "policy": self.change_policy,
            "reconcile": self.interrupt_reconciliation,
            "rebuild": self.interrupt_rebuild,
            "flip": self.flip,
        }
        steps_by_name[name](*arguments)

    def receive(self, payloads: Sequence[bytes], reach: str, failures: Sequence[Failure]) -> None:
        """Deliver a batch to the log, the tables, or both. A batch that stops is delivered again."""
        if reach != "table":
            self.log.append(rows_of(*payloads))
        if reach == "log":
            return
        self.live.script = Script(failures)
        shadows = [self.new] if self.is_rebuilding else []
        batch = a_batch(*payloads)
        while project(batch, store=self.live, shadow_stores=shadows, policy=self.policy).cause:
            continue
        self.live.script = Script()

    def change_policy(self) -> None:
        """Publish the next policy, if there is one, and derive the verdicts of the tables again."""
        self.policies = self.policies[1:] or self.policies
        for name, store in (("live", self.live), ("new", self.new)):
            rederive(name, store, policy=self.policy)

    def interrupt_reconciliation(self, failures: Sequence[Failure]) -> None:
        self.live.script = Script([*failures, Failure.OUTAGE_AFTER])
        with suppress(*STOPS_BATCH):
            self.reconcile()
        self.live.script = Script()

    def interrupt_rebuild(self, failures: Sequence[Failure]) -> None:
        """Begin a rebuild, or go on with one: first the new table gets what arrives, then what the log has."""
        self.is_rebuilding = True
        self.new.script = Script([*failures, Failure.OUTAGE_AFTER])
        with suppress(*STOPS_BATCH):
            self.fill()
        self.new.script = Script()

    def flip(self) -> None:
        """Make the new table the live one, once it has all that the log and the live table have."""
        if self.is_rebuilding:
            self.fill()
            merge_fully({key: item.standing for key, item in self.live.scan()}, store=self.new, policy=self.policy)
            self.live, self.new, self.is_rebuilding = self.new, FlakyStore(), False

    def fill(self) -> None:
        for part in self.log.standings():
            merge_fully(part, store=self.new, policy=self.policy)

    def reconcile(self) -> None:
        reconcile(self.log, store=self.live, policy=self.policy, heal=True, since=None, until=None)

    def adopt(self) -> None:
        """Write into the log what only the live table has."""
        for difference in self.differences():
            self.log.append(rows_of(*(record.payload for record in evidence_records(difference.key, difference.extra))))

    def differences(self) -> list[Difference]:
        [log], table = list(self.log.standings()), {key: item.standing for key, item in self.live.scan()}
        keys = log.keys() | table.keys()
        pairs: dict[Key, tuple[Standing, Standing]] = {
            key: (log.get(key, NOTHING_KNOWN), table.get(key, NOTHING_KNOWN)) for key in keys
        }
        return list(differences([pairs]))


@given(history=st.lists(steps, max_size=12))
@settings(deadline=None)
def test_live_replayed_and_rebuilt_tables_are_equal_after_a_reconciliation(history: list[Any]) -> None:
    """Facts, and so digests, and verdicts under the policy in force."""
    world = World()
    for step in history:
        world.play(step)

    world.reconcile()
    world.adopt()
    world.reconcile()

    assert world.differences() == []
    replayed = MemoryStore()
    for part in world.log.standings():
        merge_fully(part, store=replayed, policy=world.policy)
    world.is_rebuilding = True
    world.fill()
    assert store_digest(world.live) == store_digest(replayed) == store_digest(world.new)
    assert all_items(world.live) == all_items(replayed) == all_items(world.new)


def test_a_history_reaches_every_step() -> None:
    """Each changes what it is for, so that the law above is about something."""
    world = World()
    world.play(("event", [a_bounce(recipients=[ADA])], "log", []))
    world.play(("event", [a_bounce(recipients=[BOB])], "table", [Failure.OUTAGE_AFTER]))
    assert len(world.differences()) == 2
    world.play(("policy",))
    world.play(("rebuild", [Failure.NONE]))
    world.play(("flip",))
    world.play(("reconcile", []))

    assert len(world.differences()) == 1
    world.adopt()
    assert world.differences() == []
    assert {item.policy_version for item in all_items(world.live).values()} == {2}
