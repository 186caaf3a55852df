"""The options that say which deployment is meant: before the command, or after it.

`mailfold --stack mail lookup …` and `mailfold lookup --stack mail …` say the same. A command takes `StackOption` and
`RegionOption`, and is given what either place says.

A moment, as an option names it.

A number of bytes, as people write it.
"""

import re
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from pipeline.errors import UsageError


def parse_moment(text: str | None) -> datetime | None:
    """Return the moment that an option names, a date or a time, UTC unless it says otherwise.

    Raises:
        UsageError: It is neither.
    """
    if text is None:
        return None
    try:
        parsed = datetime.fromisoformat(text)
        return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise UsageError(f"not a date or a time: {text!r}; write 2026-03-01 or 2026-03-01T10:00:00Z") from error


_UNITS = {
    "": 1,
    **{f"{letter}B": 1_000**power for power, letter in enumerate(("", "K", "M", "G", "T"))},
    **{f"{letter}IB": 1_024**power for power, letter in enumerate(("K", "M", "G", "T"), start=1)},
}
_FORM = re.compile(r"(\d+(?:\.\d+)?) *([A-Za-z]{0,3})", re.ASCII)


def parse_quantity(text: str) -> int:
    """Return how many bytes 500MB, 1.5 GB or 2GiB are; without a unit, bytes.

    Raises:
        UsageError: It is no such number.
    """
    found = _FORM.fullmatch(text.strip())
    unit = _UNITS.get(found[2].upper()) if found else None
    if not found or unit is None:
        raise UsageError(f"not a number of bytes: {text!r}; write it like 500MB, 10GB or 2GiB")
    return int(float(found[1]) * unit)


STACK = "MAILFOLD_STACK"
_ENVIRONMENT = "ENVIRONMENT"  # typer's name for where a value came from
_STACK_HELP = "The CloudFormation stack to work on."
_REGION_HELP = "Its region; otherwise as boto3 is set up."


def resolve_option(context: typer.Context, parameter: typer.CallbackParam, value: str | None) -> str | None:
    """Return what an option says, after the command or, if not there, before it.

    Raises:
        UsageError: Both say something, and not the same.
    """
    name, root = str(parameter.name), context.find_root()
    before = root.params.get(name) or None
    if value is None:
        return before
    if before not in {None, value} and not _is_of_environment(root, name):
        raise UsageError(f"--{name} is {before} before the command and {value} after it: say it once")
    return value


def check_use(context: typer.Context, **named: str | None) -> None:
    """Check that the command which follows works on a deployment, if one was named before it.

    Raises:
        UsageError: It does not, and would pass over what was named.
    """
    commands = getattr(context.command, "commands", {})
    command = commands.get(context.invoked_subcommand)
    taken = {parameter.name for parameter in command.params} if command else named.keys()
    for name, value in named.items():
        if value and name not in taken and not _is_of_environment(context, name):
            raise UsageError(f"{context.invoked_subcommand} takes no --{name}: it works on no deployment")


def required_stack(stack: str | None) -> str:
    """Return the stack that was named.

    Raises:
        UsageError: None was.
    """
    if not stack:
        raise UsageError(f"which stack? Name it with --stack, or in {STACK}")
    return stack


def _is_of_environment(context: Any, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == _ENVIRONMENT


StackOption = Annotated[str | None, typer.Option("--stack", metavar="NAME", help=_STACK_HELP, callback=resolve_option)]
"""The stack, after a command; None where none is named."""
RegionOption = Annotated[str | None, typer.Option("--region", help=_REGION_HELP, callback=resolve_option)]
"""Its region, after a command; None: boto3's."""
GroupStackOption = Annotated[str | None, typer.Option("--stack", metavar="NAME", envvar=STACK, help=_STACK_HELP)]
"""The stack, before a command."""
GroupRegionOption = Annotated[str | None, typer.Option("--region", help=_REGION_HELP)]
"""Its region, before a command."""
