"""Tests of `pipeline.projection`: every record of a batch is stored, quarantined, or reported as not done."""

from collections.abc import Iterable, Mapping

import pytest

from pipeline.address import Address
from pipeline.batch import Counts
from pipeline.errors import (
    AccessDenied,
    ItemRejected,
    PartialBatchFailure,
    PolicyOutdated,
    QuarantineUnavailable,
    StoreUnavailable,
)
from pipeline.memory import MemoryQuarantine, MemoryStore
from pipeline.policy import DEFAULT_POLICY, Policy
from pipeline.ports import NO_ITEM, Item, Put, Quarantine
from pipeline.projection import BatchResult, merge, merge_fully, to_item
from pipeline.standing import Evidence, FactKind, Key, facts_hash, fold
from pipeline.verdict import Reason
from tests.support.builders import ADA, BOB, a_bounce, a_complaint, a_decision, a_delivery, a_send, dumped, in_sns
from tests.support.flaky import Failure, FlakyQuarantine, FlakyStore, Script
from tests.support.scenario import a_batch, project

ADA_KEY, BOB_KEY = Key(Address(ADA)), Key(Address(BOB))
HARD = fold([(FactKind.HARD, Evidence(at_ms=1, event_id="e"))])
SAVED_ONE = [Failure.NONE, Failure.NONE]  # a load, and the save of one item
STOPS = [
    (Failure.OUTAGE_BEFORE, StoreUnavailable, QuarantineUnavailable),
    (Failure.DENIED, AccessDenied, AccessDenied),
]


def run(
    *payloads: bytes, store: MemoryStore, quarantine: Quarantine | None = None, policy: Policy = DEFAULT_POLICY
) -> BatchResult:
    return project(a_batch(*payloads), store=store, quarantine=quarantine, policy=policy)


def item(store: MemoryStore, key: Key = ADA_KEY) -> Item:
    return store.load([key])[key]


def test_a_batch_is_counted() -> None:
    """Events by kind, ignored and quarantined records, facts and items are counted."""
    result = run(
        a_send(), a_send(), a_delivery(), a_bounce(recipients=[ADA, BOB]), a_bounce(), b"[]", b"{", store=MemoryStore()
    )
    counts = Counts(ignored=1, quarantined=1, facts=3, written=2)
    counts.events.update({"send": 2, "delivery": 1, "bounce": 2})
    assert result == BatchResult(counts=counts)


def test_an_item_contains_facts_and_verdict() -> None:
    """The verdict is the policy's on exactly these facts."""
    store = MemoryStore()
    run(a_bounce(), store=store)
    assert (item(store).verdict.reason, item(store).verdict.suppressed) == (Reason.HARD, True)
    assert item(store).facts_hash == facts_hash(item(store).standing)
    assert item(store) == to_item(ADA_KEY, item(store).standing, DEFAULT_POLICY)


def test_known_facts_are_not_written_again() -> None:
    """A second copy of a bounce costs no write."""
    store = FlakyStore()
    run(a_bounce(), store=store)
    counts = run(a_bounce(), in_sns(a_bounce()), store=store).counts
    assert (store.saves, counts.written, counts.unchanged) == (1, 0, 1)


def test_a_batch_without_facts_does_not_call_the_store() -> None:
    """An outage of the table does not affect such a batch."""
    assert run(store=FlakyStore(Script([Failure.OUTAGE_BEFORE]))) == BatchResult()
    assert run(a_send(), b"[]", store=FlakyStore(Script([Failure.OUTAGE_BEFORE]))).counts.ignored == 1


@pytest.mark.parametrize(("failure", "error", "_"), STOPS)
def test_a_failing_store_stops_at_the_first_pending_record(failure: Failure, error: type[Exception], _: object) -> None:
    """Ada's item is stored before the table fails, so Bob's first record is the first that is not done."""
    store = FlakyStore(Script([*SAVED_ONE, failure]))
    result = run(a_bounce(), a_send(), a_bounce(recipients=[BOB]), a_bounce(recipients=[BOB]), store=store)
    assert (type(result.cause), result.failed_at) == (error, 2)
    assert item(store) != NO_ITEM


