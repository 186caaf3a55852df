"""Tests of `pipeline.explain`: table, log and SES's lists are explained together, and what is missing is said."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator

from pipeline.account_list import ListEntry
from pipeline.address import Address
from pipeline.adoption import make_evidence
from pipeline.errors import UsageError
from pipeline.explain import MAX_SPELLINGS, explain, known_spellings
from pipeline.explained_fact import FactState
from pipeline.explanation import Explanation, ListAnswer, LogAnswer, Question
from pipeline.explanation_text import FACT_TEXTS
from pipeline.logged_event import LoggedEvent, logged_events
from pipeline.policy import DEFAULT_POLICY, Policy
from pipeline.ports import NO_ITEM, Item
from pipeline.standing import FactKind, Key
from tests.support.builders import (
    ADA,
    BOB,
    OCCURRED_AT,
    a_bounce,
    a_complaint,
    a_decision,
    a_delivery,
    a_send,
    a_soft_bounce,
    one_of_each,
)
from tests.support.items import an_item
from tests.support.rows import ARRIVED_AT

SCHEMA = json.loads((Path(__file__).parents[2] / "schemas" / "explanation.json").read_text())
NOW = OCCURRED_AT + timedelta(days=1)
ACME: dict[str, Any] = {"tags": {"ses:tenant-name": ["acme"]}}
RELEASE = a_decision(
    action="release", at=OCCURRED_AT + timedelta(hours=1), author="gerda", reason="called", batch="b-1"
)
NOT_READ = LogAnswer(problem="MAILFOLD_BUCKET is not set", is_whole=False)


def log_of(*payloads: bytes, address: str = ADA, **answer: Any) -> LogAnswer:
    """Return what the log says; its records arrived one hour after the other."""
    events: Sequence[LoggedEvent] = [
        event
        for hours, payload in enumerate(payloads)
        for event in logged_events(
            payload, arrived_at=ARRIVED_AT + timedelta(hours=hours), addresses=[Address(address)]
        )
    ]
    return LogAnswer(events=events, **answer)


def explained(
    *in_table: bytes,
    log: LogAnswer,
    scope: str = "*",
    moment: datetime = NOW,
    is_as_of: bool = False,
    policy: Policy = DEFAULT_POLICY,
    table_policy: Policy = DEFAULT_POLICY,
    address: str = ADA,
    lists: Sequence[ListAnswer] = (),
) -> Explanation:
    """Return the explanation of an address whose items are made of payloads."""
    question = Question(
        requested=address, address=Address(address), scope=scope, moment=moment, is_as_of=is_as_of, policy=policy
    )
    return explain(question, items=items_of(*in_table, question=question, policy=table_policy), log=log, lists=lists)


def items_of(*payloads: bytes, question: Question, policy: Policy = DEFAULT_POLICY) -> dict[Key, Item]:
    found: dict[Key, Item] = {}
    for key in question.keys:
        try:
            found[key] = an_item(*payloads, key=key, policy=policy)
        except KeyError:  # no fact is about it
            found[key] = NO_ITEM
    return found


def states(explanation: Explanation) -> list[tuple[str, str]]:
    return [(fact.fact.value, fact.state.value) for event in explanation.events for fact in event.facts]


def test_a_bounce_is_explained_with_its_mail_and_its_rule() -> None:
    """The verdict and its reason come first; every event is in order, with what it does."""
    payloads = (a_bounce(), a_send())
    answer = explained(*payloads, log=log_of(*payloads))
    assert (answer.suppressed, answer.text) == (True, f"{ADA} is suppressed: no mail may be sent to it.")
    assert [reason.text for reason in answer.reasons] == [
        (
            "All mail: a mail server refused mail for good, as if there were no such mailbox. "
            "Since 2026-03-01 12:00:02 UTC, permanently."
        )
    ]
    assert [event.kind for event in answer.events] == ["send", "bounce"]
    assert [fact.text for fact in answer.events[1].facts] == ["suppresses all mail, permanently"]
    assert answer.notes == ("Log and table agree.",)


def test_a_release_is_explained_with_its_author_and_what_it_lifts() -> None:
    """The lifted fact names the release and who decided it."""
    payloads = (a_bounce(), RELEASE)
    answer = explained(*payloads, log=log_of(*payloads))
    assert (answer.suppressed, answer.text) == (False, f"{ADA} is clear: what suppressed it was lifted.")
    bounce, release = answer.events
    assert (release.decided_by, release.because, release.batch) == ("gerda", "called", "b-1")
    assert [fact.lifted_by for fact in bounce.facts] == [release.event_id]
    assert (
        bounce.facts[0].text == f"lifted by the release of 2026-03-01 13:00:02 UTC by gerda (event {release.event_id})"
    )
    assert release.facts[0].text == "lifts everything about all mail up to 2026-03-01 13:00:02 UTC"


def test_a_tenants_complaint_counts_in_its_scope() -> None:
    """Without --scope the answer names the scope; with it the reason says whose mail is meant and what may pass."""
    complaint = a_complaint(**ACME)
    outside = explained(complaint, log=log_of(complaint))
    assert (outside.suppressed, outside.other_scopes) == (False, ("acme",))
    assert outside.events[0].facts[0].text == "counts for mail of the tenant acme only: see --scope acme"
    inside = explained(complaint, log=log_of(complaint), scope="acme")
    assert (inside.text, inside.other_scopes) == (f"{ADA} is suppressed: only essential mail may be sent to it.", ())
    assert [(reason.scope, reason.text) for reason in inside.reasons] == [
        (
            "acme",
            (
                "Mail of the tenant acme: the recipient reported mail as spam. Since 2026-03-01 12:00:02 UTC, "
                "permanently. Essential mail may be sent in spite of it."
            ),
        )
    ]


def test_all_reasons_are_named_the_gravest_first() -> None:
    """Mail may be sent only for a purpose that every reason exempts, so a bounce binds it all."""
    payloads = (a_bounce(), a_complaint(), a_complaint(feedback_id="other", **ACME))
    answer = explained(*payloads, log=log_of(*payloads), scope="acme")
    assert [(reason.reason.value, reason.scope) for reason in answer.reasons] == [
        ("complaint", "*"),
        ("complaint", "acme"),
        ("hard", "*"),
    ]
    assert "no mail may be sent" in answer.text


def test_a_reason_that_has_ended_is_named_as_over() -> None:
    """The address is clear again, and both the reason and the fact say since when."""
    listed = a_bounce(sub_type="Suppressed")
    answer = explained(listed, log=log_of(listed), moment=OCCURRED_AT + timedelta(days=15))
    assert (answer.suppressed, answer.text) == (False, f"{ADA} is clear again: every reason to suppress it has ended.")
    assert (answer.reasons[0].is_over, states(answer)) == (True, [("listed", "ended")])
    assert "until 2026-03-15 12:00:02 UTC, which is over" in answer.reasons[0].text


def test_an_unknown_address_is_clear_and_unknown_to_the_log() -> None:
    """It says so, which differs from a log that was not read."""
    answer = explained(log=log_of())
    assert (answer.text, answer.events) == (f"{ADA} is clear: nothing is known about it.", ())
    assert answer.notes == ("The log knows nothing about the address.", "Log and table agree.")


def test_an_address_with_deliveries_alone_has_nothing_against_it() -> None:
    """Its history is shown all the same, also what arrives after the question was asked."""
    answer = explained(log=log_of(a_send(), a_delivery()), moment=ARRIVED_AT)
    assert answer.text == f"{ADA} is clear: nothing in its history suppresses it."
    assert [event.text for event in answer.events] == [
        "SES accepted the mail for sending.",
        "The recipient's mail server accepted the mail.",
    ]


def test_the_simulator_is_never_suppressed() -> None:
    """Its bounce is shown, and the answer says why it has no effect."""
    address = "bounce@simulator.amazonses.com"
    bounce = a_bounce(recipients=(address,))
    answer = explained(bounce, log=log_of(bounce, address=address), address=address)
    assert answer.text == f"{address} is clear: addresses of SES's mailbox simulator are never suppressed."
    assert states(answer) == [("hard", "simulator")]


def test_without_the_log_the_tables_facts_are_explained() -> None:
    """The answer says that the log was not read, and compares nothing."""
    answer = explained(a_bounce(), RELEASE, log=NOT_READ)
    assert (answer.log_was_read, answer.differences) == (False, ())
    assert states(answer) == [("hard", "lifted"), ("release", "lifts")]
    assert answer.events[0].message_id
    assert [event.arrived_at for event in answer.events] == [None, None]
    assert answer.notes == (
        "The event log was not read: MAILFOLD_BUCKET is not set. The events are those that the table knows of.",
    )


def test_a_fact_that_the_table_lacks_is_named_with_the_remedy() -> None:
    """It does not count yet; the answer names it, and the command that heals the table."""
    answer = explained(log=log_of(a_bounce()))
    [difference] = answer.differences
    assert (difference.only_in, difference.fact.value, difference.at) == ("log", "hard", OCCURRED_AT)
    assert difference.event_id == answer.events[0].event_id
    assert (answer.suppressed, states(answer)) == (False, [("hard", "missing")])
    [note] = answer.notes
    assert note.startswith("The table lacks what the log has: hard. ")
    assert "`mailfold reconcile --heal --since 2026-03-01` puts it into the table" in note


def test_a_fact_that_the_log_lacks_is_named_with_the_remedy() -> None:
    """It is an event of the table alone. If only some days were read, the log may have it on another day."""
    answer = explained(a_bounce(), log=log_of(a_send()))
    assert [difference.only_in for difference in answer.differences] == ["table"]
    assert [(event.kind, event.arrived_at is None) for event in answer.events] == [("send", False), ("", True)]
    [note] = answer.notes
    assert "The log lacks what the table has: hard. " in note
    assert "`mailfold reconcile --adopt` writes it into the log" in note
    partly = explained(a_bounce(), log=log_of(is_whole=False))
    assert partly.differences == ()
    assert partly.notes == (
        "Only some days of the event log were read: what happened on the other days may be missing here.",
        "These days of the log know nothing about the address.",
    )


def test_evidence_that_was_adopted_is_the_tables_own_event() -> None:
    """The event is shown once, as evidence, and log and table agree again."""
    [fact] = log_of(a_bounce()).events[0].facts
    answer = explained(a_bounce(), log=log_of(make_evidence(fact.key, fact.kind, fact.evidence)))
    assert [(event.kind, event.at, event.text) for event in answer.events] == [
        ("evidence", OCCURRED_AT, FACT_TEXTS[FactKind.HARD])
    ]
    assert (answer.differences, answer.notes) == ((), ("Log and table agree.",))


def test_as_of_a_time_the_log_answers_with_what_had_arrived() -> None:
    """The verdict is that of then: before the release, and before the bounce arrived, whatever its own time."""
    log = log_of(a_bounce(), RELEASE)
    table = (a_bounce(), RELEASE)
    before = explained(*table, log=log, moment=ARRIVED_AT - timedelta(milliseconds=1), is_as_of=True)
    assert (before.suppressed, before.events) == (False, ())
    then = explained(*table, log=log, moment=ARRIVED_AT, is_as_of=True)
    assert (then.suppressed, states(then), then.differences) == (True, [("hard", "suppresses")], ())
    assert then.text == f"As of 2026-03-01 12:00:05 UTC: {ADA} is suppressed: no mail may be sent to it."
    assert "by today's policy (version 1)" in then.notes[0]
    after = explained(*table, log=log, moment=ARRIVED_AT + timedelta(hours=1), is_as_of=True)
    assert (after.suppressed, states(after)) == (False, [("hard", "lifted"), ("release", "lifts")])


def test_as_of_a_time_an_end_is_that_of_then() -> None:
    """A reason that is over today was in force."""
    log = log_of(a_bounce(sub_type="Suppressed"))
    assert explained(log=log, moment=ARRIVED_AT + timedelta(days=13), is_as_of=True).suppressed
    assert not explained(log=log, moment=ARRIVED_AT + timedelta(days=14), is_as_of=True).suppressed


def test_as_of_a_time_the_log_is_needed() -> None:
    """The table does not know what had arrived by then."""
    with pytest.raises(UsageError, match="needs the event log, which was not read: MAILFOLD_BUCKET is not set"):
        explained(a_bounce(), log=NOT_READ, is_as_of=True)


def test_another_policy_than_the_tables_is_named() -> None:
    """The verdict is the table's, the words for the facts are today's policy's."""
    answer = explained(a_bounce(), log=log_of(a_bounce()), table_policy=Policy(version=7))
    assert answer.notes[0].startswith("The table's verdict is by version 7 of the policy")
    assert "version 1." in answer.notes[0]


