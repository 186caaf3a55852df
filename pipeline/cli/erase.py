"""`mailfold erase`: a person out of the event log and the suppression tables."""

from __future__ import annotations

from collections.abc import Iterator
from secrets import token_bytes
from typing import Annotated

import msgspec
import typer
from rich.progress import SpinnerColumn, TimeElapsedColumn

from pipeline.address import canonical
from pipeline.aws.archive.copies import DELETABLE, delete_copies, find_copies
from pipeline.aws.archive.erase import ErasureCounts, LogEraser
from pipeline.aws.dynamodb import DynamoSuppressionStore
from pipeline.aws.erasure_key import destroy_key, ensure_key
from pipeline.cli import prompt
from pipeline.cli.options import RegionOption, StackOption
from pipeline.cli.output import counted, encodable, progress, results, say, saying_on_stop, write_json
from pipeline.cli.target import Target, target
from pipeline.erase import ErasedItems, ErasedLog, TableEraser
from pipeline.erasure import Erasure
from pipeline.errors import MailfoldError, NotAnAddress, UsageError
from pipeline.pseudonym import KEY_BYTES

BEYOND_REACH = (
    "SES's own suppression lists: remove the address with `aws sesv2 delete-suppressed-destination`",
    "records in the feedback stream, until its retention ends: erase again after that, because a repetition may arrive",
    "recovery points of the tables (35 days), backups and exports that you made, and tables that no parameter names",
    "senders' databases and logs, mailboxes of operators, and copies of this log elsewhere",
)


class ErasureIncomplete(MailfoldError):
    """Some objects could not be read, or still name the person."""


class ErasureResult(msgspec.Struct, kw_only=True):
    """What an erasure did, or would do.

    Attributes:
        log: Counts of the log.
        tables: Counts of each table, by its name.
        copies: URIs of objects beside the log that name the person.
        deleted_copies: Those of them that were deleted.
        pseudonym: The address under which the facts lie.
        dry_run: Nothing was changed.
        beyond_reach: What no erasure reaches.
    """

    log: ErasureCounts
    tables: dict[str, ErasedItems] = msgspec.field(default_factory=dict)
    copies: list[str] = msgspec.field(default_factory=list)
    deleted_copies: list[str] = msgspec.field(default_factory=list)
    pseudonym: str
    dry_run: bool
    beyond_reach: tuple[str, ...] = BEYOND_REACH


