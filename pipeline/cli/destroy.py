"""`mailfold destroy`: a deployment is taken down; what holds data goes only where its own name was typed.

What taking a deployment down would do, and what it did, for people and for programs.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

import msgspec
import typer

from pipeline.aws.clients import Service
from pipeline.aws.deployment.attach import AttachedSet, attached_sets, detach
from pipeline.aws.deployment.destroy import check_deletable, check_policies_detached, delete_stack_and_wait
from pipeline.aws.deployment.retained import RetainedKind, RetainedResource, delete_data, retained_resources
from pipeline.aws.stack import Stack, find_stack
from pipeline.cli import prompt
from pipeline.cli.deploy_progress import write_event
from pipeline.cli.options import RegionOption, StackOption, required_stack
from pipeline.cli.output import results, say, to_people, write_json
from pipeline.cli.target import connect_aws
from pipeline.errors import UsageError

HOLDS = {
    RetainedKind.BUCKET: "the log, and what was set aside: every event there ever was",
    RetainedKind.TABLE: "suppressions, and what they rest on",
    RetainedKind.LEASES: "how far a consumer in Lambda's place has read",
    RetainedKind.STREAM: "feedback of the last days; a shard costs $11 a month, $15 more beyond a day of retention",
    RetainedKind.QUEUE: "what could not be delivered",
    RetainedKind.LOG_GROUP: "what the functions or Firehose wrote about themselves",
    RetainedKind.PARAMETER: "which table is live",
}


class Intent(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be done, once everything was asked.

    Attributes:
        stack: The stack to delete; None: it is gone already.
        detached: The sets whose destinations are taken away first.
        erased: What is deleted with all that it holds.
        kept: What stays.
    """

    stack: Stack | None
    detached: Sequence[AttachedSet]
    erased: Sequence[RetainedResource]
    kept: Sequence[RetainedResource]


def plan_deletion(
    name: str, found: Stack | None, left: Sequence[RetainedResource], attached: Sequence[AttachedSet]
) -> Iterator[str]:
    """Say what would go and what would stay."""
    if found:
        yield f"The stack {name} ({found.status}, in {found.region}, account {found.account_id}) would be deleted:"
        yield "functions, rule, roles, alarms, Firehose stream, Athena's tables, views and workgroup, and the SES"
        yield "configuration set."
        if own := found.outputs.get("ConfigurationSet"):
            yield f"From then on SES refuses mail that names the configuration set {own}: change senders first."
    else:
        yield f"The stack {name} is gone already."
    for one in attached:
        yield f"The configuration set {one.configuration_set} still leads here, by: {', '.join(one.destinations)}."
    if left:
        yield "What holds data stays, and goes only with --data, each by its own name:"
    for remain in left:
        yield f"  {remain.kind} {remain.name}: {HOLDS[remain.kind]}"


def deletion_result(name: str, intent: Intent) -> Iterator[str]:
    """Say what was done, and what stays."""
    yield f"the stack {name} is deleted" if intent.stack else f"the stack {name} was deleted before"
    yield from (f"deleted: {one.kind} {one.name}" for one in intent.erased)
    yield from (f"left: {one.kind} {one.name}" for one in intent.kept)


def describe_resource(some: Sequence[RetainedResource]) -> list[dict[str, str]]:
    """Return things as JSON has them."""
    return [{"kind": one.kind, "name": one.name} for one in some]


