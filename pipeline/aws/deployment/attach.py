"""A configuration set that was there before is given the destinations to a deployment.

The template makes them for its own set. Rule and roles let in the sets that the stack was deployed with, so a set is
first named there.

Taking the destinations to a deployment away from configuration sets that it did not make.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import msgspec

from pipeline.aws.deployment.destinations import EventDestination, event_destinations, existing_destinations
from pipeline.aws.errors import error_code, translated
from pipeline.aws.stack import Stack
from pipeline.errors import UsageError

if TYPE_CHECKING:
    from mypy_boto3_sesv2 import SESV2Client
    from mypy_boto3_sesv2.type_defs import EventDestinationTypeDef


class AttachedSet(msgspec.Struct, frozen=True, kw_only=True):
    """A set whose events come to a deployment.

    Attributes:
        configuration_set: Its name.
        destinations: The names of the destinations that lead there.
    """

    configuration_set: str
    destinations: tuple[str, ...]


def attached_sets(client: SESV2Client, stack: Stack) -> tuple[AttachedSet, ...]:
    """Return the sets besides the stack's own that have destinations to it.

    Raises:
        UsageError: AWS denies it.
        ServiceUnavailable: AWS throttles or cannot be reached.
    """
    if not {"ConfigurationSet", "ConfigurationSets", "DeliveryStreamArn", "SesRoleArn"} <= stack.outputs.keys():
        return ()  # it was never finished
    others = [name for name in stack.output("ConfigurationSets").split(",") if name != stack.output("ConfigurationSet")]
    return tuple(_attached(client, stack, others))


def detach(client: SESV2Client, attached: AttachedSet) -> None:
    """Take the destinations away; those that are gone already are passed over.

    Raises:
        UsageError: AWS denies it.
        ServiceUnavailable: AWS throttles or cannot be reached. Doing it again is safe.
    """
    for name in attached.destinations:
        with translated(f"deleting the destination {name} of the configuration set {attached.configuration_set}"):
            from botocore.exceptions import ClientError  # noqa: PLC0415 - heavy: see `pipeline.aws.clients`

            try:
                client.delete_configuration_set_event_destination(
                    ConfigurationSetName=attached.configuration_set, EventDestinationName=name
                )
            except ClientError as error:
                if error_code(error) != "NotFoundException":
                    raise


def _attached(client: SESV2Client, stack: Stack, names: Sequence[str]) -> Iterator[AttachedSet]:
    for name in names:
        if leading := _leading(stack, existing_destinations(client, name) or ()):
            yield AttachedSet(configuration_set=name, destinations=leading)


def _leading(stack: Stack, there: Sequence[EventDestinationTypeDef]) -> tuple[str, ...]:
    """Return the names of those that lead to the stack.

    That to EventBridge leads to the account's one bus, maybe for others too. So it is the stack's if it has our name,
    and no `archive` beside it leads to another stack.
    """
    archive, feedback = event_destinations(stack, tracks=True)
    ours = [one["Name"] for one in there if archive.leads_there(one)]
    by_name = {one["Name"]: one for one in there}
    is_shared = archive.name in by_name and archive.name not in ours
    if feedback.name in by_name and feedback.leads_there(by_name[feedback.name]) and not is_shared:
        ours.append(feedback.name)
    return tuple(ours)


MAX_DESTINATIONS = 10  # of one set: docs.aws.amazon.com/ses/latest/dg/quotas.html
ROLE_ATTEMPTS = 10  # SES refuses a role that IAM has not told everybody about: mostly some seconds, seldom a minute
ROLE_WAIT_SECONDS = 6.0


class AttachAction(StrEnum):
    """What attaching does to a destination."""

    CREATED = "created"
    UPDATED = "updated"
    REPLACED = "replaced"
    LEFT = "left"


class AttachStep(msgspec.Struct, frozen=True, kw_only=True):
    """What is done for one destination.

    Attributes:
        destination: As it is to be.
        action: What is done.
        name: The destination that is there by then: another one's, where that does the same already.
    """

    destination: EventDestination
    action: AttachAction
    name: str


def check_set(stack: Stack, name: str) -> None:
    """Check that a set can be attached.

    Raises:
        UsageError: It is the stack's own, or the stack does not let its events in.
    """
    if name == stack.output("ConfigurationSet"):
        raise UsageError(
            f"{name} is the stack's own configuration set, and has its destinations from the template. Whether it "
            f"tracks opens and clicks: `mailfold deploy {stack.options} --param TrackEngagement=…`"
        )
    if name not in stack.output("ConfigurationSets").split(","):
        present = [one for one in stack.parameters.get("ConfigurationSets", "").split(",") if one]
        raise UsageError(
            f"the stack {stack.name} does not let in events of the configuration set {name}. First run "
            f"`mailfold deploy {stack.options} --param ConfigurationSets={','.join([*present, name])}`"
        )


def plan_attachment(
    wanted: Sequence[EventDestination], there: Sequence[EventDestinationTypeDef], *, replace: bool = False
) -> tuple[AttachStep, ...]:
    """Return what is to be done so that a set has the destinations.

    Args:
        wanted: As they are to be.
        there: Those that the set has.
        replace: Whether one of the same name that leads elsewhere may be made to lead here.

    Raises:
        UsageError: One of the same name leads elsewhere, or there would be too many.
    """
    steps = tuple(_step(destination, there, replace=replace) for destination in wanted)
    number = len(there) + sum(step.action is AttachAction.CREATED for step in steps)
    if number > MAX_DESTINATIONS:
        raise UsageError(
            f"the set has {len(there)} destinations, and SES allows {MAX_DESTINATIONS}: delete some that nobody needs"
        )
    return steps


def attach(
    client: SESV2Client,
    name: str,
    steps: Sequence[AttachStep],
    *,
    told: Callable[[str], None] = lambda _: None,
    wait: Callable[[float], None] = time.sleep,
) -> None:
    """Give a set its destinations.

    Args:
        client: From `clients.client("sesv2")`.
        name: The set.
        steps: From `plan`.
        told: Hears why it takes long.
        wait: Waits so many seconds.

    Raises:
        UsageError: AWS denies or refuses it.
        ServiceUnavailable: AWS throttles or cannot be reached. Doing it again is safe.
    """
    for step in steps:
        with translated(f"making the destination {step.name} of the configuration set {name}"):
            if (
                step.action is AttachAction.REPLACED
            ):  # it may be of another kind, which an update need not be able to change
                client.delete_configuration_set_event_destination(
                    ConfigurationSetName=name, EventDestinationName=step.name
                )
            _patiently(lambda step=step: _carry_out(client, name, step), told=told, wait=wait)  # type: ignore[misc]  # mypy infers no lambda with a default


def _step(destination: EventDestination, there: Sequence[EventDestinationTypeDef], *, replace: bool) -> AttachStep:
    by_name = {one["Name"]: one for one in there}
    named = by_name.pop(destination.name, None)
    if named is None:
        other = next((name for name, one in by_name.items() if destination.is_done_by(one)), None)
        action = AttachAction.CREATED if other is None else AttachAction.LEFT
        return AttachStep(destination=destination, action=action, name=other or destination.name)
    if destination.equals(named):
        return AttachStep(destination=destination, action=AttachAction.LEFT, name=destination.name)
    if destination.leads_there(named):
        return AttachStep(destination=destination, action=AttachAction.UPDATED, name=destination.name)
    if not replace:
        raise UsageError(
            f"the set's destination {destination.name} leads elsewhere, to {_words(named)}: say --replace to make it "
            "lead here instead"
        )
    return AttachStep(destination=destination, action=AttachAction.REPLACED, name=destination.name)


def _carry_out(client: SESV2Client, name: str, step: AttachStep) -> None:
    destination = step.destination
    definition: Any = {
        "Enabled": True,
        "MatchingEventTypes": sorted(destination.types),
        destination.kind: dict(destination.target),
    }
    place: Any = {"ConfigurationSetName": name, "EventDestinationName": destination.name}
    match step.action:
        case AttachAction.UPDATED:
            client.update_configuration_set_event_destination(**place, EventDestination=definition)
        case AttachAction.CREATED | AttachAction.REPLACED:
            client.create_configuration_set_event_destination(**place, EventDestination=definition)
        case AttachAction.LEFT:
            pass


def _patiently(do: Callable[[], None], *, told: Callable[[str], None], wait: Callable[[float], None]) -> None:
    """Do it, again and again while SES cannot use a role that is new.

    It answers BadRequestException then, as for anything else that it refuses; the request is always the same one.
    """
    from botocore.exceptions import ClientError  # noqa: PLC0415 - heavy: see `pipeline.aws.clients`

    for attempt in range(1, ROLE_ATTEMPTS + 1):
        try:
            do()
        except ClientError as error:
            if error_code(error) != "BadRequestException" or attempt == ROLE_ATTEMPTS:
                raise
        else:
            return
        told("SES cannot use the stack's role yet, as IAM needs up to a minute to tell everybody of a change")
        wait(ROLE_WAIT_SECONDS)


def _words(one: EventDestinationTypeDef) -> str:
    """Say where a destination leads."""
    targets = [value for key, value in one.items() if key.endswith("Destination") and isinstance(value, dict)]
    arns = [text for target in targets for key, text in target.items() if key.endswith("Arn") and key != "IamRoleArn"]
    return str(arns[0]) if arns else "something else"
