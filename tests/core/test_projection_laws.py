"""Whatever happens on the way, the table ends up the same, byte for byte; and nothing is ever lost."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from random import Random

from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.address import Address
from pipeline.batch import StreamRecord, quarantine_reason
from pipeline.decode import decode
from pipeline.errors import PartialBatchFailure, Unavailable
from pipeline.event import Event
from pipeline.memory import MemoryArchive, MemoryQuarantine, MemoryStore
from pipeline.policy import DEFAULT_POLICY
from pipeline.projection import project
from pipeline.replay import replay, store_digest
from pipeline.row import row_facts, to_row
from pipeline.standing import Key, facts_json
from tests.support.builders import ADA, BOB, a_bounce
from tests.support.flaky import Mishap, Script, UnsteadyQuarantine, UnsteadyStore
from tests.support.strategies import CARRIERS, records

ARRIVED_AT = datetime(2026, 3, 1, tzinfo=UTC)
State = dict[Key, bytes]

streams = st.lists(records, max_size=8)
randoms = st.randoms(use_true_random=False)
mishaps = st.lists(st.sampled_from(Mishap), max_size=25)
restarts = st.lists(st.booleans(), max_size=10)


def stream(payloads: Sequence[bytes]) -> list[StreamRecord]:
    return [StreamRecord(payload=payload, position=str(n)) for n, payload in enumerate(payloads)]


def state(store: MemoryStore) -> State:
    return {key: facts_json(item.standing) for key, item in store.scan()}


def projected(payloads: Sequence[bytes]) -> MemoryStore:
    store = MemoryStore()
    project(stream(payloads), store=store, quarantine=MemoryQuarantine(), policy=DEFAULT_POLICY)
    return store


def persist(
    batch: Sequence[StreamRecord], store: UnsteadyStore, quarantine: UnsteadyQuarantine, from_start: Iterable[bool]
) -> None:
    """Project as a consumer does: after an outage go on at the first that is not done, or at the very start."""
    restarts, first = iter(from_start), 0
    while (stopped := stopped_at(batch[first:], store, quarantine)) is not None:
        first = 0 if next(restarts, False) else first + stopped


def stopped_at(batch: Sequence[StreamRecord], store: UnsteadyStore, quarantine: UnsteadyQuarantine) -> int | None:
    try:
        project(batch, store=store, quarantine=quarantine, policy=DEFAULT_POLICY)
    except PartialBatchFailure as stopped:
        return stopped.failed_at
    return None


@given(streams, randoms)
def test_shuffled_repeated_and_split_into_batches_the_state_is_the_same(payloads: list[bytes], random: Random) -> None:
    mixed = random.sample(payloads, len(payloads)) + payloads[:4]
    store, start = MemoryStore(), 0
    while start < len(mixed):
        end = start + random.randint(1, 4)
        project(stream(mixed[start:end]), store=store, quarantine=MemoryQuarantine(), policy=DEFAULT_POLICY)
        start = end
    assert state(projected(payloads)) == state(store)
    assert store_digest(projected(payloads)) == store_digest(store)


@given(streams, mishaps, mishaps, restarts)
def test_crashes_and_conflicts_anywhere_change_nothing(
    payloads: list[bytes], of_store: list[Mishap], of_quarantine: list[Mishap], from_start: list[bool]
) -> None:
    store, quarantine = UnsteadyStore(Script(of_store)), UnsteadyQuarantine(Script(of_quarantine))
    persist(stream(payloads), store, quarantine, from_start)
    assert state(projected(payloads)) == state(store)
    assert store_digest(projected(payloads)) == store_digest(store)


@given(streams, mishaps, restarts)
def test_what_cannot_be_read_is_set_aside_through_crashes_too(
    payloads: list[bytes], of_quarantine: list[Mishap], from_start: list[bool]
) -> None:
    quarantine = UnsteadyQuarantine(Script(of_quarantine))
    persist(stream(payloads), UnsteadyStore(), quarantine, from_start)
    faulty = {
        (str(n), one.raw) for n, payload in enumerate(payloads) for one in decode(payload) if quarantine_reason(one)
    }
    assert faulty == {(held.position, held.payload) for held in quarantine.held}


@given(streams, mishaps, mishaps, restarts)
@example([a_bounce(), a_bounce(recipients=[BOB])], [Mishap.NONE, Mishap.NONE, Mishap.OUTAGE_BEFORE], [], [])
def test_what_the_store_refuses_is_set_aside_through_crashes_too(
    payloads: list[bytes], of_store: list[Mishap], of_quarantine: list[Mishap], from_start: list[bool]
) -> None:
    refused = Key(Address(ADA))
    quarantine = UnsteadyQuarantine(Script(of_quarantine))
    persist(stream(payloads), UnsteadyStore(Script(of_store), refused=[refused]), quarantine, from_start)
    affected = {str(n) for n, payload in enumerate(payloads) if refused in state(projected([payload]))}
    assert affected <= {held.position for held in quarantine.held}


@given(streams, st.data())
def test_a_carrier_changes_no_fact(payloads: list[bytes], data: st.DataObject) -> None:
    sound = [payload for payload in payloads if isinstance(decode(payload)[0], Event)]
    carried = [CARRIERS[data.draw(st.sampled_from(sorted(CARRIERS)))](payload) for payload in sound]
    assert state(projected(sound)) == state(projected(carried))


@given(streams, st.integers(0, 8), randoms)
def test_replay_of_the_log_equals_live(payloads: list[bytes], cut: int, random: Random) -> None:
    archive, store = MemoryArchive(), MemoryStore()
    events = [one for payload in payloads for one in decode(payload) if isinstance(one, Event)]
    rows = [to_row(event, arrived_at=ARRIVED_AT) for event in random.sample(events, len(events))]
    archive.append(rows[:cut])
    archive.append(rows[cut:] + rows[:1])
    replay(archive, store=store, policy=DEFAULT_POLICY)
    live = projected(payloads)
    assert state(live) == state(store)
    assert dict(live.scan()) == dict(store.scan())
    assert store_digest(live) == store_digest(store)


@given(streams, mishaps, restarts)
def test_replay_beside_live_traffic_and_outages_adds_nothing(
    payloads: list[bytes], of_store: list[Mishap], from_start: list[bool]
) -> None:
    archive, store = MemoryArchive(), UnsteadyStore(Script(of_store))
    events = [one for payload in payloads for one in decode(payload) if isinstance(one, Event)]
    archive.append([to_row(event, arrived_at=ARRIVED_AT) for event in events])
    for _ in of_store:
        try:
            replay(archive, store=store, policy=DEFAULT_POLICY)
        except Unavailable:
            continue
    persist(stream(payloads), store, UnsteadyQuarantine(), from_start)
    assert state(projected(payloads)) == state(store)


@given(streams)
def test_a_row_gives_the_same_facts_from_its_columns_as_from_its_raw_text(payloads: list[bytes]) -> None:
    for payload in payloads:
        for event in decode(payload):
            if isinstance(event, Event):
                kept = to_row(event, arrived_at=ARRIVED_AT)
                [again] = decode(kept.raw.encode())
                assert isinstance(again, Event)
                assert list(row_facts(kept)) == list(row_facts(to_row(again, arrived_at=ARRIVED_AT)))