def erase_command(
    address: Annotated[str, typer.Argument(help="The person's address.", show_default=False)] = "",
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Count what names the person, and change nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Erase without a question.")] = False,
    copies: Annotated[
        bool, typer.Option("--delete-copies", help="Delete errors, poison and results of queries that name the person.")
    ] = False,
    destroy: Annotated[
        str | None,
        typer.Option("--destroy-key", metavar="PARAMETER", help="Delete the secret key, by the parameter's name."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    stack: StackOption = None,
    region: RegionOption = None,
) -> None:
    """Erase a person: in log and tables, a keyed hash takes the place of the address.

    The facts stay, so the address stays suppressed, and a look-up with the key finds it. Of mail to that person alone,
    the log keeps no subject, headers, links, network addresses or tags. Objects of the log are rewritten and read back,
    and their old versions are deleted. Every object of the log is read.

    Safe to stop and to repeat. What still names the person, and what no erasure reaches, is printed. If the key is
    destroyed, no look-up finds erased people any more, and no one can tell who they were.

    Example: mailfold erase --dry-run bounce+ann@example.com
    """
    cloud = target(stack, region)
    if destroy is not None:
        _destroy_key(cloud, destroy, has_address=bool(address))
        return
    result = _erase(cloud, _erasure(cloud, address, dry_run=dry_run), dry_run=dry_run, yes=yes, deletes_copies=copies)
    if json:
        write_json(msgspec.to_builtins(result))
    else:
        say(erase_lines(result), to=results())
    remaining = set(result.copies) - set(result.deleted_copies)
    if not dry_run and (remaining or result.log.skipped):
        number = len(remaining) + len(result.log.skipped)
        raise ErasureIncomplete(f"{counted(number, 'object')} unread, or still with the person in it: see above")


def erase_lines(result: ErasureResult) -> Iterator[str]:
    """Yield the result as lines for people."""
    counts = result.log
    verb, read = "would be rewritten" if result.dry_run else "rewritten", f"of {counts.objects:,} read"
    yield f"log: {_rows(counts)} {verb}, {read}"
    if counts.old_versions:
        yield f"  {counted(counts.old_versions, 'old version')} {'would be ' if result.dry_run else ''}deleted"
    yield from (f"  not read: {encodable(skipped.uri)}: {skipped.why}" for skipped in counts.skipped)
    for name, items in result.tables.items():
        yield f"table {name}: {counted(items.moved, 'item')} under the hash, {items.changed:,} of other people changed"
    for uri in result.copies:
        yield f"  names the person: {uri}{' (deleted)' if uri in result.deleted_copies else ''}"
    if not result.dry_run:
        yield f"the facts lie under {result.pseudonym}"
    yield "beyond reach:"
    yield from (f"  {text}" for text in result.beyond_reach)


def _rows(counts: ErasureCounts) -> str:
    return f"{counted(counts.rows, 'row')} in {counted(counts.rewritten, 'object')}"


def _erasure(cloud: Target, text: str, *, dry_run: bool) -> Erasure:
    address = canonical(encodable(text))
    if address is None:
        raise NotAnAddress("that is not one e-mail address: write `mailfold erase ann@example.com`")
    parameter = cloud.erasure_parameter
    if parameter is None:
        raise UsageError("no parameter for the key is known: name a stack with --stack")
    key = cloud.erasure_key() if dry_run else ensure_key(cloud.clients.ssm, parameter=parameter)
    return Erasure(address=address, key=key or token_bytes(KEY_BYTES))


def _erase(cloud: Target, erasure: Erasure, *, dry_run: bool, yes: bool, deletes_copies: bool) -> ErasureResult:
    if not (dry_run or yes or prompt.can_ask()):
        raise UsageError("standard input is no terminal: use --yes to erase without a question, or --dry-run")
    found = _erase_log(cloud, erasure, is_dry=True) if dry_run or not yes else None
    if found and not dry_run and not prompt.confirm(f"{_rows(found.counts)} name the person. Erase for ever?"):
        raise UsageError("nothing was erased")
    eraser = found if found and dry_run else _erase_log(cloud, erasure, is_dry=False)
    result = ErasureResult(log=eraser.counts, pseudonym=erasure.pseudonym, dry_run=dry_run)
    for name in (cloud.settings.table, *cloud.shadow_tables):
        result.tables[name] = _erase_table(cloud, name, erasure, eraser.log, dry_run=dry_run)
    _handle_copies(cloud, erasure, result, deletes=deletes_copies and not dry_run)
    return result


def _erase_log(cloud: Target, erasure: Erasure, *, is_dry: bool) -> LogEraser:
    with progress(SpinnerColumn(), "{task.description}", TimeElapsedColumn()) as display:
        task = display.add_task("reading the log")

        def show(counts: ErasureCounts) -> None:
            found = f"{counted(counts.objects, 'object')} of the log read, {counted(counts.rows, 'row')} found"
            display.update(task, description=found)

        eraser = LogEraser(
            cloud.clients.s3, bucket=cloud.settings.bucket, erasure=erasure, is_dry=is_dry, progress=show
        )
        stopped = "stopped: the person is not erased; repeat the command to go on"
        with saying_on_stop(lambda: stopped, is_begun=lambda: not is_dry):
            eraser.erase()
    return eraser


def _erase_table(cloud: Target, name: str, erasure: Erasure, log: ErasedLog, *, dry_run: bool) -> ErasedItems:
    store = DynamoSuppressionStore(cloud.clients.dynamodb, table=name)
    eraser = TableEraser(erasure, store=store, policy=cloud.settings.policy, log=log)
    if not dry_run:
        return eraser.erase()
    keys = eraser.find()
    own = sum(key.address == erasure.address for key in keys)
    return ErasedItems(moved=own, changed=len(keys) - own)


def _handle_copies(cloud: Target, erasure: Erasure, result: ErasureResult, *, deletes: bool) -> None:
    """Find the copies beside the log, and delete those that hold few records each."""
    bucket = cloud.settings.bucket
    for listed in find_copies(cloud.clients.s3, bucket=bucket, erasure=erasure):
        key = listed.uri.removeprefix(f"s3://{bucket}/")
        result.copies.append(listed.uri)
        if deletes and key.startswith(DELETABLE):
            delete_copies(cloud.clients.s3, bucket=bucket, key=key)
            result.deleted_copies.append(listed.uri)


def _destroy_key(cloud: Target, name: str, *, has_address: bool) -> None:
    if has_address or name != cloud.erasure_parameter:
        raise UsageError(
            f"to destroy the key, name its parameter and no address: --destroy-key {cloud.erasure_parameter}"
        )
    if destroy_key(cloud.clients.ssm, parameter=name):
        say(["the key is destroyed: no look-up finds an erased person any more"], to=results())
    else:
        say(["there is no key"], to=results())
