"""What stands on SES's own list and the table does not suppress becomes decisions, once."""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.account_list import AUTHOR, ImportCounts, ListEntry, ListStatus, compare_list, decision, import_entries
from pipeline.address import Address
from pipeline.batch import StreamRecord
from pipeline.decode import decode
from pipeline.event import Event, EventKind
from pipeline.ingest import Ingestion
from pipeline.memory import MemoryArchive, MemoryQuarantine, MemoryStore
from pipeline.policy import DEFAULT_POLICY, Policy, Reason, SoftRule, Verdict
from pipeline.projection import project
from pipeline.replay import replay, store_digest
from pipeline.row import Row
from pipeline.standing import Key
from tests.support.builders import ADA, BOB, OCCURRED_AT, a_bounce, a_complaint, a_decision, a_soft_bounce
from tests.support.strategies import feedback, moments

EXAMPLE = Path(__file__).parents[2] / "schemas/wire/examples/v1.decision-by-ses-account-list.pass.json"
LATER = OCCURRED_AT + timedelta(days=1)
ADDRESSES = (ADA, ADA.upper(), BOB, "carol@bücher.example", "no address")

entries = st.builds(
    ListEntry,
    address=st.sampled_from(ADDRESSES),
    reason=st.sampled_from(["BOUNCE", "COMPLAINT"]),
    updated_at=moments,
)
lists = st.lists(st.lists(entries, max_size=4), max_size=4)


def an_entry(address: str = ADA, *, reason: str = "BOUNCE", at: datetime = OCCURRED_AT) -> ListEntry:
    return ListEntry(address=address, reason=reason, updated_at=at)


class World:
    """A log and a table, in which these payloads are already."""

    def __init__(self, *known: bytes, policy: Policy = DEFAULT_POLICY) -> None:
        self.archive, self.store, self.quarantine = MemoryArchive(), MemoryStore(), MemoryQuarantine()
        self.policy = policy
        records = [StreamRecord(payload=payload, position="") for payload in known]
        self.ingestion().ingest(records, progress=lambda _: None)

    def ingestion(self) -> Ingestion:
        return Ingestion(
            archive=self.archive,
            store=self.store,
            quarantine=self.quarantine,
            policy=self.policy,
            arrived_at=datetime(2026, 4, 1, tzinfo=UTC),
        )

    def take_in(self, *pages: Sequence[ListEntry]) -> ImportCounts:
        return import_entries(pages, store=self.store, ingestion=self.ingestion())

    def rows(self) -> list[Row]:
        return [row for rows in self.archive.rows() for row in rows]

    def verdict(self, address: str = ADA) -> Verdict:
        key = Key(Address(address))
        return self.store.load([key])[key].verdict


def test_an_entry_becomes_a_decision_as_of_when_ses_put_it_there_spelled_as_ses_does() -> None:
    world = World()
    done = world.take_in([an_entry(ADA.upper())])
    [row] = world.rows()
    assert (row.event_type, row.decision, row.occurred_at) == (EventKind.DECISION, "suppress", OCCURRED_AT)
    assert row.facts[0].spelling == ADA.upper()
    assert all(text in row.raw for text in (f'"author":"{AUTHOR}"', '"reason":"BOUNCE"'))
    verdict = world.verdict()
    assert (verdict.reason, verdict.since, verdict.until) == (Reason.OPERATOR, OCCURRED_AT, None)
    assert (done.listed, done.stands[ListStatus.MISSING], done.written) == ({"bounce": 1}, 1, 1)


def test_it_is_as_the_example_shows_it() -> None:
    """Its id above all: another one would take in the whole list again."""
    entry = an_entry("Ann@example.com", at=datetime(2026, 3, 5, 10, tzinfo=UTC))
    assert json.loads(decision(entry)) == json.loads(EXAMPLE.read_bytes())


def test_its_id_comes_from_the_entry_alone_and_tells_entries_apart() -> None:
    def event_id(entry: ListEntry) -> str:
        [event] = decode(decision(entry))
        assert isinstance(event, Event)
        return event.id

    others = [
        an_entry(),
        an_entry(BOB),
        an_entry(ADA.upper()),
        an_entry(reason="COMPLAINT"),
        an_entry(at=OCCURRED_AT + timedelta(milliseconds=1)),
    ]
    assert decision(an_entry()) == decision(an_entry())
    assert len({event_id(one) for one in others}) == len(others)


@pytest.mark.parametrize("known", [a_bounce(), a_complaint(), a_decision(), a_complaint(recipients=(ADA, BOB))])
def test_what_is_suppressed_by_better_evidence_is_left_as_it_is(known: bytes) -> None:
    world = World(known)
    before = world.verdict()
    done = world.take_in([an_entry(at=LATER)])
    assert (done.stands[ListStatus.SUPPRESSED], done.stands[ListStatus.MISSING], done.written) == (1, 0, 0)
    assert world.verdict() == before
    assert len(world.rows()) == 1


