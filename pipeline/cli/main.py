"""The command line: the table of commands, and what a command gets before its name.

A command's module is imported only when that command, or its help, is used. So no command waits for another's
libraries, and a plain installation needs none of the extras.
"""

import inspect
import re
import sys
from collections.abc import Mapping
from functools import cache
from importlib import import_module, metadata
from typing import Annotated, Any, NamedTuple

import typer
from typer.core import TyperGroup

from pipeline.cli.failures import EXIT_CODES, errors_as_sentences
from pipeline.cli.options import GroupRegionOption, GroupStackOption, is_from_environment
from pipeline.cli.signals import exiting_on_interrupt
from pipeline.errors import UsageError


class LazyCommand(NamedTuple):
    """A command before it is imported: module in `pipeline.cli`, function, and the first sentence of its help.

    Instead of a function, a command has a mapping of its sub-commands' names to their functions.
    """

    module: str
    function: str
    help: str


COMMANDS = {
    "demo": LazyCommand(
        "demo",
        "demo_command",
        "Start a local cloud, send e-mails with various outcomes, show the results, and check that all numbers agree.",
    ),
    "up": LazyCommand("up", "up_command", "Run the local cloud until Ctrl-C."),
    "send": LazyCommand("send", "send_command", "Send an e-mail through the local SES, or, with --stack, a real one."),
    "lookup": LazyCommand(
        "lookup",
        "lookup_command",
        "Show whether an address is suppressed: verdict, reasons, since when, and the facts.",
    ),
    "explain": LazyCommand(
        "explain",
        "explain_command",
        "Explain why an address is suppressed or clear: the rules, and everything that happened, in order.",
    ),
    "suppress": LazyCommand("suppress", "suppress_command", "Suppress addresses until a later release."),
    "release": LazyCommand("suppress", "release_command", "Release addresses: what is known suppresses no more."),
    "revert": LazyCommand("revert", "revert_command", "Release addresses that only false bounces suppress."),
    "undo": LazyCommand("undo", "undo_command", "Take back all decisions of one request."),
    "query": LazyCommand(
        "query",
        "query_command",
        "Run SQL over the event log: every event is a row of the table `events`, beside views for common questions.",
    ),
    "replay": LazyCommand(
        "replay",
        "replay_command",
        "Fold the event log into a table, to heal the live one or to rebuild into an empty one.",
    ),
    "reconcile": LazyCommand(
        "reconcile",
        "reconcile_command",
        "Compare the newest days of the event log with the suppression table, and heal what the table lacks.",
    ),
    "drill": LazyCommand(
        "drill", "drill_command", "Prove that the suppression table equals the event log, and show what differs."
    ),
    "rebuild": LazyCommand(
        "rebuild",
        "rebuild_command",
        "Fold the log into a new table, prove it, show what changes, and make it the live table after a yes.",
    ),
    "ingest": LazyCommand(
        "ingest", "ingest_command", "Ingest existing SES events into the event log and the suppression table."
    ),
    "import": LazyCommand(
        "import_list",
        "import_command",
        "Import SES's suppression lists into the event log and the suppression table.",
    ),
    "erase": LazyCommand(
        "erase",
        "erase_command",
        "Erase a person: in log and tables, a keyed hash takes the place of the address.",
    ),
    "quarantine": LazyCommand(
        "quarantine",
        "QUARANTINE_COMMANDS",
        "List, show and redrive the records that a hop of the pipeline could not process.",
    ),
    "decode": LazyCommand(
        "decode", "decode_command", "Decode SES payloads in any envelope: one line of JSON for each record, in order."
    ),
    "consume": LazyCommand(
        "consume",
        "consume_command",
        "Project the feedback stream with the Kinesis Client Library, until Ctrl-C; a second one ends it at once.",
    ),
    "policy": LazyCommand(
        "policy", "POLICY_COMMANDS", "Show, check, compare and apply the policy that derives verdicts from facts."
    ),
    "deploy": LazyCommand("deploy", "deploy_command", "Create or update a stack of Mailfold in AWS."),
    "attach": LazyCommand(
        "attach", "attach_command", "Add a deployment's event destinations to an existing SES configuration set."
    ),
    "doctor": LazyCommand(
        "doctor",
        "doctor_command",
        "Check every link of a live deployment, from SES to the log and the suppression table.",
    ),
    "cost": LazyCommand("cost", "cost_command", "Estimate the monthly cost of Mailfold in AWS, by part."),
    "destroy": LazyCommand("destroy", "destroy_command", "Delete a deployment."),
}


