"""Display of a deployment: its changes, its events, and the questions to the user."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.aws.deployment.change_set import Change, ChangeSet
from pipeline.aws.deployment.data_loss import DataLoss
from pipeline.aws.deployment.deploy import DeploymentRequest
from pipeline.aws.deployment.events import StackEvent
from pipeline.aws.deployment.template import load_template
from pipeline.aws.stack import Stack
from pipeline.cli import prompt
from pipeline.cli.output import counted, printable, say, to_people, write_json
from pipeline.errors import UsageError

STYLES = {"Add": "green", "Modify": "yellow", "Remove": "red"}
REPLACEMENTS = {"True": "replaced", "Conditional": "maybe replaced"}
WARNING_STYLE = "bold red"
STATUS_WIDTH = 28  # the longest status shown is UPDATE_ROLLBACK_COMPLETE

# What happens to an existing resource, by AWS's policy action.
POLICY_ACTIONS = {
    "Delete": "DELETED with its data",
    "ReplaceAndDelete": "DELETED with its data, and replaced by an empty one",
    "Retain": "retained outside the stack",
    "ReplaceAndRetain": "retained outside the stack, and replaced by an empty one",
}


class DeployConsole:
    """The operator of a deployment at a terminal or in a script.

    Args:
        request: What is deployed.
        asks: Whether to ask for confirmation.
        confirmed: Names of resources whose data may be deleted.
        changes_to: Console for the changes.
        json: Whether a dry run prints the changes as JSON.
    """

    def __init__(
        self,
        request: DeploymentRequest,
        *,
        asks: bool,
        confirmed: Sequence[str] = (),
        changes_to: Console,
        json: bool,
    ) -> None:
        self._request, self._asks, self._changes_to, self._json = request, asks, changes_to, json
        self._confirmed = confirmed
        self.kept_logs: Sequence[str] = ()
        self._people = to_people()
        self._in_progress, self._total = False, 0
        self._place = self._region = ""
        self._completed: set[str] = set()
        self.status = self._people.status("connecting")

    def report_step(self, step: str) -> None:
        """Show the step that begins now."""
        if self._people.is_terminal:
            self.status.update(step)
        else:
            say([step], to=self._people)

    def accept_loss(self, loss: DataLoss) -> bool:
        """Show what data would be deleted. Ask for the name of its resource, unless an option confirms it."""
        change = f"{loss.parameter} would change from {loss.before} to {loss.after}"
        with self._status_stopped():
            self._people.print(printable(f"WARNING: {change}. {loss.loss}."), style=WARNING_STYLE, soft_wrap=True)
            if self._request.dry_run or loss.resource in self._confirmed:
                return True
            if not (self._asks and prompt.can_ask()):
                raise UsageError(f"{change}, which deletes data: use --confirm {loss.resource} if it may be deleted")
            return prompt.ask_text(f"Type {loss.resource} to delete this data, or press Enter to stop") == loss.resource

    def show_kept_logs(self, buckets: Sequence[str]) -> None:
        """Note the logs that earlier stacks left, for the next steps."""
        self.kept_logs = buckets

    def show_changes(self, change_set: ChangeSet | None) -> None:
        """Show the changes."""
        self._place = f" ({_place(change_set)})" if change_set else ""
        with self._status_stopped():
            if self._json and self._request.dry_run:
                write_json({"stack": self._request.stack, "changes": change_set.changes if change_set else ()})
            elif change_set is None:
                say([f"the stack {self._request.stack} has no changes"], to=self._changes_to)
            else:
                write_changes(change_set, stateful=load_template().stateful, to=self._changes_to)

    def confirm(self) -> bool:
        """Ask whether to apply the changes."""
        is_confirmed = self._ask(f"Apply these changes to the stack {self._request.stack}{self._place}?")
        if not is_confirmed:
            say(["nothing was changed"], to=self._people)
        return is_confirmed

    def confirm_deletion(self, stack: Stack) -> bool:
        """Ask whether to delete a stack whose creation failed."""
        return self._ask(
            f"The creation of the stack {stack.name} failed ({stack.status}). Delete it and create it again? "
            "The log's bucket and the suppression table are retained."
        )

    def execution_started(self, change_set: ChangeSet) -> None:
        """Note that CloudFormation executes the change set, even if this process ends."""
        self._in_progress, self._total = True, len(change_set.changes)
        self._region = change_set.stack_id.split(":")[3]

    def show_event(self, event: StackEvent) -> None:
        """Show an event and the number of completed resources."""
        write_event(event, to=self._people)
        self._in_progress = not event.is_end
        if event.status.endswith("_COMPLETE") and not event.is_of_stack:
            self._completed.add(event.logical_id)
        self.status.update(f"{len(self._completed):,} of {self._total:,} resources changed")

    def report_unfinished(self) -> None:
        """Print that CloudFormation continues, if it does, and how to follow it."""
        if self._in_progress:
            name = self._request.stack
            command = f"aws cloudformation describe-stack-events --stack-name {name} --region {self._region}"
            say([f"CloudFormation continues to change the stack {name}. Follow it with: {command}"], to=self._people)
            say(["Deploy again when it has finished, to create the resources beside the stack."], to=self._people)

    def _ask(self, question: str) -> bool:
        if not self._asks:
            return True
        with self._status_stopped():
            return prompt.confirm(question)

    @contextmanager
    def _status_stopped(self) -> Iterator[None]:
        """Stop the status display: while it runs, rich redirects standard output to standard error."""
        self.status.stop()
        try:
            yield
        finally:
            self.status.start()


def _place(change_set: ChangeSet) -> str:
    """Return region and account of a change set's stack, for users of several accounts."""
    region, account_id = change_set.stack_id.split(":")[3:5]
    return f"in {region}, account {account_id}"


def write_changes(change_set: ChangeSet, *, stateful: frozenset[str], to: Console) -> None:
    """Write a line for each change, and a warning for each resource with data that would leave the stack.

    Args:
        change_set: The change set.
        stateful: Types of resources that hold data.
        to: Console to write to.
    """
    table = Table()
    for heading in ("action", "resource", "type", "replacement"):
        table.add_column(heading, overflow="fold")
    for change in change_set.changes:
        action = Text(printable(change.action), style=STYLES.get(change.action, "bold"))
        replacement = Text(REPLACEMENTS.get(change.replacement, ""), style="bold")
        table.add_row(action, printable(change.logical_id), printable(change.type), replacement)
    to.print(table)
    to.print(f"{counted(len(change_set.changes), 'resource')} of the stack would change")
    for change in change_set.changes:
        if change.type in stateful and change.removes_existing:
            to.print(printable(_data_warning(change)), style=WARNING_STYLE, soft_wrap=True)


def _data_warning(change: Change) -> str:
    default = "Retain" if change.action == "Remove" else "ReplaceAndRetain"  # AWS names no action: the template retains
    outcome = POLICY_ACTIONS.get(change.policy_action or default, change.policy_action)
    verb = "may" if change.replacement == "Conditional" else "would"
    return f"WARNING: {change.logical_id} ({change.type}) holds data. It {verb} be {outcome}."


def write_event(event: StackEvent, *, to: Console) -> None:
    """Write an event of the stack. An operation in progress is shown only for the stack itself."""
    if event.status.endswith("_IN_PROGRESS") and not event.is_of_stack:
        return
    line = f"{event.at:%H:%M:%S}  {event.status:<{STATUS_WIDTH}} {event.logical_id}  {event.type}"
    reason = f"  {event.reason}" if event.reason else ""
    to.print(printable(line + reason), style=WARNING_STYLE if event.is_failure else "", soft_wrap=True)
