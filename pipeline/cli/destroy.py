"""`mailfold destroy`: delete a deployment. Resources that hold data are deleted only if their names are confirmed."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated

import msgspec
import typer
from rich.status import Status

from pipeline.aws.clients import Clients
from pipeline.aws.deployment.attach import AttachedSet, attached_sets, detach
from pipeline.aws.deployment.destroy import check_deletable, check_policies_detached, delete_stack_and_wait
from pipeline.aws.deployment.identities import clear_default_set, identities_with_default_set
from pipeline.aws.deployment.retained import RetainedKind, RetainedResource, delete_data, retained_resources
from pipeline.aws.stack import Stack, find_stack
from pipeline.cli import prompt
from pipeline.cli.deploy_progress import write_event
from pipeline.cli.options import RegionOption, StackOption, required_stack
from pipeline.cli.output import counted, results, say, to_people, write_json
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
    RetainedKind.ERASURE_KEY: "the key that finds erased people in the tables; without it they may get mail again",
}


class ExistingDeployment(msgspec.Struct, frozen=True, kw_only=True):
    """What exists of a deployment.

    Attributes:
        name: Name of the stack.
        stack: The stack. None: it is already deleted.
        resources: Resources that hold data.
        attached: Configuration sets that send to the stack.
        identities: SES identities whose default configuration set is the stack's.
    """

    name: str
    stack: Stack | None
    resources: Sequence[RetainedResource]
    attached: Sequence[AttachedSet]
    identities: Sequence[str]


class DeletionPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What to delete, once every question is answered.

    Attributes:
        stack: The stack to delete. None: it is already deleted.
        cleared: SES identities whose default configuration set is the stack's, to leave without one first.
        detached: Configuration sets to detach first.
        deleted: Resources to delete with their data.
        retained: Resources that remain.
    """

    stack: Stack | None
    cleared: Sequence[str]
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
    clear_identities: Annotated[
        bool,
        typer.Option(
            "--clear-default-set",
            help="Leave identities that send with the stack's configuration set by default without one.",
        ),
    ] = False,
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
    deployment = _read_deployment(clients, name, existing)
    if not (existing or deployment.resources):
        region_name = clients.cloudformation.meta.region_name
        raise NotFound(
            f"there is no stack {name} in {region_name}, and no data of a deleted one: name another --region"
        )
    say(describe_deployment(deployment), to=to_people())
    plan = _ask_plan(
        deployment,
        data=data,
        confirmed=confirm or [],
        detach_sets=detach_sets,
        clears_default_set=clear_identities,
    )
    _execute(clients, plan)
    if json:
        write_json({"stack": name, "deleted": resources_json(plan.deleted), "left": resources_json(plan.retained)})
    else:
        say(describe_result(name, plan), to=results())
        if any(resource.kind is RetainedKind.BUCKET for resource in plan.retained):
            say(["A deployment of the same name prints the command that adopts the log."], to=to_people())


def _read_deployment(clients: Clients, name: str, stack: Stack | None) -> ExistingDeployment:
    with to_people().status("reading the resources") as status:
        return ExistingDeployment(
            name=name,
            stack=stack,
            resources=retained_resources(clients, stack=name),
            attached=attached_sets(clients.sesv2, stack) if stack else (),
            identities=_identities(clients, stack, status),
        )


def _identities(clients: Clients, stack: Stack | None, status: Status) -> Sequence[str]:
    """Return the identities that send with the stack's configuration set by default. SES tells one a second."""
    if stack is None or "ConfigurationSet" not in stack.outputs:
        return ()
    return identities_with_default_set(
        clients.sesv2,
        stack.output("ConfigurationSet"),
        progress=lambda number: status.update(f"reading SES's identities: {number:,}"),
    )


def describe_deployment(deployment: ExistingDeployment) -> Iterator[str]:
    """Yield lines that say what would be deleted and what would remain."""
    name, stack = deployment.name, deployment.stack
    if stack:
        yield f"The stack {name} ({stack.status}, in {stack.region}, account {stack.account_id}) would be deleted:"
        yield "functions, rule, roles, alarms, Firehose stream, Athena's tables, views and workgroup, and the SES"
        yield "configuration set."
        if configuration_set := stack.outputs.get("ConfigurationSet"):
            yield f"SES then rejects mail that names the configuration set {configuration_set}: change senders first."
    else:
        yield f"The stack {name} is already deleted."
    if deployment.identities:
        yield "It is the default configuration set of these identities, whose mail SES then rejects too:"
        yield from (f"  {identity}" for identity in deployment.identities)
    for attached_set in deployment.attached:
        destinations = ", ".join(attached_set.destinations)
        yield f"The configuration set {attached_set.configuration_set} is attached, by: {destinations}."
    if deployment.resources:
        yield "Resources that hold data remain. Delete them with --data, each by its name:"
    for resource in deployment.resources:
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
    deployment: ExistingDeployment,
    *,
    data: bool,
    confirmed: Sequence[str],
    detach_sets: bool | None,
    clears_default_set: bool,
) -> DeletionPlan:
    """Ask every question before anything is deleted.

    Raises:
        UsageError: The stack's name was not typed, identities keep the stack's set, or there is no terminal.
    """
    name, stack, resources = deployment.name, deployment.stack, deployment.resources
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
    if deployment.identities and not (clears_default_set or _confirm_clearing(len(deployment.identities))):
        raise UsageError("nothing was deleted: give these identities another default configuration set first")
    detached = deployment.attached if deployment.attached and _confirm_detaching(detach_sets) else ()
    deleted = [resource for resource in resources if data and _confirm_deletion(resource, confirmed)]
    retained = [resource for resource in resources if resource not in deleted]
    return DeletionPlan(
        stack=stack, cleared=deployment.identities, detached=detached, deleted=deleted, retained=retained
    )


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


def _confirm_clearing(number: int) -> bool:
    return prompt.ask_yes_no(
        "Leave these identities without a default configuration set first?",
        no_terminal=f"SES would reject the mail of {counted(number, 'identity', 'identities')}, listed above: use "
        "--clear-default-set to leave them without a default configuration set, or give them another one",
    )


def _execute(clients: Clients, plan: DeletionPlan) -> None:
    """Execute the plan: sets first, so that SES sends nothing to deleted resources; data last, when nothing writes."""
    people = to_people()
    with people.status("deleting") as status, _advice_on_failure():
        for identity in plan.cleared:
            status.update(f"clearing the default configuration set of {identity}")
            clear_default_set(clients.sesv2, identity)
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
