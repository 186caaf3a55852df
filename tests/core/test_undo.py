"""Which decisions of a request are taken back, and which addresses are left as they are."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pipeline.decode import decode
from pipeline.event import Event
from pipeline.fact import Fact, facts
from pipeline.policy import DEFAULT_POLICY
from pipeline.standing import EVERY_SCOPE, Key
from pipeline.undo import Undoing, read_decisions, to_undo
from tests.support.builders import ADA, BOB, a_bounce, a_complaint, a_decision
from tests.support.scenario import Scenario, an_event

NINE = datetime(2026, 3, 1, 9, tzinfo=UTC)
KEY = Key(an_event(a_bounce()).recipients[0])
SENT = "2026-02-28T00:00:00Z"


def at(minutes: float) -> datetime:
    return NINE + timedelta(minutes=minutes)


def decided(action: str, minutes: float, *, name: str = "1" * 32, **fields: Any) -> bytes:
    return a_decision(action=action, at=at(minutes), decision_id=name, batch="b", **fields)


def bounced(minutes: float) -> bytes:
    return a_bounce(at=at(minutes), timestamp=SENT)


def a_fact(payload: bytes) -> Fact:
    [event] = decode(payload)
    assert isinstance(event, Event)
    [fact] = facts(event)
    return fact


@pytest.mark.parametrize(
    ("action", "others", "undoing"),
    [
        ("suppress", [], Undoing.UNDONE),
        ("suppress", [bounced(-1)], Undoing.NO_EFFECT),
        ("suppress", [a_complaint(at=at(1), timestamp=SENT)], Undoing.NO_EFFECT),
        ("suppress", [decided("release", 1, name="2" * 32)], Undoing.DECIDED_AGAIN),
        ("suppress", [decided("suppress", 1, name="2" * 32)], Undoing.DECIDED_AGAIN),
        ("suppress", [decided("release", -1, name="2" * 32)], Undoing.UNDONE),
        ("release", [bounced(-1)], Undoing.UNDONE),
        ("release", [], Undoing.NO_EFFECT),
        ("release", [bounced(-1), bounced(1)], Undoing.NO_EFFECT),
        ("release", [bounced(-1), decided("suppress", 1, name="2" * 32)], Undoing.DECIDED_AGAIN),
        ("release", [decided("suppress", -1, name="2" * 32)], Undoing.UNDONE),
    ],
)
def test_a_decision_is_undone_if_the_address_depends_on_it(action: str, others: list[bytes], undoing: Undoing) -> None:
    """A later decision, or another reason beside it, leaves the address as it is."""
    payload = decided(action, 0)
    [item] = Scenario(payload, *others).store.load([KEY]).values()
    assert to_undo(a_fact(payload), item, DEFAULT_POLICY) is undoing


@pytest.mark.parametrize("others", [[], [decided("release", -1, name="2" * 32)]])
def test_a_decision_that_the_table_lacks_waits(others: list[bytes]) -> None:
    """It may be on its way, so nothing is known yet of its effect."""
    [item] = Scenario(*others).store.load([KEY]).values()
    assert to_undo(a_fact(decided("release", 0)), item, DEFAULT_POLICY) is Undoing.MISSING


def test_the_decisions_of_a_request_are_read_once_each() -> None:
    """Copies are one decision, the greatest counts, and records of other kinds or other forms are passed over."""
    early, late = decided("release", 0, batchSize=3), decided("release", 5, batchSize=2)
    other = decided("release", 0, name="3" * 32, address=BOB, scope="acme")
    past = read_decisions([late, early, early, other, bounced(0), b"no record"])
    assert past.size == 3
    assert {(key.address, key.scope) for key in past.facts} == {(ADA, EVERY_SCOPE), (BOB, "acme")}
    assert past.facts[KEY] == a_fact(late)


def test_a_request_of_which_nothing_is_known_has_no_size() -> None:
    """The log may not have it yet."""
    assert read_decisions([]).size == 0
