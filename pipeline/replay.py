"""The log through the projection again: to rebuild a table, to heal one, to prove one.

Replay joins the same facts by the same `merge` as live traffic, so it may run beside it, be stopped, and be repeated.
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
    """What a replay did.

    Attributes:
        rows: Rows of the log that were passed.
        facts: Facts in them.
        written: Items put.
        unchanged: Items that knew it all already.
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
    """Fold what arrived from `since` up to, not including, `until` into the store.

    Args:
        archive: The log.
        store: The table; an empty one for a rebuild.
        policy: What gives the verdicts.
        since: None: from the beginning.
        until: None: to the end.
        progress: Called after every lot of rows.

    Raises:
        Unavailable: The log or the table is away. What was joined so far stays; start again.
        ItemRejected: The table refuses an item for good.
    """
    done = ReplayResult()
    held: list[Fact] = []
    for scan in archive.findings(since=since, until=until):
        held += scan.findings
        done.rows += scan.rows
        done.facts += len(scan.findings)
        if len(held) >= FACTS_HELD:
            _merge(held, done, store, policy)
            held = []
        progress(done)
    _merge(held, done, store, policy)
    progress(done)
    return done


def store_digest(store: SuppressionStore) -> str:
    """Return the digest of all facts in a table; see `pipeline.digest`."""
    return digest((key, item.standing) for key, item in store.scan())


def _merge(found: list[Fact], done: ReplayResult, store: SuppressionStore, policy: Policy) -> None:
    merged = merge_fully(group_by_key(found), store=store, policy=policy)
    done.written += merged.written
    done.unchanged += merged.unchanged
