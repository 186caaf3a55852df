"""SES with configuration sets and their destinations. moto's version 2 of SES knows no destinations."""

from collections.abc import Mapping, Sequence
from typing import Any

from tests.support.fake_service import FakeService


class FakeSes(FakeService):
    """SES.

    Args:
        sets: The configuration sets, each with its destinations as SES describes them.
        refuses: What it answers the next calls that make or change a destination: codes, one for each.

    Attributes:
        sets: The same, by name, and each destination by its name.
    """

    SERVICE = "sesv2"

    def __init__(self, sets: Mapping[str, Sequence[Mapping[str, Any]]], *, refuses: Sequence[str] = ()) -> None:
        super().__init__()
        self.sets = {name: {one["Name"]: dict(one) for one in there} for name, there in sets.items()}
        self._refuses = list(refuses)

    def changes(self) -> list[str]:
        """Return the operations that changed something, in order."""
        return [name for name in self.operations() if not name.startswith("get_")]

    def _get_configuration_set_event_destinations(self, *, ConfigurationSetName: str) -> dict[str, Any]:  # noqa: N803 - as in AWS's API
        if ConfigurationSetName not in self.sets:
            return _error("NotFoundException")
        return {"EventDestinations": list(self.sets[ConfigurationSetName].values())}

    def _create_configuration_set_event_destination(self, **asked: Any) -> dict[str, Any]:
        name = asked["EventDestinationName"]
        if name in self.sets[asked["ConfigurationSetName"]]:
            return _error("AlreadyExistsException")
        return self._put(**asked)

    def _update_configuration_set_event_destination(self, **asked: Any) -> dict[str, Any]:
        if asked["EventDestinationName"] not in self.sets[asked["ConfigurationSetName"]]:
            return _error("NotFoundException")
        return self._put(**asked)

    def _delete_configuration_set_event_destination(self, **asked: Any) -> dict[str, Any]:
        there = self.sets[asked["ConfigurationSetName"]]
        return {} if there.pop(asked["EventDestinationName"], None) else _error("NotFoundException")

    def _put(self, **asked: Any) -> dict[str, Any]:
        if self._refuses:
            return _error(self._refuses.pop(0))
        name = asked["EventDestinationName"]
        self.sets[asked["ConfigurationSetName"]][name] = {"Name": name, **asked["EventDestination"]}
        return {}


def _error(code: str) -> dict[str, Any]:
    return {"Error": {"Code": code, "Message": "SES says so"}, "ResponseMetadata": {"HTTPStatusCode": 400}}