@pytest.mark.parametrize(
    "known",
    [a_soft_bounce(), a_bounce(sub_type="OnAccountSuppressionList"), a_bounce(sub_type="UnsubscribedRecipient")],
)
def test_what_is_known_and_not_suppressed_is_taken_in(known: bytes) -> None:
    """SES's own echo above all: the table then knows the address, and tells senders to send."""
    world = World(known)
    assert not world.verdict().suppressed
    assert world.take_in([an_entry()]).stands[ListStatus.MISSING] == 1
    assert world.verdict().suppressed


def test_what_is_suppressed_for_a_while_is_taken_in_for_good() -> None:
    rule = SoftRule(mails=1, window_seconds=60, expiry_seconds=60)
    world = World(a_soft_bounce(), policy=Policy(soft=rule))
    assert world.verdict().until
    assert world.take_in([an_entry()]).stands[ListStatus.MISSING] == 1
    assert world.verdict().until is None


def test_what_an_operator_released_later_stays_released_and_earlier_does_not() -> None:
    release = a_decision(action="release")
    earlier, later = an_entry(at=OCCURRED_AT - timedelta(seconds=1)), an_entry(at=LATER)
    world = World(release)
    assert world.take_in([earlier]).stands[ListStatus.RELEASED] == 1
    assert (world.verdict().suppressed, len(world.rows())) == (False, 1)
    assert world.take_in([later]).stands[ListStatus.MISSING] == 1
    assert world.verdict().suppressed


def test_a_later_release_lifts_what_was_taken_in() -> None:
    world = World()
    world.take_in([an_entry()])
    record = StreamRecord(payload=a_decision(action="release", at=LATER), position="")
    project([record], store=world.store, quarantine=MemoryQuarantine(), policy=DEFAULT_POLICY)
    assert not world.verdict().suppressed


def test_what_is_no_address_is_counted_and_stops_nothing() -> None:
    world = World()
    done = world.take_in([an_entry("nobody"), an_entry()])
    assert done.stands == {
        ListStatus.MISSING: 1,
        ListStatus.SUPPRESSED: 0,
        ListStatus.RELEASED: 0,
        ListStatus.UNUSABLE: 1,
    }
    assert world.quarantine.held == []


def test_without_a_place_to_take_it_in_all_is_counted_and_nothing_changes() -> None:
    world = World()
    pages = [[an_entry(), an_entry(BOB, reason="COMPLAINT")]]
    done = import_entries(pages, store=world.store, ingestion=None)
    assert (done.listed, done.stands[ListStatus.MISSING], done.written) == ({"bounce": 1, "complaint": 1}, 2, 0)
    assert (world.rows(), list(world.store.scan())) == ([], [])


def test_progress_is_told_after_each_page() -> None:
    world, told = World(), list[int]()
    import_entries(
        [[an_entry()], [], [an_entry(BOB)]],
        store=world.store,
        ingestion=world.ingestion(),
        progress=lambda so_far: told.append(so_far.listed.total()),
    )
    assert told == [1, 1, 2]


def test_after_an_interrupt_a_second_run_takes_in_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.ingest.ROWS_HELD", 1)
    world = World()

    def interrupted() -> Iterator[Sequence[ListEntry]]:
        yield [an_entry()]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_entries(interrupted(), store=world.store, ingestion=world.ingestion())
    done = world.take_in([an_entry()], [an_entry(BOB)])
    assert (done.stands[ListStatus.SUPPRESSED], done.stands[ListStatus.MISSING]) == (1, 1)
    assert len(world.rows()) == 2


@given(st.lists(feedback, max_size=6), lists)
def test_twice_is_once(known: list[bytes], pages: list[list[ListEntry]]) -> None:
    """A second run takes in nothing and leaves log and table as they were; a replay of the log gives that table."""
    world = World(*known)
    world.take_in(*pages)
    rows, digest = len(world.rows()), store_digest(world.store)
    again = world.take_in(*pages)
    assert (again.stands[ListStatus.MISSING], again.written, len(world.rows())) == (0, 0, rows)
    rebuilt = MemoryStore()
    replay(world.archive, store=rebuilt, policy=DEFAULT_POLICY)
    assert store_digest(rebuilt) == store_digest(world.store) == digest


@given(st.lists(feedback, max_size=6), lists)
def test_afterwards_every_entry_is_suppressed_for_good_or_released_later(
    known: list[bytes], pages: list[list[ListEntry]]
) -> None:
    world = World(*known)
    world.take_in(*pages)
    for one in compare_list([entry for page in pages for entry in page], store=world.store):
        assert one.stand is not ListStatus.MISSING
        assert (one.stand is ListStatus.UNUSABLE) == (one.entry.address == "no address")
