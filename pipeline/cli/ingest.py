"""`mailfold ingest`: existing SES events into the event log and the suppression table."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import cache, partial
from itertools import count
from typing import Annotated

import typer
from rich.progress import BarColumn, TimeElapsedColumn

from pipeline.aws.archive.manifest import S3Manifest
from pipeline.aws.archive.objects import ObjectReader
from pipeline.aws.archive.s3 import S3Archive
from pipeline.aws.dynamodb import DynamoSuppressionStore
from pipeline.aws.quarantine import S3Quarantine
from pipeline.batch import StreamRecord
from pipeline.cli.options import RegionOption, StackOption
from pipeline.cli.output import (
    counted,
    encodable,
    first_few,
    progress,
    results,
    say,
    saying_on_stop,
    to_people,
    write_json,
)
from pipeline.cli.sources import UNREADABLE, Source, find_sources, payloads
from pipeline.cli.target import Target, target
from pipeline.errors import MailfoldError
from pipeline.ingest import IngestCounts, Ingestion
from pipeline.resume import RecordSource, SourceIngestion, UnreadableSource

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

    Files hold one JSON document, one on each line (NDJSON), or one after the other, plain or gzip, in any envelope; or
    they are Parquet archives. A record that cannot be read is reported by file and line and kept in the quarantine, and
    the exit code is 1. All other records are ingested.

    Safe to interrupt and to repeat: what was ingested of a file is not ingested again, unless it came by a pipe. A file
    whose content has changed is another file.

    With --stack, the events go into that deployment's log, its live table, and a table that is being rebuilt.

    Example: mailfold ingest events-2026-03.ndjson.gz s3://old-archive/2025/
    """
    cloud = cache(lambda: target(stack, region))
    sources = find_sources(names, s3=lambda: cloud().clients.s3)
    counts = _ingest(cloud(), sources)
    if json:
        write_json(counts)
    else:
        say(ingest_lines(counts), to=results())
    if counts.rejects:
        events = counted(counts.events.total(), "event")
        raise RecordsRejected(f"{counted(len(counts.rejects), 'reject')}; {events} ingested")


def ingestion(cloud: Target) -> Ingestion:
    """Return an ingestion into a cloud's log, live table, tables that are being rebuilt, and quarantine."""
    settings, s3, dynamodb = cloud.settings, cloud.clients.s3, cloud.clients.dynamodb
    return Ingestion(
        archive=S3Archive(s3, bucket=settings.bucket),
        store=DynamoSuppressionStore(dynamodb, table=settings.table),
        shadow_stores=[DynamoSuppressionStore(dynamodb, table=table) for table in cloud.shadow_tables],
        quarantine=S3Quarantine(s3, bucket=settings.bucket),
        policy=settings.policy,
        shadow_policy=cloud.shadow_policy,
        arrived_at=datetime.now(UTC),
    )


def ingest_lines(counts: IngestCounts) -> Iterator[str]:
    """Yield the result as lines for people."""
    events, rejects = counted(counts.events.total(), "event"), counted(len(counts.rejects), "reject")
    yield f"{events} ingested, {counted(counts.ignored, 'record')} ignored, {rejects}"
    for kind, number in counts.events.most_common():
        yield f"  {kind:<18} {number:>10,}"
    if counts.ingested_before:
        yield f"{counted(counts.ingested_before, 'file')} ingested before, and not again"
    facts, written = counted(counts.facts, "fact"), counted(counts.written, "item")
    yield f"{facts}: {written} of the table written, {counts.unchanged:,} unchanged"
    for reject in counts.rejects:
        yield f"  {reject.position}: {reject.why}"


def _ingest(cloud: Target, sources: Sequence[Source]) -> IngestCounts:
    manifest, stores = S3Manifest(cloud.clients.s3, bucket=cloud.settings.bucket), ingestion(cloud)
    ingesting = SourceIngestion(ingestion=stores, manifest=manifest)
    say(first_few([f"skipped {skipped.uri}: {skipped.why}" for skipped in manifest.skipped]), to=to_people())
    pending = [source.listed for source in sources if source.listed and not ingesting.is_done(source.content_id())]
    files = "{task.completed:,}/{task.total:,} files"
    with (
        saying_on_stop(lambda: _stop_line(stores), is_begun=lambda: stores.stored_rows > 0),
        ObjectReader(cloud.clients.s3, pending) as reader,
        progress("{task.description}", BarColumn(), files, TimeElapsedColumn()) as display,
    ):
        task = display.add_task("0 records", total=len(sources))
        numbers = count(1)

        def record_sources() -> Iterator[RecordSource]:
            for source in sources:
                records = partial(_records, source.name, reader)
                yield RecordSource(name=encodable(source.name), id=source.content_id(), records=records)
                display.advance(task)

        def show(_: StreamRecord) -> None:
            number = next(numbers)
            if number % RECORDS_PER_UPDATE == 0:
                display.update(task, description=f"{number:,} records")

        return ingesting.ingest(record_sources(), progress=show)


def _stop_line(stores: Ingestion) -> str:
    events = counted(stores.stored_rows, "event")
    return f"stopped after {events}: repeat the command to go on; a pipe is then ingested again"


def _records(name: str, reader: ObjectReader) -> Iterator[StreamRecord]:
    try:
        for payload in payloads(name, open_uri=reader.open):
            yield StreamRecord(payload=payload.data, position=f"{encodable(name)}:{payload.line}")
    except UNREADABLE as error:
        raise UnreadableSource(str(error)) from error
