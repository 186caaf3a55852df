"""Tests of `pipeline.batch`: facts are collected by key, and poison is quarantined."""

from collections import Counter

import pytest

from pipeline.address import Address
from pipeline.batch import BatchReader, Counts
from pipeline.errors import AccessDenied, NotFound, QuarantineUnavailable
from pipeline.memory import MemoryQuarantine
from pipeline.ports import Quarantined
from pipeline.standing import Key
from tests.support.builders import ADA, BOB, a_bounce, a_complaint, a_delivery, a_send, in_sns
from tests.support.scenario import Scenario, a_batch

ADA_KEY, BOB_KEY = Key(Address(ADA)), Key(Address(BOB))


def test_counts_of_two_batches_add_up() -> None:
    """Every count is the sum, and events are added by kind."""
    names = [name for name in Counts.__struct_fields__ if name != "events"]
    first = Counts(events=Counter(send=1), **dict.fromkeys(names, 3))
    other = Counts(events=Counter(send=2, bounce=1), **dict.fromkeys(names, 4))
    expected = Counts(events=Counter(send=3, bounce=1), **dict.fromkeys(names, 7))
    assert first + other == expected


def test_the_reader_knows_the_records_of_a_key() -> None:
    """The indexes ascend, so that the first record that a failure affects is the first of them."""
    reader = BatchReader(MemoryQuarantine())
    assert reader.end == 0
    assert reader.read(a_batch(a_send(), a_bounce(), a_bounce(recipients=[BOB]), a_complaint())) is None
    assert set(reader.changes()) == {ADA_KEY, BOB_KEY}
    assert reader.records_of({ADA_KEY}) == [(1, ADA_KEY), (3, ADA_KEY)]
    assert reader.records_of(set()) == []


def test_counts_are_of_the_records_before_an_index() -> None:
    """Each record adds to the counts from its own index on."""
    reader = BatchReader(MemoryQuarantine())
    reader.read(a_batch(a_bounce(), b"{oops", b"[]", a_send(), a_bounce(sub_type="Novel")))
    assert reader.counts(0) == Counts()
    assert reader.counts(2) == Counts(events=Counter(bounce=1), facts=1, quarantined=1)
    assert reader.counts(4) == Counts(events=Counter(bounce=1, send=1), facts=1, quarantined=1, ignored=1)
    assert (reader.counts(4).unrecognized, reader.counts(5).unrecognized) == (0, 1)


@pytest.mark.parametrize("error", [QuarantineUnavailable("throttled"), AccessDenied("denied"), NotFound("no bucket")])
def test_an_error_of_the_quarantine_ends_the_reading(error: Exception) -> None:
    """The facts of the records before it are kept."""

    class FailingQuarantine(MemoryQuarantine):
        """A quarantine that always fails."""

        def put(self, quarantined: Quarantined) -> None:
            raise error

    reader = BatchReader(FailingQuarantine())
    assert reader.read(a_batch(a_bounce(), b"{oops", a_bounce(recipients=[BOB]))) is error
    assert (reader.end, set(reader.changes())) == (1, {ADA_KEY})


def test_poison_is_quarantined_with_reason_and_position() -> None:
    """The exact bytes are kept."""
    [held] = Scenario(a_send(), b"{oops").quarantine.held
    assert (held.payload, held.position, bool(held.reason)) == (b"{oops", "1", True)


def test_feedback_with_an_unusable_recipient_is_quarantined() -> None:
    """Its other recipients are stored, and the reason contains no address."""
    payload = a_bounce(recipients=["no-address", ADA])
    scenario = Scenario(payload)
    [held] = scenario.quarantine.held
    assert (held.payload, "no-address" in held.reason) == (payload, False)
    assert scenario.verdict().suppressed


def test_a_delivery_with_an_unusable_recipient_passes() -> None:
    """Only feedback can lose a suppression."""
    assert Scenario(in_sns(a_delivery(recipients=["no-address"]))).quarantine.held == []


def test_a_record_with_many_faults_is_quarantined_whole() -> None:
    """One record cannot cause thousands of puts, and its events count."""
    payload = b"\n".join([*[b"{}"] * 5_000, a_bounce()])
    scenario = Scenario(payload)
    [held] = scenario.quarantine.held
    assert (held.payload, held.reason[:37]) == (payload, "5000 parts of it cannot be read; the ")
    assert scenario.verdict().suppressed