def destroy_command(
    *,
    data: Annotated[bool, typer.Option("--data", help="Ask for what holds data, too; each by its own name.")] = False,
    confirm: Annotated[
        list[str] | None,
        typer.Option("--confirm", metavar="NAME", help="A name, instead of typing it when asked; may be repeated."),
    ] = None,
    detach_sets: Annotated[
        bool | None,
        typer.Option(
            "--detach/--no-detach",
            help="Whether to take away the destinations of sets that were attached.",
            show_default=False,
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="What was deleted and what stays, as JSON.")] = False,
    stack: StackOption = None,
    region: RegionOption = None,
) -> None:
    """Take a deployment down. What holds data stays, but for what --data asks for and whose own name is typed.

    What goes and what stays is said first, and the stack's name has to be typed. Safe to repeat, and to stop: what is
    left is found again, for 90 days.

    Example: mailfold destroy --stack mail
    """
    name, client = required_stack(stack), connect_aws(region)
    found = find_stack(client("cloudformation"), name=name)
    if found:
        check_deletable(client("cloudformation"), found)
        check_policies_detached(client("iam"), found)
    with to_people().status("looking at what there is"):
        left = retained_resources(client, stack=name)
        attached = attached_sets(client("sesv2"), found) if found else ()
    if not (found or left):
        raise UsageError(
            f"there is no stack {name} in {client('cloudformation').meta.region_name}, and nothing left of one"
        )
    say(plan_deletion(name, found, left, attached), to=to_people())
    intent = _asked(name, found, left, attached, data=data, confirmed=confirm or [], detach_sets=detach_sets)
    _carry_out(client, intent)
    if json:
        write_json({"stack": name, "deleted": describe_resource(intent.erased), "left": describe_resource(intent.kept)})
    else:
        say(deletion_result(name, intent), to=results())


def _asked(
    name: str,
    found: Stack | None,
    left: Sequence[RetainedResource],
    attached: Sequence[AttachedSet],
    *,
    data: bool,
    confirmed: Sequence[str],
    detach_sets: bool | None,
) -> Intent:
    """Ask everything before anything is done.

    Raises:
        UsageError: A name is none of those, nobody can be asked, or the stack's name was not typed.
    """
    names = {name, *(remain.name for remain in left if data)}
    unknown = [one for one in confirmed if one not in names]  # no mistake where a former run has deleted it
    say((f"{one} is not there{'' if data else ', or holds data and needs --data'}" for one in unknown), to=to_people())
    if found and not _typed(f"Type the stack's name, {name}, to delete it", name, confirmed):
        raise UsageError(
            "that is not the stack's name: nothing was deleted"
            if prompt.can_ask()
            else f"nobody can be asked here: say --confirm {name} to delete the stack"
        )
    detached = attached if attached and _detaches(detach_sets) else ()
    erased = [
        one
        for one in left
        if data and _typed(f"Type {one.name} to delete this {one.kind} for good, or nothing", one.name, confirmed)
    ]
    return Intent(stack=found, detached=detached, erased=erased, kept=[one for one in left if one not in erased])


def _typed(request: str, name: str, confirmed: Sequence[str]) -> bool:
    return name in confirmed or prompt.typed(request) == name


def _detaches(detach_sets: bool | None) -> bool:
    if detach_sets is not None:
        return detach_sets
    otherwise = "say --detach to take their destinations away from the sets that were attached, or --no-detach"
    return prompt.ask_yes_no("Take these destinations away first?", otherwise=otherwise, default=True)


def _carry_out(client: Callable[[Service], Any], intent: Intent) -> None:
    """Do it: the sets first, so that nothing is sent to what is gone; data last, when nothing writes it any more."""
    people = to_people()
    with people.status("deleting") as status, _told_how_to_go_on():
        for one in intent.detached:
            status.update(f"detaching the configuration set {one.configuration_set}")
            detach(client("sesv2"), one)
        if intent.stack:
            status.update(f"deleting the stack {intent.stack.name}")
            delete_stack_and_wait(
                client("cloudformation"), intent.stack, happened=lambda event: write_event(event, to=people)
            )
        for remain in intent.erased:
            what = f"deleting the {remain.kind} {remain.name}"
            status.update(what)
            delete_data(
                client,
                remain,
                progress=lambda number, what=what: status.update(f"{what}: {number:,} objects"),  # type: ignore[misc]  # mypy infers no lambda with a default
            )


@contextmanager
def _told_how_to_go_on() -> Iterator[None]:
    try:
        yield
    except BaseException:
        say(["Not everything that was asked for is deleted: run the same again to go on."], to=to_people())
        raise
