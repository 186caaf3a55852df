"""Which addresses the false bounces of an incident alone suppress."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.decision_batch import DecisionBatch, new_request_id, plan_decision, to_payload
from pipeline.policy import DEFAULT_POLICY, Policy, Rule
from pipeline.revert import RevertChoice, Selected, Window, select
from pipeline.standing import EVERY_SCOPE, FactKind, Key
from pipeline.timestamp import to_ms
from pipeline.verdict import Reason
from tests.support.builders import ADA, a_bounce, a_complaint, a_decision, a_soft_bounce
from tests.support.scenario import Scenario, an_event

NINE = datetime(2026, 3, 1, 9, tzinfo=UTC)
NOON = NINE + timedelta(hours=3)
SENT = "2026-02-28T00:00:00Z"
KEY = Key(an_event(a_bounce()).recipients[0])
BLOCKED = {"status": "5.7.1", "diagnosticCode": "smtp; 550 5.7.1 blocked"}


def at(minutes: float) -> datetime:
    """Return a time so many minutes after nine o'clock, when the incident began; it ended at ten."""
    return NINE + timedelta(minutes=minutes)


def a_window(*, status: str = "*", domain: str = "example.com") -> Window:
    return Window(since=NINE, until=at(60), domain=domain, status=status)


def bounced(minutes: float, *, name: str = "", **changes: Any) -> bytes:
    return a_bounce(at=at(minutes), feedback_id=name or f"at {minutes}", timestamp=SENT, **changes)


def selected(*payloads: bytes, window: Window | None = None, policy: Policy = DEFAULT_POLICY) -> Selected | None:
    [item] = Scenario(*payloads, policy=policy).store.load([KEY]).values()
    return select(KEY, item, window or a_window(), now=NOON)


def selection(*payloads: bytes, window: Window | None = None) -> RevertChoice | None:
    choice = selected(*payloads, window=window)
    return choice.selection if choice else None


@pytest.mark.parametrize("minutes", [0, 30, 59.99])
def test_an_address_that_bounced_in_the_window_alone_is_released(minutes: float) -> None:
    """The release counts from its newest bounce."""
    choice = selected(bounced(0), bounced(minutes))
    assert choice == Selected(selection=RevertChoice.RELEASED, at_ms=to_ms(at(minutes)))


@pytest.mark.parametrize("minutes", [-1, -0.001, 60, 61])
def test_an_address_that_bounced_at_another_time_too_stays(minutes: float) -> None:
    """Its other bounce is evidence of its own; one that bounced then only is not concerned at all."""
    assert selection(bounced(30), bounced(minutes)) is RevertChoice.OTHER_BOUNCE
    assert selection(bounced(minutes)) is None


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (a_complaint(at=at(30), feedback_id="c", timestamp=SENT), Reason.COMPLAINT),
        (a_complaint(recipients=(ADA, "b@example.com"), at=at(30), feedback_id="c", timestamp=SENT), Reason.COMPLAINT),
        (a_decision(at=at(30)), Reason.OPERATOR),
        (bounced(30, sub_type="Suppressed"), Reason.LISTED),
    ],
)
def test_an_address_with_another_reason_stays(payload: bytes, reason: Reason) -> None:
    """A complaint, an operator's decision and SES's global list are no false bounces, also within the window."""
    choice = selected(bounced(30), payload)
    assert choice == Selected(selection=RevertChoice.OTHER_REASON, at_ms=to_ms(at(30)), reasons=(reason,))


def test_what_does_not_suppress_keeps_no_address() -> None:
    """A soft bounce, an echo of a list and a reason that has ended do not matter."""
    ended = a_bounce(
        sub_type="Suppressed", at=NINE - timedelta(days=20), feedback_id="l", timestamp="2026-02-01T00:00:00Z"
    )
    soft = a_soft_bounce(at=at(-5), feedback_id="s", timestamp=SENT)
    echo = bounced(-5, sub_type="OnAccountSuppressionList")
    assert selection(bounced(30), soft, echo, ended) is RevertChoice.RELEASED


def test_what_is_lifted_already_keeps_no_address() -> None:
    """An older bounce that an operator released is forgiven; a release after the window leaves nothing to release."""
    released = a_decision(action="release", at=at(-5))
    assert selection(bounced(-10), released, bounced(30)) is RevertChoice.RELEASED
    assert selection(bounced(30), a_decision(action="release", at=at(40))) is None


