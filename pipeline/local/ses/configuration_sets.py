"""SES's configuration sets: where the events of an e-mail are published, and which suppression list applies to it.

Claims: event destinations with their event types, enabled or not; a set without one publishes nothing; suppression
options of a set take precedence over its tenant's.
Leaves out: all other options, and destinations but Data Firehose and EventBridge.
docs.aws.amazon.com/ses/latest/dg/event-publishing-add-event-destination.html
"""

from collections.abc import Sequence
from enum import StrEnum
from threading import Lock

import msgspec

from pipeline.local.ses.account_list import Listing
from pipeline.local.ses.email import CONFIGURATION_SET
from pipeline.local.ses.tenants import ListScope


class EventType(StrEnum):
    """Event types, as the API names them."""

    SEND = "SEND"
    REJECT = "REJECT"
    BOUNCE = "BOUNCE"
    COMPLAINT = "COMPLAINT"
    DELIVERY = "DELIVERY"
    OPEN = "OPEN"
    CLICK = "CLICK"
    RENDERING_FAILURE = "RENDERING_FAILURE"
    DELIVERY_DELAY = "DELIVERY_DELAY"
    SUBSCRIPTION = "SUBSCRIPTION"


class Service(StrEnum):
    """What events are published to."""

    FIREHOSE = "firehose"
    EVENTBRIDGE = "eventbridge"


class SetDestination(msgspec.Struct, frozen=True, kw_only=True):
    """An event destination.

    Attributes:
        name: Its name, unique in the set.
        service: The service that gets the events.
        types: The types of these events.
        is_enabled: False if it gets none.
    """

    name: str
    service: Service
    types: frozenset[EventType] = frozenset(EventType)
    is_enabled: bool = True


class SetSuppression(msgspec.Struct, frozen=True, rename="pascal", omit_defaults=True):
    """Suppression options of a set. None: as for its tenant, or the account."""

    suppressed_reasons: tuple[Listing, ...] | None = None
    suppression_scope: ListScope | None = None


class Routes(msgspec.Struct, frozen=True):
    """The events of an e-mail by the service that they are published to."""

    firehose: Sequence[bytes]
    eventbridge: Sequence[bytes]


class _Record(msgspec.Struct):
    """The part of SES's record that names its type."""

    type: str = msgspec.field(name="eventType")


DEFAULT_DESTINATIONS = (
    SetDestination(name="archive", service=Service.FIREHOSE),
    SetDestination(name="feedback", service=Service.EVENTBRIDGE),
)


class ConfigurationSets:
    """The sets of an account. Safe to use from several threads. A set that it does not know has no destination."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._destinations = {CONFIGURATION_SET: {each.name: each for each in DEFAULT_DESTINATIONS}}
        self._suppression: dict[str, SetSuppression] = {}

    def destinations(self, set_name: str) -> list[SetDestination]:
        """Return the event destinations of a set."""
        with self._lock:
            return list(self._destinations.get(set_name, {}).values())

    def put(self, set_name: str, destination: SetDestination) -> None:
        """Add or replace an event destination."""
        with self._lock:
            self._destinations.setdefault(set_name, {})[destination.name] = destination

    def remove(self, set_name: str, name: str) -> None:
        """Remove an event destination, if there is one of this name."""
        with self._lock:
            self._destinations.get(set_name, {}).pop(name, None)

    def suppression(self, set_name: str) -> SetSuppression:
        """Return the suppression options of a set."""
        with self._lock:
            return self._suppression.get(set_name, SetSuppression())

    def set_suppression(self, set_name: str, suppression: SetSuppression) -> None:
        """Set the suppression options of a set."""
        with self._lock:
            self._suppression[set_name] = suppression

    def forget(self, set_name: str) -> None:
        """Remove what is known about a set."""
        with self._lock:
            self._destinations.pop(set_name, None)
            self._suppression.pop(set_name, None)

    def route(self, set_name: str, events: Sequence[bytes]) -> Routes:
        """Return the events of an e-mail by the service that gets them."""
        destinations = [each for each in self.destinations(set_name) if each.is_enabled]
        types = {
            service: {type_ for each in destinations if each.service is service for type_ in each.types}
            for service in Service
        }
        typed = [(_event_type(event), event) for event in events]
        return Routes(*([event for type_, event in typed if type_ in types[service]] for service in Service))


def _event_type(event: bytes) -> str:
    """Return the API's name of a record's type: `DeliveryDelay` and `Rendering Failure` have two words."""
    name = msgspec.json.decode(event, type=_Record).type
    return name.replace("DeliveryDelay", "Delivery Delay").replace(" ", "_").upper()
