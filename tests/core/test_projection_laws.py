"""Laws of the projection: order, repeats and failures do not change the table, and nothing is lost."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from random import Random

from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.address import Address
from pipeline.batch import Counts, StreamRecord, quarantine_reason
from pipeline.decode import decode
from pipeline.errors import STOPS_BATCH
from pipeline.event import DECISION_ENVELOPES, Event, EventKind
from pipeline.memory import MemoryArchive, MemoryStore
from pipeline.policy import DEFAULT_POLICY
from pipeline.replay import replay, store_digest
from pipeline.row import row_facts, to_row
from pipeline.standing import Key, facts_json
from tests.support.builders import ADA, BOB, a_bounce
from tests.support.flaky import Failure, FlakyQuarantine, FlakyStore, Script
from tests.support.scenario import a_batch, project
from tests.support.strategies import ENVELOPES, records

ARRIVED_AT = datetime(2026, 3, 1, tzinfo=UTC)
State = dict[Key, bytes]

streams = st.lists(records, max_size=8)
randoms = st.randoms(use_true_random=False)
failures = st.lists(st.sampled_from(Failure), max_size=25)
restarts = st.lists(st.booleans(), max_size=10)


def state(store: MemoryStore) -> State:
    return {key: facts_json(item.standing) for key, item in store.scan()}


def projected(payloads: Sequence[bytes]) -> MemoryStore:
    store = MemoryStore()
    assert project(a_batch(*payloads), store=store).cause is None
    return store


def persist(
    batch: Sequence[StreamRecord],
    store: FlakyStore,
    quarantine: FlakyQuarantine,
    from_start: Iterable[bool] = (),
) -> Counts:
    """Project as a consumer does, and return all counts: after a stop go on at `failed_at`, or at the very start."""
    restarts, first, counts = iter(from_start), 0, Counts()
    while True:
        result = project(batch[first:], store=store, quarantine=quarantine)
        counts += result.counts
        if result.failed_at is None:
            return counts
        first = 0 if next(restarts, False) else first + result.failed_at


@given(streams, randoms)
def test_order_repeats_and_batches_do_not_change_the_table(payloads: list[bytes], random: Random) -> None:
    """Facts and digest are those of one pass."""
    mixed = random.sample(payloads, len(payloads)) + payloads[:4]
    store, start = MemoryStore(), 0
    while start < len(mixed):
        end = start + random.randint(1, 4)
        project(a_batch(*mixed[start:end]), store=store)
        start = end
    assert state(projected(payloads)) == state(store)
    assert store_digest(projected(payloads)) == store_digest(store)


@given(streams, failures, failures, restarts)
def test_failures_do_not_change_the_table(
    payloads: list[bytes], of_store: list[Failure], of_quarantine: list[Failure], from_start: list[bool]
) -> None:
    """Outages, denials and conflicts anywhere lose nothing once the batch is repeated."""
    store, quarantine = FlakyStore(Script(of_store)), FlakyQuarantine(Script(of_quarantine))
    persist(a_batch(*payloads), store, quarantine, from_start)
    assert state(projected(payloads)) == state(store)
    assert store_digest(projected(payloads)) == store_digest(store)


@given(streams, failures, failures)
def test_failures_change_no_counts_of_the_records(
    payloads: list[bytes], of_store: list[Failure], of_quarantine: list[Failure]
) -> None:
    """However often a batch stops, each record is counted once."""
    batch = a_batch(*payloads)
    counts = persist(batch, FlakyStore(Script(of_store)), FlakyQuarantine(Script(of_quarantine)))
    expected = project(batch, store=MemoryStore()).counts
    assert (counts.events, counts.ignored, counts.quarantined, counts.facts) == (
        expected.events,
        expected.ignored,
        expected.quarantined,
        expected.facts,
    )


@given(streams, failures, restarts)
def test_failures_lose_no_poison(payloads: list[bytes], of_quarantine: list[Failure], from_start: list[bool]) -> None:
    """Every faulty record is in the quarantine in the end."""
    quarantine = FlakyQuarantine(Script(of_quarantine))
    persist(a_batch(*payloads), FlakyStore(), quarantine, from_start)
    faulty = {
        (str(n), outcome.raw)
        for n, payload in enumerate(payloads)
        for outcome in decode(payload)
        if quarantine_reason(outcome)
    }
    assert faulty == {(held.position, held.payload) for held in quarantine.held}


@given(streams, failures, failures, restarts)
@example([a_bounce(), a_bounce(recipients=[BOB])], [Failure.NONE, Failure.NONE, Failure.OUTAGE_BEFORE], [], [])
def test_failures_lose_no_rejected_record(
    payloads: list[bytes], of_store: list[Failure], of_quarantine: list[Failure], from_start: list[bool]
) -> None:
    """Every record about a rejected item is in the quarantine in the end."""
    rejected = Key(Address(ADA))
    quarantine = FlakyQuarantine(Script(of_quarantine))
    persist(a_batch(*payloads), FlakyStore(Script(of_store), rejected=[rejected]), quarantine, from_start)
    affected = {str(n) for n, payload in enumerate(payloads) if rejected in state(projected([payload]))}
    assert affected <= {held.position for held in quarantine.held}


def envelopes_of(payload: bytes) -> list[str]:
    """Return the envelopes that a payload is read in: a decision only in those of its author."""
    [outcome] = decode(payload)
    is_decision = isinstance(outcome, Event) and outcome.kind is EventKind.DECISION
    return sorted(DECISION_ENVELOPES if is_decision else ENVELOPES)


@given(streams, st.data())
def test_an_envelope_changes_no_fact(payloads: list[bytes], data: st.DataObject) -> None:
    """The table is the same with and without envelopes."""
    sound = [payload for payload in payloads if isinstance(decode(payload)[0], Event)]
    wrapped = [ENVELOPES[data.draw(st.sampled_from(envelopes_of(payload)))](payload) for payload in sound]
    assert state(projected(sound)) == state(projected(wrapped))


@given(streams, st.integers(0, 8), randoms)
def test_replay_of_the_log_equals_live(payloads: list[bytes], cut: int, random: Random) -> None:
    """Archived rows in any order rebuild the table that live traffic made."""
    archive, store = MemoryArchive(), MemoryStore()
    events = [outcome for payload in payloads for outcome in decode(payload) if isinstance(outcome, Event)]
    rows = [to_row(event, arrived_at=ARRIVED_AT) for event in random.sample(events, len(events))]
    archive.append(rows[:cut])
    archive.append(rows[cut:] + rows[:1])
    replay(archive, store=store, policy=DEFAULT_POLICY)
    live = projected(payloads)
    assert state(live) == state(store)
    assert dict(live.scan()) == dict(store.scan())
    assert store_digest(live) == store_digest(store)


@given(streams, failures, restarts)
def test_replay_beside_live_traffic_adds_nothing(
    payloads: list[bytes], of_store: list[Failure], from_start: list[bool]
) -> None:
    """Live traffic and interrupted replays into one table have the result of live traffic."""
    archive, store = MemoryArchive(), FlakyStore(Script(of_store))
    events = [outcome for payload in payloads for outcome in decode(payload) if isinstance(outcome, Event)]
    archive.append([to_row(event, arrived_at=ARRIVED_AT) for event in events])
    for _ in of_store:
        try:
            replay(archive, store=store, policy=DEFAULT_POLICY)
        except (*STOPS_BATCH, MemoryError):
            continue
    persist(a_batch(*payloads), store, FlakyQuarantine(), from_start)
    assert state(projected(payloads)) == state(store)


@given(streams)
def test_columns_and_raw_text_of_a_row_have_the_same_facts(payloads: list[bytes]) -> None:
    """A replay may use either."""
    for payload in payloads:
        for event in decode(payload):
            if isinstance(event, Event):
                row = to_row(event, arrived_at=ARRIVED_AT)
                [again] = decode(row.raw.encode())
                assert isinstance(again, Event)
                assert list(row_facts(row)) == list(row_facts(to_row(again, arrived_at=ARRIVED_AT)))
