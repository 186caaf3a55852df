"""Tests of `pipeline.policy`: the verdict of a policy on a standing."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.address import Address
from pipeline.errors import UsageError
from pipeline.policy import DEFAULT_POLICY, ESSENTIAL, Policy, Rule, SoftRule, parse_policy, verdict
from pipeline.standing import NOTHING_KNOWN, Evidence, FactKind, Standing, fold, join
from pipeline.timestamp import LAST_MS, from_ms
from pipeline.verdict import CLEAR, Reason, ReasonHeld, Verdict
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


def a_release(at_ms: int) -> Standing:
    return fold([(FactKind.RELEASE, Evidence(at_ms=at_ms, event_id="r"))])


def test_nothing_known_is_clear() -> None:
    """An address without facts may be mailed."""
    assert judged(NOTHING_KNOWN) == CLEAR


FOR_GOOD = [FactKind.COMPLAINT, FactKind.UNCERTAIN_COMPLAINT, FactKind.HARD, FactKind.BLOCKED, FactKind.INFERRED]


@pytest.mark.parametrize(
    ("fact", "reason", "certain", "exempt"),
    [
        (FactKind.SUPPRESS, Reason.OPERATOR, True, ()),
        (FactKind.COMPLAINT, Reason.COMPLAINT, True, (ESSENTIAL,)),
        (FactKind.UNCERTAIN_COMPLAINT, Reason.COMPLAINT, False, (ESSENTIAL,)),
        (FactKind.HARD, Reason.HARD, True, ()),
        (FactKind.BLOCKED, Reason.BLOCKED, True, (ESSENTIAL,)),
        (FactKind.INFERRED, Reason.INFERRED, False, ()),
    ],
)
def test_suppressing_facts_suppress_permanently(
    fact: FactKind, reason: Reason, certain: bool, exempt: tuple[str, ...]
) -> None:
    """The verdict has a reason, a beginning and no end. Some reasons let essential mail pass."""
    held = ReasonHeld(reason=reason, since=from_ms(5), certain=certain, exempt=exempt)
    result = judged(a_standing((fact, 5)))
    assert result == Verdict(reasons=(held,))
    end = datetime.max.replace(tzinfo=UTC)
    assert (result.holds_at(end), result.holds_at(end, ESSENTIAL)) == (True, not exempt)
    assert result.holds_at(end, "newsletter")


def test_an_address_on_sess_list_is_suppressed_for_14_days() -> None:
    """SES keeps an address on its global list for up to 14 days."""
    result = judged(a_standing((FactKind.LISTED, 5)))
    assert (result.reason, result.until) == (Reason.LISTED, from_ms(5 + 14 * DAY_MS))
    assert result.holds_at(from_ms(5 + 14 * DAY_MS - 1))
    assert not result.holds_at(from_ms(5 + 14 * DAY_MS))
    assert not result.holds_at(from_ms(5), ESSENTIAL)


@pytest.mark.parametrize(
    "fact",
    [
        *(FactKind.SOFT, FactKind.ECHO, FactKind.OPT_OUT, FactKind.RELEASE),
        *(FactKind.FORWARDED, FactKind.NOT_SPAM),
    ],
)
def test_other_facts_do_not_suppress_by_default(fact: FactKind) -> None:
    """Soft bounces, echoes, opt-outs, forwards, not-spam reports and releases leave an address clear."""
    assert judged(a_standing((fact, 5))) == CLEAR


def test_a_complaint_of_unknown_time_suppresses() -> None:
    """Without a not-spam report nothing lifts it."""
    assert judged(a_standing((FactKind.COMPLAINT, 0))).reason is Reason.COMPLAINT


def test_a_forwarded_fact_is_uncertain() -> None:
    """A policy may suppress for it."""
    result = judged(a_standing((FactKind.FORWARDED, 5)), Policy(forwarded=Rule()))
    assert (result.suppressed, result.certain) == (True, False)


def test_an_expiry_ends_with_the_calendar() -> None:
    """A fact at the end of the year 9999 has no later time."""
    assert judged(a_standing((FactKind.LISTED, LAST_MS))).until == from_ms(LAST_MS)


EVERY_RULE = Policy(
    soft=SoftRule(mails=1, window_seconds=1, expiry_seconds=1), forwarded=Rule(), echo=Rule(), opt_out=Rule()
)


def test_a_verdict_names_all_reasons_gravest_first() -> None:
    """Of a complaint and an uncertain one, both are named."""
    everything = a_standing(*((kind, 5) for kind in FactKind if kind not in {FactKind.RELEASE, FactKind.NOT_SPAM}))
    names = [held.reason for held in judged(everything, EVERY_RULE).reasons]
    assert names == sorted([*Reason, Reason.COMPLAINT], key=list(Reason).index)


@pytest.mark.parametrize("kind", [FactKind.COMPLAINT, FactKind.UNCERTAIN_COMPLAINT])
@pytest.mark.parametrize(("reported_at", "suppressed"), [(4, True), (5, False), (6, False)])
def test_not_spam_lifts_complaints_not_later_than_itself(kind: FactKind, reported_at: int, suppressed: bool) -> None:
    """SES's tenant lists do the same. A policy can ignore it, and it lifts nothing else."""
    report = a_standing((FactKind.NOT_SPAM, reported_at))
    assert judged(join(a_standing((kind, 5)), report)).suppressed is suppressed
    assert judged(join(a_standing((kind, 5)), report), Policy(not_spam=False)).suppressed
    assert judged(join(a_standing((FactKind.HARD, 5)), report)).suppressed


