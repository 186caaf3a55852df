"""Tests of `pipeline.fact`: the facts that events state about their recipients."""

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

LAST_TIME = datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC)
NO_DSN = {"action": ABSENT, "status": ABSENT, "diagnosticCode": ABSENT}


def facts_of(payload: bytes) -> list[Fact]:
    [event] = decode(payload)
    assert isinstance(event, Event)
    return list(facts(event))


def kinds_in(payload: bytes) -> list[tuple[str, str]]:
    """Return address and kind of each fact."""
    return [(fact.key.address, fact.kind.value) for fact in facts_of(payload)]


def evidence(payload: bytes) -> Evidence:
    [fact] = facts_of(payload)
    return fact.evidence


@pytest.mark.parametrize(
    ("bounce_type", "sub_type", "kind"),
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
def test_bounce_type_and_sub_type_decide_the_fact(bounce_type: Any, sub_type: Any, kind: FactKind | None) -> None:
    """Type and sub-type select the kind of fact without regard to case; unknown ones select none."""
    assert ([(ADA, kind)] if kind else []) == kinds_in(a_bounce(bounce_type=bounce_type, sub_type=sub_type))


@pytest.mark.parametrize("kind", sorted({*one_of_each()} - {"bounce", "complaint"}))
def test_other_events_have_no_facts(kind: str) -> None:
    """Only bounces and complaints state facts about an address."""
    assert facts_of(one_of_each()[kind]) == []


def test_evidence_of_a_bounce_holds_the_remote_servers_report() -> None:
    """Status, diagnostic and spelling are kept beside the canonical address."""
    payload = a_bounce(recipients=["Ada <Ada@Example.com>"])
    [event] = decode(payload)
    assert isinstance(event, Event)
    [fact] = facts_of(payload)
    assert (Key(event.recipients[0]), FactKind.HARD) == (fact.key, fact.kind)
    assert fact.evidence == Evidence(
        at_ms=to_ms(OCCURRED_AT),
        event_id=event.id,
        message_id=MESSAGE_ID,
        sub_type="General",
        status="5.1.1",
        diagnostic="smtp; 550 5.1.1 user unknown",
        spelling="Ada@Example.com",
    )


def test_every_bounced_recipient_has_its_own_fact() -> None:
    """Each usable recipient of a bounce has one fact; an unusable one has none."""
    assert kinds_in(a_bounce(recipients=[ADA, "no-address", BOB])) == [(ADA, "hard"), (BOB, "hard")]


def test_soft_bounces_keep_no_diagnostic() -> None:
    """Evidence of a soft bounce keeps the status only, so that 64 of them stay small."""
    assert (evidence(a_soft_bounce()).status, evidence(a_soft_bounce()).diagnostic) == ("4.2.2", "")


@pytest.mark.parametrize(
    ("sub_type", "report", "is_reply"),
    [
        ("General", {}, True),
        ("General", {"status": "4.0.0"}, False),
        ("General", {"diagnosticCode": "smtp; 450 later"}, False),
        ("MailboxFull", {}, False),
    ],
)
def test_an_automatic_reply_is_no_soft_bounce(sub_type: str, report: dict[str, str], is_reply: bool) -> None:
    """Transient/General without a status and a diagnostic is an out-of-office reply."""
    assert ([] if is_reply else [(ADA, "soft")]) == kinds_in(
        a_soft_bounce(sub_type=sub_type, person={**NO_DSN, **report})
    )


@pytest.mark.parametrize("feedback_type", ["abuse", "auth-failure", "fraud", "other", "virus", "BrandNew", None])
def test_every_complaint_but_not_spam_is_a_fact(feedback_type: Any) -> None:
    """Any feedback type except not-spam is a complaint, known or not."""
    assert kinds_in(a_complaint(feedback_type=feedback_type)) == [(ADA, "complaint")]


@pytest.mark.parametrize("feedback_type", ["not-spam", "Not-Spam"])
def test_not_spam_is_no_complaint(feedback_type: str) -> None:
    """Feedback type not-spam states no fact, whatever its case."""
    assert kinds_in(a_complaint(feedback_type=feedback_type)) == []


@pytest.mark.parametrize(
    ("sub_type", "kind"),
    [("OnAccountSuppressionList", "echo"), ("OnTenantSuppressionList", "echo"), ("BrandNew", None), ("", "complaint")],
)
def test_complaint_sub_type_decides_between_echo_and_none(sub_type: str, kind: str | None) -> None:
    """A suppression list's complaint is an echo, and an unknown sub-type is no fact."""
    assert ([(ADA, kind)] if kind else []) == kinds_in(a_complaint(complaint={"complaintSubType": sub_type}))


@pytest.mark.parametrize(
    ("recipients", "destination", "expected"),
    [
        ([ADA], [ADA, BOB], [(ADA, "complaint")]),
        ([ADA, BOB], [ADA, BOB], [(ADA, "uncertain_complaint"), (BOB, "uncertain_complaint")]),
        ([ADA, ADA.upper()], [ADA], [(ADA, "complaint")]),
        ([ADA, "no-address"], [ADA], [(ADA, "uncertain_complaint")]),
        ([], [ADA], [(ADA, "complaint")]),
        ([], [ADA, BOB], []),
    ],
)
def test_several_candidates_make_a_complaint_uncertain(
    recipients: list[str], destination: list[str], expected: list[tuple[str, str]]
) -> None:
    """A complaint is certain only if it names exactly one recipient."""
    assert expected == kinds_in(a_complaint(recipients=recipients, destination=destination))


def test_evidence_of_a_complaint_holds_type_and_spelling() -> None:
    """The spelling comes from the destination if the complaint names no recipient."""
    item = evidence(a_complaint(recipients=[], destination=["Ada <ADA@Example.com>"]))
    assert (item.sub_type, item.spelling, item.message_id) == ("abuse", "ADA@Example.com", MESSAGE_ID)
    listed = evidence(a_complaint(complaint={"complaintSubType": "OnAccountSuppressionList"}))
    assert listed.sub_type == "OnAccountSuppressionList"


def test_a_decision_applies_to_its_scope() -> None:
    """A decision without a scope applies to every scope."""
    [everywhere] = facts_of(a_decision())
    [scoped] = facts_of(a_decision(scope="marketing"))
    assert (Key(everywhere.key.address), FactKind.SUPPRESS) == (everywhere.key, everywhere.kind)
    assert scoped.key == Key(everywhere.key.address, "marketing")


def test_a_release_lifts_what_its_author_had_read() -> None:
    """The ids are sorted and distinct; a decision to suppress lifts nothing."""
    assert evidence(a_decision(action="release", read=["b", "a", "b"])).lifts == ("a", "b")
    assert evidence(a_decision(action="suppress", read=["a"])).lifts == ()


@pytest.mark.parametrize(
    ("occurred", "sent", "counted"),
    [
        (OCCURRED_AT, SENT_AT, OCCURRED_AT),
        (SENT_AT - timedelta(days=1), SENT_AT, SENT_AT),
        (SENT_AT + timedelta(days=90), SENT_AT, SENT_AT + timedelta(days=90)),
        (LAST_TIME, LAST_TIME, LAST_TIME),
        (SENT_AT + timedelta(days=4_000), SENT_AT, SENT_AT + timedelta(days=90)),
        (OCCURRED_AT, None, OCCURRED_AT),
        (None, SENT_AT, SENT_AT),
    ],
)
def test_an_event_counts_from_the_later_of_its_times(occurred: Any, sent: Any, counted: Any) -> None:
    """The later of event and sending time counts, but at most 90 days after sending."""
    record = a_bounce(bounce={"timestamp": occurred and format_time(occurred)}, timestamp=sent and format_time(sent))
    assert to_ms(counted) == evidence(record).at_ms


@pytest.mark.parametrize("unreadable", [None, "soon", "1901-01-01T00:00:00.000Z"])
def test_an_event_with_unreadable_times_counts_from_1970(unreadable: str | None) -> None:
    """Evidence of unknown time has time 0, so that any release lifts it."""
    assert evidence(a_bounce(bounce={"timestamp": unreadable}, timestamp=unreadable)).at_ms == 0


@pytest.mark.parametrize(
    ("given", "status"),
    [("5.1.1", "5.1.1"), ("5.1.1 (bad mailbox)", "5.1.1"), ("4.7.650", "4.7.650"), ("x", ""), ("550", ""), (None, "")],
)
def test_the_status_is_the_enhanced_code_alone(given: str | None, status: str) -> None:
    """Only an enhanced status code of RFC 3463 is kept, without text around it."""
    assert status == evidence(a_bounce(person={"status": given})).status


def test_long_texts_are_truncated() -> None:
    """The limit holds for code points and for bytes as JSON."""
    item = evidence(a_bounce(person={"diagnosticCode": "x" * 2_000}, messageId="m" * 300))
    assert (len(item.diagnostic), len(item.message_id)) == (DIAGNOSTIC_KEPT, TEXT_KEPT)
    assert evidence(a_bounce(person={"diagnosticCode": "é" * 2_000})).diagnostic == "é" * (DIAGNOSTIC_KEPT // 2)
    assert evidence(a_bounce(person={"diagnosticCode": "x" + "é" * 2_000})).diagnostic == "x" + "é" * 499


@pytest.mark.parametrize(
    "record",
    [
        a_bounce(bounce={"bouncedRecipients": None}),
        a_complaint(complaint={"complainedRecipients": None}, destination=[]),
    ],
)
def test_feedback_without_recipients_has_no_facts(record: bytes) -> None:
    """A bounce or complaint without a list of recipients decodes and states nothing."""
    assert facts_of(record) == []
