"""A request's decisions: one event each, however often the request is repeated, and whatever happened since."""

import json
import random
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.address import mailboxes
from pipeline.decision_batch import (
    DecisionBatch,
    PlannedDecision,
    check_texts,
    is_in_standing,
    new_request_id,
    parse_request_id,
    plan_decision,
    request_time,
    to_payload,
)
from pipeline.decode import decode
from pipeline.errors import UsageError
from pipeline.event import EventKind
from pipeline.policy import DEFAULT_POLICY
from pipeline.standing import EVERY_SCOPE, Evidence, FactKind, Key
from pipeline.timestamp import to_ms
from pipeline.verdict import Reason
from tests.support.builders import ADA, a_bounce, a_complaint, a_soft_bounce
from tests.support.scenario import Scenario, an_event

NINE = datetime(2026, 3, 1, 9, tzinfo=UTC)
KEY = Key(mailboxes(ADA).found[0].address)
TENANT = Key(KEY.address, "acme")
AHEAD = timedelta(days=30)


def a_request(at: datetime = NINE, *, number: int = 0) -> DecisionBatch:
    return DecisionBatch(id=new_request_id(at, random_bits=number), author="Eve", reason="a test")


def minutes(number: float) -> datetime:
    """Return a time so many minutes after nine o'clock."""
    return NINE + timedelta(minutes=number)


def bounced(at: datetime, *, name: str = "f") -> bytes:
    return a_bounce(at=at, feedback_id=name, timestamp="2026-03-01T08:00:00Z")


def plan(
    action: FactKind,
    scenario: Scenario,
    *,
    batch: DecisionBatch | None = None,
    now: datetime = NINE,
    key: Key = KEY,
    spelling: str = ADA,
    at_ms: int | None = None,
) -> PlannedDecision:
    """Return the decision of a request about what a table holds."""
    items = scenario.store.load([KEY, key])
    return plan_decision(
        batch or a_request(),
        action,
        key,
        spelling=spelling,
        items={scope: items[Key(key.address, scope)] for scope in (EVERY_SCOPE, key.scope)},
        policy=DEFAULT_POLICY,
        now=now,
        at_ms=at_ms,
    )


def decided(
    action: FactKind, scenario: Scenario, *, batch: DecisionBatch | None = None, now: datetime = NINE, size: int = 1
) -> bytes:
    """Return the payload of a request's decision about what a table holds."""
    return to_payload(batch or a_request(), plan(action, scenario, batch=batch, now=now), batch_size=size)


@given(st.datetimes(datetime(1971, 1, 1), datetime(9000, 1, 1)), st.integers(0, 2**80))  # noqa: DTZ001 - made aware
def test_the_id_of_a_request_is_a_uuid_that_contains_its_time(moment: datetime, random_bits: int) -> None:
    """It is of version 7, and is read with or without dashes, in any case."""
    moment = moment.replace(tzinfo=UTC)
    id_ = new_request_id(moment, random_bits=random_bits)
    uuid = UUID(id_)
    assert (uuid.version, uuid.int >> 80) == (7, to_ms(moment))
    assert parse_request_id(f" {str(uuid).upper()}\n") == id_
    assert to_ms(DecisionBatch(id=id_, author="", reason="").decided_at) == to_ms(moment)


@pytest.mark.parametrize("number", [1, 2**62 - 1, 2**62, 2**74 - 1])
def test_every_random_bit_counts(number: int) -> None:
    """Two requests of one millisecond have two ids."""
    assert new_request_id(NINE, random_bits=number) != new_request_id(NINE, random_bits=0)


@pytest.mark.parametrize(
    "text", ["", "ticket-4711", "0" * 32, "550e8400-e29b-41d4-a716-446655440000", "f" * 12 + "7" * 20]
)
def test_another_text_is_no_id_of_a_request(text: str) -> None:
    """Without its time, a repetition could not be the same event."""
    with pytest.raises(UsageError, match="not the id of a request"):
        parse_request_id(text)


