"""A rebuild: the log is folded into a new table, which then takes the place of the live one.

A join adds facts and never removes one. So a second table is needed where facts must disappear from the table: after
a correction of the decoder, or an erasure in the log. The steps, each of which may be repeated after a crash:

| step | what it does | what is true afterwards |
|---|---|---|
| create | creates the new table, protected as the live one is | |
| shadow | names it in the parameter as a table that is written too | some projectors write both tables |
| fold | folds the whole log into it | |
| wait | waits until every projector must have read the parameter | every projector writes both tables |
| catch_up | folds the hours of the log since the step shadow | it has what the log shows up to then |
| prove | folds the log again, and compares log, new and live table address by address | see `rebuild_comparison` |
| flip | makes it the live table, and the old one the table that is written too | senders read the new table |
| flipped | nothing: the old table stays complete, for a rollback | |
| rolled_back | nothing: the old table is the live one again | |
| finishing | takes the old table out of the parameter; deletes it if that was requested | the rebuild is over |
| cancelling | takes the new table out of the parameter, and deletes it | as before the rebuild |

**The race.** An event may be in the live table already, written before its projector knew the new table, and not yet be
visible in the log, because Firehose buffers it. A rebuild that trusts the log alone would then lose it at the flip. No
time of waiting excludes that, because Firehose may be late by hours. So the live table is a witness: a fact that it has
and the new one lacks is *corrected* only if its event is in the log, which states something else about it. If its event
is not in the log, the fact is *unlogged*: the rebuild waits for it, and does not flip while there is one.

Pure except for the ports.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from enum import StrEnum

import msgspec

from pipeline.batch import in_parts
from pipeline.errors import UsageError
from pipeline.policy import Policy
from pipeline.ports import LogFold, SuppressionStore
from pipeline.projection import MergeResult, merge_fully
from pipeline.standing import Key, Standing
from pipeline.timestamp import format_time

KEYS_PER_MERGE = 1_000  # about 10 transactions of 100 puts

MergeEach = Callable[
    [Callable[[Mapping[Key, Standing]], MergeResult], Iterable[Mapping[Key, Standing]]], Iterable[MergeResult]
]
"""Merges several parts: `map`, or a thread pool's."""


class RebuildStep(StrEnum):
    """The steps of a rebuild; see above."""

    CREATE = "create"
    SHADOW = "shadow"
    FOLD = "fold"
    WAIT = "wait"
    CATCH_UP = "catch_up"
    PROVE = "prove"
    FLIP = "flip"
    FLIPPED = "flipped"
    ROLLED_BACK = "rolled_back"
    FINISHING = "finishing"
    CANCELLING = "cancelling"


NEXT_STEP: Mapping[RebuildStep, RebuildStep] = {
    RebuildStep.CREATE: RebuildStep.SHADOW,
    RebuildStep.SHADOW: RebuildStep.FOLD,
    RebuildStep.FOLD: RebuildStep.WAIT,
    RebuildStep.WAIT: RebuildStep.CATCH_UP,
    RebuildStep.CATCH_UP: RebuildStep.PROVE,
    RebuildStep.PROVE: RebuildStep.FLIP,
    RebuildStep.FLIP: RebuildStep.FLIPPED,
}
"""The step after each that a rebuild does on its own."""


class RebuildCommand(StrEnum):
    """What a person may request of a rebuild that has begun."""

    RESUME = "resume"
    ROLLBACK = "rollback"
    FINISH = "finish"
    CANCEL = "cancel"


_BEFORE_FLIP = frozenset(NEXT_STEP)
ALLOWED_STEPS: Mapping[RebuildCommand, frozenset[RebuildStep]] = {
    RebuildCommand.RESUME: _BEFORE_FLIP | {RebuildStep.ROLLED_BACK},
    RebuildCommand.ROLLBACK: frozenset({RebuildStep.FLIP, RebuildStep.FLIPPED}),
    RebuildCommand.FINISH: frozenset({RebuildStep.FLIPPED, RebuildStep.FINISHING}),
    RebuildCommand.CANCEL: _BEFORE_FLIP - {RebuildStep.FLIP} | {RebuildStep.ROLLED_BACK, RebuildStep.CANCELLING},
}
"""The steps at which each command is possible. At `flip`, the pointer may have changed: roll it back first."""


