"""Tests of `pipeline.fact`: the facts that events state about their recipients."""

from datetime import UTC, datetime
from typing import Any

import pytest

from pipeline.decode import decode
from pipeline.event import Event
from pipeline.fact import is_recognized
from pipeline.standing import Evidence, FactKind, Key
from pipeline.timestamp import to_ms
from tests.support.builders import (
    ABSENT,
    ADA,
    BOB,
    MESSAGE_ID,
    OCCURRED_AT,
    a_bounce,
    a_complaint,
    a_decision,
    a_record,
    a_soft_bounce,
    one_of_each,
)
from tests.support.facts import evidence, facts_of, kinds_in

LAST_TIME = datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC)
NO_DSN = {"action": ABSENT, "status": ABSENT, "diagnosticCode": ABSENT}


@pytest.mark.parametrize(
    ("bounce_type", "sub_type", "kind"),
    [
        ("Permanent", "General", FactKind.HARD),
        ("Permanent", "NoEmail", FactKind.HARD),
        ("PERMANENT", "no_email", FactKind.HARD),
        ("Permanent", None, FactKind.HARD),
        ("Permanent", "", FactKind.HARD),
        ("Permanent", "Undetermined", FactKind.HARD),
        ("Permanent", "Suppressed", FactKind.LISTED),
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


def test_a_field_with_two_addresses_states_two_facts() -> None:
    """Some remote servers report several recipients in one field."""
    assert kinds_in(a_bounce(recipients=[f"{ADA}, Bob <{BOB}>"])) == [(ADA, "hard"), (BOB, "hard")]


@pytest.mark.parametrize(
    ("report", "kind"),
    [
        ({"action": "failed", "status": "5.1.1"}, "hard"),
        ({"action": "Failed", "status": "5.0.0"}, "hard"),
        ({"action": ABSENT, "status": ABSENT, "diagnosticCode": ABSENT}, "hard"),
        ({"action": "delayed", "status": "5.1.1"}, "soft"),
        ({"action": "DELAYED", "status": ABSENT}, "soft"),
        ({"action": "failed", "status": "4.4.7"}, "soft"),
        ({"action": "failed", "status": ABSENT, "diagnosticCode": "smtp; 451 4.7.1 Try later"}, "soft"),
        ({"action": "failed", "status": "5.7.1"}, "blocked"),
        ({"action": "failed", "status": "5.7.606"}, "blocked"),
        ({"action": "failed", "status": "5.71.1"}, "hard"),
        ({"action": "failed", "status": "5.0.0", "diagnosticCode": "smtp; 550 5.7.26 Unauthenticated"}, "blocked"),
        ({"action": "failed", "status": ABSENT, "diagnosticCode": "550 5.7.1 [192.0.2.10] is listed"}, "blocked"),
        ({"action": "failed", "status": "5.1.1", "diagnosticCode": "550 5.7.1 no such user"}, "hard"),
        ({"action": "delivered", "status": "5.1.1"}, None),
        ({"action": "relayed"}, None),
        ({"action": "Expanded"}, None),
        ({"action": "failed", "status": "2.0.0"}, None),
    ],
)
def test_the_report_about_each_recipient_decides(report: dict[str, Any], kind: str | None) -> None:
    """A permanent bounce is hard only for those recipients whom the remote server rejected for good."""
    assert ([(ADA, kind)] if kind else []) == kinds_in(a_bounce(person=report))


@pytest.mark.parametrize("sub_type", ["Suppressed", "OnAccountSuppressionList", "UnsubscribedRecipient"])
def test_a_recipient_who_got_the_mail_has_no_fact(sub_type: str) -> None:
    """This holds for every kind of bounce."""
    assert kinds_in(a_bounce(sub_type=sub_type, person={"action": "delivered"})) == []


@pytest.mark.parametrize(
    ("recipients", "destination", "expected"),
    [
        ([], [ADA], [(ADA, "inferred")]),
        (["no-address"], [ADA], [(ADA, "inferred")]),
        ([], [f"Ada <{ADA}>", ADA.upper()], [(ADA, "inferred")]),
        ([], [ADA, BOB], []),
        ([], [f"{ADA}, {BOB}"], []),
        ([], [ADA, "no-address"], []),
        ([], [], []),
        ([BOB], [ADA], [(BOB, "hard"), (ADA, "forwarded")]),
        ([BOB, "no-address"], [ADA], [(BOB, "hard"), (ADA, "forwarded")]),
        ([ADA.upper()], [ADA], [(ADA, "hard")]),
        ([ADA, BOB], [ADA], [(ADA, "hard"), (BOB, "hard")]),
        ([BOB], [ADA, "carol@example.com"], [(BOB, "hard")]),
        ([BOB], [], [(BOB, "hard")]),
    ],
)
def test_a_bounce_that_names_others_is_about_the_only_destination(
    recipients: list[str], destination: list[str], expected: list[tuple[str, str]]
) -> None:
    """A bounce that names no one, or only strangers, concerns the mail's destination if there is exactly one."""
    assert expected == kinds_in(a_bounce(recipients=recipients, destination=destination))


def test_a_stranger_who_blocks_is_a_forward_too() -> None:
    """The stranger's server rejects the sender; the destination forwards to it."""
    record = a_bounce(recipients=[BOB], destination=[ADA], person={"status": "5.7.1"})
    assert kinds_in(record) == [(BOB, "blocked"), (ADA, "forwarded")]


@pytest.mark.parametrize("report", [{"action": "delayed"}, {"action": "delivered"}, {"status": "4.2.1"}])
@pytest.mark.parametrize("recipients", [[BOB], ["no-address"]])
def test_without_a_failure_nothing_is_inferred(report: dict[str, str], recipients: list[str]) -> None:
    """The destination has no fact because of a stranger whose mail arrived or waits."""
    facts = kinds_in(a_bounce(recipients=recipients, destination=[ADA], person=report))
    assert ADA not in {address for address, _ in facts}


@pytest.mark.parametrize(
    ("bounce_type", "sub_type"),
    [("Transient", "General"), ("Permanent", "Suppressed"), ("Undetermined", "Undetermined")],
)
def test_only_a_hard_bounce_infers_its_recipient(bounce_type: str, sub_type: str) -> None:
    """A soft bounce or a list that names no one states nothing."""
    assert kinds_in(a_bounce(recipients=[], destination=[ADA], bounce_type=bounce_type, sub_type=sub_type)) == []


@pytest.mark.parametrize(
    ("record", "is_known"),
    [
        *((record, True) for record in one_of_each().values()),
        (a_decision(), True),
        (a_bounce(sub_type="MessageTooLarge", bounce_type="Transient"), True),
        (a_bounce(sub_type="BrandNew"), False),
        (a_bounce(bounce_type="BrandNew"), False),
        (a_complaint(complaint={"complaintSubType": "BrandNew"}), False),
        (a_complaint(feedback_type="BrandNew"), False),
        (a_record("BrandNew", {}), False),
    ],
)
def test_unknown_types_and_sub_types_are_recognized_as_such(record: bytes, is_known: bool) -> None:
    """They are counted, so that an operator sees what this version does not know."""
    [event] = decode(record)
    assert isinstance(event, Event)
    assert is_recognized(event) is is_known


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


@pytest.mark.parametrize(
    "record",
    [
        a_bounce(bounce={"bouncedRecipients": None}, destination=[]),
        a_complaint(complaint={"complainedRecipients": None}, destination=[]),
    ],
)
def test_feedback_without_recipients_has_no_facts(record: bytes) -> None:
    """A bounce or complaint without a list of recipients decodes and states nothing."""
    assert facts_of(record) == []
