"""Tests of `pipeline.policy`: the rule for soft bounces."""

from datetime import timedelta

import pytest

from pipeline.address import Address
from pipeline.policy import DEFAULT_POLICY, Policy, SoftRule, verdict
from pipeline.standing import Evidence, FactKind, Standing, fold, join
from pipeline.timestamp import from_ms
from pipeline.verdict import CLEAR, Reason, Verdict

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


def a_release(at_ms: int) -> Standing:
    return fold([(FactKind.RELEASE, Evidence(at_ms=at_ms, event_id="r"))])


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


def test_fewer_mails_are_enough_for_a_wrong_address() -> None:
    """The rule may ask for fewer mails where the remote server reports a wrong address."""
    rule = SoftRule(mails=3, mails_of_wrong_address=2, window_seconds=2 * 86_400, expiry_seconds=60)
    evidence = [
        Evidence(at_ms=at_ms, event_id=str(at_ms), message_id=str(at_ms), status=status)
        for at_ms, status in ((1_000, "5.1.1"), (2_000, "4.2.2"), (3_000, "5.1.10"))
    ]
    wrong, full = evidence[::2], evidence[:2]
    assert judged(fold((FactKind.SOFT, item) for item in full), Policy(soft=rule)) == CLEAR
    assert judged(fold((FactKind.SOFT, item) for item in wrong), Policy(soft=rule)).until == from_ms(63_000)


def test_a_rule_of_one_mail_suppresses_at_once() -> None:
    """The suppression begins with the first soft bounce."""
    policy = Policy(soft=SoftRule(mails=1, window_seconds=1, expiry_seconds=1))
    assert judged(soft(1), policy).until == from_ms(DAY_MS + 1_000)


def test_the_soft_rule_may_count_every_mail() -> None:
    """The newest of them decides the end."""
    policy = Policy(soft=SoftRule(mails=1, window_seconds=60, expiry_seconds=60))
    assert judged(soft(*range(1, 65)), policy).until == from_ms(64 * DAY_MS + 60_000)


@pytest.mark.parametrize(("status", "suppressed"), [("5.1.10", True), ("5.10.1", False), ("5.2.1", False)])
def test_a_status_of_a_wrong_address_begins_with_5_1(status: str, suppressed: bool) -> None:
    """RFC 3463: addressing status."""
    rule = SoftRule(mails=3, mails_of_wrong_address=1, window_seconds=60, expiry_seconds=60)
    standing = fold([(FactKind.SOFT, Evidence(at_ms=5, event_id="e", status=status))])
    assert judged(standing, Policy(soft=rule)).suppressed is suppressed


def test_an_expiry_is_at_most_as_long_as_the_kept_mails_can_decide() -> None:
    """Two mails in a window: 64 mails cover 63 windows. As many mails of wrong addresses as of all are allowed."""
    SoftRule(mails=2, mails_of_wrong_address=2, window_seconds=60, expiry_seconds=63 * 60)
    with pytest.raises(ValueError, match="expiry"):
        SoftRule(mails=2, window_seconds=60, expiry_seconds=64 * 60)
