"""`mailfold replay`: the log through the projection again."""

from typing import Annotated

import msgspec
import typer
from rich.progress import SpinnerColumn, TimeElapsedColumn

from pipeline.cli.options import RegionOption, StackOption, parse_moment
from pipeline.cli.output import counted, progress, results, say, to_people, write_json
from pipeline.cli.target import Target, target
from pipeline.errors import UsageError
from pipeline.replay import ReplayResult, replay, store_digest


def replay_command(
    since: Annotated[str | None, typer.Option(help="Only what arrived at or after this date or time, UTC.")] = None,
    until: Annotated[str | None, typer.Option(help="Only what arrived before this date or time, UTC.")] = None,
    into: Annotated[
        str | None, typer.Option(metavar="TABLE", help="Another table; it is made if it is not there.")
    ] = None,
    *,
    json: Annotated[bool, typer.Option("--json", help="The result as JSON.")] = False,
    stack: StackOption = None,
    region: RegionOption = None,
) -> None:
    """Fold the log into a table: to heal the live one, or to rebuild into an empty one. Safe to repeat and to stop.

    With --stack, the log and the live table are that deployment's. Another table has to be named as the roles there
    expect it, NAME-suppression-…, and is made with the same protections.

    Example: mailfold replay --into suppression-rebuilt
    """
    from pipeline.aws.archive.s3 import S3Archive  # noqa: PLC0415 - heavy: pyarrow and boto3
    from pipeline.aws.dynamodb import DynamoSuppressionStore  # noqa: PLC0415 - the same

    begin, end = parse_moment(since), parse_moment(until)
    if begin and end and begin >= end:
        raise UsageError("nothing arrives from --since on and before --until: give the earlier one to --since")
    cloud = target(stack, region)
    table = cloud.settings.table if into is None else _other_table(into, cloud)
    if cloud.stack:
        state = "live" if table == cloud.settings.table else "not the live one"
        say([f"folding the log of the stack {cloud.stack.name} into {table}, {state}"], to=to_people())
    store = DynamoSuppressionStore(cloud.client("dynamodb"), table=table)
    archive = S3Archive(cloud.client("s3"), bucket=cloud.settings.bucket)
    with progress(SpinnerColumn(), "{task.description}", TimeElapsedColumn()) as shown:
        task = shown.add_task("reading the log")
        done = replay(
            archive,
            store=store,
            policy=cloud.settings.policy,
            since=begin,
            until=end,
            progress=lambda so_far: shown.update(task, description=replay_lines(so_far)),
        )
        shown.update(task, description="computing the digest")
        digest = store_digest(store)
    if json:
        write_json(msgspec.to_builtins(done) | {"digest": digest})
    else:
        say((replay_lines(done), f"digest {digest}"), to=results())


def _other_table(name: str, cloud: Target) -> str:
    """Return a table's name once the table is there."""
    from pipeline.aws.dynamodb import ensure_table  # noqa: PLC0415 - boto3 takes a third of a second

    prefix = f"{cloud.stack.name}-suppression-" if cloud.stack else ""
    if cloud.stack and (not name.startswith(prefix) or name == prefix):
        raise UsageError(f"the roles of that stack may write to no table {name!r}: name it {prefix}…")
    ensure_table(cloud.client("dynamodb"), name, protected=cloud.stack is not None)
    return name


def replay_lines(done: ReplayResult) -> str:
    """Give what a replay did, so far or in the end, as a line for people."""
    return (
        f"{counted(done.rows, 'row')} of the log, {counted(done.facts, 'fact')}: "
        f"{counted(done.written, 'item')} written, {done.unchanged:,} unchanged"
    )
