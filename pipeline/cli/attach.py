"""`mailfold attach`: a configuration set that exists already sends its events here too."""

from collections.abc import Iterator, Sequence
from typing import Annotated

import typer

from pipeline.aws.deployment.attach import AttachStep, attach, check_set, plan_attachment
from pipeline.aws.deployment.destinations import event_destinations, existing_destinations, tracks_engagement
from pipeline.aws.stack import Stack, deployed_stack
from pipeline.cli.options import RegionOption, StackOption, required_stack
from pipeline.cli.output import results, say, to_people, write_json
from pipeline.cli.prompt import ask_yes_no
from pipeline.cli.target import connect_aws
from pipeline.errors import UsageError

TRACKING = (
    "Shall opens and clicks be events too? SES then alters the mail that is sent with the set: an invisible picture, "
    "and links that lead through SES"
)


def attach_command(
    name: Annotated[str, typer.Argument(metavar="SET", help="An SES configuration set that exists.")],
    *,
    track_engagement: Annotated[
        bool | None,
        typer.Option(
            "--track-engagement/--no-track-engagement",
            help="Whether opens and clicks are events too. SES alters the mail for that.",
            show_default=False,
        ),
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Take over destinations of the same names that lead elsewhere.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="What was done as JSON.")] = False,
    stack: StackOption = None,
    region: RegionOption = None,
) -> None:
    """Add a deployment's destinations to an SES configuration set that was there before. Safe to repeat.

    The destination `archive` takes every event into the log; `feedback` takes bounces and complaints to the suppression
    table. The stack has to let the set's events in first: that is its parameter ConfigurationSets.

    Example: mailfold attach newsletter --stack mail --no-track-engagement
    """
    stack, client = required_stack(stack), connect_aws(region)
    found = deployed_stack(client("cloudformation"), name=stack)
    check_set(found, name)
    ses = client("sesv2")
    there = existing_destinations(ses, name)
    if there is None:
        raise UsageError(f"there is no configuration set {name} in {found.region}: make it in SES first")
    tracks = tracks_engagement(found, there) if track_engagement is None else track_engagement
    steps = plan_attachment(
        event_destinations(found, tracks=_asked() if tracks is None else tracks), there, replace=replace
    )
    with to_people().status("asking SES") as status:
        attach(ses, name, steps, told=status.update)
    if json:
        write_json({"configuration_set": name, "destinations": {step.name: step.action for step in steps}})
    else:
        say(_in_words(steps), to=results())
        say([_next(found, name)], to=to_people())


def _asked() -> bool:
    """Ask whether to track; SES alters mail for that, so nobody decides it by default.

    Raises:
        UsageError: Nobody can be asked.
    """
    otherwise = "say --track-engagement or --no-track-engagement: SES alters mail to report opens and clicks"
    return ask_yes_no(f"{TRACKING}. Track them?", otherwise=otherwise)


def _in_words(steps: Sequence[AttachStep]) -> Iterator[str]:
    for step in steps:
        instead = "" if step.name == step.destination.name else f", which does what {step.destination.name} would do"
        yield f"destination {step.name}: {step.action}{instead}"


def _next(stack: Stack, name: str) -> str:
    return f"mail that is sent with {name} is kept from now on; check it with `mailfold doctor {stack.options}`"
