"""Tests of `pipeline.account_list`: entries that the table does not suppress become decisions, once."""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.account_list import AUTHOR, ImportCounts, ListEntry, ListStatus, compare_list, decision, import_entries
from pipeline.address import Address
from pipeline.decode import decode
from pipeline.event import Event, EventKind
from pipeline.ingest import Ingestion
from pipeline.memory import MemoryArchive, MemoryQuarantine, MemoryStore
from pipeline.policy import DEFAULT_POLICY, Policy, SoftRule
from pipeline.pseudonym import KEY_BYTES, pseudonym
from pipeline.replay import replay, store_digest
from pipeline.row import Row
from pipeline.standing import EVERY_SCOPE, Key
from pipeline.verdict import Reason, Verdict
from tests.support.builders import ADA, BOB, OCCURRED_AT, a_bounce, a_complaint, a_decision, a_soft_bounce
from tests.support.scenario import a_batch, project
from tests.support.strategies import feedback, moments

EXAMPLE = Path(__file__).parents[2] / "schemas/wire/examples/v1.decision-by-ses-account-list.pass.json"
LATER = OCCURRED_AT + timedelta(days=1)
ADDRESSES = (ADA, ADA.upper(), BOB, "carol@bücher.example", "no address")

entries = st.builds(
    ListEntry,
    address=st.sampled_from(ADDRESSES),
    reason=st.sampled_from(["BOUNCE", "COMPLAINT"]),
    updated_at=moments,
    scope=st.sampled_from([EVERY_SCOPE, "acme"]),
)
lists = st.lists(st.lists(entries, max_size=4), max_size=4)


def an_entry(
    address: str = ADA, *, reason: str = "BOUNCE", at: datetime = OCCURRED_AT, scope: str = EVERY_SCOPE
) -> ListEntry:
    return ListEntry(address=address, reason=reason, updated_at=at, scope=scope)


class Scenario:
    """A log and a table that contain some payloads."""

    def __init__(self, *payloads: bytes, policy: Policy = DEFAULT_POLICY) -> None:
        self.archive, self.store, self.quarantine = MemoryArchive(), MemoryStore(), MemoryQuarantine()
        self.policy = policy
        self.ingestion().ingest(a_batch(*payloads), progress=lambda _: None)

    def ingestion(self) -> Ingestion:
        return Ingestion(
            archive=self.archive,
            store=self.store,
            quarantine=self.quarantine,
            policy=self.policy,
            arrived_at=datetime(2026, 4, 1, tzinfo=UTC),
        )

    def import_pages(self, *pages: Sequence[ListEntry]) -> ImportCounts:
        return import_entries(pages, store=self.store, ingestion=self.ingestion())

    def rows(self) -> list[Row]:
        return [row for rows in self.archive.rows() for row in rows]

    def verdict(self, address: str = ADA, *, scope: str = EVERY_SCOPE) -> Verdict:
        key = Key(Address(address), scope)
        return self.store.load([key])[key].verdict


def test_an_entry_becomes_a_decision() -> None:
    """The decision has the time, the spelling and the reason of the entry."""
    scenario = Scenario()
    counts = scenario.import_pages([an_entry(ADA.upper())])
    [row] = scenario.rows()
    assert (row.event_type, row.decision, row.occurred_at) == (EventKind.DECISION, "suppress", OCCURRED_AT)
    assert row.facts[0].spelling == ADA.upper()
    assert all(text in row.raw for text in (f'"author":"{AUTHOR}"', '"reason":"BOUNCE"'))
    verdict = scenario.verdict()
    assert (verdict.reason, verdict.since, verdict.until) == (Reason.OPERATOR, OCCURRED_AT, None)
    assert (counts.listed, counts.statuses[ListStatus.MISSING], counts.written) == ({"bounce": 1}, 1, 1)


def test_the_decision_equals_the_example() -> None:
    """Another id would import the whole list again."""
    entry = an_entry("Ann@example.com", at=datetime(2026, 3, 5, 10, tzinfo=UTC))
    assert json.loads(decision(entry)) == json.loads(EXAMPLE.read_bytes())


