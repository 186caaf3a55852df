"""`mailfold destroy`: a deployment is taken down; what holds data goes only where its own name was typed."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated

import typer

from pipeline.aws.deployment.destruction import check_deletable, delete
from pipeline.aws.deployment.detachment import Attached, attached_sets, detach
from pipeline.aws.deployment.erasure import erase
from pipeline.aws.deployment.holder import check_unheld
from pipeline.aws.deployment.remains import Remain, remains
from pipeline.aws.stack import Stack, find_stack
from pipeline.cli import question
from pipeline.cli.change import write_event
from pipeline.cli.connection import Connection, connection
from pipeline.cli.destruction import Intent, plan, result, told
from pipeline.cli.option import RegionOption, StackOption, required
from pipeline.cli.words import results, say, to_people, write_json
from pipeline.errors import Misuse


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
    name, client = required(stack), connection(region)
    found = find_stack(client("cloudformation"), name=name)
    if found:
        check_deletable(client("cloudformation"), found)
        check_unheld(client("iam"), found)
    with to_people().status("looking at what there is"):
        left = remains(client, stack=name)
        attached = attached_sets(client("sesv2"), found) if found else ()
    if not (found or left):
        raise Misuse(
            f"there is no stack {name} in {client('cloudformation').meta.region_name}, and nothing left of one"
        )
    say(plan(name, found, left, attached), to=to_people())
    intent = _asked(name, found, left, attached, data=data, confirmed=confirm or [], detach_sets=detach_sets)
    _carry_out(client, intent)
    if json:
        write_json({"stack": name, "deleted": told(intent.erased), "left": told(intent.kept)})
    else:
        say(result(name, intent), to=results())


def _asked(
    name: str,
    found: Stack | None,
    left: Sequence[Remain],
    attached: Sequence[Attached],
    *,
    data: bool,
    confirmed: Sequence[str],
    detach_sets: bool | None,
) -> Intent:
    """Ask everything before anything is done.

    Raises:
        Misuse: A name is none of those, nobody can be asked, or the stack's name was not typed.
    """
    names = {name, *(remain.name for remain in left if data)}
    unknown = [one for one in confirmed if one not in names]  # no mistake where a former run has deleted it
    say((f"{one} is not there{'' if data else ', or holds data and needs --data'}" for one in unknown), to=to_people())
    if found and not _typed(f"Type the stack's name, {name}, to delete it", name, confirmed):
        raise Misuse(
            "that is not the stack's name: nothing was deleted"
            if question.can_ask()
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
    return name in confirmed or question.typed(request) == name


def _detaches(detach_sets: bool | None) -> bool:
    if detach_sets is not None:
        return detach_sets
    otherwise = "say --detach to take their destinations away from the sets that were attached, or --no-detach"
    return question.agreed("Take these destinations away first?", otherwise=otherwise, default=True)


def _carry_out(client: Connection, intent: Intent) -> None:
    """Do it: the sets first, so that nothing is sent to what is gone; data last, when nothing writes it any more."""
    people = to_people()
    with people.status("deleting") as status, _told_how_to_go_on():
        for one in intent.detached:
            status.update(f"detaching the configuration set {one.configuration_set}")
            detach(client("sesv2"), one)
        if intent.stack:
            status.update(f"deleting the stack {intent.stack.name}")
            delete(client("cloudformation"), intent.stack, happened=lambda event: write_event(event, to=people))
        for remain in intent.erased:
            what = f"deleting the {remain.kind} {remain.name}"
            status.update(what)
            erase(
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
