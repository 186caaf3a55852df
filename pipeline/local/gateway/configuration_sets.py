"""Event destinations and suppression options of configuration sets, by SES API v2.

Claims: CreateConfigurationSetEventDestination, UpdateConfigurationSetEventDestination,
GetConfigurationSetEventDestinations, DeleteConfigurationSetEventDestination, PutConfigurationSetSuppressionOptions, and
the suppression options of CreateConfigurationSet and GetConfigurationSet. The sets themselves are the backend's.
Leaves out: destinations but Data Firehose and EventBridge, which are refused.
docs.aws.amazon.com/ses/latest/APIReference-V2/API_CreateConfigurationSetEventDestination.html
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from werkzeug.wrappers import Request, Response

from pipeline.errors import UsageError
from pipeline.local.gateway.protocols import ApiError
from pipeline.local.gateway.ses_backend import SesBackend
from pipeline.local.gateway.ses_responses import BAD_REQUEST, ROOT, SCOPE, json_error, json_response
from pipeline.local.ses.configuration_sets import (
    ConfigurationSets,
    EventType,
    Service,
    SetDestination,
    SetSuppression,
)

SETS = f"{ROOT}/configuration-sets"


class _Destination(msgspec.Struct, frozen=True, rename="pascal"):
    """Definition of an event destination in a request."""

    enabled: bool = False
    matching_event_types: frozenset[EventType] = frozenset()
    kinesis_firehose_destination: dict[str, str] | None = None
    event_bridge_destination: dict[str, str] | None = None


class _DestinationRequest(msgspec.Struct, frozen=True, rename="pascal"):
    event_destination: _Destination
    event_destination_name: str = ""


class _SetRequest(msgspec.Struct, frozen=True, rename="pascal"):
    """Body of a CreateConfigurationSet request."""

    configuration_set_name: str
    suppression_options: SetSuppression = SetSuppression()


class ConfigurationSetApi:
    """Handler of requests about configuration sets.

    Args:
        sets: What is known about them.
        backend: Has the sets themselves.
        delivery_stream_arn: The only delivery stream that events can be published to.
        event_bus_arn: The only event bus.
    """

    def __init__(
        self, sets: ConfigurationSets, backend: SesBackend, *, delivery_stream_arn: str, event_bus_arn: str
    ) -> None:
        self._sets, self._backend = sets, backend
        self._arns = {
            Service.FIREHOSE: ("KinesisFirehoseDestination", "DeliveryStreamArn", delivery_stream_arn),
            Service.EVENTBRIDGE: ("EventBridgeDestination", "EventBusArn", event_bus_arn),
        }

    def handle(self, request: Request) -> Response | None:
        """Return the response to a request, or None if the request is for the backend."""
        if not request.path.startswith(SETS) or not SCOPE.search(request.headers.get("Authorization", "")):
            return None
        try:
            return self._call(request)
        except (UsageError, msgspec.DecodeError) as error:
            return json_error(ApiError(BAD_REQUEST, str(error)))
        except ApiError as error:
            return json_error(error)

    def _call(self, request: Request) -> Response | None:
        body = request.get_data()
        match request.method, request.path.removeprefix(SETS).split("/")[1:]:
            case "POST", []:
                return self._create_set(request, msgspec.json.decode(body, type=_SetRequest))
            case "DELETE", [name]:
                self._sets.forget(name)
                return None
            case "GET", [name]:
                return self._describe_set(request, name)
            case "PUT", [name, "suppression-options"]:
                self._check_exists(request, name)
                self._sets.set_suppression(name, msgspec.json.decode(body, type=SetSuppression))
            case "GET", [name, "event-destinations"]:
                self._check_exists(request, name)
                described = [self._description(destination) for destination in self._sets.destinations(name)]
                return json_response({"EventDestinations": described})
            case "POST", [name, "event-destinations"]:
                self._check_exists(request, name)
                self._put(name, "", msgspec.json.decode(body, type=_DestinationRequest))
            case "PUT", [name, "event-destinations", destination]:
                self._check_exists(request, name)
                self._put(name, destination, msgspec.json.decode(body, type=_DestinationRequest))
            case "DELETE", [name, "event-destinations", destination]:
                self._find(name, destination)
                self._sets.remove(name, destination)
            case _:
                return None
        return json_response({})

    def _create_set(self, request: Request, content: _SetRequest) -> Response:
        reply = self._backend.repeat(request)
        if reply.status_code == HTTPStatus.OK:
            self._sets.set_suppression(content.configuration_set_name, content.suppression_options)
        return reply

    def _describe_set(self, request: Request, name: str) -> Response:
        reply = self._backend.repeat(request)
        if reply.status_code != HTTPStatus.OK:
            return reply
        description = msgspec.json.decode(reply.get_data(), type=dict[str, Any])
        return json_response({**description, "SuppressionOptions": self._sets.suppression(name)})

    def _check_exists(self, request: Request, name: str) -> None:
        if not self._backend.has_configuration_set(request, name):
            raise set_missing(name)

    def _put(self, set_name: str, name: str, request: _DestinationRequest) -> None:
        """Create an event destination, or update the one of this name."""
        if name:
            self._find(set_name, name)
        elif request.event_destination_name in {each.name for each in self._sets.destinations(set_name)}:
            raise ApiError("AlreadyExistsException", "there is an event destination of this name")
        content = request.event_destination
        destination = SetDestination(
            name=name or request.event_destination_name,
            service=self._service(content),
            types=content.matching_event_types,
            is_enabled=content.enabled,
        )
        self._sets.put(set_name, destination)

    def _service(self, content: _Destination) -> Service:
        for service, fields in (
            (Service.FIREHOSE, content.kinesis_firehose_destination),
            (Service.EVENTBRIDGE, content.event_bridge_destination),
        ):
            _, key, arn = self._arns[service]
            if fields and fields.get(key) == arn:
                return service
            if fields:
                raise UsageError(f"this {key} is not in the local cloud: the only one here is {arn}")
        raise UsageError("event destinations in the local cloud are Data Firehose and EventBridge, and no others")

    def _find(self, set_name: str, name: str) -> SetDestination:
        found = next((each for each in self._sets.destinations(set_name) if each.name == name), None)
        if found is None:
            raise ApiError(
                "NotFoundException",
                f"configuration set {set_name} has no event destination {name}",
                status=HTTPStatus.NOT_FOUND,
            )
        return found

    def _description(self, destination: SetDestination) -> Mapping[str, Any]:
        member, key, arn = self._arns[destination.service]
        return {
            "Name": destination.name,
            "Enabled": destination.is_enabled,
            "MatchingEventTypes": sorted(destination.types),
            member: {key: arn},
        }


def set_missing(name: str) -> ApiError:
    """Return the error for a configuration set that does not exist."""
    message = f"Configuration set <{name}> does not exist."  # as SES says it
    return ApiError("NotFoundException", message, status=HTTPStatus.NOT_FOUND)