class Rebuild(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A rebuild that has begun and is not over, as it is kept where it survives a crash.

    Attributes:
        id: Its id, a part of the new table's name.
        holder: Who began it, or took it over last: the user, the host and the process.
        begun_at: When it began.
        held_until: Until when no other process may take it over, unless the holder extends it.
        step: The step that is done next, or the state that it is in.
        old_table: The live table when it began.
        new_table: The table that it fills.
        policy: The policy of the new table; None: the policy in force.
        old_policy: The published policy of the old table.
        shadowed_at: When the new table was named as a table that is written too.
        position: When the last comparison began: every row that was in the log then is in the new table afterwards.
        delete_table: The table to delete in the end; None: none.
    """

    id: str
    holder: str
    begun_at: datetime
    held_until: datetime
    step: RebuildStep = RebuildStep.CREATE
    old_table: str
    new_table: str
    policy: Policy | None = None
    old_policy: Policy | None = None
    shadowed_at: datetime | None = None
    position: datetime | None = None
    delete_table: str | None = None

    @property
    def sentence(self) -> str:
        """Who holds it, since when, and how far it is."""
        return (
            f"{self.holder} rebuilds {self.old_table} into {self.new_table} since {format_time(self.begun_at)}, "
            f"at the step {self.step}"
        )


_ID = re.compile(r"-\d{8}t\d{6}-[0-9a-f]{4}$", re.ASCII)


def new_table_name(live: str, now: datetime, *, stack: str | None) -> tuple[str, str]:
    """Return the id of a new rebuild and the name of its table, which no table had before.

    Args:
        live: The name of the live table.
        now: The current time.
        stack: The name of the stack, whose roles may write to `NAME-suppression-*` alone; None if there is none.
    """
    identifier = f"{now:%Y%m%dt%H%M%S}-{now.microsecond // 16:04x}"
    return identifier, f"{stack}-suppression-{identifier}" if stack else f"{_ID.sub('', live)}-{identifier}"


def check_allowed(rebuild: Rebuild, command: RebuildCommand) -> None:
    """Check that a command is possible at the step that a rebuild has reached.

    Raises:
        UsageError: It is not.
    """
    if rebuild.step not in ALLOWED_STEPS[command]:
        possible = " or ".join(f"--{other}" for other, steps in ALLOWED_STEPS.items() if rebuild.step in steps)
        raise UsageError(f"--{command} is not possible: {rebuild.sentence}; use {possible}")


class FoldResult(msgspec.Struct, kw_only=True):
    """Counts of a fold into a table.

    Attributes:
        folded: Addresses of which the log has facts, each once for each of its scopes.
        written: Items put.
        unchanged: Items that already contained the facts.
    """

    folded: int = 0
    written: int = 0
    unchanged: int = 0


def fold_into(
    fold: LogFold,
    *,
    store: SuppressionStore,
    policy: Policy,
    each: MergeEach = map,
    since: datetime | None = None,
    progress: Callable[[FoldResult], None] = lambda _: None,
) -> FoldResult:
    """Merge the standings of the log into a table. Each is put once, and one that the table has already is not.

    So a fold of the whole log into an empty table makes as many puts as there are addresses, and one that is repeated
    after a crash puts what is missing.

    Args:
        fold: The fold of the log.
        store: The table.
        policy: Decides the verdicts.
        each: Merges several parts at a time.
        since: The first hour of the log; None: from the beginning.
        progress: Called with the counts so far.

    Raises:
        Unavailable: The log or the table is throttled or unreachable. Or another error of `STOPS_BATCH`. What was
            merged before it stays.
        ItemRejected: The table rejects an item permanently.
    """
    result = FoldResult()
    for part in fold.standings(since=since):
        parts = map(dict, in_parts(part.items(), KEYS_PER_MERGE))
        for merged in each(lambda some: merge_fully(some, store=store, policy=policy), parts):
            result.written += merged.written
            result.unchanged += merged.unchanged
            result.folded += merged.written + merged.unchanged
            progress(result)
    return result
