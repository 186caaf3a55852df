"""Histories in which decisions, clocks and copies meet, each with the verdict that its people would expect."""

from datetime import UTC, datetime, timedelta
from itertools import permutations

import msgspec
import pytest

from pipeline.account_list import ListEntry, ListStatus, compare_list
from pipeline.batch import StreamRecord
from pipeline.decision import AHEAD_TOLERANCE, decode_arrived, make_decision, wall_time
from pipeline.decode import decode
from pipeline.digest import digest
from pipeline.event import Event, Poison
from pipeline.policy import Policy, SoftRule
from pipeline.standing import Evidence, FactKind, Key, Standing, fold
from pipeline.timestamp import to_ms
from tests.support.builders import ADA, OCCURRED_AT, SENT_AT, a_bounce, a_complaint, a_decision, a_soft_bounce
from tests.support.scenario import Scenario, a_batch, an_event, project

NINE = datetime(2026, 3, 1, 9, tzinfo=UTC)
DAY = timedelta(days=1)
KEY = Key(an_event(a_bounce()).recipients[0])


def minutes(number: float) -> datetime:
    """Return a time so many minutes after nine o'clock."""
    return NINE + timedelta(minutes=number)


def decide(action: FactKind, at: datetime, *, shown: Scenario | None = None, name: str | None = None) -> bytes:
    """Return a decision of an author who was shown a table, or nothing."""
    return make_decision(
        decision_id=name or f"{action}-{at}",
        action=action,
        address=ADA,
        decided_at=at,
        shown=[shown.standing()] if shown else [],
        author="a test",
        reason="",
    )


def all_orders_agree(*payloads: bytes, suppressed: bool) -> bool:
    """Return True if the payloads have this verdict in every order, and the same items."""
    scenarios = [Scenario(*order) for order in permutations(payloads)]
    assert len({scenario.standing() for scenario in scenarios}) == 1
    return all(scenario.verdict().suppressed is suppressed for scenario in scenarios)


def test_a_suppress_after_a_release_holds_whatever_the_clocks() -> None:
    """The first author's clock is ten minutes fast; the second has seen its decision; the third that of both."""
    first = decide(FactKind.SUPPRESS, minutes(10))
    second = decide(FactKind.RELEASE, minutes(5), shown=Scenario(first))
    third = decide(FactKind.SUPPRESS, minutes(8), shown=Scenario(first, second))
    assert all_orders_agree(first, second, suppressed=False)
    assert all_orders_agree(first, second, third, suppressed=True)


def test_a_release_that_saw_nothing_takes_back_no_other() -> None:
    """A bounce is dated a month ahead. One release has seen it; a later one has seen nothing."""
    bounce = a_bounce(at=NINE + 30 * DAY, timestamp="2026-03-01T09:00:00.000Z")
    first = decide(FactKind.RELEASE, NINE + DAY, shown=Scenario(bounce))
    second = decide(FactKind.RELEASE, NINE + 2 * DAY)
    assert all_orders_agree(bounce, first, second, suppressed=False)


def test_a_release_stamped_before_the_newest_loses_nothing() -> None:
    """The greatest clock wins, so there is nothing to lose."""
    old, new = a_decision(action="release", at=NINE, decision_id="a"), a_decision(action="release", at=NINE + DAY)
    assert all_orders_agree(a_bounce(at=NINE), old, new, suppressed=False)


def test_copies_of_a_release_that_differ_have_one_fact() -> None:
    """They differ in what they say that their author was shown, which is no part of the fact."""
    copies = [
        a_decision(action="release", at=OCCURRED_AT, after={"eventId": name * 32, "atMs": 1}) for name in ("a", "b")
    ]
    assert all_orders_agree(a_bounce(), *copies, suppressed=False)
    assert Scenario(copies[0]).standing() == Scenario(copies[1]).standing()


def test_bounces_dated_ahead_hide_no_fresh_bounce() -> None:
    """Eight bounces of a clock that is a month ahead count from the time inside their feedback ids."""
    ahead = [a_bounce(feedback_id=an_id(minutes(n)), at=minutes(n) + 30 * DAY, timestamp=sent()) for n in range(8)]
    release = decide(FactKind.RELEASE, minutes(20), shown=Scenario(*ahead))
    fresh = a_bounce(feedback_id=an_id(minutes(30)), at=minutes(30), timestamp=sent())
    assert not Scenario(*ahead, release).verdict().suppressed
    assert Scenario(*ahead, release, fresh).verdict().suppressed
    assert Scenario(fresh, release, *ahead).verdict().since == minutes(30)


