"""Senders ask before they mail, and are answered for each address in the order asked."""

from collections.abc import Iterable, Mapping
from datetime import timedelta

import pytest

from pipeline.batch import StreamRecord
from pipeline.errors import StoreUnavailable
from pipeline.lookup import LookupResult, lookup
from pipeline.memory import MemoryQuarantine, MemoryStore
from pipeline.policy import CLEAR, Policy, Reason, SoftRule
from pipeline.ports import Item
from pipeline.projection import project
from pipeline.standing import NOTHING_KNOWN, Key
from tests.support.builders import ADA, BOB, OCCURRED_AT, a_bounce, a_soft_bounce
from tests.support.flaky import Mishap, Script, UnsteadyStore

POLICY = Policy(soft=SoftRule(mails=1, window_seconds=1, expiry_seconds=60))


class CountingStore(MemoryStore):
    """A table that remembers what it was asked for."""

    def __init__(self, *payloads: bytes) -> None:
        super().__init__()
        self.asked: list[Key] = []
        records = [StreamRecord(payload=payload, position="") for payload in payloads]
        project(records, store=self, quarantine=MemoryQuarantine(), policy=POLICY)
        self.asked.clear()

    def load(self, keys: Iterable[Key]) -> Mapping[Key, Item]:
        """Load, and remember."""
        self.asked.extend(kept := tuple(keys))
        return super().load(kept)


def test_every_address_is_answered_in_the_order_asked() -> None:
    asked = [BOB, f"Ada <{ADA.upper()}>", "nobody", ADA]
    answers = lookup(asked, store=CountingStore(a_bounce()), now=OCCURRED_AT)
    assert asked == [answer.asked for answer in answers]
    assert [answer.address for answer in answers] == [BOB, ADA, None, ADA]
    assert [answer.suppressed for answer in answers] == [False, True, False, True]


def test_an_answer_tells_the_verdict_and_all_the_facts() -> None:
    [known, unknown] = lookup([ADA, BOB], store=CountingStore(a_bounce()), now=OCCURRED_AT)
    assert known.verdict is not None
    assert (known.verdict.reason, len(known.standing.hard)) == (Reason.HARD, 1)
    assert (unknown.verdict, unknown.standing) == (CLEAR, NOTHING_KNOWN)


def test_what_is_no_address_has_neither_key_nor_verdict() -> None:
    [answer] = lookup(["nobody"], store=CountingStore(), now=OCCURRED_AT)
    assert LookupResult(asked="nobody", address=None, suppressed=False) == answer


def test_the_store_is_asked_once_for_each_address() -> None:
    store = CountingStore()
    lookup([ADA, ADA.upper(), f"<{ADA}>", BOB, ADA], store=store, now=OCCURRED_AT)
    assert [key.address for key in store.asked] == [ADA, BOB]


def test_a_suppression_that_ends_is_over_by_the_askers_clock() -> None:
    store = CountingStore(a_soft_bounce())
    moments = [OCCURRED_AT, OCCURRED_AT + timedelta(seconds=59), OCCURRED_AT + timedelta(seconds=60)]
    assert [lookup([ADA], store=store, now=moment)[0].suppressed for moment in moments] == [True, True, False]


def test_an_outage_is_not_an_answer() -> None:
    with pytest.raises(StoreUnavailable):
        lookup([ADA], store=UnsteadyStore(Script([Mishap.OUTAGE_BEFORE])), now=OCCURRED_AT)
