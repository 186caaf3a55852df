"""Size of an item of the suppression table: small, whatever the facts of its address and their number."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from pipeline.batch import group_by_key
from pipeline.decode import decode
from pipeline.event import Event, Poison
from pipeline.fact import facts
from pipeline.standing import MAILS_KEPT, NEWEST_KEPT, Evidence, FactKind, facts_json, fold
from pipeline.timestamp import LAST_MS
from tests.support.builders import ADA, BOB, OCCURRED_AT, Fields, a_bounce, a_complaint, a_decision, a_soft_bounce

LIMIT_BYTES = 64 * 1_024


def evidence(count: int) -> list[Evidence]:
    """Return evidence of as many mails, in ascending order."""
    return [Evidence(at_ms=n, event_id=f"e{n:02}", message_id=f"m{n:02}") for n in range(count)]


def test_the_newest_64_mails_with_a_soft_bounce_are_kept() -> None:
    """A rule counts mails of its window, so the newest matter."""
    assert fold((FactKind.SOFT, item) for item in evidence(65)).soft == tuple(evidence(65)[1:])


def test_the_oldest_and_the_newest_8_hard_bounces_are_kept() -> None:
    """The oldest says since when, the newest say what the servers reply today."""
    oldest, *others = evidence(11)
    assert fold((FactKind.HARD, item) for item in evidence(11)).hard == (oldest, *others[-8:])


def fullest(address: str, diagnostic: str) -> Iterator[bytes]:
    """Yield feedback that fills every bound of one address's standing."""
    failed: Fields = {"diagnosticCode": diagnostic}
    for n in range(MAILS_KEPT + 1):
        at, name = OCCURRED_AT + timedelta(seconds=n), f"0100018f00000000-11111111-2222-4333-8444-555555555555-{n:06}"
        common: dict[str, Any] = {"at": at, "messageId": name, "feedback_id": name, "destination": [address]}
        yield a_soft_bounce(recipients=[address], **common)
        if n <= NEWEST_KEPT:
            yield a_bounce(recipients=[address], person=failed, **common)
            yield a_bounce(recipients=[address], person={**failed, "status": "5.7.26"}, **common)
            yield a_bounce(recipients=[], **common)
            yield a_bounce(recipients=[BOB], person=failed, **common)
            yield a_complaint(recipients=[address], **common)
            yield a_complaint(recipients=[address, ADA], **common)
    for sub_type in ("Suppressed", "OnAccountSuppressionList", "UnsubscribedRecipient"):
        yield a_bounce(recipients=[address], sub_type=sub_type, person=failed)
    yield a_complaint(recipients=[address], feedback_type="not-spam")
    yield a_decision(address=address)
    yield a_decision(address=address, action="release")


def size_bytes(payloads: Iterator[bytes]) -> int:
    """Return the size of the largest standing of the payloads."""
    events = [event for payload in payloads for event in decode(payload) if isinstance(event, Event)]
    standings = group_by_key(fact for event in events for fact in facts(event))
    return max(len(facts_json(standing)) for standing in standings.values())


def test_a_usual_item_is_under_a_kilobyte() -> None:
    """DynamoDB bills writes by the kilobyte."""
    assert size_bytes(iter([a_bounce(), a_soft_bounce()])) < 1_024


LONG = f"{'𝄞' * 74}@example.com"


@pytest.mark.parametrize(
    ("address", "letter"),
    [
        *((ADA, letter) for letter in ("x", "é", "𝄞", '"', "\x01")),
        *((LONG, letter) for letter in ("x", "é", "𝄞", '"', "\x01")),
    ],
)
def test_the_fullest_item_is_under_64_kilobytes(address: str, letter: str) -> None:
    """Long addresses and texts that JSON must escape are included. 2 KB are left for the key and the verdict."""
    assert size_bytes(fullest(address, letter * 2_000)) < LIMIT_BYTES - 2_048


@pytest.mark.parametrize("changes", [{"atMs": -1}, {"atMs": LAST_MS + 1}, {"scope": "s" * 65}])
def test_a_decision_that_an_item_cannot_hold_is_poison(changes: dict[str, Any]) -> None:
    """No column holds its time, or its scope is no key of the table."""
    [outcome] = decode(a_decision(action="release", **changes))
    assert isinstance(outcome, Poison)