def test_the_id_of_a_decision_identifies_its_entry() -> None:
    """Address, case, reason and time each change it; reading again does not."""

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
        an_entry(scope="acme"),
        an_entry(scope="best"),
    ]
    assert decision(an_entry()) == decision(an_entry())
    assert len({event_id(payload) for payload in others}) == len(others)


@pytest.mark.parametrize("payload", [a_bounce(), a_complaint(), a_decision(), a_complaint(recipients=(ADA, BOB))])
def test_a_suppressed_entry_is_not_imported(payload: bytes) -> None:
    """Better evidence in the table stays the reason of its verdict."""
    scenario = Scenario(payload)
    before = scenario.verdict()
    counts = scenario.import_pages([an_entry(at=LATER)])
    assert (counts.statuses[ListStatus.SUPPRESSED], counts.statuses[ListStatus.MISSING], counts.written) == (1, 0, 0)
    assert scenario.verdict() == before
    assert len(scenario.rows()) == 1


@pytest.mark.parametrize(
    "payload",
    [a_soft_bounce(), a_bounce(sub_type="OnAccountSuppressionList"), a_bounce(sub_type="UnsubscribedRecipient")],
)
def test_an_entry_with_other_facts_is_imported(payload: bytes) -> None:
    """The table may contain the echo of the list, which does not suppress."""
    scenario = Scenario(payload)
    assert not scenario.verdict().suppressed
    assert scenario.import_pages([an_entry()]).statuses[ListStatus.MISSING] == 1
    assert scenario.verdict().suppressed


def test_a_temporarily_suppressed_entry_is_imported() -> None:
    """The suppression is permanent afterwards."""
    rule = SoftRule(mails=1, window_seconds=60, expiry_seconds=60)
    scenario = Scenario(a_soft_bounce(), policy=Policy(soft=rule))
    assert scenario.verdict().until
    assert scenario.import_pages([an_entry()]).statuses[ListStatus.MISSING] == 1
    assert scenario.verdict().until is None


def test_only_a_later_release_prevents_an_import() -> None:
    """An entry that is newer than the release suppresses again."""
    release = a_decision(action="release")
    earlier, later = an_entry(at=OCCURRED_AT - timedelta(seconds=1)), an_entry(at=LATER)
    scenario = Scenario(release)
    assert scenario.import_pages([earlier]).statuses[ListStatus.RELEASED] == 1
    assert (scenario.verdict().suppressed, len(scenario.rows())) == (False, 1)
    assert scenario.import_pages([later]).statuses[ListStatus.MISSING] == 1
    assert scenario.verdict().suppressed


def test_a_release_lifts_an_imported_entry() -> None:
    """An imported decision is an operator's decision like any other."""
    scenario = Scenario()
    scenario.import_pages([an_entry()])
    project(a_batch(a_decision(action="release", at=LATER)), store=scenario.store)
    assert not scenario.verdict().suppressed


def test_a_tenants_entry_suppresses_in_its_scope() -> None:
    """The account's mail and that of other tenants is not concerned, and the counts tell the lists apart."""
    scenario = Scenario()
    counts = scenario.import_pages([an_entry(scope="acme"), an_entry(BOB)])
    assert (scenario.verdict(scope="acme").reason, scenario.verdict().suppressed) == (Reason.OPERATOR, False)
    assert {scope: statuses[ListStatus.MISSING] for scope, statuses in counts.lists.items()} == {"acme": 1, "*": 1}
    assert scenario.import_pages([an_entry(scope="acme"), an_entry(BOB)]).written == 0


@pytest.mark.parametrize("scope", [EVERY_SCOPE, "acme"])
def test_an_erased_person_is_not_imported(scope: str) -> None:
    """SES's list may still have the address; with the key, what is known is found under the hash."""
    key = bytes(KEY_BYTES)
    scenario = Scenario(a_bounce(recipients=[pseudonym(Address(ADA), key=key)]))
    entry = an_entry(scope=scope)

    [with_key], [without] = (compare_list([entry], store=scenario.store, erasure_key=each) for each in (key, None))

    assert (with_key.status, without.status) == (ListStatus.ERASED, ListStatus.MISSING)


