"""The proof of a new table: it has every row of the log, and the live table no fact that would be lost.

Why the live table is a witness: `pipeline.rebuild`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from pipeline.aws.rebuild_state import RebuildLease, utc_now
from pipeline.aws.spill import KEYS_HELD, Spill
from pipeline.batch import group_by_key
from pipeline.errors import MailfoldError
from pipeline.policy import Policy
from pipeline.ports import Archive, LogFold, SuppressionStore
from pipeline.projection import merge_fully
from pipeline.rebuild_comparison import Comparison, Witnesses, compare_tables, event_ids, look_again, unlogged
from pipeline.standing import Key
from pipeline.timestamp import format_time

LOOK_AGAIN_SECONDS = 60.0  # Firehose delivers an object at least every 15 minutes
VISIBLE_WITHIN = timedelta(minutes=45)  # Firehose buffers for 15 minutes, twice
TIMES_COMPARED = 3  # what arrives in the log meanwhile is folded, and everything is compared again


class UnloggedFacts(MailfoldError):
    """The live table has facts whose events are not in the log. They would be lost, so the table was not changed."""


class TableProof(NamedTuple):
    """What was found when the new table was compared.

    Attributes:
        comparison: The counts and digests.
        position: Every row that was in the log at this time is in the new table.
    """

    comparison: Comparison
    position: datetime


class Patience(NamedTuple):
    """How long to wait for events that the live table has and the log does not show.

    Attributes:
        visible_within: The longest wait.
        look_again_seconds: The wait between two looks.
    """

    visible_within: timedelta = VISIBLE_WITHIN
    look_again_seconds: float = LOOK_AGAIN_SECONDS


PATIENCE = Patience()


class Prover:
    """Compares the log, the new table and the live one, and folds into the new one what the log shows meanwhile.

    Args:
        lease: The rebuild, which is checked all the time.
        fold: The fold of the log.
        archive: The log.
        new: The new table.
        live: The live table.
        policy: The policy of the new table.
        fold_newest: Folds the newest hours of the log into the new table; it is passed their beginning.
        since: The first hour of the log that may have grown since the new table was named.
        patience: How long to wait for the log.
        drop_unlogged: Let facts disappear whose event is not in the log.
        report: Called with a line on the progress.
        wait: Waits so many seconds.
        now: Returns the current time.
    """

    def __init__(
        self,
        *,
        lease: RebuildLease,
        fold: LogFold,
        archive: Archive,
        new: SuppressionStore,
        live: SuppressionStore,
        policy: Policy,
        fold_newest: Callable[[datetime], object],
        since: datetime,
        patience: Patience,
        drop_unlogged: bool,
        report: Callable[[str], None],
        wait: Callable[[float], None] = time.sleep,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._lease, self._fold, self._archive = lease, fold, archive
        self._new, self._live, self._policy = new, live, policy
        self._fold_newest, self._since = fold_newest, since
        self._patience, self._drop_unlogged = patience, drop_unlogged
        self._report, self._wait, self._now = report, wait, now

    def prove(self) -> TableProof:
        """Compare until the new table has every fact of the log, and the live one none that is not logged."""
        for _ in range(TIMES_COMPARED):
            self._lease.update(position=self._now())
            comparison = self._compare()
            if comparison.is_proved:
                break
            merge_fully(comparison.lacking, store=self._new, policy=self._policy)
        comparison.lacking = {}
        # A projector writes the live table first, so some of it was only on its way.
        comparison.gone = look_again(comparison.gone, new=self._new, live=self._live)
        self._settle(comparison)
        return TableProof(comparison, self._lease.rebuild.position or self._now())

    def _compare(self) -> Comparison:
        def show(so_far: Comparison) -> None:
            self._lease.check()
            self._report(f"comparing: {so_far.addresses:,} addresses")

        self._report("comparing log, new table and live table")
        return compare_tables(witnesses(self._fold, new=self._new, live=self._live), progress=show)

    def _settle(self, comparison: Comparison) -> None:
        """Wait until each fact that only the live table has is either in the new one, or corrected by the log."""
        until, logged, since = self._now() + self._patience.visible_within, frozenset[str](), None
        while comparison.gone:
            logged |= self._trace(comparison, since)
            comparison.gone = look_again(comparison.gone, new=self._new, live=self._live)
            waiting = unlogged(comparison.gone.values(), logged)
            if not waiting or self._drop_unlogged:
                break
            if self._now() >= until:
                raise UnloggedFacts(_unlogged_sentence(len(waiting)))
            self._report(f"waiting until the log shows the events of {len(waiting):,} addresses of the live table")
            self._lease.check()
            self._wait(self._patience.look_again_seconds)
            since = self._since
            self._fold_newest(since)
        comparison.count_gone()

    def _trace(self, comparison: Comparison, since: datetime | None) -> frozenset[str]:
        """Return which events of the facts in question are in the log, and merge what the log says of these addresses.

        Both are read from the same objects: an event that becomes visible meanwhile is not taken for a correction.
        """
        logged, addresses = frozenset[str](), {key.address for key in comparison.gone}
        for scan in self._archive.scan_events(event_ids(comparison.gone.values()), since=since):
            logged |= scan.ids
            changes = group_by_key(fact for fact in scan.facts if fact.key.address in addresses)
            if changes:
                merge_fully(changes, store=self._new, policy=self._policy)
            self._lease.check()
        return logged


def witnesses(
    fold: LogFold,
    *,
    new: SuppressionStore,
    live: SuppressionStore,
    keys_held: int = KEYS_HELD // len(Witnesses._fields),
) -> Iterator[Mapping[Key, Witnesses]]:
    """Yield what is known about every address and scope, many at a time, each once, in bounded memory.

    Args:
        fold: The fold of the log, which is read first.
        new: The new table, which is read next. So it has what the log shows, or lacks it.
        live: The live table.
        keys_held: The number of keys in memory; see `Spill`.

    Raises:
        Unavailable: The log or a table is throttled or unreachable. Or another error of `STOPS_BATCH`.
        OSError: The file system of the temporary folder is full.
    """
    with Spill(sides=len(Witnesses._fields), keys_held=keys_held) as spill:
        for part in fold.standings():
            spill.add(part, side=0)
        for side, store in enumerate((new, live), 1):
            for key, item in store.scan():
                spill.add({key: item.standing}, side=side)
        for standings in spill.parts():
            yield {key: Witnesses(*sides) for key, sides in standings.items()}


def proof_object(proof: TableProof) -> dict[str, object]:
    """Return a proof as JSON for programs, without addresses."""
    comparison = proof.comparison
    counts = {name: getattr(comparison, name) for name in ("addresses", "ahead", "log_digest", "new_digest")}
    kinds = {name: dict(getattr(comparison, name)) for name in ("disappearing", "appearing")}
    equal = comparison.log_digest == comparison.new_digest
    position = {
        "position": format_time(proof.position),
        "is_equal_to_log": equal,
        "live_digest": comparison.live_digest,
    }
    return counts | kinds | position


def _unlogged_sentence(number: int) -> str:
    addresses = f"{number:,} address has" if number == 1 else f"{number:,} addresses have"
    return (
        f"{addresses} facts in the live table whose events are not in the log, so they would be lost: resume when the "
        "log shows them, write them into the log with `mailfold reconcile --adopt`, or let them disappear with "
        "`mailfold rebuild --resume --drop-unlogged`"
    )
