"""The projector, fed by a stream: all before the one record that it reports is stored or set aside, none is passed."""

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.aws.lambdas.projector import project_event
from pipeline.batch import BatchReader, StreamRecord
from pipeline.errors import MailfoldError
from pipeline.memory import MemoryQuarantine, MemoryStore
from pipeline.policy import DEFAULT_POLICY
from tests.support.builders import ADA, OCCURRED_AT, a_bounce, a_complaint, a_decision, a_delivery, in_sns
from tests.support.flaky import FlakyQuarantine, permanent_outage
from tests.support.lambda_events import FIRST_SEQUENCE_NUMBER, SHARD, a_kinesis_event, sequence_number
from tests.support.projector_call import PEOPLE, POISON, Flaky, a_bounce_of, addresses, failures


def test_a_batch_that_is_stored_has_no_failures() -> None:
    store = MemoryStore()

    assert failures(a_kinesis_event(*map(a_bounce_of, range(3))), store=store) == []
    assert addresses(store) == PEOPLE[:3]


def test_whatever_carried_it_the_facts_are_stored() -> None:
    store = MemoryStore()
    bare, sns = a_complaint(recipients=[PEOPLE[1]]), in_sns(a_bounce(recipients=[PEOPLE[2]]))
    decision = a_decision(address=PEOPLE[3])

    assert failures(a_kinesis_event(a_bounce_of(0), bare, sns, decision), store=store) == []
    assert addresses(store) == PEOPLE[:4]


def test_an_empty_batch_has_no_failures() -> None:
    assert failures({"Records": []}) == []


# Outages: exactly one failed sequence number.


@pytest.mark.parametrize("saves", range(5))
def test_an_outage_of_the_table_reports_the_first_record_that_is_not_done_and_no_other(saves: int) -> None:
    """All before it is stored; Lambda starts again there."""
    store = Flaky(saves)
    event = a_kinesis_event(*map(a_bounce_of, range(5)))

    assert failures(event, store=store) == [sequence_number(saves)]
    assert addresses(store) == PEOPLE[:saves]


def test_what_a_read_cannot_reach_fails_from_the_start() -> None:
    event = a_kinesis_event(a_delivery(), a_bounce_of(0), a_bounce_of(1))

    assert failures(event, store=Flaky(-1)) == [sequence_number(1)]


def test_records_without_facts_and_poison_before_an_outage_are_done() -> None:
    quarantine = MemoryQuarantine()
    event = a_kinesis_event(a_delivery(), POISON, a_bounce_of(0), a_bounce_of(1), POISON)

    assert failures(event, store=Flaky(1), quarantine=quarantine) == [sequence_number(3)]
    assert [one.payload for one in quarantine.held] == [POISON, POISON]


def test_what_lambda_sends_again_after_an_outage_ends_as_one_go_does() -> None:
    store, one_go = Flaky(2), MemoryStore()
    data = [a_bounce_of(number) for number in (0, 1, 2, 0, 3)]

    event = a_kinesis_event(*data)
    (failed,) = failures(event, store=store)
    store.saves_left = 99
    rest = [one for one in event["Records"] if int(one["kinesis"]["sequenceNumber"]) >= int(failed)]
    assert failures({"Records": rest}, store=store) == []

    failures(a_kinesis_event(*data), store=one_go)
    assert dict(store.scan()) == dict(one_go.scan())


def test_an_outage_of_the_quarantine_reports_the_poison_and_all_before_it_is_stored() -> None:
    store = MemoryStore()
    event = a_kinesis_event(a_bounce_of(0), a_bounce_of(1), POISON, a_bounce_of(2))

    assert failures(event, store=store, quarantine=FlakyQuarantine(permanent_outage())) == [sequence_number(2)]
    assert addresses(store) == PEOPLE[:2]


def test_a_table_of_a_newer_policy_is_an_outage_too() -> None:
    store, newer = MemoryStore(), DEFAULT_POLICY.__replace__(version=2)
    ports: Any = {"store": store, "quarantine": MemoryQuarantine()}
    project_event(a_kinesis_event(a_bounce_of(0)), **ports, policy=newer)
    later = a_bounce(recipients=[PEOPLE[0]], feedback_id="later", at=OCCURRED_AT + timedelta(hours=1))

    assert failures(a_kinesis_event(later), store=store) == [sequence_number(0)]


