"""`mailfold ingest`: existing SES events through log and table."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Annotated

import typer
from rich.progress import BarColumn, TimeElapsedColumn

from pipeline.batch import StreamRecord
from pipeline.cli.options import RegionOption, StackOption
from pipeline.cli.output import counted, encodable, progress, results, say, write_json
from pipeline.cli.sources import S3, find_sources, payloads
from pipeline.cli.target import Target, target
from pipeline.errors import MailfoldError, UsageError
from pipeline.ingest import IngestCounts, Ingestion, RejectedRecord


class Rejects(MailfoldError):
    """Some of what was to be taken in was set aside instead."""


def ingest_command(
    names: Annotated[
        list[str], typer.Argument(metavar="FILE", help="Files, folders, s3://bucket/prefix; -: standard input.")
    ],
    *,
    json: Annotated[bool, typer.Option("--json", help="The result as JSON.")] = False,
    stack: StackOption = None,
    region: RegionOption = None,
) -> None:
    """Take existing SES events into the log and the suppression table.

    Files hold one JSON document or one on each line (NDJSON), plain or gzip, in any carrier. What cannot be read is
    named by file and line, kept in the quarantine, and makes the exit code 1; the rest is taken in. Safe to repeat.

    With --stack, it all goes into that deployment's log and live table, and into one that is being rebuilt.

    Example: mailfold ingest events-2026-03.ndjson.gz s3://old-archive/2025/
    """
    cloud = target(stack, region)
    s3 = partial(cloud.client, "s3")
    done = _ingest(ingestion(cloud), find_sources(names, s3=s3), s3=s3)
    if json:
        write_json(done)
    else:
        say(ingest_lines(done), to=results())
    if done.rejects:
        raise Rejects(f"{counted(len(done.rejects), 'reject')} set aside; all else was taken in")


def ingestion(cloud: Target) -> Ingestion:
    """Return what takes payloads into a cloud's log, live table, tables that are being rebuilt, and quarantine."""
    from pipeline.aws.archive.s3 import S3Archive  # noqa: PLC0415 - heavy: pyarrow and boto3
    from pipeline.aws.dynamodb import DynamoSuppressionStore  # noqa: PLC0415 - the same
    from pipeline.aws.quarantine import S3Quarantine  # noqa: PLC0415 - the same

    where, s3, dynamodb = cloud.settings, cloud.client("s3"), cloud.client("dynamodb")
    return Ingestion(
        archive=S3Archive(s3, bucket=where.bucket),
        store=DynamoSuppressionStore(dynamodb, table=where.table),
        shadow_stores=[DynamoSuppressionStore(dynamodb, table=table) for table in cloud.shadow_tables],
        quarantine=S3Quarantine(s3, bucket=where.bucket),
        policy=where.policy,
        arrived_at=datetime.now(UTC),
    )


def ingest_lines(done: IngestCounts) -> Iterator[str]:
    """Give the result as lines for people."""
    events, rejects = counted(done.events.total(), "event"), counted(len(done.rejects), "reject")
    yield f"{events} taken in, {counted(done.ignored, 'record')} ignored, {rejects} set aside"
    for kind, count in done.events.most_common():
        yield f"  {kind:<18} {count:>10,}"
    facts, written = counted(done.facts, "fact"), counted(done.written, "item")
    yield f"{facts}: {written} of the table written, {done.unchanged:,} unchanged"
    for reject in done.rejects:
        yield f"  {reject.position}: {reject.why}"


def _ingest(into: Ingestion, names: Sequence[str], *, s3: S3) -> IngestCounts:
    files = "{task.completed:,}/{task.total:,} files"
    with progress("{task.description}", BarColumn(), files, TimeElapsedColumn()) as shown:
        task = shown.add_task("0 records", total=len(names))
        taken = 0

        def records() -> Iterator[StreamRecord]:
            for name in names:
                try:
                    for payload in payloads(name, s3=s3):
                        yield StreamRecord(payload=payload.data, position=f"{encodable(name)}:{payload.line}")
                except UsageError as error:  # this file is broken; what stands in the others is not
                    into.counts.rejects.append(RejectedRecord(position=encodable(name), why=str(error)))
                shown.advance(task)

        def count(_: StreamRecord) -> None:
            nonlocal taken
            taken += 1
            if taken % 1_000 == 0:
                shown.update(task, description=f"{taken:,} records")

        return into.ingest(records(), progress=count)
