"""A fact that only a table has is the same fact after it was written into the log as evidence."""

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.adoption import evidence_records, make_evidence
from pipeline.authored import INCOMPLETE_EVIDENCE
from pipeline.batch import group_by_key
from pipeline.decision import decode_arrived
from pipeline.decode import decode
from pipeline.difference import differences
from pipeline.digest import digest
from pipeline.event import DECISION_ENVELOPES, Event, EventKind, Poison
from pipeline.fact import Fact, facts
from pipeline.row import row_facts, to_row
from pipeline.standing import NOTHING_KNOWN, Key, Standing, join
from tests.support.builders import (
    ABSENT,
    ADA,
    OCCURRED_AT,
    a_bounce,
    a_complaint,
    a_decision,
    a_soft_bounce,
    dumped,
    in_kinesis,
    some_evidence,
)
from tests.support.facts import facts_of
from tests.support.scenario import an_event
from tests.support.strategies import ENVELOPES, feedback

ODD = '\x00 \u202e "quoted" \\ é 😀\u2028'


def fold_of(payloads: list[bytes]) -> dict[Key, Standing]:
    """Return the standings of all facts in some payloads."""
    events = [outcome for payload in payloads for outcome in decode(payload) if isinstance(outcome, Event)]
    return group_by_key(fact for event in events for fact in facts(event))


def evidence_of(fact: Fact) -> bytes:
    return make_evidence(fact.key, fact.kind, fact.evidence)


@pytest.mark.parametrize(
    "payload",
    [
        a_bounce(),
        a_bounce(person={"status": "5.7.1"}, feedback_id="blocked"),
        a_bounce(person={"status": ABSENT, "diagnosticCode": ODD}),
        a_bounce(person={"status": ABSENT, "diagnosticCode": "x" * 5_000}),
        a_bounce(recipients=[f'"{ODD[20:]}" <Ada@Example.com>']),
        a_soft_bounce(),
        a_complaint(tags={"ses:tenant-name": ["acme"]}),
        a_decision(action="release", scope="acme"),
        a_bounce(at=OCCURRED_AT.replace(year=1970), timestamp=ABSENT, feedback_id="x"),
    ],
)
def test_evidence_is_the_fact_that_it_was_made_of(payload: bytes) -> None:
    """Every field is the same, the id of the event too, also after a row of the log."""
    [fact] = facts_of(payload)

    assert facts_of(evidence_of(fact)) == [fact]
    assert list(row_facts(to_row(an_event(evidence_of(fact)), arrived_at=OCCURRED_AT))) == [fact]


@given(log=st.lists(feedback, max_size=8), lost=st.lists(feedback, max_size=8))
def test_a_log_that_adopted_the_tables_facts_equals_the_healed_table(log: list[bytes], lost: list[bytes]) -> None:
    """Whatever either of them lost: the digests are equal, and no fact remains that one of them lacks."""
    folded, table = fold_of(log), fold_of(lost)
    pairs = {key: (folded.get(key, NOTHING_KNOWN), table.get(key, NOTHING_KNOWN)) for key in folded | table}

    adopted = [record.payload for found in differences([pairs]) for record in evidence_records(found.key, found.extra)]
    healed = {key: join(*both) for key, both in pairs.items()}

    assert digest(fold_of([*log, *adopted]).items()) == digest(healed.items())
    assert fold_of([*log, *adopted, *adopted]) == healed


def test_the_same_evidence_is_one_event() -> None:
    """Its id is a hash of its content, and copies of an event that differ in a text differ."""
    first, other = (facts_of(a_bounce(person={"diagnosticCode": text}))[0] for text in ("no user", "no such user"))

    assert an_event(evidence_of(first)).id == an_event(evidence_of(first) + b"\n").id
    assert an_event(evidence_of(first)).id not in {an_event(evidence_of(other)).id, first.evidence.event_id}


