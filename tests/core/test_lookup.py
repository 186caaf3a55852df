"""Tests of `pipeline.lookup`: each requested address has a result, in order."""

from collections.abc import Iterable, Mapping
from datetime import timedelta

import pytest

from pipeline.address import Address
from pipeline.errors import AccessDenied, StoreUnavailable
from pipeline.lookup import LookupResult, LookupStatus, lookup
from pipeline.memory import MemoryStore
from pipeline.policy import Policy, SoftRule
from pipeline.ports import Item
from pipeline.pseudonym import KEY_BYTES, pseudonym
from pipeline.standing import NOTHING_KNOWN, Key
from pipeline.verdict import CLEAR, Reason
from tests.support.builders import ADA, BOB, OCCURRED_AT, a_bounce, a_complaint, a_decision, a_soft_bounce
from tests.support.flaky import Failure, FlakyStore, Script
from tests.support.scenario import a_batch, project

CLEAR_TO_SEND, SUPPRESSED, NOT_AN_ADDRESS = LookupStatus
POLICY = Policy(soft=SoftRule(mails=1, window_seconds=1, expiry_seconds=60))


class CountingStore(MemoryStore):
    """A table that remembers the keys of each load."""

    def __init__(self, *payloads: bytes) -> None:
        super().__init__()
        self.loaded: list[Key] = []
        assert project(a_batch(*payloads), store=self, policy=POLICY).cause is None
        self.loaded.clear()

    def load(self, keys: Iterable[Key]) -> Mapping[Key, Item]:
        """Load, and remember the keys."""
        keys = tuple(keys)
        self.loaded.extend(keys)
        return super().load(keys)


def test_results_are_in_the_order_of_the_request() -> None:
    """Texts that are no address have a result too."""
    requested = [BOB, f"Ada <{ADA.upper()}>", "no-address", ADA]
    results = lookup(requested, store=CountingStore(a_bounce()), now=OCCURRED_AT)
    assert requested == [result.requested for result in results]
    assert [result.address for result in results] == [BOB, ADA, None, ADA]
    assert [result.status for result in results] == [CLEAR_TO_SEND, SUPPRESSED, NOT_AN_ADDRESS, SUPPRESSED]


def test_a_result_contains_verdict_and_facts() -> None:
    """An unknown address is clear and has no facts."""
    [suppressed, unknown] = lookup([ADA, BOB], store=CountingStore(a_bounce()), now=OCCURRED_AT)
    assert (suppressed.verdict.reason, len(suppressed.standings["*"].hard)) == (Reason.HARD, 1)
    assert (unknown.verdict, unknown.standings) == (CLEAR, {"*": NOTHING_KNOWN})


@pytest.mark.parametrize("text", ["", "no-address", "a@b@example.com", f"{ADA}, {BOB}", f"Ada <{ADA}>; {BOB}"])
def test_a_text_that_is_not_one_address_is_never_clear(text: str) -> None:
    """It has a status of its own, even if the address inside it is suppressed."""
    [result] = lookup([text], store=CountingStore(a_bounce()), now=OCCURRED_AT, purpose="essential")
    assert LookupResult(requested=text, address=None, status=NOT_AN_ADDRESS, purpose="essential") == result


TENANT = {"ses:tenant-name": ["customer-a"]}


def test_a_tenants_complaint_binds_its_own_mail_only() -> None:
    """A look-up without a scope, or of another tenant, does not read it."""
    store = CountingStore(a_complaint(tags=TENANT))
    statuses = [
        lookup([ADA], store=store, now=OCCURRED_AT, scope=scope)[0].status for scope in ("customer-a", "b", "*")
    ]
    assert statuses == [SUPPRESSED, CLEAR_TO_SEND, CLEAR_TO_SEND]


def test_the_verdicts_of_both_scopes_are_joined() -> None:
    """The stricter wins, and every reason is named, gravest first. One load reads both scopes."""
    store = CountingStore(a_complaint(tags=TENANT, feedback_id="f1"), a_bounce(tags=TENANT, feedback_id="f2"))
    [result] = lookup([ADA], store=store, now=OCCURRED_AT, scope="customer-a")
    assert [held.reason for held in result.verdict.reasons] == [Reason.COMPLAINT, Reason.HARD]
    assert store.loaded == [Key(Address(ADA)), Key(Address(ADA), "customer-a")]
    assert {scope: len(standing.hard) for scope, standing in result.standings.items()} == {"*": 1, "customer-a": 0}


