"""Where the configuration sets publish: every type to Firehose, bounces and complaints to EventBridge too.

docs.aws.amazon.com/ses/latest/APIReference-V2/API_EventDestination.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from pipeline.aws.doctor.deployment import Deployment, unless_missing
from pipeline.aws.doctor.finding import Finding, fault, warning

if TYPE_CHECKING:
    from mypy_boto3_sesv2 import SESV2Client

ENGAGEMENT = ("OPEN", "CLICK")  # SES alters the mail for these, and so not everybody wants them
FEEDBACK = ("BOUNCE", "COMPLAINT")
ARCHIVE = ("SEND", "REJECT", *FEEDBACK, "DELIVERY", "RENDERING_FAILURE", "DELIVERY_DELAY", "SUBSCRIPTION")


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """A destination that a set has to have.

    Attributes:
        name: What it is called where we make it.
        types: The event types that it has to carry.
        leads: Tells whether a destination leads there.
        target: The destination, as CreateConfigurationSetEventDestination takes it.
        loses: What is lost without it.
    """

    name: str
    types: tuple[str, ...]
    leads: Callable[[Mapping[str, Any]], bool]
    target: Mapping[str, Any]
    loses: str


def check_destinations(deployment: Deployment) -> Iterator[Finding]:
    """Look at where each configuration set publishes."""
    ses: SESV2Client = deployment.client("sesv2")
    for name in deployment.sets:
        answer = unless_missing(ses.get_configuration_set_event_destinations, ConfigurationSetName=name)
        if answer is not None:
            for way in ways(deployment, name):
                yield from _way(deployment, name, way, answer.get("EventDestinations", []))


def ways(deployment: Deployment, name: str) -> tuple[Way, Way]:
    """Return the destinations that a set has to have."""
    stream, role = deployment.output("DeliveryStreamArn"), deployment.output("SesRoleArn")
    bus = deployment.arn("events", "event-bus/default")
    engaged = (
        name == deployment.output("ConfigurationSet") and deployment.stack.parameters.get("TrackEngagement") != "false"
    )
    archive = Way(
        name="archive",
        types=(*ARCHIVE, *ENGAGEMENT) if engaged else ARCHIVE,
        leads=lambda one: one.get("KinesisFirehoseDestination", {}).get("DeliveryStreamArn") == stream,
        target={"KinesisFirehoseDestination": {"IamRoleArn": role, "DeliveryStreamArn": stream}},
        loses="the log",
    )
    feedback = Way(
        name="feedback",
        types=FEEDBACK,
        leads=lambda one: one.get("EventBridgeDestination", {}).get("EventBusArn") == bus,
        target={"EventBridgeDestination": {"EventBusArn": bus}},
        loses="the suppression table",
    )
    return archive, feedback


def _way(deployment: Deployment, name: str, way: Way, destinations: list[Mapping[str, Any]]) -> Iterator[Finding]:
    leading = [one for one in destinations if way.leads(one)]
    enabled = [one for one in leading if one.get("Enabled")]
    carried = {type_ for one in enabled for type_ in one.get("MatchingEventTypes", [])}
    missing = sorted({*way.types} - carried)
    if not leading:
        words = f"the configuration set {name} publishes nothing to {way.loses}: it has no destination that leads there"
        yield fault("destination_missing", words, mending=_create(deployment, name, way))
        return
    mending = _update(deployment, name, way, leading[0])
    if not enabled:
        words = f"the destination {leading[0]['Name']} of the configuration set {name}, to {way.loses}, is disabled"
        yield fault("destination_disabled", words, mending=mending)
    elif missing:
        words = f"the configuration set {name} does not publish {', '.join(missing)} to {way.loses}"
        yield fault("destination_incomplete", words, mending=mending)
    wanted = way.target.get("KinesisFirehoseDestination", {}).get("IamRoleArn")
    if any(one.get("KinesisFirehoseDestination", {}).get("IamRoleArn") != wanted for one in enabled):
        words = f"a destination of the configuration set {name}, to {way.loses}, uses a role that is not the stack's"
        yield warning("destination_of_other_role", words, mending=mending)


def _create(deployment: Deployment, name: str, way: Way) -> str:
    return _command(deployment, "create", name, way.name, way)


def _update(deployment: Deployment, name: str, way: Way, destination: Mapping[str, Any]) -> str:
    return _command(deployment, "update", name, destination["Name"], way)


def _command(deployment: Deployment, verb: str, name: str, destination: str, way: Way) -> str:
    body = {"Enabled": True, "MatchingEventTypes": way.types, **way.target}
    return deployment.aws(
        f"sesv2 {verb}-configuration-set-event-destination --configuration-set-name {name} "
        f"--event-destination-name {destination} --event-destination '{msgspec.json.encode(body).decode()}'"
    )
