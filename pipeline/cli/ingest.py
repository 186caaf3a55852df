"""`mailfold ingest`: existing SES events into the event log and the suppression table."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.progress import BarColumn, TimeElapsedColumn

from pipeline.aws.archive.s3 import S3Archive
from pipeline.aws.dynamodb import DynamoSuppressionStore
from pipeline.aws.quarantine import S3Quarantine
from pipeline.batch import StreamRecord
from pipeline.cli.options import RegionOption, StackOption
from pipeline.cli.output import counted, encodable, progress, results, say, write_json
from pipeline.cli.sources import UNREADABLE, ConnectS3, find_sources, payloads
from pipeline.cli.target import Target, target
from pipeline.errors import MailfoldError
from pipeline.ingest import IngestCounts, Ingestion, RejectedRecord

RECORDS_PER_UPDATE = 1_000  # of the progress display


class RecordsRejected(MailfoldError):
    """Some records were quarantined, or some sources could not be read. All else is in the event log and the table."""


def ingest_command(
    names: Annotated[
        list[str], typer.Argument(metavar="FILE", help="Files, folders, s3://bucket/prefix; -: standard input.")
    ],
    *,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    stack: StackOption = None,
    region: RegionOption = None,
) -> None:
    """Ingest existing SES events into the event log and the suppression table.

    Files hold one JSON document or one on each line (NDJSON), plain or gzip, in any envelope. A record that cannot be
    read is reported by file and line and kept in the quarantine, and the exit code is 1. All other records are
    ingested. Safe to repeat.

    With --stack, the events go into that deployment's log, its live table, and a table that is being rebuilt.

    Example: mailfold ingest events-2026-03.ndjson.gz s3://old-archive/2025/
    """
    cloud = target(stack, region)
    sources = find_sources(names, s3=lambda: cloud.clients.s3)
    counts = _ingest(ingestion(cloud), sources, s3=lambda: cloud.clients.s3)
    if json:
        write_json(counts)
    else:
        say(ingest_lines(counts), to=results())
    if counts.rejects:
        raise RecordsRejected(f"{counted(len(counts.rejects), 'reject')}: all else was ingested")


def ingestion(cloud: Target) -> Ingestion:
    """Return an ingestion into a cloud's log, live table, tables that are being rebuilt, and quarantine."""
    settings, s3, dynamodb = cloud.settings, cloud.clients.s3, cloud.clients.dynamodb
    return Ingestion(
        archive=S3Archive(s3, bucket=settings.bucket),
        store=DynamoSuppressionStore(dynamodb, table=settings.table),
        shadow_stores=[DynamoSuppressionStore(dynamodb, table=table) for table in cloud.shadow_tables],
        quarantine=S3Quarantine(s3, bucket=settings.bucket),
        policy=settings.policy,
        arrived_at=datetime.now(UTC),
    )


def ingest_lines(counts: IngestCounts) -> Iterator[str]:
    """Yield the result as lines for people."""
    events, rejects = counted(counts.events.total(), "event"), counted(len(counts.rejects), "reject")
    yield f"{events} ingested, {counted(counts.ignored, 'record')} ignored, {rejects}"
    for kind, count in counts.events.most_common():
        yield f"  {kind:<18} {count:>10,}"
    facts, written = counted(counts.facts, "fact"), counted(counts.written, "item")
    yield f"{facts}: {written} of the table written, {counts.unchanged:,} unchanged"
    for reject in counts.rejects:
        yield f"  {reject.position}: {reject.why}"


def _ingest(ingestion: Ingestion, sources: Sequence[str], *, s3: ConnectS3) -> IngestCounts:
    files = "{task.completed:,}/{task.total:,} files"
    with progress("{task.description}", BarColumn(), files, TimeElapsedColumn()) as display:
        task = display.add_task("0 records", total=len(sources))
        record_count = 0

        def records() -> Iterator[StreamRecord]:
            for source in sources:
                try:
                    for payload in payloads(source, s3=s3):
                        yield StreamRecord(payload=payload.data, position=f"{encodable(source)}:{payload.line}")
                except UNREADABLE as error:
                    ingestion.counts.rejects.append(RejectedRecord(position=encodable(source), why=str(error)))
                display.advance(task)

        def count(_: StreamRecord) -> None:
            nonlocal record_count
            record_count += 1
            if record_count % RECORDS_PER_UPDATE == 0:
                display.update(task, description=f"{record_count:,} records")

        return ingestion.ingest(records(), progress=count)
