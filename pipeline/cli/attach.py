"""`mailfold attach`: send the events of an existing SES configuration set to a deployment."""

from collections.abc import Iterator, Sequence
from typing import Annotated

import typer

from pipeline.aws.clients import Clients
from pipeline.aws.deployment.attach import AttachStep, attach, check_set, plan_attachment
from pipeline.aws.deployment.destinations import event_destinations, existing_destinations, tracks_engagement
from pipeline.aws.stack import deployed_stack
from pipeline.cli.options import RegionOption, StackOption, required_stack
from pipeline.cli.output import results, say, to_people, write_json
from pipeline.cli.prompt import ask_yes_no
from pipeline.cli.target import connect_aws
from pipeline.errors import NotFound

TRACKING_QUESTION = (
    "Report opens and clicks as events too? SES then changes the mail that is sent with the configuration set: it adds "
    "an invisible image, and rewrites links to lead through SES."
)


def attach_command(
    name: Annotated[str, typer.Argument(metavar="SET", help="An existing SES configuration set.")],
    *,
    track_engagement: Annotated[
        bool | None,
        typer.Option(
            "--track-engagement/--no-track-engagement",
            help="Report opens and clicks too. SES changes the mail for that.",
            show_default=False,
        ),
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace destinations of the same names that have other targets.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    stack: StackOption = None,
    region: RegionOption = None,
) -> None:
    """Add a deployment's event destinations to an existing SES configuration set. Safe to repeat.

    The destination `archive` sends every event to the log. The destination `feedback` sends bounces and complaints to
    the suppression table. First name the set in the stack's parameter ConfigurationSets.

    Example: mailfold attach newsletter --stack mail --no-track-engagement
    """
    stack_name, clients = required_stack(stack), Clients(connect_aws(region))
    deployed = deployed_stack(clients.cloudformation, name=stack_name)
    check_set(deployed, name)
    existing = existing_destinations(clients.sesv2, name)
    if existing is None:
        raise NotFound(f"there is no configuration set {name} in {deployed.region}: create it in SES first")
    tracks = tracks_engagement(deployed, existing) if track_engagement is None else track_engagement
    required = event_destinations(deployed, tracks=_ask_tracking() if tracks is None else tracks)
    steps = plan_attachment(required, existing, replace=replace)
    with to_people().status("writing the destinations") as status:
        attach(clients.sesv2, name, steps, report=status.update)
    if json:
        write_json({"configuration_set": name, "destinations": {step.name: step.action for step in steps}})
    else:
        say(_describe_steps(steps), to=results())
        checked = f"check it with `mailfold doctor {deployed.options}`"
        say([f"events of mail sent with {name} are archived from now on: {checked}"], to=to_people())


def _ask_tracking() -> bool:
    """Ask whether to track. There is no default, because SES changes the mail for it.

    Raises:
        UsageError: There is no terminal.
    """
    no_terminal = "use --track-engagement or --no-track-engagement: SES changes the mail to report opens and clicks"
    return ask_yes_no(TRACKING_QUESTION, no_terminal=no_terminal)


def _describe_steps(steps: Sequence[AttachStep]) -> Iterator[str]:
    for step in steps:
        covers = "" if step.name == step.destination.name else f", it covers {step.destination.name}"
        yield f"destination {step.name}: {step.action}{covers}"