def test_the_example_in_the_module_docstring_holds() -> None:
    """Of records 0 to 4, an address of 1 and 3 fails: 0 is acknowledged, and 2 and 4 come again unchanged."""
    people = ["p0@example.com", BOB, "p2@example.com", BOB, "p4@example.com"]
    payloads = [a_bounce(recipients=[person], feedback_id=f"f{n}") for n, person in enumerate(people)]

    class WithoutBob(MemoryStore):
        """A table that cannot store Bob's item for a while, and loads it last."""

        is_failing = True

        def load(self, keys: Iterable[Key]) -> Mapping[Key, Item]:
            return super().load(sorted(keys, key=lambda key: key == BOB_KEY))

        def put(self, put: Put) -> None:
            if put.key == BOB_KEY and self.is_failing:
                raise StoreUnavailable("throttled")
            super().put(put)

    store = WithoutBob()
    result = run(*payloads, store=store)
    counts = result.counts
    assert (result.failed_at, counts.events, counts.facts, counts.written) == (1, {"bounce": 1}, 1, 3)
    assert {key.address for key, _ in store.scan()} == {people[0], people[2], people[4]}
    store.is_failing = False
    again = run(*payloads[1:], store=store)
    assert (again.failed_at, again.counts.written, again.counts.unchanged) == (None, 1, 2)


def test_a_stopped_batch_counts_the_records_before_the_stop() -> None:
    """Over all attempts every record is counted once, so that metrics neither lack nor repeat one."""
    payloads = [a_send(), b"{oops", a_bounce(), b"[]", a_bounce(recipients=[BOB]), a_delivery(), b"{oops"]
    store = FlakyStore(Script([*SAVED_ONE, Failure.OUTAGE_BEFORE, Failure.DENIED]))
    total, first, stops = Counts(), 0, 0
    while True:
        result = run(*payloads[first:], store=store)
        total += result.counts
        if result.failed_at is None:
            break
        first, stops = first + result.failed_at, stops + 1
    assert (stops, total) == (2, run(*payloads, store=MemoryStore()).counts)


@pytest.mark.parametrize(("failure", "_", "error"), STOPS)
def test_a_failing_quarantine_stops_at_its_record(failure: Failure, _: object, error: type[Exception]) -> None:
    """The facts of the records before it are stored."""
    store, quarantine = MemoryStore(), FlakyQuarantine(Script([failure]))
    result = run(a_bounce(), b"{oops", a_bounce(recipients=[BOB]), store=store, quarantine=quarantine)
    assert (type(result.cause), result.failed_at) == (error, 1)
    assert (result.counts.events, result.counts.quarantined, result.counts.written) == ({"bounce": 1}, 0, 1)
    assert [key for key, _ in store.scan()] == [ADA_KEY]


def test_of_two_outages_the_earlier_record_counts() -> None:
    """The batch stops at the first record that either outage affects."""
    quarantine = FlakyQuarantine(Script([Failure.OUTAGE_BEFORE]))
    result = run(a_bounce(), b"{oops", store=FlakyStore(Script([Failure.OUTAGE_BEFORE])), quarantine=quarantine)
    assert result.failed_at == 0


def test_a_conflict_is_resolved_by_joining_again() -> None:
    """The item is written although every attempt but the last conflicts."""
    store = FlakyStore(Script([Failure.NONE, Failure.CONFLICT] * 4))
    assert run(a_bounce(), store=store).counts.written == 1


def test_endless_conflicts_stop_the_batch() -> None:
    """After the last attempt the batch stops as in an outage."""
    store = FlakyStore(Script([Failure.NONE, Failure.CONFLICT] * 5))
    result = run(a_bounce(), store=store)
    assert (type(result.cause), result.failed_at) == (StoreUnavailable, 0)
    assert str(result.cause) == "1 items changed during each of 5 attempts"


def test_two_writers_lose_no_fact() -> None:
    """Another writer saves a complaint between the load and the save of a bounce."""

    class Contended(MemoryStore):
        """A table into which another writer puts a complaint first."""

        def put(self, put: Put) -> None:
            if not any(True for _ in self.scan()):
                run(a_complaint(), store=(other := MemoryStore()))
                super().put(Put(key=put.key, item=other.load([put.key])[put.key], expected=""))
            super().put(put)

    store = Contended()
    run(a_bounce(), store=store)
    assert (len(item(store).standing.hard), len(item(store).standing.complaint)) == (1, 1)


def test_a_newer_policy_updates_the_verdict() -> None:
    """The same facts are written again under a higher policy version."""
    store = MemoryStore()
    run(a_bounce(), store=store)
    assert run(a_bounce(), store=store, policy=Policy(version=2, hard=None)).counts.written == 1
    assert (item(store).verdict.suppressed, item(store).policy_version) == (False, 2)


def test_an_older_policy_stops_at_new_facts() -> None:
    """Known facts are unchanged, and new ones stop the batch until the policy is deployed."""
    store = MemoryStore()
    run(a_bounce(), store=store, policy=Policy(version=2))
    assert run(a_bounce(), store=store).counts.unchanged == 1
    assert run(a_send(), a_complaint(), store=store).failed_at == 1
    cause = merge({ADA_KEY: HARD}, store=store, policy=DEFAULT_POLICY).cause
    assert isinstance(cause, PolicyOutdated)
    assert (cause.own_version, cause.table_version) == (1, 2)


