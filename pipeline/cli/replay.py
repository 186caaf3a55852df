"""`mailfold replay`: project the event log into a table again."""

from typing import Annotated

import msgspec
import typer
from rich.progress import SpinnerColumn, TimeElapsedColumn

from pipeline.aws.archive.athena_fold import AthenaFold
from pipeline.aws.archive.s3 import S3Archive
from pipeline.aws.archive.unloaded import LoadResult, fold_in_account
from pipeline.aws.dynamodb import DynamoSuppressionStore, ensure_table
from pipeline.cli.options import RegionOption, StackOption, parse_moment
from pipeline.cli.output import counted, encodable, progress, results, say, saying_on_stop, to_people, write_json
from pipeline.cli.target import Target, target
from pipeline.errors import MailfoldError, UsageError
from pipeline.replay import ReplayResult, replay, store_digest


class LogIncomplete(MailfoldError):
    """Some objects in the log were not read. All others are folded into the table."""


def replay_command(
    since: Annotated[str | None, typer.Option(help="Only what happened at or after this date or time, UTC.")] = None,
    until: Annotated[str | None, typer.Option(help="Only what happened before this date or time, UTC.")] = None,
    into: Annotated[
        str | None, typer.Option(metavar="TABLE", help="Another table, created if it does not exist.")
    ] = None,
    *,
    by_athena: Annotated[
        bool, typer.Option("--by-athena", help="Let Athena join the facts of the whole log, and unload them.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    stack: StackOption = None,
    region: RegionOption = None,
) -> None:
    """Fold the event log into a table, to heal the live one or to rebuild into an empty one.

    Safe to repeat and to stop. An object in the log that is not its own, or that is damaged, is named and skipped; the
    exit code is then 1. With --stack, the log and the live table are that deployment's. Another table must have
    a name that the roles there allow, NAME-suppression-…, and is created with the same protections.

    With --by-athena, a log of any size is folded: this machine reads the joined facts alone, file by file.

    Example: mailfold replay --into suppression-rebuilt
    """
    begin, end = parse_moment(since), parse_moment(until)
    if begin and end and begin >= end:
        raise UsageError("--since must be earlier than --until")
    if by_athena and (begin or end):
        raise UsageError("--by-athena folds the whole log: leave out --since and --until")
    cloud = target(stack, region)
    table = cloud.settings.table if into is None else _ensure_other_table(into, cloud)
    if cloud.stack:
        state = "live" if table == cloud.settings.table else "not the live one"
        say([f"folding the log of the stack {cloud.stack.name} into {table}, {state}"], to=to_people())
    store = DynamoSuppressionStore(cloud.clients.dynamodb, table=table)
    if by_athena:
        _replay_by_athena(cloud, store, json=json)
        return
    with progress(SpinnerColumn(), "{task.description}", TimeElapsedColumn()) as display:
        task = display.add_task("reading the log")
        archive, result = S3Archive(cloud.clients.s3, bucket=cloud.settings.bucket), ReplayResult()

        def show(so_far: ReplayResult) -> None:
            nonlocal result
            result = so_far
            display.update(task, description=replay_line(result))

        with saying_on_stop(
            lambda: f"stopped after {replay_line(result)}: repeating changes nothing that is folded",
            is_begun=lambda: result.rows > 0,
        ):
            replay(archive, store=store, policy=cloud.settings.policy, since=begin, until=end, progress=show)
        display.update(task, description="computing the digest")
        with saying_on_stop(lambda: f"{replay_line(result)}: the fold is complete, only its digest is not computed"):
            digest = store_digest(store)
    if json:
        skipped = msgspec.to_builtins(archive.skipped)
        write_json(msgspec.to_builtins(result) | {"skipped": skipped, "digest": digest})
    else:
        lines = (f"skipped {encodable(skipped.uri)}: {skipped.why}" for skipped in archive.skipped)
        say((*lines, replay_line(result), f"digest {digest}"), to=results())
    if archive.skipped:
        raise LogIncomplete(f"{counted(len(archive.skipped), 'object')} skipped: all others are folded into the table")


def _replay_by_athena(cloud: Target, store: DynamoSuppressionStore, *, json: bool) -> None:
    """Fold the whole log by SQL, and print the result.

    Raises:
        UsageError: Rows of another decoder are in the log, which SQL cannot decode again.
    """
    clients, settings, output_location = cloud.clients, cloud.settings, cloud.output_location
    fold = AthenaFold(clients, database=cloud.database, workgroup=cloud.workgroup, output_location=output_location)
    if others := fold.other_rows():
        rows = counted(others, "row")
        raise UsageError(f"{rows} of another decoder, which Athena cannot decode again: leave out --by-athena")
    with progress(SpinnerColumn(), "{task.description}", TimeElapsedColumn()) as display:
        task = display.add_task("joining the facts in Athena")
        result = fold_in_account(
            clients,
            bucket=settings.bucket,
            database=cloud.database,
            workgroup=cloud.workgroup,
            store=store,
            policy=settings.policy,
            progress=lambda so_far: display.update(task, description=_load_line(so_far)),
        )
        display.update(task, description="computing the digest")
        digest = store_digest(store)
    if json:
        write_json(msgspec.to_builtins(result) | {"digest": digest})
    else:
        say((_load_line(result), f"digest {digest}"), to=results())


def _load_line(result: LoadResult) -> str:
    files = counted(result.files, "unloaded file")
    return f"{files}: {counted(result.written, 'item')} written, {result.unchanged:,} unchanged"


def replay_line(result: ReplayResult) -> str:
    """Return the result of a replay, so far or in the end, as a line for people."""
    return (
        f"{counted(result.rows, 'row')} of the log, {counted(result.facts, 'fact')}: "
        f"{counted(result.written, 'item')} written, {result.unchanged:,} unchanged"
    )


def _ensure_other_table(name: str, cloud: Target) -> str:
    """Create a table unless it exists, and return its name.

    Raises:
        UsageError: The stack's roles must not write to a table of that name.
    """
    prefix = f"{cloud.stack.name}-suppression-" if cloud.stack else ""
    if cloud.stack and (not name.startswith(prefix) or name == prefix):
        raise UsageError(f"the roles of that stack may write to no table {name!r}: name it {prefix}…")
    like = cloud.settings.table if cloud.stack else ""
    ensure_table(cloud.clients.dynamodb, name, protected=cloud.stack is not None, like=like)
    return name