@pytest.mark.parametrize("kind", [*FOR_GOOD, FactKind.FORWARDED, FactKind.LISTED, FactKind.ECHO, FactKind.OPT_OUT])
def test_a_policy_sets_the_expiry_of_each_fact(kind: FactKind) -> None:
    """It runs from the newest fact; the suppression begins with the oldest."""
    policy = Policy(**{kind.value: Rule(expiry_seconds=60)})  # type: ignore[arg-type]  # these fields are rules
    [held] = judged(a_standing((kind, 5, "e1"), (kind, 9, "e2")), policy).reasons
    since = 9 if kind in {FactKind.LISTED, FactKind.ECHO, FactKind.OPT_OUT} else 5
    assert (held.since, held.until) == (from_ms(since), from_ms(9 + 60_000))


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


@pytest.mark.parametrize("fact", [*FOR_GOOD, FactKind.LISTED])
@pytest.mark.parametrize(("released_at", "suppressed"), [(4, True), (5, False), (6, False)])
def test_a_release_lifts_evidence_not_later_than_itself(fact: FactKind, released_at: int, suppressed: bool) -> None:
    """At equal times the release wins over an event."""
    assert suppressed is judged(join(a_standing((fact, 5)), a_release(released_at))).suppressed


@pytest.mark.parametrize(("released_at", "suppressed"), [(4, True), (5, True), (6, False)])
def test_an_operators_suppress_wins_at_equal_times(released_at: int, suppressed: bool) -> None:
    """A release lifts an earlier decision only."""
    assert suppressed is judged(join(a_standing((FactKind.SUPPRESS, 5)), a_release(released_at))).suppressed


def test_evidence_after_a_release_suppresses() -> None:
    """The verdict begins with the new evidence."""
    both = join(a_standing((FactKind.HARD, 3, "old"), (FactKind.HARD, 8, "new")), a_release(5))
    assert judged(both).since == from_ms(8)


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
    assert (judged(both).certain, judged(both).since) == (True, from_ms(7))
    assert judged(a_standing((FactKind.UNCERTAIN_COMPLAINT, 5))).certain is False


@pytest.mark.parametrize("fact", [*FOR_GOOD, FactKind.LISTED])
def test_a_policy_can_switch_a_fact_off(fact: FactKind) -> None:
    """Then facts of that kind do not suppress."""
    assert judged(a_standing((fact, 5)), Policy(**{fact.value: None})) == CLEAR  # type: ignore[arg-type]  # these fields are rules


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
    """A suppression has a reason, and an end only if all of its reasons end."""
    result = judged(standing, SOFT_POLICY)
    assert result.suppressed is (result.reason is not None) is (result != CLEAR)
    ends = {held.reason for held in result.reasons} <= {Reason.SOFT, Reason.LISTED}
    assert (result.until is not None) is (ends and result.suppressed)


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
        *(b"", b"[]", b"{oops", b"\xff", b'{"version":0}', b'{"harsh":true}', b'{"hard":true}', b'{"soft":{}}'),
        *(b'{"hard":{"exempt":["essential"]}}', b'{"blocked":{"exempt":["No Purpose"]}}', b'{"listed":{"expiry":1}}'),
        b'{"soft":{"mails":2,"mails_of_wrong_address":3,"window_seconds":1,"expiry_seconds":1}}',
        b'{"soft":{"mails":3,"window_seconds":10,"expiry_seconds":311}}',
        b'{"soft":{"mails":40,"window_seconds":10,"expiry_seconds":1}}',
        b'{"soft":{"mails":65,"window_seconds":1,"expiry_seconds":1}}',
        b'{"soft":{"mails":1,"window_seconds":0,"expiry_seconds":1}}',
        *(b'{"hard":' + b"[" * 100_000, b'{"version":1e999}', b'{"\\ud83d":1}'),
    ],
)
def test_an_invalid_policy_is_a_usage_error(document: bytes) -> None:
    """Wrong types, unknown fields, numbers out of range and rules that a table cannot decide are rejected."""
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


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (b'{"hard":{"exempt":["essential"]}}', "no purpose can be exempt from `hard`: such mail never arrives"),
        (
            b'{"soft":{"mails":2,"mails_of_wrong_address":3,"window_seconds":1,"expiry_seconds":1}}',
            "`mails_of_wrong_address` is greater than `mails`",
        ),
    ],
)
def test_an_invalid_policy_is_described(document: bytes, message: str) -> None:
    """The error names the fields that contradict each other."""
    with pytest.raises(UsageError, match=f"^not a policy: {message}"):
        parse_policy(document)
