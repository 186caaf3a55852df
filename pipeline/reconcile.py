"""Compare a slice of the event log with a table, and heal the table.

The fold is a join, so the table lacks nothing of a slice exactly if it stays the same when the slice is joined into it.
That join is also what heals it: `merge`, as for live traffic, beside which it may run. Pure except for the ports.

A fact that arrived minutes ago may be on its way to the table. It is not lost, and is not compared: a slice ends with
the last whole hour of the log that ended before a grace. See `settled_until`.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from pipeline.batch import in_parts
from pipeline.difference import Difference
from pipeline.policy import Policy
from pipeline.ports import Item, LogFold, SuppressionStore
from pipeline.projection import merge
from pipeline.standing import Key, Standing, join

SLICE = timedelta(days=2)  # of a run every day: each hour is compared twice, and one run may fail
GRACE = timedelta(minutes=30)  # Lambda and KCL project in seconds; a deployment or a throttled table takes minutes
KEYS_PER_LOOK = 1_000
_HOUR = timedelta(hours=1)


class ReconcileResult(msgspec.Struct, kw_only=True):
    """Counts of a reconciliation. Each address counts once for each of its scopes.

    Attributes:
        compared: Addresses of which the slice has facts.
        missing: Of these, addresses that have no item in the table.
        stale: Addresses whose item lacks facts.
        facts: The facts that the table lacked, by kind.
        healed: Items put into the table.
        shadow_healed: Items put into the tables that are written beside it.
        rejected: Items that a table will never accept.
    """

    compared: int = 0
    missing: int = 0
    stale: int = 0
    facts: Counter[str] = msgspec.field(default_factory=Counter)
    healed: int = 0
    shadow_healed: int = 0
    rejected: int = 0

    def add(self, difference: Difference, *, has_item: bool) -> None:
        """Count an address whose facts the table lacks."""
        self.missing += not has_item
        self.stale += has_item
        self.facts.update(kind.value for kind, _ in difference.missing)


def settled_until(now: datetime, grace: timedelta = GRACE) -> datetime | None:
    """Return the last hour of the log whose facts all arrived at least `grace` ago; None for a grace of zero.

    Firehose puts a record into the hour of its arrival, so the hours of the log say how long a fact is known.
    """
    return (now - grace).replace(minute=0, second=0, microsecond=0) - _HOUR if grace else None


def reconcile(
    fold: LogFold,
    *,
    store: SuppressionStore,
    shadow_stores: Sequence[SuppressionStore] = (),
    policy: Policy,
    heal: bool,
    since: datetime | None,
    until: datetime | None,
    show: Callable[[Difference], None] = lambda _: None,
    progress: Callable[[ReconcileResult], None] = lambda _: None,
) -> ReconcileResult:
    """Compare what the hours of the log state with the table, and heal the table if `heal`.

    Args:
        fold: The fold of the log.
        store: The table that senders query.
        shadow_stores: Further tables that receive the same facts; they are healed, and not counted otherwise.
        policy: Decides the verdicts of what is healed.
        heal: Join what is missing into the tables; else nothing is written.
        since: The first hour; None: from the beginning.
        until: The last hour, included, from `settled_until`; None: to the end.
        show: Called with each address whose facts the table lacks.
        progress: Called with the counts so far.

    Raises:
        Unavailable: The log or a table is throttled or unreachable. Or another error of `STOPS_BATCH`. What was healed
            before it stays; start again.
    """
    result = ReconcileResult()
    for part in fold.standings(since=since, until=until):
        for standings in map(dict, in_parts(part.items(), KEYS_PER_LOOK)):
            changes = _compare(standings, store=store, result=result, show=show)
            if heal:
                result.healed += _heal(changes, store=store, policy=policy, result=result)
                for shadow_store in shadow_stores:
                    lacking = {found.key: found.log for found, _ in _lacking(standings, shadow_store)}
                    result.shadow_healed += _heal(lacking, store=shadow_store, policy=policy, result=result)
            progress(result)
    return result


def _compare(
    standings: Mapping[Key, Standing],
    *,
    store: SuppressionStore,
    result: ReconcileResult,
    show: Callable[[Difference], None],
) -> dict[Key, Standing]:
    """Count what the table lacks, and return it."""
    result.compared += len(standings)
    changes = {}
    for difference, item in _lacking(standings, store):
        result.add(difference, has_item=bool(item.facts_hash))
        show(difference)
        changes[difference.key] = difference.log
    return changes


def _lacking(standings: Mapping[Key, Standing], store: SuppressionStore) -> Iterator[tuple[Difference, Item]]:
    """Yield what a table lacks, with its item."""
    for key, item in store.load(standings).items():
        if join(item.standing, standings[key]) != item.standing:
            yield Difference(key=key, log=standings[key], table=item.standing), item


def _heal(changes: Mapping[Key, Standing], *, store: SuppressionStore, policy: Policy, result: ReconcileResult) -> int:
    """Merge changes into a table, and return how many items were put. One that is rejected stops no other."""
    merged = merge(changes, store=store, policy=policy)
    if merged.cause:
        raise merged.cause
    result.rejected += len(merged.rejected)
    return merged.written
