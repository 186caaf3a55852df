"""Options that several commands share: the deployment, before or after the command, and values of other options.

`mailfold --stack mail lookup …` and `mailfold lookup --stack mail …` mean the same. A command declares `StackOption`
and `RegionOption`, and gets the value from either place.
"""

import re
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from pipeline.errors import UsageError
from pipeline.standing import MAX_SCOPE

STACK = "MAILFOLD_STACK"
EXIT_SUPPRESSED = 10  # no error has this code
_STACK_HELP = "The CloudFormation stack to work on."
_REGION_HELP = "Its AWS region; by default the region that boto3 is configured with."
_ENVIRONMENT = "ENVIRONMENT"  # typer's name for the source of a value

# Bytes per unit, decimal and binary.
_UNITS = {
    "": 1,
    **{f"{letter}B": 1_000**power for power, letter in enumerate(("", "K", "M", "G", "T"))},
    **{f"{letter}IB": 1_024**power for power, letter in enumerate(("K", "M", "G", "T"), start=1)},
}
_QUANTITY = re.compile(r"(\d+(?:\.\d+)?) *([A-Za-z]{0,3})", re.ASCII)


def resolve_option(context: typer.Context, parameter: typer.CallbackParam, value: str | None) -> str | None:
    """Return the value of an option, from after the command or else from before it.

    Raises:
        UsageError: Both places have a value, and the values differ.
    """
    name, root = str(parameter.name), context.find_root()
    value_before = root.params.get(name) or None
    if value is None:
        return value_before
    if value_before not in {None, value} and not is_from_environment(root, name):
        raise UsageError(f"--{name} is {value_before} before the command and {value} after it: use it once")
    return value


def is_from_environment(context: Any, name: str) -> bool:
    """Return True if an option's value comes from an environment variable."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == _ENVIRONMENT


StackOption = Annotated[str | None, typer.Option("--stack", metavar="NAME", help=_STACK_HELP, callback=resolve_option)]
"""The stack, after a command. None if no stack is named."""
RegionOption = Annotated[str | None, typer.Option("--region", help=_REGION_HELP, callback=resolve_option)]
"""The stack's region, after a command. None means boto3's region."""
GroupStackOption = Annotated[str | None, typer.Option("--stack", metavar="NAME", envvar=STACK, help=_STACK_HELP)]
"""The stack, before a command."""
GroupRegionOption = Annotated[str | None, typer.Option("--region", help=_REGION_HELP)]
"""The stack's region, before a command."""


def required_stack(stack: str | None) -> str:
    """Return the named stack.

    Raises:
        UsageError: No stack is named.
    """
    if not stack:
        raise UsageError(f"which stack? Name it with --stack, or in {STACK}")
    return stack


def parse_moment(text: str | None) -> datetime | None:
    """Return a date or a time in UTC, or None for None. A time without an offset is UTC.

    Raises:
        UsageError: The text is neither a date nor a time.
    """
    if text is None:
        return None
    try:
        parsed = datetime.fromisoformat(text)
        return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise UsageError(f"not a date or a time: {text!r}; write 2026-03-01 or 2026-03-01T10:00:00Z") from error


def parse_scope(text: str) -> str:
    """Return a scope.

    Raises:
        UsageError: It is empty, or longer than the name of a tenant can be.
    """
    if not 0 < len(text) <= MAX_SCOPE:
        raise UsageError(f"not a scope: a scope has 1 to {MAX_SCOPE} characters")
    return text


def parse_quantity(text: str) -> int:
    """Return a number of bytes, from a text like `500MB`, `1.5 GB`, `2GiB` or `64`.

    Raises:
        UsageError: The text is not a number of bytes.
    """
    match = _QUANTITY.fullmatch(text.strip())
    unit = _UNITS.get(match[2].upper()) if match else None
    if not match or unit is None:
        raise UsageError(f"not a number of bytes: {text!r}; write it like 500MB, 10GB or 2GiB")
    return int(float(match[1]) * unit)
