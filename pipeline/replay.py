"""Fold the facts of the event log into a table: to rebuild it, to repair it, or to prove it.

Replay joins the same facts by the same `merge` as live traffic. So it may run beside live traffic, be interrupted, and
be repeated. Pure except for the ports.
"""

from collections.abc import Callable
from datetime import datetime

import msgspec

from pipeline.batch import group_by_key
from pipeline.digest import digest
from pipeline.fact import Fact
from pipeline.policy import Policy
from pipeline.ports import Archive, SuppressionStore
from pipeline.projection import merge_fully

FACTS_HELD = 100_000  # in memory before they are merged: about 60 MB


class ReplayResult(msgspec.Struct, kw_only=True):
    """Counts of a replay.

    Attributes:
        rows: Rows of the log that were read.
        facts: Facts in them.
        written: Items put.
        unchanged: Items that already contained the facts.
    """

    rows: int = 0
    facts: int = 0
    written: int = 0
    unchanged: int = 0


def replay(
    archive: Archive,
    *,
    store: SuppressionStore,
    policy: Policy,
    since: datetime | None = None,
    until: datetime | None = None,
    progress: Callable[[ReplayResult], None] = lambda _: None,
) -> ReplayResult:
    """Fold what happened from `since` up to, not including, `until` into the store; see `row.event_time`.

    Args:
        archive: The log.
        store: The table; an empty one for a rebuild.
        policy: Decides the verdicts.
        since: None: from the beginning.
        until: None: to the end.
        progress: Called after every part of the log.

    Raises:
        Unavailable: The log or the table is throttled or unreachable. Or another error of `STOPS_BATCH`. What was
            merged before it stays; start again.
        ItemRejected: The table rejects an item permanently.
    """
    result = ReplayResult()
    held_facts: list[Fact] = []
    for scan in archive.scan_facts(since=since, until=until):
        held_facts += scan.facts
        result.rows += scan.rows
        result.facts += len(scan.facts)
        if len(held_facts) >= FACTS_HELD:
            _merge(held_facts, result, store, policy)
            held_facts = []
        progress(result)
    _merge(held_facts, result, store, policy)
    progress(result)
    return result


def _merge(facts: list[Fact], result: ReplayResult, store: SuppressionStore, policy: Policy) -> None:
    merged = merge_fully(group_by_key(facts), store=store, policy=policy)
    result.written += merged.written
    result.unchanged += merged.unchanged


def store_digest(store: SuppressionStore) -> str:
    """Return the digest of all facts in a table; see `pipeline.digest`."""
    return digest((key, item.standing) for key, item in store.scan())
