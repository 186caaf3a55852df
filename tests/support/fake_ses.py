"""A fake of SES with configuration sets and their event destinations. moto's SES API v2 has no destinations."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from tests.support.fake_service import FakeService


class FakeSes(FakeService):
    """SES.

    Args:
        sets: The configuration sets, each with its destinations as SES describes them.
        refuses: The error code of each next call that creates or changes a destination.
        identities: Identities by name, each with its default configuration set or None.

    Attributes:
        identities: The same, as they are now.
        sets: The configuration sets by name, each with its destinations by name.
    """

    SERVICE = "sesv2"

    def __init__(
        self,
        sets: Mapping[str, Sequence[Mapping[str, Any]]],
        *,
        refuses: Sequence[str] = (),
        identities: Mapping[str, str | None] = MappingProxyType({}),
    ) -> None:
        super().__init__()
        self.identities = dict(identities)
        self.sets = {
            name: {destination["Name"]: dict(destination) for destination in destinations}
            for name, destinations in sets.items()
        }
        self._refuses = list(refuses)

    def changes(self) -> list[str]:
        """Return the operations that are not reads, in order."""
        return [name for name in self.operations() if not name.startswith(("get_", "list_"))]

    def _get_configuration_set_event_destinations(self, *, ConfigurationSetName: str) -> dict[str, Any]:  # noqa: N803 - as in AWS's API
        if ConfigurationSetName not in self.sets:
            return _error("NotFoundException")
        return {"EventDestinations": list(self.sets[ConfigurationSetName].values())}

    def _list_configuration_sets(self, *, PageSize: int) -> dict[str, Any]:  # noqa: N803 - as in AWS's API
        return {"ConfigurationSets": list(self.sets)[:PageSize]}

    def _create_configuration_set_event_destination(self, **request: Any) -> dict[str, Any]:
        name = request["EventDestinationName"]
        if name in self.sets[request["ConfigurationSetName"]]:
            return _error("AlreadyExistsException")
        return self._put(**request)

    def _update_configuration_set_event_destination(self, **request: Any) -> dict[str, Any]:
        if request["EventDestinationName"] not in self.sets[request["ConfigurationSetName"]]:
            return _error("NotFoundException")
        return self._put(**request)

    def _delete_configuration_set_event_destination(self, **request: Any) -> dict[str, Any]:
        destinations = self.sets[request["ConfigurationSetName"]]
        return {} if destinations.pop(request["EventDestinationName"], None) else _error("NotFoundException")

    def _list_email_identities(self, *, PageSize: int, NextToken: str = "0") -> dict[str, Any]:  # noqa: N803 - as in AWS's API
        page, names = int(NextToken), [*self.identities]
        following = {"NextToken": str(page + 1)} if page + 1 < len(names) else {}
        return {"EmailIdentities": [{"IdentityName": name} for name in names[page : page + 1]], **following}

    def _get_email_identity(self, *, EmailIdentity: str) -> dict[str, Any]:  # noqa: N803 - as in AWS's API
        default_set = self.identities[EmailIdentity]
        return {"ConfigurationSetName": default_set} if default_set else {}

    def _put_email_identity_configuration_set_attributes(
        self,
        *,
        EmailIdentity: str,  # noqa: N803 - as in AWS's API
        ConfigurationSetName: str | None = None,  # noqa: N803 - as in AWS's API
    ) -> dict[str, Any]:
        self.identities[EmailIdentity] = ConfigurationSetName
        return {}

    def _put(self, **request: Any) -> dict[str, Any]:
        if self._refuses:
            return _error(self._refuses.pop(0))
        name = request["EventDestinationName"]
        self.sets[request["ConfigurationSetName"]][name] = {"Name": name, **request["EventDestination"]}
        return {}


def _error(code: str) -> dict[str, Any]:
    return {"Error": {"Code": code, "Message": "rejected by the fake"}, "ResponseMetadata": {"HTTPStatusCode": 400}}
