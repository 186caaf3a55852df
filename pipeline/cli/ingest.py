"""`mailfold ingest`: existing SES events through log and table."""

import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Annotated

import msgspec
import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from pipeline.cli.source import payloads, sources
from pipeline.cli.target import settings
from pipeline.cli.words import printable, results, to_people
from pipeline.errors import MailfoldError, Misuse
from pipeline.gathering import StreamRecord
from pipeline.ingestion import Ingested, Ingestion, Reject


class Rejects(MailfoldError):
    """Some of what was to be taken in was set aside instead."""


def ingest_command(
    names: Annotated[
        list[str], typer.Argument(metavar="FILE…", help="Files, folders, s3://bucket/prefix; -: standard input.")
    ],
    json: Annotated[bool, typer.Option("--json", help="The result as JSON.")] = False,
) -> None:
    """Take existing SES events into the log and the suppression table.

    Files hold one JSON document or one on each line (NDJSON), plain or gzip, in any carrier. What cannot be read is
    named by file and line, kept in the quarantine, and makes the exit code 1; the rest is taken in. Safe to repeat.

    Example: mailfold ingest events-2026-03.ndjson.gz s3://old-archive/2025/
    """
    from pipeline.aws.archive_s3 import S3Archive  # noqa: PLC0415 - heavy: pyarrow and boto3
    from pipeline.aws.clients import client  # noqa: PLC0415
    from pipeline.aws.quarantine_s3 import S3Quarantine  # noqa: PLC0415
    from pipeline.aws.store_dynamodb import DynamoSuppressionStore  # noqa: PLC0415

    where, s3 = settings(), client("s3")
    ingestion = Ingestion(
        archive=S3Archive(s3, bucket=where.bucket),
        store=DynamoSuppressionStore(client("dynamodb"), table=where.table),
        quarantine=S3Quarantine(s3, bucket=where.bucket),
        policy=where.policy,
        arrived_at=datetime.now(UTC),
    )
    done = _ingest(ingestion, sources(names))
    if json:
        sys.stdout.write(msgspec.json.encode(done).decode() + "\n")
    else:
        results().print("\n".join(in_words(done)), markup=False)
    if done.rejects:
        raise Rejects(f"{len(done.rejects)} records were set aside; all else was taken in")


def in_words(done: Ingested) -> Iterator[str]:
    """Give the result as lines for people."""
    events, rejects = sum(done.events.values()), len(done.rejects)
    yield f"{events:,} events taken in, {done.ignored:,} records ignored, {rejects:,} set aside"
    for kind, count in done.events.most_common():
        yield f"  {kind:<18} {count:>10,}"
    yield f"{done.facts:,} facts: {done.written:,} items of the table written, {done.unchanged:,} unchanged"
    for reject in done.rejects:
        yield f"  {printable(reject.position)}: {reject.why}"


def _ingest(ingestion: Ingestion, names: Sequence[str]) -> Ingested:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total} files"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=to_people(), transient=True) as progress:
        task = progress.add_task("0 records", total=len(names))
        taken = 0

        def records() -> Iterator[StreamRecord]:
            for name in names:
                try:
                    for payload in payloads(name):
                        yield StreamRecord(payload=payload.data, position=f"{name}:{payload.line}")
                except Misuse as error:  # this file is broken; what stands in the others is not
                    ingestion.done.rejects.append(Reject(position=name, why=str(error)))
                progress.advance(task)

        def count(_: StreamRecord) -> None:
            nonlocal taken
            taken += 1
            if taken % 1_000 == 0:
                progress.update(task, description=f"{taken:,} records")

        return ingestion.ingest(records(), progress=count)
