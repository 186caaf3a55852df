"""Tests of `pipeline.explanation_text`: every fact, state and list has a sentence in plain words."""

from datetime import timedelta

import pytest

from pipeline.account_list import ListEntry
from pipeline.address import Address
from pipeline.event import EventKind
from pipeline.explained_fact import FactEffect, FactState
from pipeline.explanation import ListAnswer
from pipeline.explanation_text import (
    EVENT_TEXTS,
    FACT_TEXTS,
    REASON_TEXTS,
    effect_text,
    event_text,
    list_text,
    reason_text,
)
from pipeline.fact import Fact
from pipeline.policy import DEFAULT_POLICY, Policy, SoftRule
from pipeline.standing import Evidence, FactKind, Key
from pipeline.timestamp import to_ms
from pipeline.verdict import Reason, ReasonHeld
from tests.support.builders import ADA, OCCURRED_AT

RULE = SoftRule(mails=3, mails_of_wrong_address=2, window_seconds=86_400, expiry_seconds=86_400)
LATER = OCCURRED_AT + timedelta(hours=1)


def text_of(state: FactState, kind: FactKind = FactKind.HARD, **effect: object) -> str:
    """Return the words for what a fact does."""
    fact = Fact(Key(Address(ADA)), kind, Evidence(at_ms=to_ms(OCCURRED_AT), event_id="e"))
    return effect_text(FactEffect(fact=fact, state=state, **effect), policy=Policy(soft=RULE))  # type: ignore[arg-type]  # of any field


def test_every_fact_and_reason_has_words() -> None:
    """A new kind needs a sentence for support staff."""
    assert FACT_TEXTS.keys() == {*FactKind}
    assert REASON_TEXTS.keys() == {*Reason}


def test_every_type_of_event_has_words() -> None:
    """An unknown type, and what only the table knows of, is said to be so; a decision has those of its fact."""
    assert {*EventKind} - EVENT_TEXTS.keys() >= {EventKind.DECISION, EventKind.UNKNOWN}
    assert event_text("unknown", []) == "An event of a type that this version does not describe."
    assert event_text("bounce", [FactKind.SOFT]) == FACT_TEXTS[FactKind.SOFT]
    assert event_text("bounce", []) == EVENT_TEXTS[EventKind.BOUNCE]


@pytest.mark.parametrize(
    ("state", "effect", "text"),
    [
        ("suppresses", {}, "suppresses all mail, permanently"),
        (
            "suppresses",
            {"until": LATER, "exempt": ("essential",), "certain": False},
            (
                "suppresses all mail, except essential mail, until 2026-03-01 13:00:02 UTC; "
                "it is not certain that this address is meant"
            ),
        ),
        ("ended", {"until": LATER}, "suppressed all mail until 2026-03-01 13:00:02 UTC, which is over"),
        (
            "lifted",
            {"lifted_by": Evidence(at_ms=0, event_id="r"), "is_lifted_by_report": True},
            "lifted by the report that a mail is no spam of an unknown time (event r)",
        ),
        ("replaced", {}, "counts no more: a newer one, or a fuller copy of it, counts in its place"),
        (
            "below_rule",
            {"kind": FactKind.SOFT},
            "does not suppress: the policy's rule needs 3 such mails (2 if the address is wrong) within 1 day, 0:00:00",
        ),
        ("lifts", {"kind": FactKind.NOT_SPAM}, "lifts complaints about all mail up to 2026-03-01 12:00:02 UTC"),
        ("no_rule", {"kind": FactKind.FORWARDED}, "does not suppress: it is another mailbox that failed"),
        ("no_rule", {}, "does not suppress: the policy has no rule for it"),
    ],
)
def test_what_a_fact_does_is_said(state: str, effect: dict[str, object], text: str) -> None:
    """Until when, what may pass, what lifted it, or why it never suppresses."""
    assert text_of(FactState(state), **effect) == text  # type: ignore[arg-type]  # of any field


@pytest.mark.parametrize("state", FactState)
@pytest.mark.parametrize("kind", FactKind)
def test_every_state_of_every_fact_has_words(state: FactState, kind: FactKind) -> None:
    """None is empty."""
    assert text_of(state, kind)


def test_a_reason_says_what_is_uncertain_and_unknown() -> None:
    """It may be another address, and its time may be unreadable."""
    held = ReasonHeld(reason=Reason.INFERRED, certain=False)
    assert reason_text("*", held, OCCURRED_AT) == (
        "All mail: a mail to this recipient alone bounced for good. Since an unknown time, permanently. "
        "It is not certain that this address is meant."
    )
    ending = ReasonHeld(reason=Reason.LISTED, since=OCCURRED_AT, until=LATER)
    assert reason_text("*", ending, OCCURRED_AT).endswith("until 2026-03-01 13:00:02 UTC.")


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (ListAnswer(), "SES's account list does not have the address."),
        (ListAnswer(scope="acme"), "SES's list of the tenant acme does not have the address."),
        (ListAnswer(problem="AWS denies it"), "SES's account list was not read: AWS denies it."),
    ],
)
def test_a_list_says_what_it_has_or_why_it_was_not_read(answer: ListAnswer, text: str) -> None:
    """No access is a sentence."""
    assert list_text(answer, is_suppressed=False) == text


def test_a_listed_address_that_is_clear_here_is_said_to_be_stopped_by_ses() -> None:
    """The spelling matters, because SES's list compares by case."""
    entry = ListEntry(address="Ada@example.com", reason="COMPLAINT", updated_at=OCCURRED_AT)
    text = (
        "SES's account list has the address as Ada@example.com since 2026-03-01 12:00:02 UTC, because of a complaint."
    )
    assert list_text(ListAnswer(entries=(entry,)), is_suppressed=True) == text
    assert list_text(ListAnswer(entries=(entry,)), is_suppressed=False) == (
        f"{text} So SES stops mail to it, although it is clear here."
    )


def test_a_soft_bounce_without_a_rule_has_words() -> None:
    """The policy that explains may have lost the rule by which a table was written."""
    fact = Fact(Key(Address(ADA)), FactKind.SOFT, Evidence(at_ms=1, event_id="e"))
    text = effect_text(FactEffect(fact=fact, state=FactState.BELOW_RULE), policy=DEFAULT_POLICY)
    assert text == "does not suppress: such trouble often passes, and the policy has no rule for it"
