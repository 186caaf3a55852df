"""`mailfold replay`: the log through the projection again."""

import sys
from typing import Annotated

import msgspec
import typer
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from pipeline.cli.target import moment, settings
from pipeline.cli.words import results, to_people
from pipeline.replay import Replayed, replay, store_digest


def replay_command(
    since: Annotated[str | None, typer.Option(help="Only what arrived at or after this date or time, UTC.")] = None,
    until: Annotated[str | None, typer.Option(help="Only what arrived before this date or time, UTC.")] = None,
    into: Annotated[
        str | None, typer.Option(metavar="TABLE", help="Another table; it is made if it is not there.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="The result as JSON.")] = False,
) -> None:
    """Fold the log into a table: to heal the live one, or to rebuild into an empty one. Safe to repeat and to stop.

    Example: mailfold replay --into suppression-rebuilt
    """
    from pipeline.aws.archive_s3 import S3Archive  # noqa: PLC0415 - heavy: pyarrow and boto3
    from pipeline.aws.clients import client  # noqa: PLC0415
    from pipeline.aws.store_dynamodb import DynamoSuppressionStore, ensure_table  # noqa: PLC0415

    begin, end, where = moment(since), moment(until), settings()
    dynamodb = client("dynamodb")
    if into:
        ensure_table(dynamodb, into)
    store = DynamoSuppressionStore(dynamodb, table=into or where.table)
    archive = S3Archive(client("s3"), bucket=where.bucket)
    with Progress(
        SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=to_people(), transient=True
    ) as progress:
        task = progress.add_task("reading the log")

        def show(done: Replayed) -> None:
            progress.update(
                task, description=f"{done.rows:,} rows, {done.facts:,} facts, {done.written:,} items written"
            )

        done = replay(archive, store=store, policy=where.policy, since=begin, until=end, progress=show)
        progress.update(task, description="computing the digest")
        digest = store_digest(store)
    if json:
        sys.stdout.write(msgspec.json.encode(msgspec.to_builtins(done) | {"digest": digest}).decode() + "\n")
    else:
        results().print(
            f"{done.rows:,} rows of the log, {done.facts:,} facts: "
            f"{done.written:,} items written, {done.unchanged:,} unchanged\ndigest {digest}"
        )
