"""Tests of `pipeline.fact`: what complaints and decisions state, and in which scope."""

from datetime import UTC, datetime
from typing import Any

import pytest

from pipeline.standing import MAX_SCOPE, Evidence, FactKind, Key
from pipeline.timestamp import to_ms
from tests.support.builders import (
    ADA,
    BOB,
    MESSAGE_ID,
    OCCURRED_AT,
    a_bounce,
    a_complaint,
    a_decision,
    a_soft_bounce,
)
from tests.support.facts import evidence, facts_of, kinds_in

LAST_TIME = datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC)


@pytest.mark.parametrize("feedback_type", ["abuse", "auth-failure", "fraud", "other", "virus", "BrandNew", None])
def test_every_complaint_but_not_spam_is_a_fact(feedback_type: Any) -> None:
    """Any feedback type except not-spam is a complaint, known or not."""
    assert kinds_in(a_complaint(feedback_type=feedback_type)) == [(ADA, "complaint")]


@pytest.mark.parametrize("feedback_type", ["not-spam", "Not-Spam"])
def test_not_spam_of_one_person_is_a_fact_of_its_own(feedback_type: str) -> None:
    """Of several candidates, it is unknown whose report it is."""
    assert kinds_in(a_complaint(feedback_type=feedback_type)) == [(ADA, "not_spam")]
    assert kinds_in(a_complaint(feedback_type=feedback_type, recipients=[ADA, BOB])) == []


def test_a_candidate_without_a_usable_address_is_a_candidate() -> None:
    """Two addresses and a text that names no mailbox are three candidates, so no complaint is certain."""
    uncertain = [(ADA, "uncertain_complaint"), (BOB, "uncertain_complaint")]
    assert kinds_in(a_complaint(recipients=[ADA, "no address", BOB])) == uncertain
    assert kinds_in(a_complaint(recipients=[ADA, "no address"])) == uncertain[:1]


TENANT = {"ses:tenant-name": ["customer-a"]}


@pytest.mark.parametrize(
    ("record", "scope"),
    [
        (a_complaint(tags=TENANT), "customer-a"),
        (a_complaint(tags=TENANT, recipients=[ADA, BOB]), "customer-a"),
        (a_complaint(tags=TENANT, feedback_type="not-spam"), "customer-a"),
        (a_bounce(tags=TENANT, sub_type="UnsubscribedRecipient"), "customer-a"),
        (a_bounce(tags=TENANT), "*"),
        (a_bounce(tags=TENANT, sub_type="Suppressed"), "*"),
        (a_bounce(tags=TENANT, sub_type="OnTenantSuppressionList"), "*"),
        (a_soft_bounce(tags=TENANT), "*"),
        (a_complaint(tags={"ses:tenant-name": []}), "*"),
        (a_complaint(tags={"ses:tenant-name": [""]}), "*"),
        (a_complaint(tags={"ses:tenant-name": ["t" * (MAX_SCOPE + 1)]}), "*"),
        (a_complaint(), "*"),
    ],
)
def test_what_is_about_a_tenants_mail_lies_in_its_scope(record: bytes, scope: str) -> None:
    """Complaints, not-spam reports and opt-outs do; what is about the mailbox lies in every scope."""
    assert {fact.key.scope for fact in facts_of(record)} == {scope}


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


def test_evidence_of_a_decision_holds_its_id_and_spelling() -> None:
    """A decision is about no mail, so the other fields are empty."""
    item = evidence(a_decision(address="Ada <ADA@Example.com>", decision_id="1" * 32))
    assert item == Evidence(at_ms=to_ms(OCCURRED_AT), event_id="1" * 32, spelling="ADA@Example.com")
    assert len(evidence(a_decision(address=f"{'A' * 300}@example.com")).spelling) == 256
