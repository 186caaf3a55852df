"""Tests of `pipeline.lookup`: each requested address has a result, in order."""

from collections.abc import Iterable, Mapping
from datetime import timedelta

import pytest

from pipeline.errors import AccessDenied, StoreUnavailable
from pipeline.lookup import LookupResult, lookup
from pipeline.memory import MemoryStore
from pipeline.policy import CLEAR, Policy, Reason, SoftRule
from pipeline.ports import Item
from pipeline.standing import NOTHING_KNOWN, Key
from tests.support.builders import ADA, BOB, OCCURRED_AT, a_bounce, a_soft_bounce
from tests.support.flaky import Failure, FlakyStore, Script
from tests.support.scenario import a_batch, project

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
    assert [result.suppressed for result in results] == [False, True, False, True]


def test_a_result_contains_verdict_and_facts() -> None:
    """An unknown address is clear and has no facts."""
    [suppressed, unknown] = lookup([ADA, BOB], store=CountingStore(a_bounce()), now=OCCURRED_AT)
    assert suppressed.verdict is not None
    assert (suppressed.verdict.reason, len(suppressed.standing.hard)) == (Reason.HARD, 1)
    assert (unknown.verdict, unknown.standing) == (CLEAR, NOTHING_KNOWN)


def test_a_text_without_an_address_has_no_verdict() -> None:
    """It is not suppressed, because it cannot be mailed."""
    [result] = lookup(["no-address"], store=CountingStore(), now=OCCURRED_AT)
    assert LookupResult(requested="no-address", address=None, suppressed=False) == result


def test_each_distinct_address_is_loaded_once() -> None:
    """Spellings of one address share its key."""
    store = CountingStore()
    lookup([ADA, ADA.upper(), f"<{ADA}>", BOB, ADA], store=store, now=OCCURRED_AT)
    assert [key.address for key in store.loaded] == [ADA, BOB]


def test_a_suppression_ends_by_the_callers_clock() -> None:
    """The caller's time decides, so no writer has to remove the suppression."""
    store = CountingStore(a_soft_bounce())
    moments = [OCCURRED_AT, OCCURRED_AT + timedelta(seconds=59), OCCURRED_AT + timedelta(seconds=60)]
    assert [lookup([ADA], store=store, now=moment)[0].suppressed for moment in moments] == [True, True, False]


@pytest.mark.parametrize(
    ("failure", "error"), [(Failure.OUTAGE_BEFORE, StoreUnavailable), (Failure.DENIED, AccessDenied)]
)
def test_an_error_of_the_store_is_raised(failure: Failure, error: type[Exception]) -> None:
    """A sender must never take an outage or a denial for a clear address."""
    with pytest.raises(error):
        lookup([ADA], store=FlakyStore(Script([failure])), now=OCCURRED_AT)
