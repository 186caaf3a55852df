"""`mailfold rebuild`: fold the log into a new table, and make it the live one; or rebuild one address."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Annotated, NamedTuple

import msgspec
import typer
from rich.progress import SpinnerColumn, TimeElapsedColumn

from pipeline.aws.archive.fold import ArchiveFold
from pipeline.aws.archive.s3 import S3Archive
from pipeline.aws.rebuild import Rebuilder, TableSet
from pipeline.aws.rebuild_proof import Patience, proof_object
from pipeline.aws.rebuild_state import LEASE, RebuildLease, RebuildState, begin, take_over, this_holder, utc_now
from pipeline.aws.runtime import KNOWN_AFTER_SECONDS
from pipeline.aws.stack import SuppressionTables
from pipeline.cli import prompt
from pipeline.cli.options import RegionOption, StackOption
from pipeline.cli.output import encodable, progress, results, say, saying_on_stop, write_json
from pipeline.cli.rebuild_address import rebuild_one
from pipeline.cli.rebuild_result import proof_lines, report_result
from pipeline.cli.target import Target, target
from pipeline.errors import NotFound, UsageError
from pipeline.policy import Policy, parse_policy
from pipeline.rebuild import Rebuild, RebuildCommand, check_allowed, new_table_name

LOCAL_SECONDS = 5.0  # the local cloud's projector reads the parameter every second
LOCAL_PATIENCE = Patience(visible_within=timedelta(minutes=2), look_again_seconds=1.0)
NO_TERMINAL = "there is no terminal to ask on whether to change the live table: add --yes"


class Answers(NamedTuple):
    """Answers to what a rebuild asks.

    Attributes:
        yes: Change the live table without a question.
        drop_unlogged: Let facts disappear whose event is not in the log.
        known_after: The time after which every projector uses a changed parameter.
    """

    yes: bool
    drop_unlogged: bool
    known_after: timedelta | None


def rebuild_command(
    policy: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Rebuild under this policy, which is in force from the flip on.")
    ] = None,
    address: Annotated[str | None, typer.Option(help="Rebuild the items of one address alone, in place.")] = None,
    *,
    status: Annotated[bool, typer.Option("--status", help="Show who rebuilds, since when, and how far.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a rebuild that stopped.")] = False,
    rollback: Annotated[bool, typer.Option("--rollback", help="Make the old table the live one again.")] = False,
    finish: Annotated[bool, typer.Option("--finish", help="End it: write the old table no longer.")] = False,
    cancel: Annotated[bool, typer.Option("--cancel", help="End it before the flip, and delete the new table.")] = False,
    delete_old: Annotated[
        str | None, typer.Option(metavar="TABLE", help="With --finish: delete the old table, confirmed by its name.")
    ] = None,
    drop_unlogged: Annotated[
        bool, typer.Option("--drop-unlogged", help="Let facts disappear whose events are not in the log.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Change the live table without a question.")] = False,
    wait: Annotated[
        float | None,
        typer.Option(
            "--wait",
            metavar="SECONDS",
            min=0,
            help=f"How long projectors may use an old list of tables; by default {KNOWN_AFTER_SECONDS}, or "
            f"{LOCAL_SECONDS:g} on the local cloud.",
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    stack: StackOption = None,
    region: RegionOption = None,
) -> None:
    """Fold the log into a new table, prove it, show what changes, and make it the live table after a yes.

    For facts that must disappear, as after a correction of the decoder; `reconcile` heals all else in place. Mail and
    look-ups go on. The new table gets the live one's protections, tags and alarms, and new feedback goes into both.
    Until --finish, --rollback returns to the old table, and loses nothing. An `ingest` that runs meanwhile must have
    begun after the rebuild.

    One rebuild at a time. One that stopped goes on with --resume, and repeats no write; --cancel ends it. Either is
    possible at once where its process ran, and elsewhere two minutes after its death. A fact of the live table whose
    event the log does not show yet is waited for, and never lost without --drop-unlogged.

    With --address, its items get the facts of the log and no others, after a yes if facts disappear.

    Example: mailfold rebuild --yes
    """
    wanted = {
        RebuildCommand.RESUME: resume,
        RebuildCommand.ROLLBACK: rollback,
        RebuildCommand.FINISH: finish,
        RebuildCommand.CANCEL: cancel,
    }
    commands = [command for command, is_wanted in wanted.items() if is_wanted]
    _check_options(len(commands) + status, policy=policy, address=address, delete_old=delete_old, finish=finish)
    cloud = target(stack, region)
    if address is not None:
        rebuild_one(address, cloud, yes=yes, drop_unlogged=drop_unlogged, json=json)
        return
    state = RebuildState(cloud.clients.s3, bucket=cloud.settings.bucket)
    if status:
        _show(state, json=json)
        return
    answers = Answers(yes, drop_unlogged, None if wait is None else timedelta(seconds=wait))
    if not commands:
        _rebuild(_begin(cloud, state, policy, answers), cloud, answers, json=json)
        return
    lease = _taken_over(state, commands[0], delete_old)
    if resume:
        _rebuild(lease, cloud, answers, json=json)
    else:
        _end(lease, commands[0], cloud, answers, delete_old=delete_old is not None, json=json)


def _check_options(
    commands: int, *, policy: Path | None, address: str | None, delete_old: str | None, finish: bool
) -> None:
    """Raise UsageError for options that exclude each other."""
    if commands + (policy is not None) + (address is not None) > 1:
        raise UsageError(
            "use one of --policy, --address, --status, --resume, --rollback, --finish and --cancel at a time"
        )
    if delete_old is not None and not finish:
        raise UsageError("--delete-old is possible with --finish alone")


def _show(state: RebuildState, *, json: bool) -> None:
    stored = state.read()
    if json:
        write_json(msgspec.to_builtins(stored.rebuild) if stored else {"step": None})
    else:
        say([stored.rebuild.sentence if stored else "no rebuild has begun, or the last one is over"], to=results())


def _begin(cloud: Target, state: RebuildState, file: Path | None, answers: Answers) -> RebuildLease:
    """Begin a rebuild.

    Raises:
        UsageError: Another one is not over; the policy is not newer than the one in force; or there is no parameter.
    """
    policy, now = _read_policy(file, cloud) if file else None, utc_now()
    _check_can_answer(answers)
    _table_set(cloud)
    stack = cloud.stack.name if cloud.stack else None
    identifier, table = new_table_name(cloud.settings.table, now, stack=stack)
    return begin(
        state,
        Rebuild(
            id=identifier,
            holder=this_holder(),
            begun_at=now,
            held_until=now + LEASE,
            old_table=cloud.settings.table,
            new_table=table,
            policy=policy,
            old_policy=cloud.settings.policy,
        ),
    )


def _taken_over(state: RebuildState, command: RebuildCommand, delete_old: str | None) -> RebuildLease:
    """Take over the rebuild that is not over.

    Raises:
        NotFound: There is none.
        UsageError: It is held by another process, or the command is not possible at its step.
    """
    stored = state.read()
    if stored is None:
        raise NotFound("no rebuild has begun, or the last one is over: begin one with `mailfold rebuild`")
    check_allowed(stored.rebuild, command)
    if delete_old is not None and delete_old != stored.rebuild.old_table:
        raise UsageError(f"the old table is {stored.rebuild.old_table}, and not {encodable(delete_old)!r}")
    return take_over(state, stored)


def _rebuild(lease: RebuildLease, cloud: Target, answers: Answers, *, json: bool) -> None:
    """Do what is left before the flip, show the difference, and flip after a yes."""
    _check_can_answer(answers)
    with lease, _rebuilder(lease, cloud, answers) as rebuilder:
        with saying_on_stop(lambda: f"stopped at the step {lease.rebuild.step}: go on with --resume, or --cancel"):
            proof = rebuilder.prepare()
        if not json:
            say(proof_lines(proof, lease.rebuild), to=results())
        question = f"make {lease.rebuild.new_table} the live table?"
        if answers.yes or prompt.ask_yes_no(question, no_terminal=NO_TERMINAL):
            rebuilder.flip()
        report_result(lease.rebuild, json=json, more=proof_object(proof))


def _end(
    lease: RebuildLease, command: RebuildCommand, cloud: Target, answers: Answers, *, delete_old: bool, json: bool
) -> None:
    """Roll back, finish or cancel."""
    with lease, _rebuilder(lease, cloud, answers) as rebuilder:
        match command:
            case RebuildCommand.ROLLBACK:
                rebuilder.roll_back()
            case RebuildCommand.FINISH:
                rebuilder.finish(delete_old=delete_old)
            case _:
                rebuilder.cancel()
        report_result(lease.rebuild, json=json, more={})


@contextmanager
def _rebuilder(lease: RebuildLease, cloud: Target, answers: Answers) -> Iterator[Rebuilder]:
    """Yield what carries out the steps, with a display of the progress."""
    seconds = LOCAL_SECONDS if cloud.is_local else KNOWN_AFTER_SECONDS
    archive = S3Archive(cloud.clients.s3, bucket=cloud.settings.bucket)
    with progress(SpinnerColumn(), "{task.description}", TimeElapsedColumn()) as display:
        task = display.add_task("reading the state of the rebuild")
        yield Rebuilder(
            cloud.clients,
            lease=lease,
            tables=_table_set(cloud),
            fold=ArchiveFold(archive),
            archive=archive,
            known_after=timedelta(seconds=seconds) if answers.known_after is None else answers.known_after,
            patience=LOCAL_PATIENCE if cloud.is_local else Patience(),
            drop_unlogged=answers.drop_unlogged,
            report=_describer(display.update, task),
        )


def _describer(update: Callable[..., None], task: object) -> Callable[[str], None]:
    return lambda line: update(task, description=line)


def _check_can_answer(answers: Answers) -> None:
    """Raise UsageError before anything is done, if there is no way to say yes afterwards."""
    if not answers.yes and not prompt.can_ask():
        raise UsageError(NO_TERMINAL)


def _table_set(cloud: Target) -> TableSet:
    """Return where a cloud's pointer to the live table is.

    Raises:
        UsageError: The environment names no parameter, so projectors could not follow.
    """
    parameter = cloud.settings.tables_parameter
    if parameter is None:
        raise UsageError(
            "no parameter names the live table: name a stack with --stack, or set MAILFOLD_TABLES_PARAMETER"
        )
    return TableSet(
        parameter=parameter,
        default=SuppressionTables(live=cloud.settings.table),
        policy=cloud.settings.policy,
        is_deployed=cloud.stack is not None,
    )


def _read_policy(file: Path, cloud: Target) -> Policy:
    policy = parse_policy(file.read_bytes())
    if policy.version <= cloud.settings.policy.version:
        raise UsageError(
            f"the policy in force has version {cloud.settings.policy.version}: give the new one a greater version"
        )
    return policy
