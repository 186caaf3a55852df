"""Where the configuration sets publish: every type to Firehose, bounces and complaints to EventBridge too.

docs.aws.amazon.com/ses/latest/APIReference-V2/API_EventDestination.html
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from pipeline.aws.deployment.destination import Destination, destinations
from pipeline.aws.doctor.deployment import Deployment, unless_missing
from pipeline.aws.doctor.finding import Finding, fault, warning

if TYPE_CHECKING:
    from mypy_boto3_sesv2 import SESV2Client
    from mypy_boto3_sesv2.type_defs import EventDestinationTypeDef

LOSES = {"archive": "the log", "feedback": "the suppression table"}


def check_destinations(deployment: Deployment) -> Iterator[Finding]:
    """Look at where each configuration set publishes; one that is not there is told of elsewhere."""
    ses: SESV2Client = deployment.client("sesv2")
    for name in deployment.sets:
        answer = unless_missing(ses.get_configuration_set_event_destinations, ConfigurationSetName=name)
        if answer is not None:
            for wanted in destinations(deployment.stack, tracks=_tracks(deployment, name)):
                yield from _check(deployment, name, wanted, answer.get("EventDestinations", []))


def _tracks(deployment: Deployment, name: str) -> bool:
    """Tell whether opens and clicks have to be events: SES alters the mail for them, so not everybody wants them."""
    is_own = name == deployment.output("ConfigurationSet")
    return is_own and deployment.stack.parameters.get("TrackEngagement") != "false"


def _check(
    deployment: Deployment, name: str, wanted: Destination, there: Sequence[EventDestinationTypeDef]
) -> Iterator[Finding]:
    loses = LOSES[wanted.name]
    leading = [one for one in there if wanted.leads_there(one)]
    enabled = [one for one in leading if one.get("Enabled")]
    missing = sorted(wanted.types - {type_ for one in enabled for type_ in one.get("MatchingEventTypes", [])})
    if not leading:
        words = f"the configuration set {name} publishes nothing to {loses}: it has no destination that leads there"
        yield fault("destination_missing", words, mending=_mending(deployment, name, wanted, None))
        return
    mending = _mending(deployment, name, wanted, leading[0]["Name"])
    if not enabled:
        words = f"the destination {leading[0]['Name']} of the configuration set {name}, to {loses}, is disabled"
        yield fault("destination_disabled", words, mending=mending)
    elif missing:
        words = f"the configuration set {name} does not publish {', '.join(missing)} to {loses}"
        yield fault("destination_incomplete", words, mending=mending)
    used = {one.get("KinesisFirehoseDestination", {}).get("IamRoleArn") for one in enabled}
    if used - {wanted.target.get("IamRoleArn")}:
        words = f"a destination of the configuration set {name}, to {loses}, uses a role that is not the stack's"
        yield warning("destination_of_other_role", words, mending=mending)


def _mending(deployment: Deployment, name: str, wanted: Destination, there: str | None) -> str:
    """Return the command that makes a destination, or changes the one that is there, as it has to be."""
    verb = "update" if there else "create"
    body: Any = {"Enabled": True, "MatchingEventTypes": sorted(wanted.types), wanted.kind: wanted.target}
    return deployment.aws(
        f"sesv2 {verb}-configuration-set-event-destination --configuration-set-name {name} "
        f"--event-destination-name {there or wanted.name} --event-destination '{msgspec.json.encode(body).decode()}'"
    )
