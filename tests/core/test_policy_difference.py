"""The difference of two policies says whose answer changes, as look-up would answer at that moment."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import policy_difference
from pipeline.address import Address
from pipeline.lookup import lookup
from pipeline.memory import MemoryStore
from pipeline.policy import DEFAULT_POLICY, Policy, Rule, SoftRule
from pipeline.policy_difference import (
    ChangeKind,
    PolicyDifference,
    VerdictChange,
    compare_policies,
)
from pipeline.ports import Put
from pipeline.projection import to_item
from pipeline.standing import EVERY_SCOPE, Evidence, FactKind, Key, Standing, fold
from pipeline.timestamp import to_ms
from tests.support.strategies import standings

NOW = datetime(2026, 3, 15, tzinfo=UTC)
DAY = timedelta(days=1)
SOFT = SoftRule(mails=1, window_seconds=86_400, expiry_seconds=10 * 86_400, exempt=())
RULES = st.none() | st.builds(
    Rule, expiry_seconds=st.none() | st.integers(1, 5), exempt=st.sampled_from([(), ("essential",)])
)
policies = st.builds(
    Policy,
    version=st.just(2),
    blocked=RULES,
    listed=RULES,
    complaint=RULES,
    forwarded=RULES,
    not_spam=st.booleans(),
    soft=st.none() | st.just(SOFT),
)


def a_standing(kind: FactKind, at: datetime = NOW - DAY) -> Standing:
    return fold([(kind, Evidence(at_ms=to_ms(at), event_id=f"{kind}{at}"))])


def a_key(name: str, scope: str = EVERY_SCOPE) -> Key:
    return Key(Address(f"{name}@example.com"), scope)


def changes_of(
    standings: Mapping[Key, Standing],
    after: Policy,
    *,
    before: Policy = DEFAULT_POLICY,
    moment: datetime = NOW,
) -> tuple[PolicyDifference, dict[Key, VerdictChange]]:
    changes: dict[Key, VerdictChange] = {}
    difference = compare_policies(
        [standings],
        before=before,
        after=after,
        moment=moment,
        on_change=lambda change: changes.update({change.key: change}),
    )
    return difference, changes


def test_each_kind_of_change_is_counted_by_reason_provider_and_scope() -> None:
    """An address becomes suppressed, another one clear, a third one suppressed for another reason."""
    both = fold(
        [
            (FactKind.BLOCKED, Evidence(at_ms=to_ms(NOW - DAY), event_id="1")),
            (FactKind.SOFT, Evidence(at_ms=to_ms(NOW - DAY), event_id="2")),
        ]
    )
    difference, changes = changes_of(
        {
            a_key("ada"): a_standing(FactKind.SOFT),
            a_key("bob"): a_standing(FactKind.BLOCKED),
            a_key("cyd"): both,
            a_key("dan"): a_standing(FactKind.HARD),
            a_key("eve", "acme"): a_standing(FactKind.COMPLAINT),
        },
        Policy(version=2, blocked=None, soft=SOFT),
    )

    assert {key.address: change.kind for key, change in changes.items()} == {
        "ada@example.com": ChangeKind.SUPPRESSED,
        "bob@example.com": ChangeKind.CLEAR,
        "cyd@example.com": ChangeKind.OTHERWISE,
    }
    assert difference.unchanged == 2
    counts = {kind: (found.total, found.reasons) for kind, found in difference.changes.items()}
    assert counts == {
        "suppressed": (1, {"soft": 1}),
        "clear": (1, {"blocked": 1}),
        "otherwise": (1, {"blocked -> soft": 1}),
    }
    assert difference.changes[ChangeKind.SUPPRESSED].providers == {"example.com": 1}
    assert difference.changes[ChangeKind.SUPPRESSED].scopes == {EVERY_SCOPE: 1}
    assert difference.changes[ChangeKind.CLEAR].examples == [changes[a_key("bob")]]


@pytest.mark.parametrize(
    "after",
    [
        Policy(complaint=Rule()),
        Policy(complaint=Rule(expiry_seconds=86_400 * 300, exempt=("essential",))),
    ],
    ids=["exempt purposes", "end"],
)
def test_another_end_or_other_exempt_purposes_are_a_change(after: Policy) -> None:
    """The address stays suppressed, for the same reason."""
    _, changes = changes_of({a_key("ada"): a_standing(FactKind.COMPLAINT)}, after)
    [change] = changes.values()
    assert (change.kind, change.reason) == (ChangeKind.OTHERWISE, "complaint")


def test_a_scope_is_answered_with_what_holds_for_all_mail() -> None:
    """A complaint that no longer counts clears no address that a bounce suppresses everywhere."""
    standings = {
        a_key("ada", "acme"): a_standing(FactKind.COMPLAINT),
        a_key("ada"): a_standing(FactKind.HARD),
        a_key("bob", "acme"): a_standing(FactKind.COMPLAINT),
    }
    difference, changes = changes_of(standings, Policy(complaint=None))
    assert {key: change.kind for key, change in changes.items()} == {
        a_key("ada", "acme"): ChangeKind.OTHERWISE,
        a_key("bob", "acme"): ChangeKind.CLEAR,
    }
    assert difference.changes[ChangeKind.CLEAR].scopes == {"acme": 1}


def test_a_reason_that_has_ended_does_not_count() -> None:
    """The list keeps an address for 14 days, so the moment decides."""
    listed = {a_key("ada"): a_standing(FactKind.LISTED, NOW - 10 * DAY)}
    week = Policy(version=2, listed=Rule(expiry_seconds=7 * 86_400, exempt=("essential",)))
    kinds = [
        [change.kind for change in changes_of(listed, week, moment=moment)[1].values()]
        for moment in (NOW - 9 * DAY, NOW, NOW + 5 * DAY)
    ]
    assert kinds == [[ChangeKind.OTHERWISE], [ChangeKind.CLEAR], []]


@given(st.dictionaries(st.tuples(st.sampled_from("ab"), st.sampled_from(["*", "acme"])), standings), policies)
def test_a_change_is_a_change_of_look_ups_answer(named: dict[tuple[str, str], Standing], after: Policy) -> None:
    """For every address and scope, and nothing else is a change."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=3)
    known = {a_key(*name): standing for name, standing in named.items()}
    stores = []
    for policy in (DEFAULT_POLICY, after):
        store = MemoryStore()
        store.save([Put(key=key, item=to_item(key, standing, policy), expected="") for key, standing in known.items()])
        stores.append(store)

    difference, changes = changes_of(known, after, moment=moment)

    assert difference.unchanged + len(changes) == len(known)
    for key in known:
        before, new = (
            lookup([key.address], store=store, now=moment, scope=key.scope)[0].verdict.reasons for store in stores
        )
        held = [[reason for reason in reasons if reason.binds(moment, None)] for reasons in (before, new)]
        assert (key in changes) == (held[0] != held[1])
        if key in changes:
            assert [list(verdict.reasons) for verdict in (changes[key].before, changes[key].after)] == held


def test_names_and_examples_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A log with millions of domains does not fill the memory: those beyond the bound are counted together."""
    monkeypatch.setattr(policy_difference, "NAMES_COUNTED", 2)
    people = {Key(Address(f"ada@{n % 4}.example")): a_standing(FactKind.SOFT) for n in range(4)}
    people |= {Key(Address(f"{n}@0.example")): a_standing(FactKind.SOFT) for n in range(9)}
    counts = changes_of(people, Policy(version=2, soft=SOFT))[0].changes[ChangeKind.SUPPRESSED]
    assert counts.providers == {"0.example": 10, "1.example": 1, "": 2}
    assert (counts.total, len(counts.examples)) == (13, policy_difference.EXAMPLES)