def an_id(at: datetime) -> str:
    """Return a feedback id that SES made at a time."""
    return f"0100{to_ms(at):012x}-aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee-000000"


def sent() -> str:
    """Return a time of sending before all bounces."""
    return "2026-03-01T08:59:00.000Z"


@pytest.mark.parametrize("action", ["release", "suppress"])
def test_a_decision_dated_ahead_of_its_arrival_is_set_aside(action: str) -> None:
    """A release dated a year ahead would lift that year's bounces."""
    decision = a_decision(action=action, at=NINE, atMs=to_ms(NINE + 365 * DAY))
    [outcome] = decode_arrived(decision, arrived_at=NINE)
    assert isinstance(outcome, Poison)
    assert "ahead" in outcome.why
    assert isinstance(decode_arrived(decision, arrived_at=NINE + 365 * DAY - AHEAD_TOLERANCE)[0], Event)
    assert isinstance(decode_arrived(decision, arrived_at=None)[0], Event)


def test_a_decision_that_names_the_evidence_ahead_is_taken() -> None:
    """It must be later than what its author was shown, and says which evidence that is."""
    bounce = a_bounce(at=NINE + 30 * DAY, timestamp="2026-03-01T09:00:00.000Z")
    release = decide(FactKind.RELEASE, NINE, shown=Scenario(bounce))
    assert isinstance(decode_arrived(release, arrived_at=NINE)[0], Event)
    later = a_decision(action="release", at=NINE, atMs=to_ms(NINE + 60 * DAY), after={"eventId": "e", "atMs": 5})
    assert isinstance(decode_arrived(later, arrived_at=NINE)[0], Poison)
    without_time = a_decision(action="release", at=NINE, atMs=to_ms(NINE + DAY), after={"eventId": "e"})
    assert isinstance(decode_arrived(without_time, arrived_at=NINE)[0], Poison)


def test_a_batch_quarantines_a_decision_dated_ahead() -> None:
    """The records around it are stored."""
    ahead = a_decision(action="release", at=NINE, atMs=to_ms(NINE + DAY))
    scenario = Scenario()
    batch = [StreamRecord(payload=payload, position="p", arrived_at=NINE) for payload in (a_bounce(at=NINE), ahead)]
    result = project(batch, store=scenario.store, quarantine=scenario.quarantine)
    assert (result.counts.quarantined, result.failed_at) == (1, None)
    assert [held.payload for held in scenario.quarantine.held] == [ahead]
    assert scenario.is_suppressed()


@pytest.mark.parametrize(
    ("seconds", "is_own"), [(0, True), (5, True), (-5, True), (6, False), (-6, False), (600, False)]
)
def test_an_authors_clock_is_corrected_by_the_services(seconds: int, is_own: bool) -> None:
    """Its own time counts while the two are at most five seconds apart."""
    own = NINE + timedelta(seconds=seconds)
    assert wall_time(own=own, service=NINE) == (own if is_own else NINE)


@pytest.mark.parametrize("field", ["message_id", "sub_type", "status", "diagnostic", "spelling", "event_id"])
def test_tables_with_another_text_have_another_digest(field: str) -> None:
    """Equal digests mean equal facts, and so equal verdicts."""
    plain = Evidence(at_ms=1, event_id="e")
    other: Evidence = msgspec.structs.replace(plain, **{field: "x"})
    digests = {digest([(KEY, fold([(FactKind.HARD, evidence)]))]) for evidence in (plain, other)}
    assert len(digests) == 2


def test_copies_by_two_envelopes_have_one_item() -> None:
    """They differ in a text. Of nine events in two copies each, nine are kept, and the digest is that of any order."""
    copies = [
        a_bounce(feedback_id=f"f{n}", at=minutes(n), timestamp=sent(), person={"diagnosticCode": text})
        for n in range(9)
        for text in ("as EventBridge has it", "as Firehose has it")
    ]
    forward, backward = Scenario(*copies), Scenario(*copies[::-1])
    assert len(forward.standing().hard) == 9
    assert {evidence.diagnostic for evidence in forward.standing().hard} == {"as Firehose has it"}
    assert digest([(KEY, forward.standing())]) == digest([(KEY, backward.standing())])


