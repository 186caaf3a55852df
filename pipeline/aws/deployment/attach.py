"""Attach SES configuration sets to a deployment that did not create them, and detach them.

The template creates the destinations of the stack's own set only. Its rule and roles accept the sets that the stack
was deployed with, so a set must be named in the parameter ConfigurationSets first.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import msgspec

from pipeline.aws.deployment.destinations import EventDestination, event_destinations, existing_destinations
from pipeline.aws.errors import error_code, missing_ok, translated
from pipeline.aws.retry import attempts
from pipeline.aws.stack import Stack
from pipeline.errors import InvalidInput, UsageError

if TYPE_CHECKING:
    from mypy_boto3_sesv2 import SESV2Client
    from mypy_boto3_sesv2.type_defs import EventDestinationTypeDef, ListConfigurationSetsRequestTypeDef

SETS_PER_PAGE = 1_000  # ListConfigurationSets' limit
MAX_DESTINATIONS = 10  # of one configuration set: docs.aws.amazon.com/ses/latest/dg/quotas.html

# SES rejects a new role until IAM has propagated it: usually seconds, rarely a minute. These attempts take one to two.
ROLE_ATTEMPTS = 8
ROLE_FIRST_WAIT_SECONDS = 1.0


class AttachAction(StrEnum):
    """What attaching does to a destination."""

    CREATED = "created"
    UPDATED = "updated"
    REPLACED = "replaced"
    UNCHANGED = "unchanged"


class AttachStep(msgspec.Struct, frozen=True, kw_only=True):
    """One destination to create, update, replace or leave unchanged.

    Attributes:
        destination: The required destination.
        action: What to do.
        name: Name of the destination afterwards: that of another one, if it already sends the same events.
    """

    destination: EventDestination
    action: AttachAction
    name: str


class AttachedSet(msgspec.Struct, frozen=True, kw_only=True):
    """A configuration set whose events are sent to a deployment.

    Attributes:
        configuration_set: Name of the set.
        destinations: Names of its destinations that send to the deployment.
    """

    configuration_set: str
    destinations: tuple[str, ...]


def check_set(stack: Stack, configuration_set: str) -> None:
    """Check that a configuration set can be attached.

    Raises:
        UsageError: It is the stack's own, or the stack does not accept its events.
    """
    if configuration_set == stack.output("ConfigurationSet"):
        raise UsageError(
            f"{configuration_set} is the stack's own configuration set, whose destinations the template creates. To "
            f"change whether it tracks opens and clicks: `mailfold deploy {stack.options} --param TrackEngagement=…`"
        )
    if not stack.accepts_all_sets and configuration_set not in stack.output("ConfigurationSets").split(","):
        accepted = [name for name in stack.parameters.get("ConfigurationSets", "").split(",") if name]
        raise UsageError(
            f"the stack {stack.name} does not accept events of the configuration set {configuration_set}. First run "
            f"`mailfold deploy {stack.options} --param ConfigurationSets={','.join([*accepted, configuration_set])}`"
        )


def plan_attachment(
    required: Sequence[EventDestination], existing: Sequence[EventDestinationTypeDef], *, replace: bool = False
) -> tuple[AttachStep, ...]:
    """Return the steps after which a configuration set has the required destinations.

    Args:
        required: The required destinations.
        existing: Destinations of the set.
        replace: Whether to replace a destination of the same name that has another target.

    Raises:
        UsageError: A destination of the same name has another target.
        InvalidInput: The set would have too many destinations.
    """
    steps = tuple(_plan_step(destination, existing, replace=replace) for destination in required)
    number = len(existing) + sum(step.action is AttachAction.CREATED for step in steps)
    if number > MAX_DESTINATIONS:
        raise InvalidInput(
            f"the configuration set has {len(existing)} destinations, and SES allows {MAX_DESTINATIONS}: "
            "delete those that are not needed"
        )
    return steps


def _plan_step(
    destination: EventDestination, existing: Sequence[EventDestinationTypeDef], *, replace: bool
) -> AttachStep:
    by_name = {existing_destination["Name"]: existing_destination for existing_destination in existing}
    same_name = by_name.pop(destination.name, None)
    name = destination.name
    if same_name is None:
        covering = next((other for other, sent in by_name.items() if destination.is_covered_by(sent)), None)
        action, name = (AttachAction.UNCHANGED, covering) if covering else (AttachAction.CREATED, name)
    elif destination.equals(same_name):
        action = AttachAction.UNCHANGED
    elif destination.has_same_target(same_name):
        action = AttachAction.UPDATED
    elif replace:
        action = AttachAction.REPLACED
    else:
        raise UsageError(
            f"the destination {name} of the configuration set sends to {_describe_target(same_name)}: "
            "use --replace to send its events to this deployment instead"
        )
    return AttachStep(destination=destination, action=action, name=name)


def _describe_target(destination: EventDestinationTypeDef) -> str:
    targets = [value for key, value in destination.items() if key.endswith("Destination") and isinstance(value, dict)]
    arns = [text for target in targets for key, text in target.items() if key.endswith("Arn") and key != "IamRoleArn"]
    return str(arns[0]) if arns else "another target"


def attach(
    sesv2: SESV2Client,
    configuration_set: str,
    steps: Sequence[AttachStep],
    *,
    report: Callable[[str], None] = lambda _: None,
    wait: Callable[[float], None] = time.sleep,
) -> None:
    """Execute the steps of an attachment. Safe to repeat.

    Args:
        sesv2: Client of the stack's region.
        configuration_set: Name of the set.
        steps: Steps from `plan_attachment`.
        report: Called with the reason for a wait.
        wait: Waits a number of seconds.

    Raises:
        InvalidInput: AWS rejects a destination.
        NotFound: The set does not exist.
        AccessDenied: Credentials are missing, expired or not allowed to do this.
        ServiceUnavailable: AWS throttles, fails or cannot be reached.
    """
    for step in steps:
        if step.action is AttachAction.REPLACED:  # an update may not be able to change the kind of a destination
            _delete_destination(sesv2, configuration_set, step.name)
        for attempt in attempts(ROLE_ATTEMPTS, first_wait_seconds=ROLE_FIRST_WAIT_SECONDS, wait=wait):
            try:
                _execute_step(sesv2, configuration_set, step)
                break
            except InvalidInput as error:
                if attempt == ROLE_ATTEMPTS or not _may_be_new_role(error):
                    raise
                report("SES cannot use the stack's role yet: IAM takes up to a minute to propagate it")


def _execute_step(sesv2: SESV2Client, configuration_set: str, step: AttachStep) -> None:
    destination = step.destination
    definition: Any = {
        "Enabled": True,
        "MatchingEventTypes": sorted(destination.types),
        destination.kind: dict(destination.target),
    }
    request: Any = {
        "ConfigurationSetName": configuration_set,
        "EventDestinationName": destination.name,
        "EventDestination": definition,
    }
    with translated(f"writing the destination {step.name} of the configuration set {configuration_set}"):
        match step.action:
            case AttachAction.UPDATED:
                sesv2.update_configuration_set_event_destination(**request)
            case AttachAction.CREATED | AttachAction.REPLACED:
                sesv2.create_configuration_set_event_destination(**request)
            case AttachAction.UNCHANGED:
                pass


def _may_be_new_role(error: InvalidInput) -> bool:
    """Return True if SES may have rejected a role that IAM has not propagated. SES has no other code for that."""
    return isinstance(error.__cause__, Exception) and error_code(error.__cause__) == "BadRequestException"


def attached_sets(sesv2: SESV2Client, stack: Stack) -> tuple[AttachedSet, ...]:
    """Return the configuration sets, other than the stack's own, that have destinations to the stack.

    Raises:
        AccessDenied: Credentials are missing, expired or not allowed to do this.
        ServiceUnavailable: AWS throttles, fails or cannot be reached.
    """
    if not {"ConfigurationSet", "ConfigurationSets", "DeliveryStreamArn", "SesRoleArn"} <= stack.outputs.keys():
        return ()  # its creation never finished
    attached = []
    names = _all_sets(sesv2) if stack.accepts_all_sets else stack.output("ConfigurationSets").split(",")
    for name in names:
        if name != stack.output("ConfigurationSet"):
            destinations = _destinations_to(stack, existing_destinations(sesv2, name) or ())
            attached.append(AttachedSet(configuration_set=name, destinations=destinations))
    return tuple(attached_set for attached_set in attached if attached_set.destinations)


def _all_sets(sesv2: SESV2Client) -> Iterator[str]:
    """Yield the names of all configuration sets of the account and region."""
    request: ListConfigurationSetsRequestTypeDef = {"PageSize": SETS_PER_PAGE}
    while True:
        with translated("listing configuration sets"):
            page = sesv2.list_configuration_sets(**request)
        yield from page.get("ConfigurationSets", ())
        if not page.get("NextToken"):
            return
        request["NextToken"] = page["NextToken"]


def _destinations_to(stack: Stack, existing: Sequence[EventDestinationTypeDef]) -> tuple[str, ...]:
    """Return the names of destinations that send to the stack.

    The destination to EventBridge sends to the account's default bus, which other stacks may use too. It belongs to
    this stack if it is named `feedback`, and the set has no `archive` that sends to another stack.
    """
    archive, feedback = event_destinations(stack, tracks=True)
    by_name = {destination["Name"]: destination for destination in existing}
    names = [name for name, destination in by_name.items() if archive.has_same_target(destination)]
    is_shared = archive.name in by_name and archive.name not in names
    if feedback.name in by_name and feedback.has_same_target(by_name[feedback.name]) and not is_shared:
        names.append(feedback.name)
    return tuple(names)


def detach(sesv2: SESV2Client, attached: AttachedSet) -> None:
    """Delete the destinations of an attached set. Safe to repeat.

    Raises:
        AccessDenied: Credentials are missing, expired or not allowed to do this.
        ServiceUnavailable: AWS throttles, fails or cannot be reached.
    """
    for name in attached.destinations:
        _delete_destination(sesv2, attached.configuration_set, name)


def _delete_destination(sesv2: SESV2Client, configuration_set: str, name: str) -> None:
    with translated(f"deleting the destination {name} of the configuration set {configuration_set}"):
        missing_ok(
            lambda: sesv2.delete_configuration_set_event_destination(
                ConfigurationSetName=configuration_set, EventDestinationName=name
            )
        )