def test_the_spellings_to_look_up_are_all_that_are_known() -> None:
    """They are those of the question, of the table and of the log, at most ten: SES answers one call a second."""
    question = Question(requested="Ada <ADA@Example.com>", address=Address(ADA), moment=NOW, policy=DEFAULT_POLICY)
    items = items_of(a_bounce(recipients=("Ada@example.com",)), question=question)
    log = log_of(a_bounce(recipients=("aDa@example.com",)), a_send(destination=["adA@example.com", BOB]))
    assert known_spellings(question, items, log) == (
        ADA,
        "ADA@Example.com",
        "Ada@example.com",
        "aDa@example.com",
        "adA@example.com",
    )
    many = [ADA[:n].upper() + ADA[n:] for n in range(len(ADA))]
    assert (
        len(known_spellings(question, items, log_of(*(a_send(destination=[text]) for text in many)))) == MAX_SPELLINGS
    )


def test_the_json_conforms_to_its_schema() -> None:
    """With every type of event, in a scope, and with what SES's lists say."""
    entry = ListEntry(address=ADA, reason="BOUNCE", updated_at=OCCURRED_AT)
    payloads = (*one_of_each().values(), a_soft_bounce(feedback_id="soft"), RELEASE)
    lists = [ListAnswer(entries=(entry,)), ListAnswer(scope="acme", problem="denied")]
    answer = explained(*payloads, log=log_of(*payloads), scope="acme", lists=lists)
    document = json.loads(msgspec.json.encode(answer))
    Draft202012Validator(SCHEMA).validate(document)
    assert len(document["events"]) == len(payloads)
    assert {fact["state"] for event in document["events"] for fact in event["facts"]} <= set(FactState)
