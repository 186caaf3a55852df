"""Event destinations that send a configuration set's events to a deployment: the required and the existing ones.

docs.aws.amazon.com/ses/latest/APIReference-V2/API_EventDestination.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import msgspec

from pipeline.aws.errors import missing_ok, translated
from pipeline.aws.stack import Stack

if TYPE_CHECKING:
    from mypy_boto3_sesv2 import SESV2Client
    from mypy_boto3_sesv2.type_defs import EventDestinationTypeDef

FEEDBACK_TYPES = frozenset({"BOUNCE", "COMPLAINT"})
ENGAGEMENT_TYPES = frozenset({"OPEN", "CLICK"})  # SES changes the mail for these: a pixel, and rewritten links
QUIET_TYPES = FEEDBACK_TYPES | {"SEND", "REJECT", "DELIVERY", "RENDERING_FAILURE", "DELIVERY_DELAY", "SUBSCRIPTION"}

FIREHOSE, EVENTBRIDGE = "KinesisFirehoseDestination", "EventBridgeDestination"


class EventDestination(msgspec.Struct, frozen=True, kw_only=True):
    """An event destination that a configuration set must have.

    Attributes:
        name: Name of the destination.
        kind: SES's field for this kind of destination.
        target: Value of that field.
        target_key: The key of `target` that names the receiver. The other keys say how it is reached.
        types: Types of events that are sent.
    """

    name: str
    kind: str
    target: Mapping[str, str]
    target_key: str
    types: frozenset[str]

    def has_same_target(self, existing: EventDestinationTypeDef) -> bool:
        """Return True if an existing destination has the same receiver."""
        return _target(existing, self.kind).get(self.target_key) == self.target[self.target_key]

    def equals(self, existing: EventDestinationTypeDef) -> bool:
        """Return True if an existing destination is the same, whatever its name."""
        return (
            bool(existing.get("Enabled"))
            and {*existing.get("MatchingEventTypes", [])} == self.types
            and _target(existing, self.kind) == self.target
        )

    def is_covered_by(self, existing: EventDestinationTypeDef) -> bool:
        """Return True if an existing destination sends at least these events to the same receiver."""
        types = {*existing.get("MatchingEventTypes", [])}
        return self.has_same_target(existing) and bool(existing.get("Enabled")) and types >= self.types


def event_destinations(stack: Stack, *, tracks: bool) -> tuple[EventDestination, EventDestination]:
    """Return the destinations `archive` and `feedback` of a configuration set that is attached to a stack.

    Args:
        stack: The stack.
        tracks: Whether opens and clicks are sent too. SES changes the mail for these.
    """
    archive = EventDestination(
        name="archive",
        kind=FIREHOSE,
        target={"IamRoleArn": stack.output("SesRoleArn"), "DeliveryStreamArn": stack.output("DeliveryStreamArn")},
        target_key="DeliveryStreamArn",
        types=QUIET_TYPES | ENGAGEMENT_TYPES if tracks else QUIET_TYPES,
    )
    partition = stack.id.split(":")[1]
    bus = f"arn:{partition}:events:{stack.region}:{stack.account_id}:event-bus/default"
    feedback = EventDestination(
        name="feedback", kind=EVENTBRIDGE, target={"EventBusArn": bus}, target_key="EventBusArn", types=FEEDBACK_TYPES
    )
    return archive, feedback


def existing_destinations(sesv2: SESV2Client, configuration_set: str) -> Sequence[EventDestinationTypeDef] | None:
    """Return the destinations of a configuration set, or None if the set does not exist.

    Raises:
        AccessDenied: Credentials are missing, expired or not allowed to do this.
        ServiceUnavailable: AWS throttles, fails or cannot be reached.
    """
    with translated(f"reading the destinations of the configuration set {configuration_set}"):
        answer = missing_ok(
            lambda: sesv2.get_configuration_set_event_destinations(ConfigurationSetName=configuration_set)
        )
    return None if answer is None else answer.get("EventDestinations", [])


def tracks_engagement(stack: Stack, existing: Sequence[EventDestinationTypeDef]) -> bool | None:
    """Return True if opens and clicks are sent to a stack, and None if no event of the set is."""
    archive, _ = event_destinations(stack, tracks=True)
    types = [
        {*destination.get("MatchingEventTypes", [])} for destination in existing if archive.has_same_target(destination)
    ]
    return any(sent & ENGAGEMENT_TYPES for sent in types) if types else None


def _target(destination: EventDestinationTypeDef, kind: str) -> Mapping[str, Any]:
    return cast("Mapping[str, Mapping[str, Any]]", destination).get(kind, {})
