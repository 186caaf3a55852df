"""A projector that meets an item of a newer policy reads the policy in force, and its batch goes on."""

from collections.abc import Callable
from typing import Any

import pytest

from pipeline.address import Address
from pipeline.errors import MailfoldError, PolicyOutdated, ServiceUnavailable
from pipeline.memory import MemoryQuarantine, MemoryStore
from pipeline.policy import DEFAULT_POLICY, Policy
from pipeline.projection import BatchProjector, BatchResult, merge
from pipeline.standing import NOTHING_KNOWN, Key
from tests.support.builders import a_bounce
from tests.support.scenario import a_batch

NEWER, NEWEST = Policy(version=2, hard=None), Policy(version=3)
PEOPLE = [f"{name}@example.com" for name in ("ada", "bob", "cyd")]
BATCH = a_batch(*(a_bounce(recipients=[person], feedback_id=person) for person in PEOPLE))


def a_projector(store: MemoryStore, policy: Policy = DEFAULT_POLICY, **more: Any) -> BatchProjector:
    return BatchProjector(store=store, quarantine=MemoryQuarantine(), policy=policy, **more)


def a_table_of(policy: Policy) -> MemoryStore:
    """Return a table in which the second person's item is of a newer policy, with other facts."""
    store = MemoryStore()
    other = a_batch(a_bounce(recipients=[PEOPLE[1]], feedback_id="other"))
    assert a_projector(store, policy).project(other).cause is None
    return store


def versions(store: MemoryStore) -> list[int]:
    keys = [Key(Address(person)) for person in PEOPLE]
    return [item.policy_version for item in store.load(keys).values()]


def project_all(projector: BatchProjector) -> BatchResult:
    """Project the batch record by record, so that a result shows where it stops."""
    result = BatchResult()
    for start in range(len(BATCH)):
        part = projector.project(BATCH[start : start + 1])
        result.append(part, start=start)
        if part.cause:
            return result
    return result


def test_a_batch_goes_on_under_the_policy_in_force() -> None:
    """Nothing stops, no fact is lost, and no item returns to the old policy."""
    store = a_table_of(NEWER)
    projector = a_projector(store, read_again=lambda: a_projector(store, NEWER))

    result = projector.project(BATCH)

    assert (result.cause, result.failed_at, result.counts.facts) == (None, None, 3)
    assert versions(store) == [1, 2, 2]
    assert [len(item.standing.hard) for _, item in store.scan()] == [2, 1, 1]


def test_a_policy_is_read_until_it_is_the_one_of_the_items() -> None:
    """Another one may be published meanwhile."""
    store = a_table_of(NEWEST)
    newer = a_projector(store, NEWER, read_again=lambda: a_projector(store, NEWEST))

    assert project_all(a_projector(store, read_again=lambda: newer)).cause is None
    assert versions(store) == [1, 3, 1]


def fail() -> BatchProjector:
    raise ServiceUnavailable("SSM is slow")


@pytest.mark.parametrize("read_again", [None, fail, "unchanged"], ids=["fixed", "unreadable", "unchanged"])
def test_without_a_newer_policy_the_batch_waits(read_again: Callable[[], BatchProjector] | str | None) -> None:
    """It stops at the record of that item, and the item is as it was."""
    store = a_table_of(NEWER)
    again = (lambda: a_projector(store)) if isinstance(read_again, str) else read_again

    result = project_all(a_projector(store, read_again=again))

    assert isinstance(result.cause, PolicyOutdated)
    assert result.failed_at == 1
    assert versions(store) == [1, 2, 0]


def test_another_error_reads_no_policy() -> None:
    """An outage of the table says nothing about the policy."""

    class Unavailable(MemoryStore):
        def load(self, keys: Any) -> Any:
            raise ServiceUnavailable("the table is slow")

    error: MailfoldError | None = a_projector(Unavailable(), read_again=pytest.fail).project(BATCH).cause
    assert isinstance(error, ServiceUnavailable)


def test_a_key_without_facts_gets_no_item() -> None:
    """A put of nothing would make an item that no condition allows to change."""
    store = MemoryStore()
    merged = merge({Key(Address(PEOPLE[0])): NOTHING_KNOWN}, store=store, policy=NEWER)
    assert (merged.unchanged, dict(store.scan())) == (1, {})