# Poison: set aside, and passed.


@pytest.mark.parametrize("poison", [POISON, b"\xff\xfe", b"", b'{"eventType":"Bounce","mail":{}}'])
def test_poison_is_set_aside_with_its_bytes_and_its_place_and_passed(poison: bytes) -> None:
    store, quarantine = MemoryStore(), MemoryQuarantine()

    assert failures(a_kinesis_event(a_bounce_of(0), poison, a_bounce_of(1)), store=store, quarantine=quarantine) == []
    assert addresses(store) == PEOPLE[:2]
    (held,) = quarantine.held
    assert held.payload == poison
    assert held.position == f"mailfold-feedback {SHARD} {sequence_number(1)}"


@pytest.mark.parametrize("data", ["no base64!", "YWJj\nYWJj", "é", "YQ"])
def test_data_that_is_no_base64_is_set_aside_as_it_came(data: str) -> None:
    quarantine = MemoryQuarantine()

    assert failures(a_kinesis_event(data), quarantine=quarantine) == []
    (held,) = quarantine.held
    assert held.reason == "kinesis: its data is not base64"
    assert json.loads(held.payload) == {"Data": data}


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Let any batch with a record "broken" in it trip over an error of ours; return the sizes of the batches tried."""
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
def test_a_record_that_trips_an_error_of_ours_is_set_aside_and_the_others_are_stored(
    broken: list[int], places: list[int]
) -> None:
    """Found by halving: not one by one, which for a large batch would take longer than a Lambda may."""
    store, quarantine = MemoryStore(), MemoryQuarantine()
    data = [b"broken" if number in places else a_bounce_of(number % 6) for number in range(100)]

    assert failures(a_kinesis_event(*data), store=store, quarantine=quarantine) == []
    assert addresses(store) == PEOPLE
    assert [held.position.rpartition(" ")[2] for held in quarantine.held] == [sequence_number(n) for n in places]
    assert {held.payload for held in quarantine.held} == {b"broken"}
    assert all("ZeroDivisionError" in held.reason and ADA not in held.reason for held in quarantine.held)
    assert len(broken) <= 1 + 2 * 7 * len(places)


def test_an_outage_while_looking_for_such_a_record_reports_the_first_that_is_not_done(broken: list[int]) -> None:
    store = Flaky(2)
    data = [a_bounce_of(0), a_bounce_of(1), a_bounce_of(2), b"broken", a_bounce_of(3)]

    assert failures(a_kinesis_event(*data), store=store) == [sequence_number(2)]
    assert addresses(store) == PEOPLE[:2]


def test_such_a_record_waits_for_a_quarantine_that_is_away(broken: list[int]) -> None:
    store = MemoryStore()
    data = [a_bounce_of(0), b"broken", a_bounce_of(1)]

    assert failures(a_kinesis_event(*data), store=store, quarantine=FlakyQuarantine(permanent_outage())) == [
        sequence_number(1)
    ]
    assert addresses(store) == PEOPLE[:1]


@given(st.lists(st.sampled_from([*map(a_bounce_of, range(3)), POISON, a_delivery()])), st.integers(0, 4))
def test_with_any_batch_and_any_outage_what_is_before_the_failure_is_done(payloads: list[bytes], saves: int) -> None:
    store, quarantine, expected = Flaky(saves), MemoryQuarantine(), MemoryStore()
    failed = failures(a_kinesis_event(*payloads), store=store, quarantine=quarantine)

    assert len(failed) <= 1
    done = (int(failed[0]) - FIRST_SEQUENCE_NUMBER) // 7 if failed else len(payloads)
    failures(a_kinesis_event(*payloads[:done]), store=expected)
    assert dict(expected.scan()).items() <= dict(store.scan()).items()
    poison = [sequence_number(n) for n, payload in enumerate(payloads[:done]) if payload == POISON]
    assert {held.position.rpartition(" ")[2] for held in quarantine.held} >= set(poison)
