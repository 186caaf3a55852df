"""`mailfold destroy`: delete a deployment. Resources that hold data are deleted only if their names are confirmed."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated

import msgspec
import typer

from pipeline.aws.clients import Clients
from pipeline.aws.deployment.attach import AttachedSet, attached_sets, detach
from pipeline.aws.deployment.destroy import check_deletable, check_policies_detached, delete_stack_and_wait
from pipeline.aws.deployment.retained import RetainedKind, RetainedResource, delete_data, retained_resources
from pipeline.aws.stack import Stack, find_stack
from pipeline.cli import prompt
from pipeline.cli.deploy_progress import write_event
from pipeline.cli.options import RegionOption, StackOption, required_stack
from pipeline.cli.output import results, say, to_people, write_json
from pipeline.cli.target import connect_aws
from pipeline.errors import NotFound, UsageError

CONTENTS = {
    RetainedKind.BUCKET: "the log with every event, and the quarantine",
    RetainedKind.TABLE: "suppressions and their evidence",
    RetainedKind.LEASES: "leases and checkpoints of a consumer outside Lambda",
    RetainedKind.STREAM: "feedback of the last days; a shard costs $11 a month, and $15 more beyond a day of retention",
    RetainedKind.QUEUE: "messages that could not be delivered",
    RetainedKind.LOG_GROUP: "diagnostic logs of the functions or of Firehose",
    RetainedKind.PARAMETER: "the name of the live table",
}


class DeletionPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What to delete, once every question is answered.

    Attributes:
        stack: The stack to delete. None: it is already deleted.
        detached: Configuration sets to detach first.
        deleted: Resources to delete with their data.
        retained: Resources that remain.
    """

    stack: Stack | None
    detached: Sequence[AttachedSet]
    deleted: Sequence[RetainedResource]
    retained: Sequence[RetainedResource]