def test_evidence_is_feedback_without_a_time_of_its_own() -> None:
    """It is selected by its arrival, because no bound of a replay would find an old time in today's folder."""
    row = to_row(an_event(some_evidence()), arrived_at=OCCURRED_AT + timedelta(days=400))

    assert (row.event_type, row.is_feedback, row.occurred_at, row.recipients) == ("evidence", True, None, (ADA,))
    assert row.raw.encode() == some_evidence()


@pytest.mark.parametrize("name", sorted(ENVELOPES))
def test_evidence_is_read_only_where_a_decision_is(name: str) -> None:
    """Evidence can be a release: publishing to a topic or a bus is no permission for one."""
    [outcome] = decode(ENVELOPES[name](some_evidence(fact="release")))

    assert isinstance(outcome, Event if name in DECISION_ENVELOPES else Poison)
    assert some_evidence(fact="release") in outcome.raw


def test_evidence_inside_something_else_is_poison() -> None:
    """Another program's object cannot release an address."""
    outcomes = decode(dumped({"eventType": "order", "note": some_evidence().decode()}))

    assert not [outcome for outcome in outcomes if isinstance(outcome, Event)]


def test_a_record_in_the_text_of_evidence_is_a_text() -> None:
    """Diagnostics are texts of strangers."""
    short = '{"eventType":"Send","mail":{"messageId":"1","destination":["bob@example.com"]}}'
    for text in (short, a_decision(action="release").decode()):
        beside = dumped(json.loads(some_evidence(diagnostic=text)) | {"note": text})
        [outcome] = decode(in_kinesis(beside))
        assert isinstance(outcome, Event)
        assert (outcome.kind, outcome.recipients) == (EventKind.EVIDENCE, (ADA,))


@pytest.mark.parametrize(
    "changes",
    [
        {"address": ABSENT},
        {"address": "Ada@example.com"},
        {"address": "ada@example.com, bob@example.com"},
        {"scope": ABSENT},
        {"scope": ""},
        {"scope": "x" * 65},
        {"fact": "forget"},
        {"fact": ABSENT},
        {"atMs": ABSENT},
        {"atMs": -1},
        {"atMs": 253_402_300_800_000},
        {"eventId": "1"},
        {"status": "five"},
        {"diagnostic": "x" * 257},
        {"spelling": "x" * 257},
        {"messageId": "x" * 65},
        {"subType": "x" * 65},
        {"fact": "soft", "diagnostic": "full"},
        {"fact": "soft", "spelling": ADA},
    ],
)
def test_evidence_that_no_event_states_is_poison(changes: dict[str, Any]) -> None:
    """An item of the table would be larger than items are, or would have a fact that nothing reads."""
    assert decode(some_evidence(**changes)) == [Poison(why=INCOMPLETE_EVIDENCE, raw=some_evidence(**changes))]


@pytest.mark.parametrize("changes", [{"scope": ["*"]}, {"atMs": "soon"}, {"diagnostic": {}}])
def test_evidence_with_a_value_of_another_type_is_poison(changes: dict[str, Any]) -> None:
    """It would be another fact."""
    [outcome] = decode(some_evidence(**changes))

    assert isinstance(outcome, Poison)


@pytest.mark.parametrize(("fact", "is_poison"), [("release", True), ("suppress", True), ("hard", False)])
def test_evidence_of_a_decision_that_is_dated_ahead_is_set_aside(fact: str, is_poison: bool) -> None:
    """It would lift facts of the future, like the decision itself."""
    payload = some_evidence(fact=fact)
    late, early = OCCURRED_AT, OCCURRED_AT - timedelta(minutes=6)

    assert isinstance(decode_arrived(payload, arrived_at=early)[0], Poison) == is_poison
    assert isinstance(decode_arrived(payload, arrived_at=late)[0], Event)


def test_keys_in_another_case_are_read() -> None:
    """As Athena writes them."""
    details = json.loads(some_evidence())["evidence"]
    lower = dumped({"eventtype": "Evidence", "evidence": {key.lower(): value for key, value in details.items()}})

    assert facts_of(lower) == facts_of(some_evidence())