@pytest.mark.parametrize("decision_id", ["3B9E6D0A-4C1F-4E7B-8A52-D06F1C7E9B34", "3b9e6d0a4c1f4e7b8a52d06f1c7e9b34"])
def test_an_id_in_any_spelling_is_one_decision(decision_id: str) -> None:
    """Dashes and case do not matter, and a repetition is the same event."""
    assert an_event(a_decision(decision_id=decision_id)).id == "3b9e6d0a4c1f4e7b8a52d06f1c7e9b34"


def test_an_entry_of_sess_list_later_than_a_release_is_imported() -> None:
    """It is compared by the clock, also with a release that saw a suppress of the future."""
    suppress = decide(FactKind.SUPPRESS, minutes(10))
    release = decide(FactKind.RELEASE, minutes(5), shown=Scenario(suppress))
    store = Scenario(suppress, release).store
    entries = [ListEntry(address=ADA, reason="BOUNCE", updated_at=minutes(number)) for number in (8, 11)]
    statuses = [comparison.status for comparison in compare_list(entries, store=store)]
    assert statuses == [ListStatus.RELEASED, ListStatus.MISSING]


def test_a_trigger_behind_64_later_mails_is_not_forgotten_before_its_end() -> None:
    """The policy's validator rejects a rule whose trigger could be; see `policy.SoftRule`."""
    with pytest.raises(ValueError, match="the most for 5 mails"):
        SoftRule(mails=5, window_seconds=86_400, expiry_seconds=16 * 86_400)
    policy = Policy(soft=SoftRule(mails=5, window_seconds=86_400, expiry_seconds=15 * 86_400))
    burst = [a_soft_bounce(feedback_id=f"b{n}", messageId=f"b{n}", at=SENT_AT) for n in range(5)]
    later = [
        a_soft_bounce(feedback_id=f"l{n}", messageId=f"l{n}", at=SENT_AT + (1 + n // 4) * timedelta(days=1, minutes=1))
        for n in range(56)
    ]
    scenario = Scenario(*burst, *later, policy=policy)
    assert scenario.verdict().until == SENT_AT + 15 * DAY


def test_not_spam_in_another_scope_lifts_no_complaint() -> None:
    """A tenant's recipient says so about that tenant's mail."""
    tenant = {"tags": {"ses:tenant-name": ["acme"]}}
    complaint = a_complaint(at=minutes(0))
    report = a_complaint(at=minutes(5), feedback_id="f2", feedback_type="not-spam", **tenant)
    assert all_orders_agree(complaint, report, suppressed=True)


def test_a_decision_is_made_once_and_means_the_same_wherever_it_is_read() -> None:
    """The same arguments make the same bytes; the clock is later than everything shown."""
    shown = Scenario(a_bounce(at=NINE + DAY, timestamp=sent()))
    first = decide(FactKind.RELEASE, NINE, shown=shown, name="r")
    assert first == decide(FactKind.RELEASE, NINE, shown=shown, name="r")
    [evidence] = Scenario(first).standing().release
    assert evidence.at_ms == to_ms(NINE + DAY) + 1
    assert [type(outcome) for outcome in decode(first)] == [Event]


def test_nothing_shown_is_nothing_to_wait_for() -> None:
    """A decision about an unknown address has its wall time."""
    decision = make_decision(
        decision_id="d",
        action=FactKind.SUPPRESS,
        address=ADA,
        decided_at=NINE,
        shown=[Standing()],
        author="a test",
        reason="",
    )
    [evidence] = Scenario(decision).standing().suppress
    assert evidence.at_ms == to_ms(NINE)
    assert b'"after"' not in decision


def test_batches_of_one_history_in_any_order_end_alike() -> None:
    """Two consumers may deliver the same history in other batches."""
    payloads = [a_bounce(at=minutes(0)), decide(FactKind.RELEASE, minutes(5)), a_complaint(at=minutes(9))]
    scenarios = [Scenario() for _ in range(2)]
    for scenario, step in zip(scenarios, (1, -1), strict=True):
        for payload in payloads[::step]:
            project(a_batch(payload), store=scenario.store)
    assert scenarios[0].standing() == scenarios[1].standing()
