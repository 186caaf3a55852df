"""`mailfold import`: SES's account-level suppression list into the event log and the suppression table."""

from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

import msgspec
import typer
from rich.progress import SpinnerColumn, TimeElapsedColumn

from pipeline.account_list import ImportCounts, ListEntry, ListStatus, import_entries
from pipeline.aws.clients import limit_rate
from pipeline.aws.dynamodb import DynamoSuppressionStore
from pipeline.aws.ses import read_account_list
from pipeline.cli.ingest import ingestion
from pipeline.cli.options import RegionOption, StackOption, parse_moment
from pipeline.cli.output import counted, progress, results, say, write_json
from pipeline.cli.target import Target, target

STATUS_TEXTS = {
    ListStatus.MISSING: "imported",
    ListStatus.SUPPRESSED: "suppressed permanently already",
    ListStatus.RELEASED: "released since by an operator",
    ListStatus.UNUSABLE: "not an address",
}


class ListReason(StrEnum):
    """Why SES put an address on its list."""

    BOUNCE = "bounce"
    COMPLAINT = "complaint"


def import_command(
    *,
    reason: Annotated[ListReason | None, typer.Option(help="Only entries with this reason.")] = None,
    since: Annotated[str | None, typer.Option(help="Only entries from after this date or time, UTC.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count the entries, and import none.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the counts as JSON.")] = False,
    stack: StackOption = None,
    region: RegionOption = None,
) -> None:
    """Import SES's account-level suppression list into the event log and the suppression table.

    Each entry that the table does not suppress becomes a decision with the author ses-account-list and the entry's
    time. It suppresses permanently, until an operator releases the address later. SES's list does not show which mail
    bounced, so an address that the table suppresses by better evidence stays as it is. SES's list is not changed, and
    no address is shown.

    SES returns a thousand entries a second. Safe to stop and to repeat: a second run imports nothing.

    Example: mailfold import --since 2026-01-01 --dry-run
    """
    after = parse_moment(since)
    cloud = target(stack, region)
    with progress(SpinnerColumn(), "{task.description}", TimeElapsedColumn()) as display:
        task = display.add_task("reading SES's suppression list")
        counts = import_entries(
            _pages(cloud, reason, after),
            store=DynamoSuppressionStore(cloud.clients.dynamodb, table=cloud.settings.table),
            ingestion=None if dry_run else ingestion(cloud),
            progress=lambda counts: display.update(task, description=_progress_line(counts)),
        )
    if json:
        write_json(msgspec.to_builtins(counts) | {"dry_run": dry_run})
    else:
        say(import_lines(counts, dry_run=dry_run), to=results())


def import_lines(counts: ImportCounts, *, dry_run: bool) -> Iterator[str]:
    """Yield the result as lines for people."""
    yield f"{_entries(counts)} of SES's account-level suppression list"
    for reason, count in counts.listed.most_common():
        yield f"  {reason:<18} {count:>10,}"
    texts = STATUS_TEXTS | ({ListStatus.MISSING: "would be imported"} if dry_run else {})
    yield ", ".join(f"{count:,} {texts[status]}" for status, count in counts.statuses.items())
    if not dry_run:
        yield f"{counted(counts.written, 'item')} of the table written"


def _progress_line(counts: ImportCounts) -> str:
    return f"{_entries(counts)}, {counts.statuses[ListStatus.MISSING]:,} to import"


def _entries(counts: ImportCounts) -> str:
    return counted(counts.listed.total(), "entry", "entries")


def _pages(cloud: Target, reason: ListReason | None, since: datetime | None) -> Iterator[tuple[ListEntry, ...]]:
    ses = cloud.clients.sesv2
    if not cloud.is_local:
        limit_rate(ses)
    reasons: Any = [reason.upper()] if reason else []
    return (page.entries for page in read_account_list(ses, reasons=reasons, since=since))