def test_the_status_is_a_pattern() -> None:
    """A bounce with another status in the window keeps an address."""
    window = a_window(status="5.7.*")
    blocked = bounced(30, person=BLOCKED)
    assert selection(blocked, window=window) is RevertChoice.RELEASED
    assert selection(bounced(31), window=window) is None
    assert selection(blocked, bounced(31), window=window) is RevertChoice.OTHER_BOUNCE


def test_only_the_domain_and_all_mail_are_concerned() -> None:
    """Subdomains are other domains, and bounces lie in the scope of all mail."""
    [item] = Scenario(bounced(30)).store.load([KEY]).values()
    assert selection(bounced(30), window=a_window(domain="com")) is None
    assert selection(bounced(30), window=a_window(domain="mail.example.com")) is None
    assert select(Key(KEY.address, "acme"), item, a_window(), now=NOON) is None


def test_forwarded_mail_counts_where_a_policy_suppresses_it() -> None:
    """Every permanent bounce that suppresses is one that an incident can cause."""
    forwarded = a_bounce(recipients=["x@example.net"], destination=[ADA], at=at(30), timestamp=SENT)
    assert selected(forwarded) is None
    choice = selected(forwarded, policy=Policy(forwarded=Rule()))
    assert choice is not None
    assert choice.selection is RevertChoice.RELEASED


def test_more_bounces_than_the_table_keeps_are_released_if_all_are_false() -> None:
    """The oldest and the newest eight are kept, and the rest lies between them."""
    many = [bounced(number) for number in range(12)]
    assert selection(*many) is RevertChoice.RELEASED
    assert selection(*many, window=a_window(status="5.1.1")) is RevertChoice.FORGOTTEN
    assert selection(*many[:9], window=a_window(status="5.1.1")) is RevertChoice.FORGOTTEN
    assert selection(*many[:8], window=a_window(status="5.1.1")) is RevertChoice.RELEASED


def test_forgotten_bounces_before_the_window_keep_an_address() -> None:
    """The oldest bounce is lifted, so those that are not kept may be older than the window and count."""
    newest = [bounced(number) for number in range(8)]
    release = a_decision(action="release", at=at(-60))
    assert selection(bounced(-120), release, *newest) is RevertChoice.FORGOTTEN
    assert selection(bounced(-120), bounced(-30), release, *newest) is RevertChoice.FORGOTTEN
    assert selection(bounced(-120), a_decision(action="release", at=at(0) - timedelta(milliseconds=1)), *newest) is (
        RevertChoice.RELEASED
    )


HISTORY = st.lists(
    st.builds(
        bounced,
        st.integers(-5, 70).map(lambda number: number * 1.0),
        person=st.sampled_from([None, BLOCKED]),
    ),
    max_size=14,
)


@given(history=HISTORY, release=st.none() | st.integers(-5, 70), status=st.sampled_from(["*", "5.7.*"]))
def test_a_reverted_address_had_no_other_bounce_and_is_clear(
    history: list[bytes], release: int | None, status: str
) -> None:
    """Against the whole history: all its unlifted bounces are of the window, and the release lifts exactly these."""
    released_at = at(release) if release is not None else NINE - timedelta(days=9)
    decision = [a_decision(action="release", at=released_at)]
    scenario, window = Scenario(*history, *decision), a_window(status=status)
    [item] = scenario.store.load([KEY]).values()
    choice = select(KEY, item, window, now=NOON)
    if choice is None or choice.selection is not RevertChoice.RELEASED:
        return
    evidence = [fact for payload in history for fact in Scenario(payload).store.load([KEY])[KEY].standing.hard]
    evidence += [fact for payload in history for fact in Scenario(payload).store.load([KEY])[KEY].standing.blocked]
    unlifted = [fact for fact in evidence if fact.at_ms > to_ms(released_at)]
    assert unlifted
    assert all(window.contains(fact) for fact in unlifted)
    assert choice.at_ms == max(fact.at_ms for fact in unlifted)
    batch = DecisionBatch(id=new_request_id(NOON, random_bits=1), author="Eve", reason="outage")
    planned = plan_decision(
        batch,
        FactKind.RELEASE,
        KEY,
        spelling=ADA,
        items={EVERY_SCOPE: item},
        policy=DEFAULT_POLICY,
        now=NOON,
        at_ms=choice.at_ms,
    )
    assert not planned.after.suppressed
    scenario.receive(to_payload(batch, planned, batch_size=1), bounced(90, name="after the incident"))
    assert scenario.verdict().reason is Reason.HARD
