"""The projector, invoked by a stream: every record before the one that it reports is stored or quarantined."""

import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.aws.lambdas.projector import project_event
from pipeline.batch import BatchReader, StreamRecord
from pipeline.errors import AccessDenied, MailfoldError, NotFound
from pipeline.memory import MemoryQuarantine, MemoryStore
from pipeline.policy import DEFAULT_POLICY
from pipeline.projection import BatchProjector
from tests.support.builders import ADA, OCCURRED_AT, a_bounce, a_complaint, a_decision, a_delivery, in_sns
from tests.support.flaky import FlakyQuarantine, permanent_outage
from tests.support.lambda_events import FIRST_SEQUENCE_NUMBER, SHARD, a_kinesis_event, sequence_number
from tests.support.projector_call import PEOPLE, POISON, LimitedStore, a_bounce_of, run_projector, suppressed_addresses


def test_a_stored_batch_has_no_failures() -> None:
    """The response reports no record, and the table has all facts."""
    store = MemoryStore()

    assert run_projector(a_kinesis_event(*map(a_bounce_of, range(3))), store=store) == []
    assert suppressed_addresses(store) == PEOPLE[:3]


def test_facts_are_stored_from_any_envelope() -> None:
    """Bare records, SNS's and EventBridge's envelopes, and decisions may come together."""
    store = MemoryStore()
    bare, sns = a_complaint(recipients=[PEOPLE[1]]), in_sns(a_bounce(recipients=[PEOPLE[2]]))
    decision = a_decision(address=PEOPLE[3])

    assert run_projector(a_kinesis_event(a_bounce_of(0), bare, sns, decision), store=store) == []
    assert suppressed_addresses(store) == PEOPLE[:4]


def test_an_empty_batch_has_no_failures() -> None:
    """Lambda may invoke a function without records, as in a test of its console."""
    assert run_projector({"Records": []}) == []


# Outages: exactly one failed sequence number.


@pytest.mark.parametrize("saves", range(5))
def test_a_table_outage_reports_only_the_first_record_not_done(saves: int) -> None:
    """All before it is stored; Lambda starts again there."""
    store = LimitedStore(saves)
    event = a_kinesis_event(*map(a_bounce_of, range(5)))

    assert run_projector(event, store=store) == [sequence_number(saves)]
    assert suppressed_addresses(store) == PEOPLE[:saves]


@pytest.mark.parametrize("error", [AccessDenied("AWS denies it"), NotFound("no table")])
def test_a_denied_or_missing_table_stops_the_batch(error: MailfoldError) -> None:
    """These errors are no poison: the record is reported, and nothing is quarantined."""
    quarantine = MemoryQuarantine()
    event = a_kinesis_event(*map(a_bounce_of, range(3)))

    assert run_projector(event, store=LimitedStore(1, error), quarantine=quarantine) == [sequence_number(1)]
    assert quarantine.held == []


def test_a_table_that_cannot_be_read_fails_its_first_record() -> None:
    """Records without facts before it need no table."""
    event = a_kinesis_event(a_delivery(), a_bounce_of(0), a_bounce_of(1))

    assert run_projector(event, store=LimitedStore(-1)) == [sequence_number(1)]


def test_other_records_before_an_outage_are_done() -> None:
    """Records without facts pass, and poison of the whole batch is quarantined."""
    quarantine = MemoryQuarantine()
    event = a_kinesis_event(a_delivery(), POISON, a_bounce_of(0), a_bounce_of(1), POISON)

    assert run_projector(event, store=LimitedStore(1), quarantine=quarantine) == [sequence_number(3)]
    assert [held.payload for held in quarantine.held] == [POISON, POISON]


def test_a_retry_after_an_outage_ends_as_without_one() -> None:
    """Lambda sends the reported record and all after it again."""
    store, store_without_outage = LimitedStore(2), MemoryStore()
    data = [a_bounce_of(number) for number in (0, 1, 2, 0, 3)]

    event = a_kinesis_event(*data)
    (failed,) = run_projector(event, store=store)
    store.saves_left = 99
    rest = [record for record in event["Records"] if int(record["kinesis"]["sequenceNumber"]) >= int(failed)]
    assert run_projector({"Records": rest}, store=store) == []

    run_projector(a_kinesis_event(*data), store=store_without_outage)
    assert dict(store.scan()) == dict(store_without_outage.scan())


def test_a_quarantine_outage_reports_the_poison() -> None:
    """All records before it are stored."""
    store = MemoryStore()
    event = a_kinesis_event(a_bounce_of(0), a_bounce_of(1), POISON, a_bounce_of(2))

    assert run_projector(event, store=store, quarantine=FlakyQuarantine(permanent_outage())) == [sequence_number(2)]
    assert suppressed_addresses(store) == PEOPLE[:2]


def test_a_table_of_a_newer_policy_is_an_outage() -> None:
    """An older projector must not restore old verdicts, so its records wait for the newer one."""
    store, newer = MemoryStore(), DEFAULT_POLICY.__replace__(version=2)
    projector = BatchProjector(store=store, quarantine=MemoryQuarantine(), policy=newer)
    project_event(a_kinesis_event(a_bounce_of(0)), projector=projector)
    later = a_bounce(recipients=[PEOPLE[0]], feedback_id="later", at=OCCURRED_AT + timedelta(hours=1))

    assert run_projector(a_kinesis_event(later), store=store) == [sequence_number(0)]


