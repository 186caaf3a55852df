"""`mailfold import`: SES's suppression lists into the event log and the suppression table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from enum import StrEnum
from itertools import chain
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer
from rich.progress import SpinnerColumn, TimeElapsedColumn

from pipeline.account_list import ImportCounts, ListEntry, ListStatus, import_entries
from pipeline.aws.clients import limit_rate
from pipeline.aws.dynamodb import DynamoSuppressionStore
from pipeline.aws.ses import ListPage, read_account_list, read_tenant_list, tenant_names
from pipeline.cli.ingest import ingestion
from pipeline.cli.options import RegionOption, StackOption, parse_moment
from pipeline.cli.output import counted, progress, results, say, to_people, write_json
from pipeline.cli.target import Target, target
from pipeline.standing import EVERY_SCOPE

if TYPE_CHECKING:
    from mypy_boto3_sesv2 import SESV2Client

STATUS_TEXTS = {
    ListStatus.MISSING: "imported",
    ListStatus.SUPPRESSED: "suppressed permanently already",
    ListStatus.RELEASED: "released since by an operator",
    ListStatus.UNUSABLE: "not an address",
    ListStatus.ERASED: "of a person who was erased",
}


class ListReason(StrEnum):
    """Why SES put an address on its list."""

    BOUNCE = "bounce"
    COMPLAINT = "complaint"


def import_command(
    *,
    reason: Annotated[ListReason | None, typer.Option(help="Only entries with this reason.")] = None,
    tenant: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this tenant's own list; may be repeated.")
    ] = None,
    since: Annotated[str | None, typer.Option(help="Only entries from after this date or time, UTC.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count the entries, and import none.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the counts as JSON.")] = False,
    stack: StackOption = None,
    region: RegionOption = None,
) -> None:
    """Import SES's suppression lists into the event log and the suppression table.

    They are the account's list, which goes into every scope, and each tenant's own list, which goes into the tenant's
    scope. With --tenant, only the lists of the named tenants are read.

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
        task = display.add_task("reading SES's suppression lists")
        counts = import_entries(
            _pages(cloud, reason=reason, since=after, tenants=tenant or ()),
            store=DynamoSuppressionStore(cloud.clients.dynamodb, table=cloud.settings.table),
            ingestion=None if dry_run else ingestion(cloud),
            erasure_key=cloud.erasure_key(),
            progress=lambda counts: display.update(task, description=_progress_line(counts)),
        )
    if json:
        write_json(msgspec.to_builtins(counts) | {"dry_run": dry_run})
    else:
        say(import_lines(counts, dry_run=dry_run), to=results())


def import_lines(counts: ImportCounts, *, dry_run: bool) -> Iterator[str]:
    """Yield the result as lines for people."""
    yield f"{_entries(counts)} of SES's suppression lists"
    for reason, count in counts.listed.most_common():
        yield f"  {reason:<18} {count:>10,}"
    texts = STATUS_TEXTS | ({ListStatus.MISSING: "would be imported"} if dry_run else {})
    yield ", ".join(f"{count:,} {texts[status]}" for status, count in counts.statuses.items())
    for scope, statuses in counts.lists.items():
        if scope != EVERY_SCOPE:
            number = counted(sum(statuses.values()), "entry", "entries")
            yield f"  tenant {scope}: {number}, {statuses[ListStatus.MISSING]:,} {texts[ListStatus.MISSING]}"
    if not dry_run:
        yield f"{counted(counts.written, 'item')} of the table written"


def _progress_line(counts: ImportCounts) -> str:
    return f"{_entries(counts)}, {counts.statuses[ListStatus.MISSING]:,} to import"


def _entries(counts: ImportCounts) -> str:
    return counted(counts.listed.total(), "entry", "entries")


def _pages(
    cloud: Target, *, reason: ListReason | None, since: datetime | None, tenants: Sequence[str]
) -> Iterator[tuple[ListEntry, ...]]:
    ses = cloud.clients.sesv2
    if not cloud.is_local:
        limit_rate(ses)
    options: Any = {"reasons": [reason.upper()] if reason else [], "since": since}
    pages: Iterable[ListPage]
    if tenants:
        pages = (page for name in tenants for page in read_account_list(ses, tenant=name, **options))
    else:
        pages = chain(read_account_list(ses, **options), _tenant_pages(ses, options))
    return (page.entries for page in pages)


def _tenant_pages(ses: SESV2Client, options: Any) -> Iterator[ListPage]:
    names = tenant_names(ses)
    if names is None:
        say(["SES knows no tenants here: only the account's list was read"], to=to_people())
        return
    for name in names:
        yield from read_tenant_list(ses, name, **options)
