"""Tests of `pipeline.policy`: the verdict of a policy on a standing."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.address import Address
from pipeline.errors import UsageError
from pipeline.policy import CLEAR, DEFAULT_POLICY, Policy, Reason, SoftRule, Verdict, parse_policy, verdict
from pipeline.standing import NOTHING_KNOWN, Evidence, FactKind, Standing, fold, join
from pipeline.timestamp import from_ms
from tests.support.strategies import Facts, facts, standings

ADA = Address("ada@example.com")
SIMULATOR = Address("bounce+label@simulator.amazonses.com")
DAY_MS = 86_400_000
# Three mails within two days suppress for a week.
RULE = SoftRule(mails=3, window_seconds=2 * 86_400, expiry_seconds=7 * 86_400)
SOFT_POLICY = Policy(version=2, soft=RULE)


def a_standing(*facts: tuple[FactKind, int] | tuple[FactKind, int, str]) -> Standing:
    """Return a standing of facts, each with its time and, where it matters, its event."""
    return fold((kind, Evidence(at_ms=at_ms, event_id=(event or ("e",))[0])) for kind, at_ms, *event in facts)


def soft(*days: float) -> Standing:
    return fold(
        (FactKind.SOFT, Evidence(at_ms=round(day * DAY_MS), event_id=f"e{n}", message_id=f"m{n}"))
        for n, day in enumerate(days)
    )


def judged(standing: Standing, policy: Policy = DEFAULT_POLICY) -> Verdict:
    return verdict(standing, policy, address=ADA)


def a_release(at_ms: int, *lifts: str) -> Standing:
    return fold([(FactKind.RELEASE, Evidence(at_ms=at_ms, event_id="r", lifts=lifts))])


def test_nothing_known_is_clear() -> None:
    """An address without facts may be mailed."""
    assert judged(NOTHING_KNOWN) == CLEAR


@pytest.mark.parametrize(
    ("fact", "reason"),
    [
        (FactKind.SUPPRESS, Reason.OPERATOR),
        (FactKind.COMPLAINT, Reason.COMPLAINT),
        (FactKind.UNCERTAIN_COMPLAINT, Reason.COMPLAINT),
        (FactKind.HARD, Reason.HARD),
    ],
)
def test_suppressing_facts_suppress_permanently(fact: FactKind, reason: Reason) -> None:
    """The verdict has a reason, a beginning and no end."""
    expected = Verdict(
        suppressed=True,
        reason=reason,
        since=from_ms(5),
        certain=fact is not FactKind.UNCERTAIN_COMPLAINT,
        evidence=("e",),
    )
    assert expected == judged(a_standing((fact, 5)))
    assert judged(a_standing((fact, 5))).holds_at(datetime.max.replace(tzinfo=UTC))


@pytest.mark.parametrize("fact", [FactKind.SOFT, FactKind.ECHO, FactKind.OPT_OUT, FactKind.RELEASE])
def test_other_facts_do_not_suppress_by_default(fact: FactKind) -> None:
    """Soft bounces, echoes, opt-outs and releases leave an address clear."""
    assert judged(a_standing((fact, 5))) == CLEAR


def test_the_verdict_has_the_gravest_reason() -> None:
    """The order is operator, complaint, hard, soft."""
    order = [FactKind.SUPPRESS, FactKind.COMPLAINT, FactKind.HARD]
    reasons = [judged(a_standing(*((fact, 5) for fact in order[n:]))).reason for n in range(len(order))]
    assert reasons == [Reason.OPERATOR, Reason.COMPLAINT, Reason.HARD]
    graver = join(a_standing((FactKind.HARD, 5)), soft(1, 1, 1))
    assert judged(graver, SOFT_POLICY).reason is Reason.HARD


@given(standings)
def test_a_simulator_address_is_never_suppressed(standing: Standing) -> None:
    """No facts suppress an address of the mailbox simulator."""
    assert verdict(standing, SOFT_POLICY, address=SIMULATOR) == CLEAR


@pytest.mark.parametrize("fact", [FactKind.COMPLAINT, FactKind.UNCERTAIN_COMPLAINT, FactKind.HARD])
@pytest.mark.parametrize(("released_at", "suppressed"), [(4, True), (5, False), (6, False)])
def test_a_release_lifts_evidence_not_later_than_itself(fact: FactKind, released_at: int, suppressed: bool) -> None:
    """At equal times the release wins over an event."""
    assert suppressed is judged(join(a_standing((fact, 5)), a_release(released_at))).suppressed


@pytest.mark.parametrize(("released_at", "suppressed"), [(4, True), (5, True), (6, False)])
def test_an_operators_suppress_wins_at_equal_times(released_at: int, suppressed: bool) -> None:
    """A release lifts an earlier decision only."""
    assert suppressed is judged(join(a_standing((FactKind.SUPPRESS, 5)), a_release(released_at))).suppressed


@pytest.mark.parametrize("fact", [FactKind.SUPPRESS, FactKind.COMPLAINT, FactKind.UNCERTAIN_COMPLAINT, FactKind.HARD])
def test_a_release_lifts_the_events_that_it_names(fact: FactKind) -> None:
    """It lifts them although they are later than itself."""
    later = a_standing((fact, 9, "read"))
    assert judged(join(later, a_release(5, "read"))) == CLEAR
    assert judged(join(later, a_release(5, "other"))).suppressed


def test_evidence_after_a_release_suppresses() -> None:
    """The verdict begins with the new evidence and names it only."""
    both = join(a_standing((FactKind.HARD, 3, "old"), (FactKind.HARD, 8, "new")), a_release(5))
    assert (judged(both).since, judged(both).evidence) == (from_ms(8), ("new",))


def test_since_is_the_oldest_evidence_not_lifted() -> None:
    """A release moves the beginning to the oldest evidence that is left."""
    many = a_standing(*((FactKind.HARD, at_ms, f"e{at_ms}") for at_ms in range(1, 20)))
    assert judged(many).since == from_ms(1)
    assert judged(join(many, a_release(1))).since == from_ms(12)  # of those in between, only the newest 8 are kept


def test_evidence_of_unknown_time_suppresses_until_any_release() -> None:
    """It has time 0, which every release lifts, and no beginning is shown."""
    timeless = a_standing((FactKind.HARD, 0))
    assert (judged(timeless).suppressed, judged(timeless).since) == (True, None)
    assert judged(join(timeless, a_release(0))) == CLEAR


def test_one_certain_complaint_makes_the_verdict_certain() -> None:
    """An uncertain complaint beside it does not matter."""
    both = a_standing((FactKind.COMPLAINT, 7, "certain"), (FactKind.UNCERTAIN_COMPLAINT, 5, "guess"))
    assert Verdict(
        suppressed=True, reason=Reason.COMPLAINT, since=from_ms(5), certain=True, evidence=("guess", "certain")
    ) == judged(both)
    assert judged(a_standing((FactKind.UNCERTAIN_COMPLAINT, 5))).certain is False


def test_two_copies_of_one_event_are_named_once() -> None:
    """The verdict names an event once, although its copies differ."""
    copies = fold((FactKind.HARD, Evidence(at_ms=5, event_id="e", spelling=spelling)) for spelling in ("a", "A"))
    assert judged(copies).evidence == ("e",)


@pytest.mark.parametrize(
    ("switch", "fact"),
    [
        ({"hard": False}, FactKind.HARD),
        ({"complaint": False}, FactKind.COMPLAINT),
        ({"complaint": False}, FactKind.UNCERTAIN_COMPLAINT),
        ({"uncertain_complaint": False}, FactKind.UNCERTAIN_COMPLAINT),
    ],
)
def test_a_policy_can_switch_a_reason_off(switch: dict[str, bool], fact: FactKind) -> None:
    """Then facts of that kind do not suppress."""
    assert judged(a_standing((fact, 5)), Policy(**switch)) == CLEAR  # type: ignore[arg-type]  # these fields are flags


@pytest.mark.parametrize(
    ("days", "newest_trigger"),
    [
        ((), None),
        ((1, 2), None),
        ((1, 2, 3), 3),  # exactly within the window
        ((1, 2, 3.001), None),
        ((1, 2, 2.5, 9, 10, 11), 11),
        ((1, 2, 2.5, 9, 20, 31), 2.5),  # later mails that are too far apart leave the trigger as it was
        ((1, 1, 1), 1),
        ((0, 5, 5.5, 6.9), 6.9),
    ],
)
def test_the_soft_rule_counts_mails_in_a_window(days: tuple[float, ...], newest_trigger: float | None) -> None:
    """The newest mail that completes the number decides the end."""
    result = judged(soft(*days), SOFT_POLICY)
    if newest_trigger is None:
        assert result == CLEAR
    else:
        until = from_ms(round(newest_trigger * DAY_MS)) + timedelta(days=7)
        assert (Reason.SOFT, until) == (result.reason, result.until)


def test_a_soft_suppression_ends_at_until() -> None:
    """It holds until the millisecond before."""
    result = judged(soft(1, 2, 3), SOFT_POLICY)
    assert result.until == from_ms(10 * DAY_MS)
    assert result.holds_at(from_ms(10 * DAY_MS - 1))
    assert not result.holds_at(from_ms(10 * DAY_MS))


def test_repeated_bounces_of_one_mail_count_once() -> None:
    """The soft rule counts mails, not bounces."""
    again = fold((FactKind.SOFT, Evidence(at_ms=n, event_id=f"e{n}", message_id="m")) for n in range(1, 10))
    assert judged(again, SOFT_POLICY) == CLEAR


def test_a_release_removes_mails_from_the_soft_rule() -> None:
    """The mails that are left must reach the number by themselves."""
    assert judged(join(soft(1, 2, 3), a_release(2 * DAY_MS)), SOFT_POLICY) == CLEAR
    assert judged(join(soft(1, 2, 3), a_release(DAY_MS)), SOFT_POLICY) == CLEAR
    assert judged(join(soft(0, 1, 2, 3), a_release(0)), SOFT_POLICY).since == from_ms(DAY_MS)


def test_a_rule_of_one_mail_suppresses_at_once() -> None:
    """The suppression begins with the first soft bounce."""
    policy = Policy(soft=SoftRule(mails=1, window_seconds=1, expiry_seconds=1))
    assert judged(soft(1), policy).until == from_ms(DAY_MS + 1_000)


@given(facts, st.sampled_from([DEFAULT_POLICY, SOFT_POLICY]))
def test_a_release_later_than_everything_clears(some_facts: Facts, policy: Policy) -> None:
    """No facts outlast a later release."""
    assert judged(join(fold(some_facts), a_release(DAY_MS)), policy) == CLEAR


@given(facts, st.randoms(use_true_random=False))
def test_the_verdict_does_not_depend_on_order(some_facts: Facts, random: Any) -> None:
    """Facts in any order have one verdict."""
    assert judged(fold(some_facts), SOFT_POLICY) == judged(
        fold(random.sample(some_facts, len(some_facts))), SOFT_POLICY
    )


@given(standings)
def test_a_verdict_is_clear_or_complete(standing: Standing) -> None:
    """A suppression has a reason and evidence, and only a soft one has an end."""
    result = judged(standing, SOFT_POLICY)
    assert result == CLEAR or (result.suppressed and result.reason and result.evidence)
    assert (result.until is not None) == (result.reason is Reason.SOFT)


def test_a_clear_verdict_holds_at_no_moment() -> None:
    """A clear address is not suppressed at any time."""
    assert not CLEAR.holds_at(from_ms(0))


def test_a_policy_is_parsed_from_json() -> None:
    """Fields that are missing have their defaults."""
    document = b'{"version":2,"soft":{"mails":3,"window_seconds":172800,"expiry_seconds":604800}}'
    assert parse_policy(document) == SOFT_POLICY
    assert parse_policy(b"{}") == DEFAULT_POLICY


@pytest.mark.parametrize(
    "document",
    [
        *(b"", b"[]", b"{oops", b"\xff", b'{"version":0}', b'{"harsh":true}', b'{"hard":"yes"}', b'{"soft":{}}'),
        b'{"soft":{"mails":65,"window_seconds":1,"expiry_seconds":1}}',
        b'{"soft":{"mails":1,"window_seconds":0,"expiry_seconds":1}}',
        *(b'{"hard":' + b"[" * 100_000, b'{"version":1e999}', b'{"\\ud83d":1}'),
    ],
)
def test_an_invalid_policy_is_a_usage_error(document: bytes) -> None:
    """Wrong types, unknown fields and numbers out of range are rejected."""
    with pytest.raises(UsageError, match="not a policy"):
        parse_policy(document)


@pytest.mark.parametrize("expiry_seconds", [10**12, 10**18])
def test_no_valid_policy_makes_the_verdict_fail(expiry_seconds: int) -> None:
    """An expiry beyond the last date is rejected or capped."""
    rule = b'{"soft":{"mails":1,"window_seconds":1,"expiry_seconds":%d}}' % expiry_seconds
    try:
        policy = parse_policy(rule)
    except UsageError:
        return
    assert judged(soft(1), policy).suppressed


def test_a_policy_that_is_not_utf_8_is_a_usage_error() -> None:
    """Bytes of another encoding are reported, not raised as a decoding error."""
    with pytest.raises(UsageError, match="not a policy"):
        parse_policy(b'{"\xff":1}')
