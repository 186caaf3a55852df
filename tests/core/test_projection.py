"""The loop: every record of a batch is stored, or set aside, or named as not done."""

import pytest

from pipeline.address import Address
from pipeline.batch import Counts, StreamRecord
from pipeline.errors import ItemRejected, PartialBatchFailure, PolicyOutdated, QuarantineUnavailable, StoreUnavailable
from pipeline.memory import MemoryQuarantine, MemoryStore
from pipeline.policy import DEFAULT_POLICY, Policy, Reason
from pipeline.ports import NO_ITEM, Item, Quarantine
from pipeline.projection import SAVE_ATTEMPTS, merge, merge_fully, project, to_item
from pipeline.standing import Evidence, FactKind, Key, standing
from tests.support.builders import ADA, BOB, a_bounce, a_complaint, a_decision, a_delivery, a_send, dumped, in_sns
from tests.support.flaky import Mishap, Script, UnsteadyQuarantine, UnsteadyStore

ADA_KEY, BOB_KEY = Key(Address(ADA)), Key(Address(BOB))
KNOWN = standing([(FactKind.HARD, Evidence(at_ms=1, event_id="e"))])


def batch(*payloads: bytes) -> list[StreamRecord]:
    return [StreamRecord(payload=payload, position=f"shard:{n}") for n, payload in enumerate(payloads)]


def run(
    *payloads: bytes, store: MemoryStore, quarantine: Quarantine | None = None, policy: Policy = DEFAULT_POLICY
) -> Counts:
    return project(batch(*payloads), store=store, quarantine=quarantine or MemoryQuarantine(), policy=policy)


def item(store: MemoryStore, key: Key = ADA_KEY) -> Item:
    return store.load([key])[key]


def test_a_batch_is_counted_by_what_became_of_it() -> None:
    store = MemoryStore()
    tally = run(a_send(), a_send(), a_delivery(), a_bounce(recipients=[ADA, BOB]), a_bounce(), b"[]", b"{", store=store)
    assert tally.events == {"send": 2, "delivery": 1, "bounce": 2}
    assert (tally.ignored, tally.quarantined, tally.facts, tally.written, tally.unchanged) == (1, 1, 3, 2, 0)


def test_an_item_holds_the_facts_and_what_the_policy_made_of_them() -> None:
    store = MemoryStore()
    run(a_bounce(), store=store)
    assert (item(store).verdict.reason, item(store).verdict.suppressed) == (Reason.HARD, True)
    assert item(store) == to_item(ADA_KEY, item(store).standing, DEFAULT_POLICY)


def test_what_is_known_already_is_not_written_again() -> None:
    store = UnsteadyStore()
    run(a_bounce(), store=store)
    tally = run(a_bounce(), in_sns(a_bounce()), store=store)
    assert (store.saves, tally.written, tally.unchanged) == (1, 0, 1)


def test_an_empty_batch_asks_nothing_of_the_store() -> None:
    assert run(store=UnsteadyStore(Script([Mishap.OUTAGE_BEFORE]))) == Counts()
    assert run(a_send(), b"[]", store=UnsteadyStore(Script([Mishap.OUTAGE_BEFORE]))).ignored == 1


def test_poison_is_set_aside_with_its_bytes_reason_and_position() -> None:
    quarantine = MemoryQuarantine()
    run(a_send(), b"{oops", store=MemoryStore(), quarantine=quarantine)
    [held] = quarantine.held
    assert (held.payload, held.position, bool(held.reason)) == (b"{oops", "shard:1", True)


def test_feedback_about_an_address_that_is_none_is_set_aside_and_the_rest_of_it_stored() -> None:
    quarantine, store = MemoryQuarantine(), MemoryStore()
    run(a_bounce(recipients=["nobody", ADA]), store=store, quarantine=quarantine)
    assert [a_bounce(recipients=["nobody", ADA])] == [held.payload for held in quarantine.held]
    assert "nobody" not in quarantine.held[0].reason
    assert item(store).verdict.suppressed