HELP_OPTIONS = ["--help", "-h"]


_COMMENT = re.compile(r"--[^=\s]*\s")


class LazyGroup(TyperGroup):
    """The commands. Registers a placeholder for each, and loads a command when it is invoked."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the options before the command, but print the help of `mailfold COMMAND --help` at once.

        To parse any option, typer loads pydantic, which takes as long as all the rest.
        """
        with errors_as_sentences():
            if sys.stdout is None:
                raise UsageError("standard output is closed: redirect it to a file, or to /dev/null")
            if len(args) == 2 and args[0] in COMMANDS and args[1] in HELP_OPTIONS:  # noqa: PLR2004 - it and its help
                load_command(args[0]).make_context(args[0], args[1:], parent=ctx)
            return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Return a command's name, the loaded command and its arguments."""
        name, command, rest = super().resolve_command(ctx, args)
        if name == "query":
            rest = _with_comments_last(rest)
        return name, load_command(name) if name else command, rest

    def invoke(self, ctx: Any) -> Any:
        """Run a command and flush what it wrote."""
        with errors_as_sentences():
            super().invoke(ctx)
            sys.stdout.flush()


@cache
def load_command(name: str) -> Any:
    """Import a command and return it as typer's object."""
    with exiting_on_interrupt():
        module = import_module(f"pipeline.cli.{COMMANDS[name].module}")
    function = getattr(module, COMMANDS[name].function)
    is_group = isinstance(function, Mapping)
    functions = function if is_group else {name: function}
    loader = typer.Typer(
        name=name,
        help=COMMANDS[name].help,
        no_args_is_help=is_group,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    for command_name, command in functions.items():
        help_text = (inspect.getdoc(command) or "").replace("Example: ", "\b\nExample: ")  # \b: not to be wrapped
        loader.command(command_name, help=help_text)(command)
    return typer.main.get_command(loader)


def subcommands(command: Any) -> list[Any]:
    """Return the sub-commands of a loaded command, or itself if it has none."""
    return list(getattr(command, "commands", {}).values()) or [command]


def _with_comments_last(arguments: list[str]) -> list[str]:
    """Put SQL that begins with a comment after the options, so that it is not taken for one: none has a space."""
    comments = [argument for argument in arguments if _COMMENT.match(argument)]
    if not comments or "--" in arguments:
        return arguments
    return [*(argument for argument in arguments if argument not in comments), "--", *comments]


app = typer.Typer(
    name="mailfold",
    cls=LazyGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # rich takes as long to load as typer
    context_settings={"max_content_width": 100, "help_option_names": HELP_OPTIONS},
    epilog="\n".join(("\b", "Exit codes:", *(f"  {row.code:<4} {row.meaning}" for row in EXIT_CODES))),
)


def _print_version(is_wanted: bool) -> None:
    if is_wanted:
        typer.echo(f"mailfold {metadata.version('mailfold')}")
        raise typer.Exit


VersionOption = Annotated[
    bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
]


@app.callback()
def _mailfold(
    context: typer.Context,
    *,
    stack: GroupStackOption = None,
    region: GroupRegionOption = None,
    version: VersionOption = False,  # noqa: ARG001 - its callback prints it
) -> None:
    """Every Amazon SES event kept for ever, and folded into a suppression list you can trust."""
    _check_applies(context, stack=stack, region=region)


def _check_applies(context: typer.Context, **options: str | None) -> None:
    """Check that a command works on a deployment, if one is named before it.

    Raises:
        UsageError: It does not, and would ignore the option.
    """
    command = str(context.invoked_subcommand)
    for name, value in options.items():
        if value and not is_from_environment(context, name) and not _has_option(command, name):
            raise UsageError(f"{command} takes no --{name}: it works on no deployment")


def _has_option(command: str, name: str) -> bool:
    commands = subcommands(load_command(command))
    return any(parameter.name == name for single in commands for parameter in single.params)


def _placeholder() -> None:
    """Take the place of a command that is not loaded."""


for _name, _command in COMMANDS.items():
    app.command(_name, short_help=_command.help)(_placeholder)
