"""The options that say which deployment is meant: before the command, or after it.

`mailfold --stack mail lookup …` and `mailfold lookup --stack mail …` say the same. A command takes `StackOption` and
`RegionOption`, and is given what either place says.
"""

from typing import Annotated, Any

import typer

from pipeline.errors import Misuse

STACK = "MAILFOLD_STACK"
_ENVIRONMENT = "ENVIRONMENT"  # typer's name for where a value came from
_STACK_HELP = "The CloudFormation stack to work on."
_REGION_HELP = "Its region; otherwise as boto3 is set up."


def agreed(context: typer.Context, parameter: typer.CallbackParam, value: str | None) -> str | None:
    """Return what an option says, after the command or, if not there, before it.

    Raises:
        Misuse: Both say something, and not the same.
    """
    name, root = str(parameter.name), context.find_root()
    before = root.params.get(name) or None
    if value is None:
        return before
    if before not in {None, value} and not _is_of_environment(root, name):
        raise Misuse(f"--{name} is {before} before the command and {value} after it: say it once")
    return value


def check_use(context: typer.Context, **named: str | None) -> None:
    """Check that the command which follows works on a deployment, if one was named before it.

    Raises:
        Misuse: It does not, and would pass over what was named.
    """
    commands = getattr(context.command, "commands", {})
    command = commands.get(context.invoked_subcommand)
    taken = {parameter.name for parameter in command.params} if command else named.keys()
    for name, value in named.items():
        if value and name not in taken and not _is_of_environment(context, name):
            raise Misuse(f"{context.invoked_subcommand} takes no --{name}: it works on no deployment")


def required(stack: str | None) -> str:
    """Return the stack that was named.

    Raises:
        Misuse: None was.
    """
    if not stack:
        raise Misuse(f"which stack? Name it with --stack, or in {STACK}")
    return stack


def _is_of_environment(context: Any, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == _ENVIRONMENT


StackOption = Annotated[str | None, typer.Option("--stack", metavar="NAME", help=_STACK_HELP, callback=agreed)]
"""The stack, after a command; None where none is named."""
RegionOption = Annotated[str | None, typer.Option("--region", help=_REGION_HELP, callback=agreed)]
"""Its region, after a command; None: boto3's."""
GroupStackOption = Annotated[str | None, typer.Option("--stack", metavar="NAME", envvar=STACK, help=_STACK_HELP)]
"""The stack, before a command."""
GroupRegionOption = Annotated[str | None, typer.Option("--region", help=_REGION_HELP)]
"""Its region, before a command."""
