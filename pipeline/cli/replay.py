"""`mailfold replay`: the log through the projection again."""

from typing import Annotated

import msgspec
import typer
from rich.progress import SpinnerColumn, TimeElapsedColumn

from pipeline.cli.target import moment, target
from pipeline.cli.words import counted, progress, results, say, write_json
from pipeline.errors import Misuse
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
    from pipeline.aws.store_dynamodb import DynamoSuppressionStore, ensure_table  # noqa: PLC0415

    begin, end = moment(since), moment(until)
    if begin and end and begin >= end:
        raise Misuse("nothing arrives from --since on and before --until: give the earlier one to --since")
    cloud = target()
    dynamodb = cloud.client("dynamodb")
    if into is not None:
        ensure_table(dynamodb, into)
    store = DynamoSuppressionStore(dynamodb, table=cloud.settings.table if into is None else into)
    archive = S3Archive(cloud.client("s3"), bucket=cloud.settings.bucket)
    with progress(SpinnerColumn(), "{task.description}", TimeElapsedColumn()) as shown:
        task = shown.add_task("reading the log")
        done = replay(
            archive,
            store=store,
            policy=cloud.settings.policy,
            since=begin,
            until=end,
            progress=lambda so_far: shown.update(task, description=in_words(so_far)),
        )
        shown.update(task, description="computing the digest")
        digest = store_digest(store)
    if json:
        write_json(msgspec.to_builtins(done) | {"digest": digest})
    else:
        say((in_words(done), f"digest {digest}"), to=results())


def in_words(done: Replayed) -> str:
    """Give what a replay did, so far or in the end, as a line for people."""
    return (
        f"{counted(done.rows, 'row')} of the log, {counted(done.facts, 'fact')}: "
        f"{counted(done.written, 'item')} written, {done.unchanged:,} unchanged"
    )