def test_a_decision_says_who_and_why_and_for_what_request() -> None:
    """Its id is derived, its times are the request's, and it names the number of the request's decisions."""
    payload = json.loads(decided(FactKind.RELEASE, Scenario(), size=7))["decision"]
    [event] = decode(decided(FactKind.RELEASE, Scenario(), size=7))
    assert payload == {
        "id": payload["id"],
        "action": "release",
        "address": ADA,
        "scope": "*",
        "atMs": to_ms(NINE),
        "decidedAt": "2026-03-01T09:00:00.000Z",
        "author": "Eve",
        "reason": "a test",
        "batch": a_request().id,
        "batchSize": 7,
    }
    assert getattr(event, "id", None) == payload["id"]


def test_each_address_scope_action_and_request_has_its_own_event() -> None:
    """Two of them with one id would be one event."""
    other = Key(mailboxes("bob@example.net").found[0].address)
    plans = [
        plan(FactKind.RELEASE, Scenario()),
        plan(FactKind.SUPPRESS, Scenario()),
        plan(FactKind.RELEASE, Scenario(), key=TENANT),
        plan(FactKind.RELEASE, Scenario(), key=other),
        plan(FactKind.RELEASE, Scenario(), batch=a_request(number=1)),
    ]
    assert len({planned.event_id for planned in plans}) == len(plans)


def test_the_verdicts_before_and_after_are_shown() -> None:
    """A release clears, a suppress adds the operator's reason; that of all mail counts in a scope too."""
    release = plan(FactKind.RELEASE, Scenario(bounced(minutes(-1))))
    assert (release.before.reason, release.after.suppressed) == (Reason.HARD, False)
    suppress = plan(FactKind.SUPPRESS, Scenario(bounced(minutes(-1))))
    assert [held.reason for held in suppress.after.reasons] == [Reason.OPERATOR, Reason.HARD]
    in_scope = plan(FactKind.RELEASE, Scenario(bounced(minutes(-1))), key=TENANT)
    assert in_scope.before.reason is in_scope.after.reason is Reason.HARD


def test_every_known_spelling_is_named() -> None:
    """As requested first, and then as received and the canonical one, each once."""
    scenario = Scenario(a_bounce(recipients=["ADA@example.com"]), a_bounce(feedback_id="f2"))
    planned = plan(FactKind.RELEASE, scenario, spelling="Ada <Ada@Example.com>")
    assert planned.spellings[0] == "Ada@Example.com"
    assert sorted(planned.spellings) == ["ADA@example.com", "Ada@Example.com", "ada@example.com"]


def test_a_repeated_request_lifts_nothing_that_happened_since() -> None:
    """The first attempt reached the log alone; a bounce came before the second one."""
    scenario = Scenario(bounced(minutes(-1)))
    first = decided(FactKind.RELEASE, scenario)
    scenario.receive(bounced(minutes(5), name="since"))
    again = decided(FactKind.RELEASE, scenario, now=minutes(10))
    assert again == first
    scenario.receive(again)
    assert scenario.verdict().reason is Reason.HARD


def test_an_old_suppress_that_is_repeated_takes_back_no_later_release() -> None:
    """The plan shows that the address stays clear."""
    scenario = Scenario()
    scenario.receive(decided(FactKind.RELEASE, scenario, batch=a_request(minutes(3), number=2), now=minutes(3)))
    planned = plan(FactKind.SUPPRESS, scenario, now=minutes(5))
    assert not planned.after.suppressed
    scenario.receive(to_payload(a_request(), planned, batch_size=1))
    assert not scenario.is_suppressed()


def test_a_decision_is_later_than_evidence_dated_ahead() -> None:
    """It lifts that evidence, names it, and a repetition is the same event."""
    scenario = Scenario(bounced(NINE + AHEAD))
    first = decided(FactKind.RELEASE, scenario)
    assert json.loads(first)["decision"]["after"]["atMs"] == to_ms(NINE + AHEAD)
    assert decided(FactKind.RELEASE, scenario, now=minutes(10)) == first
    scenario.receive(first)
    assert not scenario.is_suppressed()


def test_a_suppress_after_a_release_dated_ahead_holds() -> None:
    """The author of the release had a clock a month ahead."""
    scenario = Scenario()
    ahead = NINE + AHEAD
    scenario.receive(decided(FactKind.RELEASE, scenario, batch=a_request(ahead, number=3), now=ahead))
    scenario.receive(decided(FactKind.SUPPRESS, scenario))
    assert scenario.is_suppressed()


