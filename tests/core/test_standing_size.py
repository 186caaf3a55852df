"""Size of an item of the suppression table: small, whatever the facts of its address and their number."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from pipeline.batch import group_by_key
from pipeline.decode import decode
from pipeline.event import Event, Poison
from pipeline.fact import facts
from pipeline.standing import MAILS_KEPT, NEWEST_KEPT, facts_json
from tests.support.builders import ADA, OCCURRED_AT, a_bounce, a_complaint, a_decision, a_soft_bounce

LIMIT_BYTES = 64 * 1_024


def fullest(address: str, diagnostic: str) -> Iterator[bytes]:
    """Yield feedback that fills every bound of one address's standing."""
    report = {"diagnosticCode": diagnostic}
    for n in range(MAILS_KEPT + 1):
        at, name = OCCURRED_AT + timedelta(seconds=n), f"0100018f00000000-11111111-2222-4333-8444-555555555555-{n:06}"
        yield a_soft_bounce(recipients=[address], at=at, messageId=name, feedback_id=name)
        if n <= NEWEST_KEPT:
            yield a_bounce(recipients=[address], at=at, messageId=name, feedback_id=name, person=report)
            yield a_complaint(recipients=[address], at=at, messageId=name, feedback_id=name)
            yield a_complaint(recipients=[address, ADA], at=at, messageId=name, feedback_id=name)
    for sub_type in ("OnAccountSuppressionList", "UnsubscribedRecipient"):
        yield a_bounce(recipients=[address], sub_type=sub_type, person=report)
    yield a_decision(address=address)
    yield a_decision(address=address, action="release", read=[f"{n:032}" for n in range(100)])


def size_bytes(payloads: Iterator[bytes]) -> int:
    """Return the size of the largest standing of the payloads."""
    events = [event for payload in payloads for event in decode(payload) if isinstance(event, Event)]
    standings = group_by_key(fact for event in events for fact in facts(event))
    return max(len(facts_json(standing)) for standing in standings.values())


def test_a_usual_item_is_under_a_kilobyte() -> None:
    """DynamoDB bills writes by the kilobyte."""
    assert size_bytes(iter([a_bounce(), a_soft_bounce()])) < 1_024


LONG = f"{'a' * 300}@example.com"


@pytest.mark.parametrize(
    ("address", "letter"),
    [
        *((ADA, letter) for letter in ("x", "é", "𝄞", '"', "\x01")),
        *((LONG, letter) for letter in ("x", "é", "𝄞", '"', "\x01")),
    ],
)
def test_the_fullest_item_is_under_64_kilobytes(address: str, letter: str) -> None:
    """Long addresses and texts that JSON must escape are included."""
    assert size_bytes(fullest(address, letter * 2_000)) < LIMIT_BYTES


@pytest.mark.parametrize(
    "changes", [{"read": [f"{n:032}" for n in range(129)]}, {"read": ["e" * 65]}, {"scope": "s" * 65}]
)
def test_a_decision_larger_than_an_item_can_hold_is_poison(changes: dict[str, Any]) -> None:
    """The table would reject an item beyond its limit, and with it all facts of the address."""
    [outcome] = decode(a_decision(action="release", **changes))
    assert isinstance(outcome, Poison)
