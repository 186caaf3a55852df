"""The drill of a table in AWS: the whole log beside the whole table, address by address, in bounded memory."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta

from pipeline.aws.spill import KEYS_HELD, Spill
from pipeline.drill import VISIBLE_AFTER, DrillResult, SettledDifference, Sides, drill
from pipeline.ports import LogFold, SuppressionStore
from pipeline.reconcile import GRACE, settled_until
from pipeline.standing import Key
from pipeline.timestamp import to_ms

HOUR = timedelta(hours=1)


def drill_table(
    fold: LogFold,
    store: SuppressionStore,
    *,
    now: datetime,
    grace: timedelta = GRACE,
    log_delay: timedelta = VISIBLE_AFTER,
    show: Callable[[SettledDifference], None] = lambda _: None,
    on_item: Callable[[], None] = lambda: None,
    progress: Callable[[DrillResult], None] = lambda _: None,
) -> DrillResult:
    """Compare a log with a table; see `drill`. The command and the schedule call this.

    Args:
        fold: The fold of the log.
        store: The table.
        now: The time at which it begins, aware.
        grace: Facts that arrived in hours of the log which ended less than this ago may not be in the table yet. Zero:
            nothing is in flight.
        log_delay: Facts of the table that are younger than this may not be visible in the log yet.
        show: Called with each difference.
        on_item: Called for each item of the table, for the progress.
        progress: Called with the counts so far.

    Raises:
        Unavailable: The log or the table is throttled or unreachable. Or another error of `STOPS_BATCH`.
        OSError: The file system of the temporary folder is full.
    """
    settled = settled_until(now, grace)
    return drill(
        all_sides(fold, store, newest_since=settled + HOUR if settled else None, on_item=on_item),
        store=store,
        visible_before_ms=to_ms(now - log_delay) + 1,
        show=show,
        progress=progress,
    )


def all_sides(
    fold: LogFold,
    store: SuppressionStore,
    *,
    newest_since: datetime | None,
    on_item: Callable[[], None] = lambda: None,
    keys_held: int = KEYS_HELD // len(Sides._fields),
) -> Iterator[Mapping[Key, Sides]]:
    """Yield the sides of every address and scope, many at a time, each key once; see `drill.Sides`.

    The log is read first, then the table, then the newest hours of the log again: what arrived meanwhile is known.

    Args:
        fold: The fold of the log.
        store: The table.
        newest_since: The first of the newest hours; None: the log is read once, and nothing is in flight.
        on_item: Called for each item of the table, for the progress.
        keys_held: The number of keys in memory; see `Spill`.

    Raises:
        Unavailable: The log or the table is throttled or unreachable. Or another error of `STOPS_BATCH`.
        OSError: The file system of the temporary folder is full.
    """
    with Spill(sides=len(Sides._fields), keys_held=keys_held) as spill:
        for part in fold.standings():
            spill.add(part, side=Sides._fields.index("log"))
        for key, item in store.scan():
            spill.add({key: item.standing}, side=Sides._fields.index("table"))
            on_item()
        for part in fold.standings(since=newest_since) if newest_since else ():
            spill.add(part, side=Sides._fields.index("newest"))
        for sides in spill.parts():
            yield {key: Sides(*standings) for key, standings in sides.items()}
