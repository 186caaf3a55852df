"""What a deployment would change, and what it does, for people.

Whoever deploys, at a terminal or in a script: what they see, and what they are asked.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.aws.deployment.change_set import Change, ChangeSet
from pipeline.aws.deployment.deploy import DeploymentRequest
from pipeline.aws.deployment.events import StackEvent
from pipeline.aws.deployment.template import load_template
from pipeline.aws.stack import Stack
from pipeline.cli.output import counted, printable, say, to_people, write_json
from pipeline.cli.prompt import confirmed


class DeployConsole:
    """Whoever deploys, at a terminal or in a script.

    Args:
        order: What is deployed.
        asks: Whether anybody is to be asked.
        console: Where changes are shown.
        json: Whether the changes of a dry run are the result, as JSON.
    """

    def __init__(self, order: DeploymentRequest, *, asks: bool, console: Console, json: bool) -> None:
        self._order, self._asks, self._console, self._json = order, asks, console, json
        self._people = to_people()
        self._goes_on, self._total = False, 0
        self._place = self._region = ""
        self._done: set[str] = set()
        self.status = self._people.status("connecting")

    def told(self, step: str) -> None:
        """Show what is being done."""
        if self._people.is_terminal:
            self.status.update(step)
        else:
            say([step], to=self._people)

    def changes(self, found: ChangeSet | None) -> None:
        """Show what would change, and remember where."""
        self._place = f" ({_place_of(found)})" if found else ""
        with self._aside():
            if self._json and self._order.dry_run:
                write_json({"stack": self._order.stack, "changes": found.changes if found else ()})
            elif found is None:
                say([f"nothing of the stack {self._order.stack} would change"], to=self._console)
            else:
                write_changes(found, stateful=load_template().stateful, to=self._console)

    def agrees(self) -> bool:
        """Ask whether to apply it."""
        agreed = self._asked(f"Apply this to the stack {self._order.stack}{self._place}?")
        if not agreed:
            say(["nothing was changed"], to=self._people)
        return agreed

    def agrees_to_delete(self, stack: Stack) -> bool:
        """Ask whether to delete what is left of an attempt."""
        return self._asked(
            f"Making the stack {stack.name} failed ({stack.status}). Delete what is left of it, and make it anew? "
            "The log's bucket and the suppression table are kept."
        )

    def began(self, found: ChangeSet) -> None:
        """Remember that AWS goes on by itself."""
        self._goes_on, self._total = True, len(found.changes)
        self._region = found.stack_id.split(":")[3]

    def happened(self, event: StackEvent) -> None:
        """Show what CloudFormation did."""
        write_event(event, to=self._people)
        self._goes_on = not event.is_end
        if event.status.endswith("_COMPLETE") and not event.is_of_stack:
            self._done.add(event.logical_id)
        self.status.update(f"{len(self._done):,} of {self._total:,} resources changed")

    def left(self) -> None:
        """Say what becomes of a stack that nobody looks at any more."""
        if self._goes_on:
            look = f"aws cloudformation describe-stack-events --stack-name {self._order.stack} --region {self._region}"
            say([f"AWS goes on with the stack {self._order.stack}. Look with: {look}"], to=self._people)
            say(["When it is done, deploy again: what stands beside the stack is still to be made."], to=self._people)

    def _asked(self, question: str) -> bool:
        if not self._asks:
            return True
        with self._aside():
            return confirmed(question)

    @contextmanager
    def _aside(self) -> Iterator[None]:
        """Take the status away; as long as it stands there, rich sends standard output where standard error goes."""
        self.status.stop()
        try:
            yield
        finally:
            self.status.start()


def _place_of(found: ChangeSet) -> str:
    """Return where a change set's stack is: whoever has several accounts sees which one is meant."""
    region, account_id = found.stack_id.split(":")[3:5]
    return f"in {region}, account {account_id}"


STYLES = {"Add": "green", "Modify": "yellow", "Remove": "red"}
REPLACEMENTS = {"True": "replaced", "Conditional": "maybe replaced"}
LOUD = "bold red"
STATUS_WIDTH = 28  # of the longest status that is told, UPDATE_ROLLBACK_COMPLETE, and some

# What becomes of what is there now, by AWS's word for it; where AWS says nothing, the template keeps it.
FATES = {
    "Delete": "DELETED, with what it holds",
    "ReplaceAndDelete": "DELETED, with what it holds, and a new one made that is empty",
    "Retain": "kept beside the stack, no part of it any more",
    "ReplaceAndRetain": "kept beside the stack, and a new one made that is empty",
}


def write_changes(found: ChangeSet, *, stateful: frozenset[str], to: Console) -> None:
    """Write what a change set would do: a line for each resource, and a warning for each that holds data and goes.

    Args:
        found: The change set.
        stateful: The types of resources that hold data.
        to: Where to.
    """
    shown = Table()
    for heading in ("action", "resource", "type", "replacement"):
        shown.add_column(heading, overflow="fold")
    for change in found.changes:
        action = Text(printable(change.action), style=STYLES.get(change.action, "bold"))
        replacement = Text(REPLACEMENTS.get(change.replacement, ""), style="bold")
        shown.add_row(action, printable(change.logical_id), printable(change.type), replacement)
    to.print(shown)
    to.print(f"{counted(len(found.changes), 'resource')} of the stack would change")
    for warning in _warnings(found, stateful):
        to.print(printable(warning), style=LOUD, soft_wrap=True)


def write_event(event: StackEvent, *, to: Console) -> None:
    """Write a step of CloudFormation's; what is only begun is left out, but for the stack itself."""
    if event.status.endswith("_IN_PROGRESS") and not event.is_of_stack:
        return
    line = f"{event.at:%H:%M:%S}  {event.status:<{STATUS_WIDTH}} {event.logical_id}  {event.type}"
    reason = f"  {event.reason}" if event.reason else ""
    to.print(printable(line + reason), style=LOUD if event.is_failure else "", soft_wrap=True)


def _warnings(found: ChangeSet, stateful: frozenset[str]) -> Iterator[str]:
    for change in found.changes:
        if change.type in stateful and change.ends_it:
            yield f"WARNING: {change.logical_id} ({change.type}) holds data. {_fate(change)}."


def _fate(change: Change) -> str:
    removed = "Retain" if change.action == "Remove" else "ReplaceAndRetain"
    fate = FATES.get(change.policy_action or removed, change.policy_action)
    return f"It would be {fate}" if change.replacement != "Conditional" else f"It may be {fate}"