def test_a_stated_time_is_kept() -> None:
    """A release that must lift nothing later is not moved, although later evidence is shown."""
    scenario = Scenario(bounced(NINE + AHEAD))
    planned = plan(FactKind.RELEASE, scenario, at_ms=to_ms(minutes(-1)))
    payload = json.loads(to_payload(a_request(), planned, batch_size=1))["decision"]
    assert (payload["atMs"], "after" in payload) == (to_ms(minutes(-1)), False)


def test_a_table_shows_a_decision_or_a_later_one() -> None:
    """Another kind of decision, or an earlier one, is not it."""
    planned = plan(FactKind.RELEASE, Scenario())
    earlier = decided(FactKind.RELEASE, Scenario(), batch=a_request(minutes(-1), number=4), now=minutes(-1))
    later = decided(FactKind.RELEASE, Scenario(), batch=a_request(minutes(1), number=4), now=minutes(1))
    for payloads, is_shown in (
        ([], False),
        ([earlier], False),
        ([decided(FactKind.SUPPRESS, Scenario())], False),
        ([to_payload(a_request(), planned, batch_size=1)], True),
        ([later], True),
    ):
        assert is_in_standing(planned, Scenario(*payloads).standing()) is is_shown


@pytest.mark.parametrize(("author", "reason"), [("Eve", " "), ("Eve", "x" * 1_001), ("x" * 257, "why")])
def test_a_text_that_says_nothing_or_too_much_is_refused(author: str, reason: str) -> None:
    """A reason is required, and no text makes a record too large for the log."""
    with pytest.raises(UsageError):
        check_texts(author=author, reason=reason)
    check_texts(author="x" * 256, reason="x" * 1_000)


@pytest.mark.parametrize(("ahead_ms", "moved_ms"), [(-1, 0), (0, 1), (4_999, 5_000), (5_000, 0), (10**9, 0)])
def test_a_request_is_later_than_what_it_is_shown_by_seconds(ahead_ms: int, moved_ms: int) -> None:
    """Clocks differ by seconds. Evidence dated further ahead moves the decision about its own address alone."""
    newest = Evidence(at_ms=to_ms(NINE) + ahead_ms, event_id="e")
    assert to_ms(request_time(now=NINE, newest=newest)) == to_ms(NINE) + moved_ms
    assert request_time(now=NINE, newest=None) == NINE


PAST = [
    bounced(minutes(-5), name="f1"),
    a_complaint(at=minutes(-3), feedback_id="c1", timestamp="2026-03-01T08:00:00Z"),
]
FRESH = [bounced(minutes(5), name="f2"), a_soft_bounce(at=minutes(2), feedback_id="s1", timestamp="2026-03-01T08:00Z")]
DATED_AHEAD = bounced(NINE + AHEAD, name="f3")


def test_of_copies_with_different_times_the_greatest_counts() -> None:
    """Evidence was dated ten minutes ahead, and is past at the second attempt. A repair brings the table the first."""
    live = Scenario(bounced(minutes(10)))
    first = decided(FactKind.RELEASE, live)
    again = decided(FactKind.RELEASE, live, now=minutes(20))
    live.receive(again)
    log = Scenario(bounced(minutes(10)), first, again)
    assert an_event(first).id == an_event(again).id
    assert not log.is_suppressed()
    live.receive(first)
    assert live.standing() == log.standing()


@given(
    before=st.lists(st.sampled_from([*PAST, DATED_AHEAD]), max_size=3),
    since=st.lists(st.sampled_from([*PAST, *FRESH]), max_size=3),
    action=st.sampled_from([FactKind.SUPPRESS, FactKind.RELEASE]),
    in_stream=st.booleans(),
    order=st.randoms(use_true_random=False),
)
def test_a_request_repeated_after_a_half_failure_is_one_event(
    before: list[bytes], since: list[bytes], action: FactKind, in_stream: bool, order: random.Random
) -> None:
    """Log first, then perhaps the stream, then all of it again: log and table agree, and have one event of it."""
    live = Scenario(*before)
    log = list(before)
    first = decided(action, live)
    log.append(first)
    if in_stream:
        live.receive(first)
    live.receive(*since)
    again = decided(action, live, now=minutes(10))
    log += [*since, again]
    live.receive(again)
    order.shuffle(log)
    assert Scenario(*log).standing() == live.standing()
    events = [an_event(payload) for payload in log]
    assert len({event.id for event in events if event.kind is EventKind.DECISION}) == 1
