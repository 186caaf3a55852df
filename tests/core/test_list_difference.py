"""Each difference between SES's lists and the table has its likely cause, in both directions."""

from datetime import timedelta
from typing import Any

import pytest

from pipeline.account_list import ListEntry
from pipeline.address import Address
from pipeline.list_difference import (
    LISTED_CAUSES,
    SUPPRESSED_CAUSES,
    ListCause,
    ListDifference,
    list_differences,
    to_key,
    to_standing,
)
from pipeline.policy import DEFAULT_POLICY, Policy, SoftRule
from pipeline.pseudonym import pseudonym
from pipeline.standing import NOTHING_KNOWN, Key, Standing
from pipeline.timestamp import to_ms
from tests.support.builders import ADA, OCCURRED_AT, a_bounce, a_complaint, a_decision, a_soft_bounce
from tests.support.items import a_standing

ALL, TENANT = Key(Address(ADA)), Key(Address(ADA), "acme")
LATER = OCCURRED_AT + timedelta(days=1)
ENTRY = ListEntry(address=ADA, reason="BOUNCE", updated_at=OCCURRED_AT)
TAGS = {"ses:tenant-name": ["acme"]}
SOFT = Policy(soft=SoftRule(mails=1, window_seconds=3_600, expiry_seconds=86_400 * 7))
NOT_SPAM = a_complaint(feedback_type="not-spam", feedback_id="not spam", at=LATER)


def found(
    *,
    entries: dict[Key, ListEntry] | None = None,
    table: dict[Key, Standing] | None = None,
    own_lists: tuple[str, ...] = (),
    policy: Policy = DEFAULT_POLICY,
    settled_before_ms: int = to_ms(LATER) + 1,
) -> list[ListDifference]:
    """Return the differences of these entries and this table."""
    listed = {key: to_standing(entry) for key, entry in (entries or {}).items()}
    known = table or {}
    part = {key: (listed.get(key, NOTHING_KNOWN), known.get(key, NOTHING_KNOWN)) for key in {*listed, *known}}
    return list(
        list_differences([part], policy=policy, own_lists=own_lists, now=LATER, settled_before_ms=settled_before_ms)
    )


@pytest.mark.parametrize(
    ("payloads", "cause"),
    [
        ((), ListCause.UNEXPLAINED),
        ((a_decision(action="release", at=LATER),), ListCause.RELEASED),
        ((a_bounce(), a_decision(action="release", at=LATER)), ListCause.RELEASED),
        ((a_complaint(), NOT_SPAM), ListCause.LIFTED),
        ((a_soft_bounce(),), ListCause.NO_REASON),
        ((a_decision(action="release", at=OCCURRED_AT),), ListCause.NO_REASON),
    ],
)
def test_an_entry_that_is_not_suppressed_here_has_its_cause(payloads: tuple[bytes, ...], cause: ListCause) -> None:
    """SES lists it, and senders would not skip it."""
    table = {ALL: a_standing(*payloads)} if payloads else {}

    assert found(entries={ALL: ENTRY}, table=table) == [
        ListDifference(key=ALL, is_listed=True, cause=cause, reason="bounce")
    ]


@pytest.mark.parametrize(
    ("payload", "cause", "reason"),
    [
        ((a_bounce(),), ListCause.REMOVED, "hard"),
        ((a_complaint(),), ListCause.REMOVED, "complaint"),
        ((a_complaint(at=LATER), a_complaint(feedback_type="not-spam")), ListCause.NOT_SPAM, "complaint"),
        ((a_decision(),), ListCause.DECISION, "operator"),
        ((a_decision(), a_bounce()), ListCause.REMOVED, "operator"),
        ((a_bounce(sub_type="Suppressed"),), ListCause.GLOBAL_LIST, "listed"),
        ((a_bounce(person={"status": "5.7.1"}),), ListCause.OWN_JUDGEMENT, "blocked"),
        ((a_bounce(recipients=[], destination=[ADA]),), ListCause.OWN_JUDGEMENT, "inferred"),
        ((a_complaint(recipients=[ADA, "bob@example.com"]),), ListCause.OWN_JUDGEMENT, "complaint"),
        ((a_soft_bounce(),), ListCause.SOFT_RULE, "soft"),
    ],
)
def test_a_suppression_that_ses_does_not_list_has_its_cause(
    payload: tuple[bytes, ...], cause: ListCause, reason: str
) -> None:
    """By the reasons that SES has too, or else by those that are Mailfold's alone."""
    assert found(table={ALL: a_standing(*payload)}, policy=SOFT) == [
        ListDifference(key=ALL, is_listed=False, cause=cause, reason=reason)
    ]


def test_an_erased_person_is_on_no_list() -> None:
    """The table has a hash, and nothing of it says whether SES lists the address."""
    erased = Key(pseudonym(ALL.address, key=b"k" * 32))
    standing = a_standing(a_bounce())

    assert [item.cause for item in found(table={erased: standing})] == [ListCause.ERASED]


def test_an_address_on_both_sides_is_no_difference() -> None:
    """Whatever the reasons are."""
    assert found(entries={ALL: ENTRY}, table={ALL: a_standing(a_complaint())}) == []


def test_what_is_suppressed_for_all_mail_is_suppressed_for_a_tenant() -> None:
    """A look-up reads both scopes."""
    assert found(entries={TENANT: ENTRY, ALL: ENTRY}, table={ALL: a_standing(a_bounce())}, own_lists=("acme",)) == []


@pytest.mark.parametrize(("own_lists", "is_found"), [(("acme",), True), ((), False)])
def test_a_tenants_complaint_belongs_on_its_own_list_if_it_has_one(own_lists: tuple[str, ...], is_found: bool) -> None:
    """SES skips the account's list for a tenant with its own."""
    standing = a_standing(a_complaint(tags=TAGS), about=TENANT)

    differences = found(entries={ALL: ENTRY}, table={TENANT: standing}, own_lists=own_lists)

    assert [(item.key, item.is_listed) for item in differences if not item.is_listed] == [(TENANT, False)] * is_found


def test_a_suppression_that_ended_is_none() -> None:
    """SES's global list forgets an address after 14 days."""
    standing = a_standing(a_bounce(sub_type="Suppressed", at=OCCURRED_AT - timedelta(days=20), timestamp="x"))

    assert found(table={ALL: standing}) == []


@pytest.mark.parametrize(("settled_before_ms", "count"), [(to_ms(OCCURRED_AT), 0), (to_ms(OCCURRED_AT) + 1, 1)])
def test_what_is_new_on_one_side_is_left_out(settled_before_ms: int, count: int) -> None:
    """The other side was read before it came."""
    entries: dict[str, Any] = {"entries": {ALL: ENTRY}}
    table: dict[str, Any] = {"table": {ALL: a_standing(a_bounce())}}

    assert [len(found(**side, settled_before_ms=settled_before_ms)) for side in (entries, table)] == [count, count]


def test_an_entry_that_is_no_address_has_no_key() -> None:
    """It is counted apart."""
    assert to_key(ENTRY) == ALL
    assert to_key(ListEntry(address="no address", reason="BOUNCE", updated_at=OCCURRED_AT)) is None


def test_every_cause_has_its_words() -> None:
    """In one of the two directions."""
    assert {*LISTED_CAUSES, *SUPPRESSED_CAUSES} == set(ListCause)
    assert LISTED_CAUSES.keys().isdisjoint(SUPPRESSED_CAUSES)