# Poison: quarantined, and passed.


@pytest.mark.parametrize("poison", [POISON, b"\xff\xfe", b"", b'{"eventType":"Bounce","mail":{}}'])
def test_poison_is_quarantined_with_bytes_and_position(poison: bytes) -> None:
    """The other records of the batch are stored."""
    store, quarantine = MemoryStore(), MemoryQuarantine()

    assert (
        run_projector(a_kinesis_event(a_bounce_of(0), poison, a_bounce_of(1)), store=store, quarantine=quarantine) == []
    )
    assert suppressed_addresses(store) == PEOPLE[:2]
    (held,) = quarantine.held
    assert held.payload == poison
    assert held.position == f"mailfold-feedback {SHARD} {sequence_number(1)}"


@pytest.mark.parametrize("data", ["no base64!", "YWJj\nYWJj", "é", "YQ"])
def test_data_that_is_not_base64_is_quarantined_unchanged(data: str) -> None:
    """It is kept inside its envelope, so that ingesting reports the same reason."""
    quarantine = MemoryQuarantine()

    assert run_projector(a_kinesis_event(data), quarantine=quarantine) == []
    (held,) = quarantine.held
    assert held.reason == "kinesis: its data is not base64"
    assert json.loads(held.payload) == {"Data": data}


@pytest.fixture
def batch_sizes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Make projecting any batch with a record "broken" raise; return the sizes of the projected batches."""
    sizes: list[int] = []
    read_batch = BatchReader.read

    def read(reader: BatchReader, batch: list[StreamRecord]) -> MailfoldError | None:
        sizes.append(len(batch))
        if any(record.payload == b"broken" for record in batch):
            raise ZeroDivisionError(ADA)
        return read_batch(reader, batch)

    monkeypatch.setattr(BatchReader, "read", read)
    return sizes


@pytest.mark.parametrize("places", [[0], [3], [99], [0, 50], list(range(40, 44))])
def test_a_record_that_raises_is_found_by_bisecting(batch_sizes: list[int], places: list[int]) -> None:
    """It is quarantined and the others are stored. One by one, a large batch would exceed a Lambda's time-out."""
    store, quarantine = MemoryStore(), MemoryQuarantine()
    data = [b"broken" if number in places else a_bounce_of(number % 6) for number in range(100)]

    assert run_projector(a_kinesis_event(*data), store=store, quarantine=quarantine) == []
    assert suppressed_addresses(store) == PEOPLE
    assert [held.position.rpartition(" ")[2] for held in quarantine.held] == [sequence_number(n) for n in places]
    assert {held.payload for held in quarantine.held} == {b"broken"}
    assert all("ZeroDivisionError" in held.reason and ADA not in held.reason for held in quarantine.held)
    assert len(batch_sizes) <= 1 + (2 * 7 + 1) * len(places)  # a lone record is tried again


def test_an_outage_while_bisecting_reports_the_first_record_not_done(batch_sizes: list[int]) -> None:
    """All records before it are stored."""
    store = LimitedStore(2)
    data = [a_bounce_of(0), a_bounce_of(1), a_bounce_of(2), b"broken", a_bounce_of(3)]

    assert run_projector(a_kinesis_event(*data), store=store) == [sequence_number(2)]
    assert suppressed_addresses(store) == PEOPLE[:2]


def test_a_record_that_raises_waits_for_the_quarantine(batch_sizes: list[int]) -> None:
    """While the quarantine is unavailable, it is reported like any other poison."""
    store = MemoryStore()
    data = [a_bounce_of(0), b"broken", a_bounce_of(1)]

    assert run_projector(a_kinesis_event(*data), store=store, quarantine=FlakyQuarantine(permanent_outage())) == [
        sequence_number(1)
    ]
    assert suppressed_addresses(store) == PEOPLE[:1]


@given(st.lists(st.sampled_from([*map(a_bounce_of, range(3)), POISON, a_delivery()])), st.integers(0, 4))
def test_records_before_the_failure_are_done(payloads: list[bytes], saves: int) -> None:
    """For any batch and any outage, the table has the facts before the failure, and the quarantine the poison."""
    store, quarantine, expected = LimitedStore(saves), MemoryQuarantine(), MemoryStore()
    failed = run_projector(a_kinesis_event(*payloads), store=store, quarantine=quarantine)

    assert len(failed) <= 1
    end = (int(failed[0]) - FIRST_SEQUENCE_NUMBER) // 7 if failed else len(payloads)
    run_projector(a_kinesis_event(*payloads[:end]), store=expected)
    assert dict(expected.scan()).items() <= dict(store.scan()).items()
    poison = [sequence_number(n) for n, payload in enumerate(payloads[:end]) if payload == POISON]
    assert {held.position.rpartition(" ")[2] for held in quarantine.held} >= set(poison)