def destroy_command(
    *,
    data: Annotated[bool, typer.Option("--data", help="Delete resources with data too; confirm each by name.")] = False,
    confirm: Annotated[
        list[str] | None,
        typer.Option("--confirm", metavar="NAME", help="Confirm a name instead of typing it. May be repeated."),
    ] = None,
    detach_sets: Annotated[
        bool | None,
        typer.Option(
            "--detach/--no-detach",
            help="Whether to delete the destinations of attached configuration sets.",
            show_default=False,
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print what was deleted and what remains as JSON.")] = False,
    stack: StackOption = None,
    region: RegionOption = None,
) -> None:
    """Delete a deployment. Resources that hold data remain, unless --data is used and their names are confirmed.

    The plan is shown first, and the stack's name must be typed. Safe to repeat and to interrupt: what remains is found
    again for 90 days.

    Example: mailfold destroy --stack mail
    """
    name, clients = required_stack(stack), Clients(connect_aws(region))
    existing = find_stack(clients.cloudformation, name=name)
    if existing:
        check_deletable(clients.cloudformation, existing)
        check_policies_detached(clients.iam, existing)
    with to_people().status("reading the resources"):
        resources = retained_resources(clients, stack=name)
        attached = attached_sets(clients.sesv2, existing) if existing else ()
    if not (existing or resources):
        region_name = clients.cloudformation.meta.region_name
        raise NotFound(
            f"there is no stack {name} in {region_name}, and no data of a deleted one: name another --region"
        )
    say(describe_deployment(name, existing, resources, attached), to=to_people())
    plan = _ask_plan(name, existing, resources, attached, data=data, confirmed=confirm or [], detach_sets=detach_sets)
    _execute(clients, plan)
    if json:
        write_json({"stack": name, "deleted": resources_json(plan.deleted), "left": resources_json(plan.retained)})
    else:
        say(describe_result(name, plan), to=results())


def describe_deployment(
    name: str, stack: Stack | None, resources: Sequence[RetainedResource], attached: Sequence[AttachedSet]
) -> Iterator[str]:
    """Yield lines that say what would be deleted and what would remain."""
    if stack:
        yield f"The stack {name} ({stack.status}, in {stack.region}, account {stack.account_id}) would be deleted:"
        yield "functions, rule, roles, alarms, Firehose stream, Athena's tables, views and workgroup, and the SES"
        yield "configuration set."
        if configuration_set := stack.outputs.get("ConfigurationSet"):
            yield f"SES then rejects mail that names the configuration set {configuration_set}: change senders first."
    else:
        yield f"The stack {name} is already deleted."
    for attached_set in attached:
        destinations = ", ".join(attached_set.destinations)
        yield f"The configuration set {attached_set.configuration_set} is attached, by: {destinations}."
    if resources:
        yield "Resources that hold data remain. Delete them with --data, each by its name:"
    for resource in resources:
        yield f"  {resource.kind} {resource.name}: {CONTENTS[resource.kind]}"


def describe_result(name: str, plan: DeletionPlan) -> Iterator[str]:
    """Yield lines that say what was deleted and what remains."""
    yield f"the stack {name} is deleted" if plan.stack else f"the stack {name} was already deleted"
    yield from (f"deleted: {resource.kind} {resource.name}" for resource in plan.deleted)
    yield from (f"left: {resource.kind} {resource.name}" for resource in plan.retained)


def resources_json(resources: Sequence[RetainedResource]) -> list[dict[str, str]]:
    """Return resources as JSON objects."""
    return [{"kind": resource.kind, "name": resource.name} for resource in resources]


def _ask_plan(
    name: str,
    stack: Stack | None,
    resources: Sequence[RetainedResource],
    attached: Sequence[AttachedSet],
    *,
    data: bool,
    confirmed: Sequence[str],
    detach_sets: bool | None,
) -> DeletionPlan:
    """Ask every question before anything is deleted.

    Raises:
        UsageError: The stack's name was not typed, or there is no terminal.
    """
    names = {name, *(resource.name for resource in resources if data)}
    unknown = [other for other in confirmed if other not in names]  # no error: a previous run may have deleted it
    hint = "" if data else ", or holds data and needs --data"
    say((f"{other} does not exist{hint}" for other in unknown), to=to_people())
    if stack and not _confirm_name(f"Type the stack's name, {name}, to delete it", name, confirmed):
        raise UsageError(
            "the typed name is not the stack's name: nothing was deleted"
            if prompt.can_ask()
            else f"no terminal to ask for confirmation: use --confirm {name} to delete the stack"
        )
    detached = attached if attached and _confirm_detaching(detach_sets) else ()
    deleted = [resource for resource in resources if data and _confirm_deletion(resource, confirmed)]
    retained = [resource for resource in resources if resource not in deleted]
    return DeletionPlan(stack=stack, detached=detached, deleted=deleted, retained=retained)


def _confirm_deletion(resource: RetainedResource, confirmed: Sequence[str]) -> bool:
    request = f"Type {resource.name} to delete this {resource.kind} permanently, or press Enter to keep it"
    return _confirm_name(request, resource.name, confirmed)


def _confirm_name(request: str, name: str, confirmed: Sequence[str]) -> bool:
    return name in confirmed or prompt.ask_text(request) == name


def _confirm_detaching(detach_sets: bool | None) -> bool:
    if detach_sets is not None:
        return detach_sets
    no_terminal = "use --detach to delete the destinations of the attached configuration sets, or --no-detach"
    return prompt.ask_yes_no("Delete these destinations first?", no_terminal=no_terminal, default=True)


def _execute(clients: Clients, plan: DeletionPlan) -> None:
    """Execute the plan: sets first, so that SES sends nothing to deleted resources; data last, when nothing writes."""
    people = to_people()
    with people.status("deleting") as status, _advice_on_failure():
        for attached_set in plan.detached:
            status.update(f"detaching the configuration set {attached_set.configuration_set}")
            detach(clients.sesv2, attached_set)
        if plan.stack:
            status.update(f"deleting the stack {plan.stack.name}")
            delete_stack_and_wait(
                clients.cloudformation, plan.stack, show_event=lambda event: write_event(event, to=people)
            )
        for resource in plan.deleted:
            step = f"deleting the {resource.kind} {resource.name}"
            status.update(step)
            delete_data(
                clients,
                resource,
                progress=lambda number, step=step: status.update(f"{step}: {number:,} objects"),  # type: ignore[misc]  # mypy infers no lambda with a default
            )


@contextmanager
def _advice_on_failure() -> Iterator[None]:
    try:
        yield
    except BaseException:  # an interrupt too
        say(["The deletion is not complete: run the same command again to continue."], to=to_people())
        raise
