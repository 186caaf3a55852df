"""What an event says about each of its recipients, and what it does not."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pipeline.decode import decode
from pipeline.event import Event
from pipeline.fact import DIAGNOSTIC_KEPT, TEXT_KEPT, Fact, facts
from pipeline.standing import Evidence, FactKind, Key
from pipeline.timestamp import format_time, to_ms
from tests.support.builders import (
    ABSENT,
    ADA,
    BOB,
    MESSAGE_ID,
    OCCURRED_AT,
    SENT_AT,
    a_bounce,
    a_complaint,
    a_decision,
    a_soft_bounce,
    one_of_each,
)

THE_LAST = datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC)
NO_DSN = {"action": ABSENT, "status": ABSENT, "diagnosticCode": ABSENT}


def found(payload: bytes) -> list[Fact]:
    [event] = decode(payload)
    assert isinstance(event, Event)
    return list(facts(event))


def facts_in(payload: bytes) -> list[tuple[str, str]]:
    return [(finding.key.address, finding.fact.value) for finding in found(payload)]


def evidence(payload: bytes) -> Evidence:
    [finding] = found(payload)
    return finding.evidence


@pytest.mark.parametrize(
    ("bounce_type", "sub_type", "fact"),
    [
        ("Permanent", "General", FactKind.HARD),
        ("Permanent", "NoEmail", FactKind.HARD),
        ("PERMANENT", "no_email", FactKind.HARD),
        ("Permanent", "Suppressed", FactKind.ECHO),
        ("Permanent", "OnAccountSuppressionList", FactKind.ECHO),
        ("Permanent", "OnTenantSuppressionList", FactKind.ECHO),
        ("Permanent", "EmailValidationSuppressed", FactKind.ECHO),
        ("Permanent", "UnsubscribedRecipient", FactKind.OPT_OUT),
        ("Transient", "General", FactKind.SOFT),
        ("Transient", "MailboxFull", FactKind.SOFT),
        ("Undetermined", "Undetermined", FactKind.SOFT),
        ("Transient", "MessageTooLarge", None),
        ("Transient", "ContentRejected", None),
        ("Transient", "AttachmentRejected", None),
        ("Transient", "CustomTimeoutExceeded", None),
        ("Permanent", "BrandNew", None),
        ("Transient", "BrandNew", None),
        ("BrandNew", "General", None),
        (None, None, None),
    ],
)
def test_each_sort_of_bounce_is_one_fact_or_none(bounce_type: Any, sub_type: Any, fact: FactKind | None) -> None:
    assert ([(ADA, fact)] if fact else []) == facts_in(a_bounce(bounce_type=bounce_type, sub_type=sub_type))


@pytest.mark.parametrize("kind", sorted({*one_of_each()} - {"bounce", "complaint"}))
def test_no_other_event_of_ses_is_a_fact(kind: str) -> None:
    assert found(one_of_each()[kind]) == []


def test_a_bounce_is_evidence_with_all_that_was_said() -> None:
    spoken = a_bounce(recipients=["Ada <Ada@Example.com>"])
    [finding] = found(spoken)
    assert (Key(decode(spoken)[0].recipients[0]), FactKind.HARD) == (finding.key, finding.fact)  # type: ignore[union-attr]  # it is an event
    assert finding.evidence == Evidence(
        at_ms=to_ms(OCCURRED_AT),
        event_id=decode(spoken)[0].id,  # type: ignore[union-attr]  # it is an event
        message_id=MESSAGE_ID,
        sub_type="General",
        status="5.1.1",
        diagnostic="smtp; 550 5.1.1 user unknown",
        spelling="Ada@Example.com",
    )


def test_every_bounced_recipient_has_its_own_fact() -> None:
    assert facts_in(a_bounce(recipients=[ADA, "nobody", BOB])) == [(ADA, "hard"), (BOB, "hard")]


def test_soft_bounces_carry_no_diagnostic() -> None:
    assert (evidence(a_soft_bounce()).status, evidence(a_soft_bounce()).diagnostic) == ("4.2.2", "")


@pytest.mark.parametrize(
    ("sub_type", "said", "automatic"),
    [
        ("General", {}, True),
        ("General", {"status": "4.0.0"}, False),
        ("General", {"diagnosticCode": "smtp; 450 later"}, False),
        ("MailboxFull", {}, False),
    ],
)
def test_an_automatic_reply_is_no_soft_bounce(sub_type: str, said: dict[str, str], automatic: bool) -> None:
    assert ([] if automatic else [(ADA, "soft")]) == facts_in(
        a_soft_bounce(sub_type=sub_type, person={**NO_DSN, **said})
    )


@pytest.mark.parametrize("feedback_type", ["abuse", "auth-failure", "fraud", "other", "virus", "BrandNew", None])
def test_every_complaint_but_not_spam_is_a_fact(feedback_type: Any) -> None:
    assert facts_in(a_complaint(feedback_type=feedback_type)) == [(ADA, "complaint")]


@pytest.mark.parametrize("feedback_type", ["not-spam", "Not-Spam"])
def test_not_spam_is_no_complaint(feedback_type: str) -> None:
    assert facts_in(a_complaint(feedback_type=feedback_type)) == []


@pytest.mark.parametrize(
    ("sub_type", "fact"),
    [("OnAccountSuppressionList", "echo"), ("OnTenantSuppressionList", "echo"), ("BrandNew", None), ("", "complaint")],
)
def test_a_complaint_from_a_list_is_an_echo_and_an_unknown_one_nothing(sub_type: str, fact: str | None) -> None:
    assert ([(ADA, fact)] if fact else []) == facts_in(a_complaint(complaint={"complaintSubType": sub_type}))


@pytest.mark.parametrize(
    ("recipients", "destination", "expected"),
    [
        ([ADA], [ADA, BOB], [(ADA, "complaint")]),
        ([ADA, BOB], [ADA, BOB], [(ADA, "uncertain_complaint"), (BOB, "uncertain_complaint")]),
        ([ADA, ADA.upper()], [ADA], [(ADA, "complaint")]),
        ([ADA, "nobody"], [ADA], [(ADA, "uncertain_complaint")]),
        ([], [ADA], [(ADA, "complaint")]),
        ([], [ADA, BOB], []),
    ],
)
def test_several_candidates_are_suspects_not_culprits(
    recipients: list[str], destination: list[str], expected: list[tuple[str, str]]
) -> None:
    assert expected == facts_in(a_complaint(recipients=recipients, destination=destination))


def test_a_complaint_is_evidence_with_its_type_and_spelling() -> None:
    known = evidence(a_complaint(recipients=[], destination=["Ada <ADA@Example.com>"]))
    assert (known.sub_type, known.spelling, known.message_id) == ("abuse", "ADA@Example.com", MESSAGE_ID)
    listed = evidence(a_complaint(complaint={"complaintSubType": "OnAccountSuppressionList"}))
    assert listed.sub_type == "OnAccountSuppressionList"


def test_a_decision_is_evidence_in_its_scope() -> None:
    [everywhere] = found(a_decision())
    [scoped] = found(a_decision(scope="marketing"))
    assert (Key(everywhere.key.address), FactKind.SUPPRESS) == (everywhere.key, everywhere.fact)
    assert scoped.key == Key(everywhere.key.address, "marketing")


def test_a_release_carries_what_its_author_had_read_and_a_suppress_nothing() -> None:
    assert evidence(a_decision(action="release", read=["b", "a", "b"])).lifts == ("a", "b")
    assert evidence(a_decision(action="suppress", read=["a"])).lifts == ()


@pytest.mark.parametrize(
    ("occurred", "sent", "counted"),
    [
        (OCCURRED_AT, SENT_AT, OCCURRED_AT),
        (SENT_AT - timedelta(days=1), SENT_AT, SENT_AT),
        (SENT_AT + timedelta(days=90), SENT_AT, SENT_AT + timedelta(days=90)),
        (THE_LAST, THE_LAST, THE_LAST),
        (SENT_AT + timedelta(days=4_000), SENT_AT, SENT_AT + timedelta(days=90)),
        (OCCURRED_AT, None, OCCURRED_AT),
        (None, SENT_AT, SENT_AT),
    ],
)
def test_an_event_counts_from_the_later_of_its_times_but_not_long_after_sending(
    occurred: Any, sent: Any, counted: Any
) -> None:
    record = a_bounce(bounce={"timestamp": occurred and format_time(occurred)}, timestamp=sent and format_time(sent))
    assert to_ms(counted) == evidence(record).at_ms


@pytest.mark.parametrize("unreadable", [None, "soon", "1901-01-01T00:00:00.000Z"])
def test_an_event_whose_times_are_unreadable_counts_from_the_beginning(unreadable: str | None) -> None:
    assert evidence(a_bounce(bounce={"timestamp": unreadable}, timestamp=unreadable)).at_ms == 0


@pytest.mark.parametrize(
    ("given", "status"),
    [("5.1.1", "5.1.1"), ("5.1.1 (bad mailbox)", "5.1.1"), ("4.7.650", "4.7.650"), ("x", ""), ("550", ""), (None, "")],
)
def test_the_status_is_the_enhanced_code_alone(given: str | None, status: str) -> None:
    assert status == evidence(a_bounce(person={"status": given})).status


def test_long_texts_are_cut() -> None:
    known = evidence(a_bounce(person={"diagnosticCode": "x" * 2_000}, messageId="m" * 300))
    assert (len(known.diagnostic), len(known.message_id)) == (DIAGNOSTIC_KEPT, TEXT_KEPT)
    assert evidence(a_bounce(person={"diagnosticCode": "é" * 2_000})).diagnostic == "é" * (DIAGNOSTIC_KEPT // 2)
    assert evidence(a_bounce(person={"diagnosticCode": "x" + "é" * 2_000})).diagnostic == "x" + "é" * 499


@pytest.mark.parametrize(
    "record",
    [
        a_bounce(bounce={"bouncedRecipients": None}),
        a_complaint(complaint={"complainedRecipients": None}, destination=[]),
    ],
)
def test_feedback_without_a_list_of_recipients_is_no_fact(record: bytes) -> None:
    assert found(record) == []
