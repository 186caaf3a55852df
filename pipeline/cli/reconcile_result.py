"""The result of `mailfold reconcile`, for people and for programs."""

import shlex
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from pipeline.cli.comparison import addresses_text, counted_kinds
from pipeline.cli.output import counted
from pipeline.cli.ses_lists import ListsCompared, list_lines
from pipeline.cli.target import Target
from pipeline.reconcile import ReconcileResult
from pipeline.surge import Surge
from pipeline.timestamp import format_time

HOUR = timedelta(hours=1)


class Reconciled(msgspec.Struct, kw_only=True):
    """What a run found and did.

    Attributes:
        since: The first hour of the slice.
        until: The end of its last hour; None for the end of the log.
        result: The counts of the slice.
        surges: Surges of bounces; None if they could not be searched for.
        adopted: Facts that only the table had, and that were written into the log; None if this was not requested.
        ses: SES's lists; None if this was not requested.
    """

    since: datetime
    until: datetime | None
    result: ReconcileResult
    surges: list[Surge] | None = None
    adopted: int | None = None
    ses: ListsCompared | None = None


def reconcile_lines(done: Reconciled, cloud: Target, *, is_healed: bool) -> Iterator[str]:
    """Yield the result as lines for people."""
    result, end = done.result, format_time(done.until) if done.until else "the end of the log"
    yield f"{addresses_text(result.compared)} of the log compared, from {format_time(done.since)} to {end}"
    kinds = f": {counted_kinds(result.facts.most_common())}" if result.facts else ""
    healed = f"; {result.healed:,} healed" if is_healed else ""
    yield f"{result.missing:,} missing, {result.stale:,} stale{kinds}{healed}"
    if result.shadow_healed:
        yield f"{result.shadow_healed:,} healed in tables that are rebuilt"
    for surge in done.surges or ():
        yield from _surge_lines(surge, cloud)
    if done.adopted is not None:
        yield f"{counted(done.adopted, 'fact')} of the table written into the log as evidence"
    yield from list_lines(done.ses) if done.ses else ()


def _surge_lines(surge: Surge, cloud: Target) -> Iterator[str]:
    end = format_time(surge.hour + HOUR)
    yield (
        f"{surge.domain} bounced {surge.bounces:,} of {surge.sends:,} mails ({surge.share:.0%}) from "
        f"{format_time(surge.hour)} to {end}: {_statuses(surge)}"
    )
    yield f"  if they are false: {_command(surge, cloud)}"


def _statuses(surge: Surge) -> str:
    """Return the most frequent statuses with their numbers."""
    return ", ".join(f"{status or 'no status'} {count:,} times" for status, count in [*surge.statuses.items()][:3])


def _command(surge: Surge, cloud: Target) -> str:
    options: Sequence[str] = shlex.split(cloud.stack.options) if cloud.stack else ()
    return shlex.join(["mailfold", *surge.revert_arguments, *options])


def reconcile_object(done: Reconciled, cloud: Target) -> dict[str, Any]:
    """Return the result for programs, with the command that reverts each surge."""
    value: dict[str, Any] = msgspec.to_builtins(done)
    counts: dict[str, Any] = value.pop("result")
    if done.surges is not None:
        value["surges"] = [
            msgspec.to_builtins(surge) | {"share": surge.share, "command": _command(surge, cloud)}
            for surge in done.surges
        ]
    return counts | value
