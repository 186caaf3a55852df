"""Taking the destinations to a deployment away from configuration sets that it did not make."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec

from pipeline.aws.deployment.destination import destinations, existing
from pipeline.aws.refusal import asking, code_of
from pipeline.aws.stack import Stack

if TYPE_CHECKING:
    from mypy_boto3_sesv2 import SESV2Client
    from mypy_boto3_sesv2.type_defs import EventDestinationTypeDef


class Attached(msgspec.Struct, frozen=True, kw_only=True):
    """A set whose events come to a deployment.

    Attributes:
        configuration_set: Its name.
        destinations: The names of the destinations that lead there.
    """

    configuration_set: str
    destinations: tuple[str, ...]


def attached_sets(client: SESV2Client, stack: Stack) -> tuple[Attached, ...]:
    """Return the sets besides the stack's own that have destinations to it.

    Raises:
        Misuse: AWS denies it.
        CloudUnavailable: AWS throttles or cannot be reached.
    """
    if not {"ConfigurationSet", "ConfigurationSets", "DeliveryStreamArn", "SesRoleArn"} <= stack.outputs.keys():
        return ()  # it was never finished
    others = [name for name in stack.output("ConfigurationSets").split(",") if name != stack.output("ConfigurationSet")]
    return tuple(_attached(client, stack, others))


def detach(client: SESV2Client, attached: Attached) -> None:
    """Take the destinations away; those that are gone already are passed over.

    Raises:
        Misuse: AWS denies it.
        CloudUnavailable: AWS throttles or cannot be reached. Doing it again is safe.
    """
    for name in attached.destinations:
        with asking(f"deleting the destination {name} of the configuration set {attached.configuration_set}"):
            from botocore.exceptions import ClientError  # noqa: PLC0415 - heavy: see `pipeline.aws.clients`

            try:
                client.delete_configuration_set_event_destination(
                    ConfigurationSetName=attached.configuration_set, EventDestinationName=name
                )
            except ClientError as error:
                if code_of(error) != "NotFoundException":
                    raise


def _attached(client: SESV2Client, stack: Stack, names: Sequence[str]) -> Iterator[Attached]:
    for name in names:
        if leading := _leading(stack, existing(client, name) or ()):
            yield Attached(configuration_set=name, destinations=leading)


def _leading(stack: Stack, there: Sequence[EventDestinationTypeDef]) -> tuple[str, ...]:
    """Return the names of those that lead to the stack.

    That to EventBridge leads to the account's one bus, maybe for others too. So it is the stack's if it has our name,
    and no `archive` beside it leads to another stack.
    """
    archive, feedback = destinations(stack, tracks=True)
    ours = [one["Name"] for one in there if archive.leads_there(one)]
    by_name = {one["Name"]: one for one in there}
    is_shared = archive.name in by_name and archive.name not in ours
    if feedback.name in by_name and feedback.leads_there(by_name[feedback.name]) and not is_shared:
        ours.append(feedback.name)
    return tuple(ours)
