"""What a deployment would change, and what it does, for people."""

from collections.abc import Iterator

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.aws.deployment.change_set import Change, ChangeSet
from pipeline.aws.deployment.stack_event import StackEvent
from pipeline.cli.words import counted, printable

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
