"""The steps of a rebuild in AWS; what each does, and why in this order: `pipeline.rebuild`.

Nothing here has side effects beside the tables: no notice of a change, no call of SES. Facts reach the new table by
`projection.merge` alone, so what the old table said is not said again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import NamedTuple

from pipeline.aws.archive.s3 import LATEST_AFTER_HOUR
from pipeline.aws.clients import Clients
from pipeline.aws.dynamodb import DynamoSuppressionStore, ensure_table
from pipeline.aws.rebuild_proof import PATIENCE, Patience, Prover, TableProof
from pipeline.aws.rebuild_state import RebuildLease, utc_now
from pipeline.aws.rebuild_tables import cancelled, finished, flipped, rolled_back, shadowed
from pipeline.aws.stack import SuppressionTables
from pipeline.aws.table_copy import copy_alarms, copy_tags, delete_table, is_protected
from pipeline.aws.tables_parameter import change_tables
from pipeline.policy import Policy
from pipeline.ports import Archive, LogFold
from pipeline.rebuild import NEXT_STEP, FoldResult, Rebuild, RebuildStep, fold_into

MERGES_AT_ONCE = 8  # botocore keeps 10 connections


class TableSet(NamedTuple):
    """Where the pointer to the live table is.

    Attributes:
        parameter: The name of the parameter.
        default: The tables if the parameter does not exist.
        policy: The policy in force.
        is_deployed: Whether a stack in AWS owns it, whose tables are protected.
    """

    parameter: str
    default: SuppressionTables
    policy: Policy
    is_deployed: bool


class Rebuilder:
    """Carries out the steps of a rebuild that this process holds.

    Args:
        clients: boto3's clients.
        lease: The rebuild.
        tables: Where the pointer is.
        fold: The fold of the log.
        archive: The log.
        known_after: The time after which every projector uses a changed parameter; see `runtime.KNOWN_AFTER_SECONDS`.
        patience: How long to wait for events that the live table has and the log does not show.
        drop_unlogged: Let facts disappear whose event is not in the log.
        report: Called with a line on the progress.
        wait: Waits so many seconds.
        now: Returns the current time.
    """

    def __init__(
        self,
        clients: Clients,
        *,
        lease: RebuildLease,
        tables: TableSet,
        fold: LogFold,
        archive: Archive,
        known_after: timedelta,
        patience: Patience = PATIENCE,
        drop_unlogged: bool = False,
        report: Callable[[str], None] = lambda _: None,
        wait: Callable[[float], None] = time.sleep,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._clients, self._lease, self._tables = clients, lease, tables
        self._fold, self._archive = fold, archive
        self._known_after, self._patience, self._drop_unlogged = known_after, patience, drop_unlogged
        self._report, self._wait, self._now = report, wait, now
        self._store = DynamoSuppressionStore(clients.dynamodb, table=self.rebuild.new_table)

    @property
    def rebuild(self) -> Rebuild:
        """The rebuild as it is now."""
        return self._lease.rebuild

    def prepare(self) -> TableProof:
        """Do all steps before the flip, from the one that was reached, and return what the comparison found.

        Raises:
            UnloggedFacts: Facts would be lost. The live table is as it was.
            Unavailable: A service is throttled or unreachable. Or another error of `STOPS_BATCH`. Resume later.
            UsageError: Another process has taken the rebuild over, or changed the tables.
        """
        if self.rebuild.step in {RebuildStep.ROLLED_BACK, RebuildStep.PROVE, RebuildStep.FLIP}:
            self._lease.update(step=RebuildStep.CATCH_UP)  # the difference is shown before each flip
        steps: Mapping[RebuildStep, Callable[[], dict[str, object] | None]] = {
            RebuildStep.CREATE: self._create,
            RebuildStep.SHADOW: self._shadow,
            RebuildStep.FOLD: self._fold_log,
            RebuildStep.WAIT: self._wait_for_projectors,
            RebuildStep.CATCH_UP: self._catch_up,
        }
        while work := steps.get(self.rebuild.step):
            changes = work() or {}
            self._lease.update(step=NEXT_STEP[self.rebuild.step], **changes)
        return self._prover().prove()

    def flip(self) -> None:
        """Make the new table the live one, by one write of the parameter."""
        self._lease.update(step=RebuildStep.FLIP)
        self._change(flipped)
        self._lease.update(step=RebuildStep.FLIPPED)

    def roll_back(self) -> None:
        """Make the old table the live one again, by one write of the parameter."""
        self._change(rolled_back)
        self._lease.update(step=RebuildStep.ROLLED_BACK)

    def finish(self, *, delete_old: bool) -> None:
        """Write the new table alone, and delete the old one if so requested."""
        self._remove(finished, RebuildStep.FINISHING, self.rebuild.old_table if delete_old else None)

    def cancel(self) -> None:
        """Write the old table alone, and delete the new one."""
        self._remove(cancelled, RebuildStep.CANCELLING, self.rebuild.new_table)

    def _create(self) -> None:
        live, new, dynamodb = self.rebuild.old_table, self.rebuild.new_table, self._clients.dynamodb
        self._report(f"creating the table {new}")
        ensure_table(dynamodb, new, protected=self._tables.is_deployed or is_protected(dynamodb, live), like=live)
        copy_tags(dynamodb, live=live, new=new)
        copy_alarms(self._clients.cloudwatch, live=live, new=new)

    def _shadow(self) -> dict[str, object]:
        self._change(shadowed)
        return {"shadowed_at": self._now()}

    def _fold_log(self) -> None:
        self._fold_since(None, "the log")

    def _wait_for_projectors(self) -> None:
        self._wait_until(self._shadowed_at + self._known_after, "every projector writes the new table too")

    def _catch_up(self) -> None:
        self._fold_since(self._recently, "the newest hours of the log")

    def _fold_since(self, since: datetime | None, name: str) -> FoldResult:
        def show(result: FoldResult) -> None:
            self._lease.check()
            self._report(f"folding {name}: {result.folded:,} addresses, {result.written:,} items written")

        self._report(f"reading {name}")
        with ThreadPoolExecutor(MERGES_AT_ONCE, thread_name_prefix="merge") as executor:
            return fold_into(
                self._fold, store=self._store, policy=self._policy, each=executor.map, since=since, progress=show
            )

    def _prover(self) -> Prover:
        return Prover(
            lease=self._lease,
            fold=self._fold,
            archive=self._archive,
            new=self._store,
            live=DynamoSuppressionStore(self._clients.dynamodb, table=self.rebuild.old_table),
            policy=self._policy,
            fold_newest=lambda since: self._fold_since(since, "the newest hours of the log"),
            since=self._recently,
            patience=self._patience,
            drop_unlogged=self._drop_unlogged,
            report=self._report,
            wait=self._wait,
            now=self._now,
        )

    def _remove(
        self,
        change: Callable[[SuppressionTables, Rebuild], SuppressionTables],
        step: RebuildStep,
        table: str | None,
    ) -> None:
        """Take a table out of the parameter, and delete it once no projector writes to it."""
        self._lease.update(step=step, delete_table=table)
        tables = self._change(change)
        if table and table not in (tables.live, *tables.shadow_tables):
            if self.rebuild.shadowed_at:
                self._wait_until(self._now() + self._known_after, f"no projector writes to {table}")
            self._report(f"deleting the table {table}")
            delete_table(self._clients.dynamodb, self._clients.cloudwatch, table)
        self._lease.end()

    def _change(self, change: Callable[[SuppressionTables, Rebuild], SuppressionTables]) -> SuppressionTables:
        self._lease.check()
        return change_tables(
            self._clients.ssm,
            parameter=self._tables.parameter,
            default=self._tables.default,
            change=lambda tables: change(tables, self.rebuild),
        )

    def _wait_until(self, moment: datetime, purpose: str) -> None:
        while (left_seconds := (moment - self._now()).total_seconds()) > 0:
            self._report(f"waiting {left_seconds:.0f} s until {purpose}")
            self._pause(min(left_seconds, 1.0))

    def _pause(self, seconds: float) -> None:
        self._lease.check()
        self._wait(seconds)

    @property
    def _shadowed_at(self) -> datetime:
        return self.rebuild.shadowed_at or self._now()

    @property
    def _recently(self) -> datetime:
        """The first hour of the log that may have grown since the new table was named."""
        return self._shadowed_at - LATEST_AFTER_HOUR

    @property
    def _policy(self) -> Policy:
        return self.rebuild.policy or self._tables.policy
