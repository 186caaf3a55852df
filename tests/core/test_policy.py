"""What the known facts mean for sending."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.address import Address
from pipeline.errors import UsageError
from pipeline.policy import CLEAR, DEFAULT_POLICY, Policy, Reason, SoftRule, Verdict, parse_policy, policy_hash, verdict
from pipeline.standing import NOTHING_KNOWN, Evidence, FactKind, Standing, join, standing
from pipeline.timestamp import from_ms
from tests.support.strategies import Facts, facts, standings

ADA = Address("ada@example.com")
SIMULATOR = Address("bounce+label@simulator.amazonses.com")
DAY_MS = 86_400_000
# Three mails within two days suppress for a week.
RULE = SoftRule(mails=3, window_seconds=2 * 86_400, expiry_seconds=7 * 86_400)
SOFT_POLICY = Policy(version=2, soft=RULE)


def known(*found: tuple[FactKind, int] | tuple[FactKind, int, str]) -> Standing:
    """Return a standing from facts with their time and, where it matters, their event."""
    return standing((fact, Evidence(at_ms=at_ms, event_id=(event or ("e",))[0])) for fact, at_ms, *event in found)


def soft(*days: float) -> Standing:
    return standing(
        (FactKind.SOFT, Evidence(at_ms=round(day * DAY_MS), event_id=f"e{n}", message_id=f"m{n}"))
        for n, day in enumerate(days)
    )


def judged(standing_: Standing, policy: Policy = DEFAULT_POLICY) -> Verdict:
    return verdict(standing_, policy, address=ADA)


def a_release(at_ms: int, *lifts: str) -> Standing:
    return standing([(FactKind.RELEASE, Evidence(at_ms=at_ms, event_id="r", lifts=lifts))])


def test_nothing_known_is_clear() -> None:
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
def test_what_suppresses_does_so_for_good(fact: FactKind, reason: Reason) -> None:
    expected = Verdict(
        suppressed=True,
        reason=reason,
        since=from_ms(5),
        certain=fact is not FactKind.UNCERTAIN_COMPLAINT,
        evidence=("e",),
    )
    assert expected == judged(known((fact, 5)))
    assert judged(known((fact, 5))).holds_at(datetime.max.replace(tzinfo=UTC))


@pytest.mark.parametrize("fact", [FactKind.SOFT, FactKind.ECHO, FactKind.OPT_OUT, FactKind.RELEASE])
def test_nothing_else_suppresses_by_default(fact: FactKind) -> None:
    assert judged(known((fact, 5))) == CLEAR


def test_the_gravest_reason_is_given() -> None:
    order = [FactKind.SUPPRESS, FactKind.COMPLAINT, FactKind.HARD]
    reasons = [judged(known(*((fact, 5) for fact in order[n:]))).reason for n in range(len(order))]
    assert reasons == [Reason.OPERATOR, Reason.COMPLAINT, Reason.HARD]
    graver = join(known((FactKind.HARD, 5)), soft(1, 1, 1))
    assert judged(graver, SOFT_POLICY).reason is Reason.HARD


@given(standings)
def test_a_simulator_address_is_never_suppressed(any_standing: Standing) -> None:
    assert verdict(any_standing, SOFT_POLICY, address=SIMULATOR) == CLEAR


@pytest.mark.parametrize("fact", [FactKind.COMPLAINT, FactKind.UNCERTAIN_COMPLAINT, FactKind.HARD])
@pytest.mark.parametrize(("released_at", "suppressed"), [(4, True), (5, False), (6, False)])
def test_a_release_lifts_evidence_not_later_than_itself(fact: FactKind, released_at: int, suppressed: bool) -> None:
    assert suppressed is judged(join(known((fact, 5)), a_release(released_at))).suppressed


@pytest.mark.parametrize(("released_at", "suppressed"), [(4, True), (5, True), (6, False)])
def test_an_operators_suppress_wins_at_equal_times(released_at: int, suppressed: bool) -> None:
    assert suppressed is judged(join(known((FactKind.SUPPRESS, 5)), a_release(released_at))).suppressed


@pytest.mark.parametrize("fact", [FactKind.SUPPRESS, FactKind.COMPLAINT, FactKind.UNCERTAIN_COMPLAINT, FactKind.HARD])
def test_a_release_lifts_what_its_author_had_read_even_if_it_is_later(fact: FactKind) -> None:
    later = known((fact, 9, "read"))
    assert judged(join(later, a_release(5, "read"))) == CLEAR
    assert judged(join(later, a_release(5, "other"))).suppressed


def test_evidence_after_a_release_suppresses_from_then_on() -> None:
    both = join(known((FactKind.HARD, 3, "old"), (FactKind.HARD, 8, "new")), a_release(5))
    assert (judged(both).since and judged(both).since.timestamp() * 1_000, judged(both).evidence) == ((8, ("new",)))  # type: ignore[union-attr]  # it is suppressed


def test_since_is_the_oldest_evidence_that_was_not_lifted() -> None:
    many = known(*((FactKind.HARD, at_ms, f"e{at_ms}") for at_ms in range(1, 20)))
    assert judged(many).since == from_ms(1)
    assert judged(join(many, a_release(1))).since == from_ms(12)  # of those in between, only the newest 8 are kept


def test_evidence_of_unknown_time_suppresses_until_any_release() -> None:
    timeless = known((FactKind.HARD, 0))
    assert (judged(timeless).suppressed, judged(timeless).since) == (True, None)
    assert judged(join(timeless, a_release(0))) == CLEAR


def test_a_complaint_is_certain_if_one_of_several_is() -> None:
    both = known((FactKind.COMPLAINT, 7, "certain"), (FactKind.UNCERTAIN_COMPLAINT, 5, "guess"))
    assert Verdict(
        suppressed=True, reason=Reason.COMPLAINT, since=from_ms(5), certain=True, evidence=("guess", "certain")
    ) == judged(both)
    assert judged(known((FactKind.UNCERTAIN_COMPLAINT, 5))).certain is False


def test_two_copies_of_one_event_are_named_once() -> None:
    copies = standing((FactKind.HARD, Evidence(at_ms=5, event_id="e", spelling=spelling)) for spelling in ("a", "A"))
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
def test_a_policy_can_leave_a_reason_out(switch: dict[str, bool], fact: FactKind) -> None:
    assert judged(known((fact, 5)), Policy(**switch)) == CLEAR  # type: ignore[arg-type]  # these fields are flags


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
def test_the_soft_rule_looks_at_mails_in_a_row(days: tuple[float, ...], newest_trigger: float | None) -> None:
    found = judged(soft(*days), SOFT_POLICY)
    if newest_trigger is None:
        assert found == CLEAR
    else:
        until = from_ms(round(newest_trigger * DAY_MS)) + timedelta(days=7)
        assert (Reason.SOFT, until) == (found.reason, found.until)


def test_a_soft_suppression_ends_at_its_moment() -> None:
    found = judged(soft(1, 2, 3), SOFT_POLICY)
    assert found.until == from_ms(10 * DAY_MS)
    assert found.holds_at(from_ms(10 * DAY_MS - 1))
    assert not found.holds_at(from_ms(10 * DAY_MS))


def test_one_mail_that_bounces_again_and_again_is_one_mail() -> None:
    again = standing((FactKind.SOFT, Evidence(at_ms=n, event_id=f"e{n}", message_id="m")) for n in range(1, 10))
    assert judged(again, SOFT_POLICY) == CLEAR


def test_a_release_takes_mails_out_of_the_soft_rule() -> None:
    assert judged(join(soft(1, 2, 3), a_release(2 * DAY_MS)), SOFT_POLICY) == CLEAR
    assert judged(join(soft(1, 2, 3), a_release(DAY_MS)), SOFT_POLICY) == CLEAR
    assert judged(join(soft(0, 1, 2, 3), a_release(0)), SOFT_POLICY).since == from_ms(DAY_MS)


def test_a_rule_of_one_mail_suppresses_at_once() -> None:
    policy = Policy(soft=SoftRule(mails=1, window_seconds=1, expiry_seconds=1))
    assert judged(soft(1), policy).until == from_ms(DAY_MS + 1_000)


@given(facts, st.sampled_from([DEFAULT_POLICY, SOFT_POLICY]))
def test_a_release_later_than_everything_clears(found: Facts, policy: Policy) -> None:
    assert judged(join(standing(found), a_release(DAY_MS)), policy) == CLEAR


@given(facts, st.randoms(use_true_random=False))
def test_the_verdict_is_free_of_order(found: Facts, random: Any) -> None:
    assert judged(standing(found), SOFT_POLICY) == judged(standing(random.sample(found, len(found))), SOFT_POLICY)


@given(standings)
def test_a_verdict_is_either_clear_or_whole(any_standing: Standing) -> None:
    found = judged(any_standing, SOFT_POLICY)
    assert found == CLEAR or (found.suppressed and found.reason and found.evidence)
    assert (found.until is not None) == (found.reason is Reason.SOFT)


def test_a_clear_verdict_holds_at_no_moment() -> None:
    assert not CLEAR.holds_at(from_ms(0))


def test_a_policy_is_read_from_json() -> None:
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
def test_what_is_no_policy_is_refused_with_a_reason(document: bytes) -> None:
    with pytest.raises(UsageError, match="not a policy"):
        parse_policy(document)


def test_the_policys_hash_changes_with_every_field() -> None:
    policies = [
        DEFAULT_POLICY,
        SOFT_POLICY,
        Policy(hard=False),
        Policy(complaint=False),
        Policy(uncertain_complaint=False),
    ]
    assert len({policy_hash(policy) for policy in policies}) == len(policies)
    assert policy_hash(Policy()) == policy_hash(DEFAULT_POLICY)


@pytest.mark.parametrize("expiry_seconds", [10**12, 10**18])
def test_no_policy_that_is_accepted_can_stop_the_verdict(expiry_seconds: int) -> None:
    rule = b'{"soft":{"mails":1,"window_seconds":1,"expiry_seconds":%d}}' % expiry_seconds
    try:
        policy = parse_policy(rule)
    except UsageError:
        return
    assert judged(soft(1), policy).suppressed


def test_a_policy_that_is_no_text_is_refused_with_a_reason() -> None:
    with pytest.raises(UsageError, match="not a policy"):
        parse_policy(b'{"\xff":1}')
