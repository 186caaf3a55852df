"""What `reconcile` and `drill` share: the fold of a cloud's log, the options of both, and differences as text."""

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Annotated, Any

import msgspec
import typer

from pipeline.aws.archive.fold import ArchiveFold
from pipeline.aws.archive.s3 import S3Archive
from pipeline.aws.reconciliation import SERVICE_SUFFIX
from pipeline.cli.output import counted, encodable
from pipeline.cli.target import Target
from pipeline.difference import FactsByKind
from pipeline.drill import VISIBLE_AFTER
from pipeline.errors import MailfoldError
from pipeline.ports import FactScan
from pipeline.reconcile import GRACE
from pipeline.standing import EVERY_SCOPE, Key
from pipeline.timestamp import format_time, from_ms

_MINUTE, _HOUR = timedelta(minutes=1), timedelta(hours=1)

GraceOption = Annotated[
    int,
    typer.Option(
        "--grace",
        min=0,
        metavar="MINUTES",
        help="Leave out hours of the log that ended less than this ago: their facts may be on their way to the table.",
    ),
]
LogDelayOption = Annotated[
    int,
    typer.Option(
        "--log-delay",
        min=0,
        metavar="HOURS",
        help="A fact of the table that is younger than this may be on its way to the log: it is not called lost.",
    ),
]
AddressesOption = Annotated[
    bool, typer.Option("--addresses", help="Show each address that differs, with its facts and their events.")
]
PublishOption = Annotated[
    bool, typer.Option("--publish", help="Publish the counts as CloudWatch metrics, as the schedule does.")
]
DEFAULT_GRACE = GRACE // _MINUTE
DEFAULT_LOG_DELAY = VISIBLE_AFTER // _HOUR


class TableDiffers(MailfoldError):
    """The table and the log, or SES's lists, are not equal. The message says how to heal it."""


class LogFolding(msgspec.Struct, kw_only=True):
    """The fold of a cloud's log, and how much of it was read.

    Attributes:
        fold: The fold.
        archive: The log. Its `skipped` names the objects that are not the log's.
        rows: The rows that were read so far.
    """

    fold: Any
    archive: S3Archive
    rows: int = 0


def open_log(cloud: Target, *, show: Any) -> LogFolding:
    """Return the fold of a cloud's log.

    Args:
        cloud: The cloud.
        show: Called with a line for people after each part of the log.
    """
    archive = S3Archive(cloud.clients.s3, bucket=cloud.settings.bucket)

    def on_scan(scan: FactScan) -> None:
        folding.rows += scan.rows
        show(f"{counted(folding.rows, 'row')} of the log")

    folding = LogFolding(fold=ArchiveFold(archive, on_scan=on_scan), archive=archive)
    return folding


def skipped_lines(folding: LogFolding) -> Iterator[str]:
    """Yield the objects in the log that were not read."""
    return (f"skipped {encodable(skipped.uri)}: {skipped.why}" for skipped in dict.fromkeys(folding.archive.skipped))


def service(cloud: Target) -> str:
    """Return the dimension of the metrics."""
    return f"{cloud.stack.name}-{SERVICE_SUFFIX}" if cloud.stack else SERVICE_SUFFIX


def address_text(key: Key) -> str:
    """Return an address with its scope, for people."""
    return str(key.address) if key.scope == EVERY_SCOPE else f"{key.address} (scope {key.scope})"


def fact_lines(side: str, facts: FactsByKind) -> Iterator[str]:
    """Yield each fact for people: its kind, its time and its event."""
    for kind, evidence in facts:
        at = format_time(from_ms(evidence.at_ms)) if evidence.at_ms else "an unknown time"
        yield f"  {side}: {kind.value} at {at}, event {evidence.event_id}"


def facts_object(facts: FactsByKind) -> list[dict[str, Any]]:
    """Return facts for programs."""
    return [
        {"fact": kind.value, "at": format_time(from_ms(evidence.at_ms)) if evidence.at_ms else None}
        | {"event_id": evidence.event_id}
        for kind, evidence in facts
    ]


def addresses_text(number: int) -> str:
    """Return a number of addresses, for people."""
    return counted(number, "address", "addresses")


def counted_kinds(counts: Iterable[tuple[str, int]]) -> str:
    """Return counts by kind: `2 hard, 1 complaint`."""
    return ", ".join(f"{count:,} {kind}" for kind, count in counts)