def test_a_delivery_to_an_address_that_is_none_is_in_order() -> None:
    quarantine = MemoryQuarantine()
    run(in_sns(a_delivery(recipients=["nobody"])), store=MemoryStore(), quarantine=quarantine)
    assert quarantine.held == []


def test_an_outage_of_the_store_names_the_first_record_that_is_not_done() -> None:
    """Ada's item is stored before the store goes away, so Bob's first record is the first that is not done."""
    store = UnsteadyStore(Script([Mishap.NONE, Mishap.NONE, Mishap.OUTAGE_BEFORE]))
    with pytest.raises(PartialBatchFailure) as stopped:
        run(a_bounce(), a_send(), a_bounce(recipients=[BOB]), a_bounce(recipients=[BOB]), store=store)
    assert stopped.value.failed_at == 2
    assert item(store) != NO_ITEM


def test_an_outage_of_the_quarantine_names_its_record_and_stores_what_came_before() -> None:
    store, quarantine = MemoryStore(), UnsteadyQuarantine(Script([Mishap.OUTAGE_BEFORE]))
    with pytest.raises(PartialBatchFailure) as stopped:
        run(a_bounce(), b"{oops", a_bounce(recipients=[BOB]), store=store, quarantine=quarantine)
    assert stopped.value.failed_at == 1
    assert [key for key, _ in store.scan()] == [ADA_KEY]


def test_two_outages_name_the_earlier_record() -> None:
    quarantine = UnsteadyQuarantine(Script([Mishap.OUTAGE_BEFORE]))
    with pytest.raises(PartialBatchFailure) as stopped:
        run(a_bounce(), b"{oops", store=UnsteadyStore(Script([Mishap.OUTAGE_BEFORE])), quarantine=quarantine)
    assert stopped.value.failed_at == 0


def test_a_conflict_is_joined_again() -> None:
    store = UnsteadyStore(Script([Mishap.NONE, Mishap.CONFLICT] * (SAVE_ATTEMPTS - 1)))
    assert run(a_bounce(), store=store).written == 1


def test_a_conflict_without_end_is_an_outage() -> None:
    store = UnsteadyStore(Script([Mishap.NONE, Mishap.CONFLICT] * SAVE_ATTEMPTS))
    with pytest.raises(PartialBatchFailure):
        run(a_bounce(), store=store)


def test_of_two_writers_neither_loses_what_the_other_found() -> None:
    class Contended(MemoryStore):
        """Another writer puts a complaint between our load and our save."""

        def save(self, key: Key, item: Item, *, expected: str) -> None:
            if not any(True for _ in self.scan()):
                run(a_complaint(), store=(other := MemoryStore()))
                super().save(key, other.load([key])[key], expected="")
            super().save(key, item, expected=expected)

    store = Contended()
    run(a_bounce(), store=store)
    assert (len(item(store).standing.hard), len(item(store).standing.complaint)) == (1, 1)


def test_a_newer_policy_judges_known_facts_again() -> None:
    store = MemoryStore()
    run(a_bounce(), store=store)
    assert run(a_bounce(), store=store, policy=Policy(version=2, hard=False)).written == 1
    assert (item(store).verdict.suppressed, item(store).policy_version) == (False, 2)


def test_an_older_policy_never_judges_again_and_stops_at_what_is_new() -> None:
    store = MemoryStore()
    run(a_bounce(), store=store, policy=Policy(version=2))
    assert run(a_bounce(), store=store).unchanged == 1
    with pytest.raises(PartialBatchFailure) as stopped:
        run(a_send(), a_complaint(), store=store)
    assert stopped.value.failed_at == 1
    outage = merge({ADA_KEY: KNOWN}, store=store, policy=DEFAULT_POLICY).outage
    assert isinstance(outage, PolicyOutdated)
    assert (outage.own_version, outage.table_version) == (1, 2)


def test_what_the_store_refuses_is_set_aside_record_by_record_and_the_rest_is_stored() -> None:
    store, quarantine = UnsteadyStore(refused=[ADA_KEY]), MemoryQuarantine()
    tally = run(a_bounce(), a_bounce(recipients=[BOB]), a_complaint(), store=store, quarantine=quarantine)
    assert [held.position for held in quarantine.held] == ["shard:0", "shard:2"]
    assert (tally.written, tally.quarantined) == (1, 2)