def test_records_of_a_rejected_item_are_quarantined() -> None:
    """Every record about the address is quarantined, and other addresses are stored."""
    store, quarantine = FlakyStore(rejected=[ADA_KEY]), MemoryQuarantine()
    counts = run(a_bounce(), a_bounce(recipients=[BOB]), a_complaint(), store=store, quarantine=quarantine).counts
    assert [held.position for held in quarantine.held] == ["0", "2"]
    assert (counts.written, counts.quarantined) == (1, 2)


@pytest.mark.parametrize(("failure", "_", "error"), STOPS)
def test_a_rejected_item_waits_for_the_quarantine(failure: Failure, _: object, error: type[Exception]) -> None:
    """The batch stops at its record if the quarantine fails."""
    result = run(
        a_send(), a_bounce(), store=FlakyStore(rejected=[ADA_KEY]), quarantine=FlakyQuarantine(Script([failure]))
    )
    assert (type(result.cause), result.failed_at) == (error, 1)


def test_a_rejected_item_is_not_lost_in_an_outage_after_it() -> None:
    """Ada's item is rejected, then the table fails for Bob's: Ada's record must not be acknowledged unstored."""
    store = FlakyStore(Script([*SAVED_ONE, Failure.OUTAGE_BEFORE]), rejected=[ADA_KEY])
    quarantine = MemoryQuarantine()
    result = run(a_bounce(), a_bounce(recipients=[BOB]), store=store, quarantine=quarantine)
    assert result.cause
    assert result.failed_at == 0 or quarantine.held


def test_a_quarantine_failing_among_rejected_items_loses_none() -> None:
    """Ada is in records 0 and 2, Bob in 1: if the second put fails, record 1 is not done."""
    store = FlakyStore(rejected=[ADA_KEY, BOB_KEY])
    quarantine = FlakyQuarantine(Script([Failure.NONE, Failure.OUTAGE_BEFORE]))
    result = run(a_bounce(), a_bounce(recipients=[BOB]), a_complaint(), store=store, quarantine=quarantine)
    assert (result.failed_at, result.counts.quarantined) == (1, 1)


def test_an_event_at_the_end_of_time_blocks_no_other() -> None:
    """The largest time does not raise, and the next record is stored."""
    last_time = "9999-12-31T00:00:00.000Z"
    store = MemoryStore()
    run(a_bounce(timestamp=last_time, bounce={"timestamp": last_time}), a_bounce(recipients=[BOB]), store=store)
    assert item(store, BOB_KEY).verdict.suppressed


def test_merge_fully_raises() -> None:
    """It raises the error that stopped it, or the rejection of an item."""
    for failure, error, _ in STOPS:
        with pytest.raises(error):
            merge_fully({ADA_KEY: HARD}, store=FlakyStore(Script([failure])), policy=DEFAULT_POLICY)
    with pytest.raises(ItemRejected, match="1 items: too large"):
        merge_fully({ADA_KEY: HARD}, store=FlakyStore(rejected=[ADA_KEY]), policy=DEFAULT_POLICY)
    assert merge_fully({ADA_KEY: HARD}, store=MemoryStore(), policy=DEFAULT_POLICY).written == 1


def test_an_error_contains_no_address() -> None:
    """Messages of errors end up in logs."""
    for error in (
        PartialBatchFailure(failed_at=3, cause=QuarantineUnavailable("throttled")),
        PolicyOutdated(own_version=1, table_version=2),
    ):
        assert "@" not in str(error)
    with pytest.raises(ItemRejected) as rejected:
        merge_fully({ADA_KEY: HARD}, store=FlakyStore(rejected=[ADA_KEY]), policy=DEFAULT_POLICY)
    assert ADA not in str(rejected.value)


def test_a_decision_suppresses() -> None:
    """An operator's decision takes the same path as feedback."""
    store = MemoryStore()
    run(a_decision(), store=store)
    assert item(store).verdict.reason is Reason.OPERATOR


def test_one_payload_may_contain_several_records() -> None:
    """Every record in it is stored, also beside poison."""
    store = MemoryStore()
    run(b"\n".join([a_bounce(), b"{oops", a_bounce(recipients=[BOB])]), store=store)
    assert item(store).verdict.suppressed
    assert item(store, BOB_KEY).verdict.suppressed


def test_an_unknown_type_suppresses_no_address() -> None:
    """It is counted as unknown, and no item is written."""
    store = MemoryStore()
    counts = run(dumped({"eventType": "Novel", "mail": {"destination": [ADA]}}), store=store).counts
    assert (counts.events, item(store)) == ({"unknown": 1}, NO_ITEM)