@pytest.mark.parametrize(
    ("payload", "purpose", "status"),
    [
        (a_complaint(), "essential", CLEAR_TO_SEND),
        (a_complaint(), "newsletter", SUPPRESSED),
        (a_complaint(), None, SUPPRESSED),
        (a_bounce(), "essential", SUPPRESSED),
        (a_decision(), "essential", SUPPRESSED),
    ],
)
def test_a_purpose_passes_only_where_the_policy_exempts_it(
    payload: bytes, purpose: str | None, status: LookupStatus
) -> None:
    """A purpose that the policy does not name binds like none."""
    [result] = lookup([ADA], store=CountingStore(payload), now=OCCURRED_AT, purpose=purpose)
    assert (result.status, result.verdict.suppressed) == (status, True)


def test_an_erased_person_is_found_with_the_key() -> None:
    """What is known lies under the pseudonym; what has come since lies under the address. Both bind."""
    key = bytes(KEY_BYTES)
    erased = pseudonym(Address(ADA), key=key)
    store = CountingStore(a_bounce(recipients=[erased]))

    [without], [found] = (lookup([ADA], store=store, now=OCCURRED_AT, erasure_key=each) for each in (None, key))

    assert (without.status, found.status) == (CLEAR_TO_SEND, SUPPRESSED)
    assert (found.address, found.verdict.reason) == (ADA, Reason.HARD)
    [both] = lookup(
        [ADA], store=CountingStore(a_complaint(), a_bounce(recipients=[erased])), now=OCCURRED_AT, erasure_key=key
    )
    assert [held.reason for held in both.verdict.reasons] == [Reason.COMPLAINT, Reason.HARD]
    assert both.standings["*"].hard
    assert both.standings["*"].complaint


def test_each_distinct_address_is_loaded_once() -> None:
    """Spellings of one address share its key."""
    store = CountingStore()
    lookup([ADA, ADA.upper(), f"<{ADA}>", BOB, ADA], store=store, now=OCCURRED_AT)
    assert [key.address for key in store.loaded] == [ADA, BOB]


def test_a_suppression_ends_by_the_callers_clock() -> None:
    """The caller's time decides, so no writer has to remove the suppression."""
    store = CountingStore(a_soft_bounce())
    moments = [OCCURRED_AT, OCCURRED_AT + timedelta(seconds=59), OCCURRED_AT + timedelta(seconds=60)]
    statuses = [lookup([ADA], store=store, now=moment)[0].status for moment in moments]
    assert statuses == [SUPPRESSED, SUPPRESSED, CLEAR_TO_SEND]


@pytest.mark.parametrize(
    ("failure", "error"), [(Failure.OUTAGE_BEFORE, StoreUnavailable), (Failure.DENIED, AccessDenied)]
)
def test_an_error_of_the_store_is_raised(failure: Failure, error: type[Exception]) -> None:
    """A sender must never take an outage or a denial for a clear address."""
    with pytest.raises(error):
        lookup([ADA], store=FlakyStore(Script([failure])), now=OCCURRED_AT)


def test_that_only_the_purpose_makes_an_address_clear_is_said() -> None:
    """Neither an address that is clear for all mail nor one whose suppression ended is exempt."""
    store = CountingStore(a_complaint(), a_soft_bounce(recipients=[BOB], feedback_id="f2"))
    later = OCCURRED_AT + timedelta(days=1)
    results = lookup([ADA, BOB, "eve@example.com"], store=store, now=later, purpose="essential")
    assert [result.is_exempt for result in results] == [True, False, False]
    assert results[0].binding == CLEAR
    [result] = lookup([ADA], store=CountingStore(a_bounce()), now=later, purpose="essential")
    assert (result.is_exempt, result.binding) == (False, result.verdict)


def test_reasons_are_named_with_their_scopes() -> None:
    """The same reason may hold in both; the gravest comes first."""
    store = CountingStore(a_bounce(), a_complaint(tags=TENANT, feedback_id="f2"), a_complaint(feedback_id="f3"))
    [result] = lookup([ADA], store=store, now=OCCURRED_AT, scope="customer-a")
    assert [(scope, held.reason) for scope, held in result.scoped_reasons] == [
        ("*", Reason.COMPLAINT),
        ("customer-a", Reason.COMPLAINT),
        ("*", Reason.HARD),
    ]


def test_a_release_in_a_scope_lifts_nothing_of_every_scope() -> None:
    """The stricter of the two wins."""
    release = a_decision(scope="customer-a", action="release", at=OCCURRED_AT + timedelta(days=1))
    [result] = lookup([ADA], store=CountingStore(a_bounce(), release), now=OCCURRED_AT, scope="customer-a")
    assert result.status is SUPPRESSED