def test_a_refused_item_is_not_lost_if_the_quarantine_is_away() -> None:
    quarantine = UnsteadyQuarantine(Script([Mishap.OUTAGE_BEFORE]))
    with pytest.raises(PartialBatchFailure) as stopped:
        run(a_send(), a_bounce(), store=UnsteadyStore(refused=[ADA_KEY]), quarantine=quarantine)
    assert stopped.value.failed_at == 1


def test_a_refused_item_is_not_lost_if_the_store_goes_away_after_it() -> None:
    """Ada's item is refused, then the store is away for Bob's: Ada's record must not be passed as done."""
    store = UnsteadyStore(Script([Mishap.NONE, Mishap.NONE, Mishap.OUTAGE_BEFORE]), refused=[ADA_KEY])
    quarantine = MemoryQuarantine()
    with pytest.raises(PartialBatchFailure) as stopped:
        run(a_bounce(), a_bounce(recipients=[BOB]), store=store, quarantine=quarantine)
    assert stopped.value.failed_at == 0 or quarantine.held


def test_no_refused_item_is_lost_if_the_quarantine_goes_away_among_them() -> None:
    """Ada is in records 0 and 2, Bob in 1: if the second put fails, record 1 is not done."""
    store = UnsteadyStore(refused=[ADA_KEY, BOB_KEY])
    quarantine = UnsteadyQuarantine(Script([Mishap.NONE, Mishap.OUTAGE_BEFORE]))
    with pytest.raises(PartialBatchFailure) as stopped:
        run(a_bounce(), a_bounce(recipients=[BOB]), a_complaint(), store=store, quarantine=quarantine)
    assert stopped.value.failed_at == 1


def test_an_event_that_cannot_be_counted_blocks_no_other() -> None:
    far = "9999-12-31T00:00:00.000Z"
    store = MemoryStore()
    run(a_bounce(timestamp=far, bounce={"timestamp": far}), a_bounce(recipients=[BOB]), store=store)
    assert item(store, BOB_KEY).verdict.suppressed


def test_merging_fully_raises_what_stopped_it() -> None:
    with pytest.raises(StoreUnavailable):
        merge_fully({ADA_KEY: KNOWN}, store=UnsteadyStore(Script([Mishap.OUTAGE_BEFORE])), policy=DEFAULT_POLICY)
    with pytest.raises(ItemRejected, match="1 items: too large"):
        merge_fully({ADA_KEY: KNOWN}, store=UnsteadyStore(refused=[ADA_KEY]), policy=DEFAULT_POLICY)
    assert merge_fully({ADA_KEY: KNOWN}, store=MemoryStore(), policy=DEFAULT_POLICY).written == 1


def test_an_error_names_no_address() -> None:
    for error in (
        PartialBatchFailure(failed_at=3, cause=QuarantineUnavailable("away")),
        PolicyOutdated(own_version=1, table_version=2),
    ):
        assert "@" not in str(error)
    with pytest.raises(ItemRejected) as refused:
        merge_fully({ADA_KEY: KNOWN}, store=UnsteadyStore(refused=[ADA_KEY]), policy=DEFAULT_POLICY)
    assert ADA not in str(refused.value)


def test_decisions_of_an_operator_go_the_same_way() -> None:
    store = MemoryStore()
    run(a_decision(), store=store)
    assert item(store).verdict.reason is Reason.OPERATOR


def test_one_payload_may_hold_feedback_about_many() -> None:
    store = MemoryStore()
    run(b"\n".join([a_bounce(), b"{oops", a_bounce(recipients=[BOB])]), store=store)
    assert item(store).verdict.suppressed
    assert item(store, BOB_KEY).verdict.suppressed


def test_a_record_whose_type_is_new_suppresses_nobody() -> None:
    store = MemoryStore()
    tally = run(dumped({"eventType": "Novel", "mail": {"destination": [ADA]}}), store=store)
    assert (tally.events, item(store)) == ({"unknown": 1}, NO_ITEM)
