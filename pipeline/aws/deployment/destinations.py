"""The destinations by which a configuration set's events come to a deployment: how they are, and how they have to be.

docs.aws.amazon.com/ses/latest/APIReference-V2/API_EventDestination.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from pipeline.aws.errors import error_code, translated
from pipeline.aws.stack import Stack

if TYPE_CHECKING:
    from mypy_boto3_sesv2 import SESV2Client
    from mypy_boto3_sesv2.type_defs import EventDestinationTypeDef

FEEDBACK_TYPES = frozenset({"BOUNCE", "COMPLAINT"})
ENGAGEMENT_TYPES = frozenset({"OPEN", "CLICK"})  # SES alters the mail for these: a pixel, and rewritten links
QUIET_TYPES = FEEDBACK_TYPES | {"SEND", "REJECT", "DELIVERY", "RENDERING_FAILURE", "DELIVERY_DELAY", "SUBSCRIPTION"}

FIREHOSE, EVENTBRIDGE = "KinesisFirehoseDestination", "EventBridgeDestination"


class EventDestination(msgspec.Struct, frozen=True, kw_only=True):
    """A destination as a set has to have it.

    Attributes:
        name: Its name.
        kind: Which of SES's kinds.
        target: Where it leads, as SES writes that.
        place: The one field of the target that says where it leads; the others say how.
        types: The types of events that it carries.
    """

    name: str
    kind: str
    target: Mapping[str, str]
    place: str
    types: frozenset[str]

    def leads_there(self, one: EventDestinationTypeDef) -> bool:
        """Tell whether a destination leads to the same place."""
        return _target(one, self.kind).get(self.place) == self.target[self.place]

    def equals(self, one: EventDestinationTypeDef) -> bool:
        """Tell whether a destination does the same, by whatever name."""
        return (
            bool(one.get("Enabled"))
            and {*one.get("MatchingEventTypes", [])} == self.types
            and _target(one, self.kind) == self.target
        )

    def is_done_by(self, one: EventDestinationTypeDef) -> bool:
        """Tell whether a destination of another name does the same already, and maybe more."""
        return self.leads_there(one) and bool(one.get("Enabled")) and {*one.get("MatchingEventTypes", [])} >= self.types


def event_destinations(stack: Stack, *, tracks: bool) -> tuple[EventDestination, EventDestination]:
    """Return the destinations of a set whose events come to a stack.

    Args:
        stack: The stack.
        tracks: Whether opens and clicks are events too, for which SES alters the mail.
    """
    archive = EventDestination(
        name="archive",
        kind=FIREHOSE,
        target={"IamRoleArn": stack.output("SesRoleArn"), "DeliveryStreamArn": stack.output("DeliveryStreamArn")},
        place="DeliveryStreamArn",
        types=QUIET_TYPES | ENGAGEMENT_TYPES if tracks else QUIET_TYPES,
    )
    partition = stack.id.split(":")[1]
    bus = f"arn:{partition}:events:{stack.region}:{stack.account_id}:event-bus/default"
    feedback = EventDestination(
        name="feedback", kind=EVENTBRIDGE, target={"EventBusArn": bus}, place="EventBusArn", types=FEEDBACK_TYPES
    )
    return archive, feedback


def existing_destinations(client: SESV2Client, name: str) -> Sequence[EventDestinationTypeDef] | None:
    """Return the destinations that a set has, None if there is no such set.

    Raises:
        UsageError: AWS denies it.
        ServiceUnavailable: AWS throttles or cannot be reached.
    """
    with translated(f"reading the destinations of the configuration set {name}"):
        from botocore.exceptions import ClientError  # noqa: PLC0415 - heavy: see `pipeline.aws.clients`

        try:
            answer = client.get_configuration_set_event_destinations(ConfigurationSetName=name)
        except ClientError as error:
            if error_code(error) == "NotFoundException":
                return None
            raise
    return answer.get("EventDestinations", [])


def tracks_engagement(stack: Stack, there: Sequence[EventDestinationTypeDef]) -> bool | None:
    """Tell whether a set's opens and clicks come to a stack already; None: nothing of the set does."""
    archive, _ = event_destinations(stack, tracks=True)
    carried = [{*one.get("MatchingEventTypes", [])} for one in there if archive.leads_there(one)]
    return any(types & ENGAGEMENT_TYPES for types in carried) if carried else None


def _target(one: EventDestinationTypeDef, kind: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = one.get(kind, {})  # type: ignore[assignment]  # a TypedDict, asked for a key that is no literal
    return found
