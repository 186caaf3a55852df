"""`mailfold import`: SES's own account-level suppression list into log and table."""

from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

import msgspec
import typer
from rich.progress import SpinnerColumn, TimeElapsedColumn

from pipeline.account_list import ImportCounts, ListEntry, ListStatus, import_entries
from pipeline.aws.clients import rate_limited
from pipeline.aws.ses import read_account_list
from pipeline.cli.ingest import ingestion
from pipeline.cli.options import RegionOption, StackOption, parse_moment
from pipeline.cli.output import counted, progress, results, say, write_json
from pipeline.cli.target import Target, target

WORDS = {
    ListStatus.MISSING: "taken in",
    ListStatus.SUPPRESSED: "suppressed for good already",
    ListStatus.RELEASED: "released since by an operator",
    ListStatus.UNUSABLE: "no address",
}


class ListReason(StrEnum):
    """Why SES put an address onto its list."""

    BOUNCE = "bounce"
    COMPLAINT = "complaint"


def import_command(
    *,
    reason: Annotated[ListReason | None, typer.Option(help="Only what SES put there for this.")] = None,
    since: Annotated[str | None, typer.Option(help="Only what SES put there after this date or time, UTC.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count, and take nothing in.")] = False,
    json: Annotated[bool, typer.Option("--json", help="The counts as JSON.")] = False,
    stack: StackOption = None,
    region: RegionOption = None,
) -> None:
    """Take SES's own account-level suppression list into the log and the suppression table.

    Each entry that the table does not suppress becomes a decision, by ses-account-list and as of when SES put it there:
    it suppresses for good, until an operator releases the address later. SES's list does not say which mail bounced, so
    what the table suppresses by evidence of its own stays as it is. SES's list is read only, and no address is shown.

    SES gives a thousand entries a second. Safe to stop and to repeat: a second run takes in nothing.

    Example: mailfold import --since 2026-01-01 --dry-run
    """
    from pipeline.aws.dynamodb import DynamoSuppressionStore  # noqa: PLC0415 - boto3 takes a third of a second

    after = parse_moment(since)
    cloud = target(stack, region)
    store = DynamoSuppressionStore(cloud.client("dynamodb"), table=cloud.settings.table)
    pages = _pages(cloud, reason, after)
    with progress(SpinnerColumn(), "{task.description}", TimeElapsedColumn()) as shown:
        task = shown.add_task("reading SES's own list")
        done = import_entries(
            pages,
            store=store,
            ingestion=None if dry_run else ingestion(cloud),
            progress=lambda so_far: shown.update(task, description=_so_far(so_far)),
        )
    if json:
        write_json(msgspec.to_builtins(done) | {"dry_run": dry_run})
    else:
        say(import_lines(done, dry_run=dry_run), to=results())


def import_lines(done: ImportCounts, *, dry_run: bool) -> Iterator[str]:
    """Give the result as lines for people."""
    yield f"{_entries(done)} of SES's own suppression list"
    for reason, count in done.listed.most_common():
        yield f"  {reason:<18} {count:>10,}"
    words = WORDS | ({ListStatus.MISSING: "would be taken in"} if dry_run else {})
    yield ", ".join(f"{count:,} {words[stand]}" for stand, count in done.statuses.items())
    if not dry_run:
        yield f"{counted(done.written, 'item')} of the table written"


def _so_far(done: ImportCounts) -> str:
    return f"{_entries(done)}, {done.statuses[ListStatus.MISSING]:,} to take in"


def _entries(done: ImportCounts) -> str:
    return counted(done.listed.total(), "entry", "entries")


def _pages(cloud: Target, reason: ListReason | None, since: datetime | None) -> Iterator[tuple[ListEntry, ...]]:
    ses: Any = cloud.client("sesv2")
    if not cloud.is_local:
        rate_limited(ses)
    reasons: Any = [reason.upper()] if reason else []
    return (page.entries for page in read_account_list(ses, reasons=reasons, since=since))