def test_what_every_scope_suppresses_is_not_imported_for_a_tenant() -> None:
    """A tenant's bounce lies in every scope, with better evidence than its own list has."""
    scenario = Scenario(a_bounce(tags={"ses:tenant-name": ["acme"]}))
    assert scenario.import_pages([an_entry(scope="acme")]).statuses[ListStatus.SUPPRESSED] == 1


def test_a_release_in_every_scope_does_not_release_a_tenants_entry() -> None:
    """A release in the tenant's scope does."""
    release = a_decision(action="release", at=LATER)
    assert Scenario(release).import_pages([an_entry(scope="acme")]).statuses[ListStatus.MISSING] == 1
    release = a_decision(action="release", at=LATER, scope="acme")
    assert Scenario(release).import_pages([an_entry(scope="acme")]).statuses[ListStatus.RELEASED] == 1


def test_an_unusable_entry_is_counted_and_stops_nothing() -> None:
    """The entry beside it is imported, and nothing is quarantined."""
    scenario = Scenario()
    counts = scenario.import_pages([an_entry("no-address"), an_entry()])
    assert counts.statuses == {
        ListStatus.MISSING: 1,
        ListStatus.SUPPRESSED: 0,
        ListStatus.RELEASED: 0,
        ListStatus.UNUSABLE: 1,
        ListStatus.ERASED: 0,
    }
    assert scenario.quarantine.held == []


def test_without_an_ingestion_entries_are_only_counted() -> None:
    """Neither the log nor the table changes."""
    scenario = Scenario()
    pages = [[an_entry(), an_entry(BOB, reason="COMPLAINT")]]
    counts = import_entries(pages, store=scenario.store, ingestion=None)
    assert (counts.listed, counts.statuses[ListStatus.MISSING], counts.written) == ({"bounce": 1, "complaint": 1}, 2, 0)
    assert (scenario.rows(), list(scenario.store.scan())) == ([], [])


def test_progress_is_reported_after_each_page() -> None:
    """An empty page reports too."""
    scenario, listed = Scenario(), list[int]()
    import_entries(
        [[an_entry()], [], [an_entry(BOB)]],
        store=scenario.store,
        ingestion=scenario.ingestion(),
        progress=lambda counts: listed.append(counts.listed.total()),
    )
    assert listed == [1, 1, 2]


def test_an_interrupted_import_can_be_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second run imports only the entries that the first one did not."""
    monkeypatch.setattr("pipeline.ingest.ROWS_HELD", 1)
    scenario = Scenario()

    def interrupted() -> Iterator[Sequence[ListEntry]]:
        yield [an_entry()]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_entries(interrupted(), store=scenario.store, ingestion=scenario.ingestion())
    counts = scenario.import_pages([an_entry()], [an_entry(BOB)])
    assert (counts.statuses[ListStatus.SUPPRESSED], counts.statuses[ListStatus.MISSING]) == (1, 1)
    assert len(scenario.rows()) == 2


@given(st.lists(feedback, max_size=6), lists)
def test_a_second_import_changes_nothing(payloads: list[bytes], pages: list[list[ListEntry]]) -> None:
    """It writes neither log nor table, and a replay of the log rebuilds the table."""
    scenario = Scenario(*payloads)
    scenario.import_pages(*pages)
    rows, digest = len(scenario.rows()), store_digest(scenario.store)
    again = scenario.import_pages(*pages)
    assert (again.statuses[ListStatus.MISSING], again.written, len(scenario.rows())) == (0, 0, rows)
    rebuilt = MemoryStore()
    replay(scenario.archive, store=rebuilt, policy=DEFAULT_POLICY)
    assert store_digest(rebuilt) == store_digest(scenario.store) == digest


@given(st.lists(feedback, max_size=6), lists)
def test_no_entry_is_missing_after_an_import(payloads: list[bytes], pages: list[list[ListEntry]]) -> None:
    """Every usable entry is permanently suppressed, or released later."""
    scenario = Scenario(*payloads)
    scenario.import_pages(*pages)
    for comparison in compare_list([entry for page in pages for entry in page], store=scenario.store):
        assert comparison.status is not ListStatus.MISSING
        assert (comparison.status is ListStatus.UNUSABLE) == (comparison.entry.address == "no address")
