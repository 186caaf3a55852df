"""Faults of what SES publishes, and of its role."""

import json
from typing import Any

from tests.acceptance.doctor.deployment_fixture import DeploymentFixture
from tests.acceptance.doctor.fault_injection import Fault, Heal


def _set_paused(fixture: DeploymentFixture) -> None:
    fixture.client("sesv2").put_configuration_set_sending_options(
        ConfigurationSetName=fixture["ConfigurationSet"], SendingEnabled=False
    )


def _set_suppression_off(fixture: DeploymentFixture) -> None:
    fixture.client("sesv2").put_configuration_set_suppression_options(
        ConfigurationSetName=fixture["ConfigurationSet"], SuppressedReasons=["BOUNCE"]
    )


def _destination_missing(fixture: DeploymentFixture) -> None:
    fixture.client("sesv2").delete_configuration_set_event_destination(
        ConfigurationSetName=fixture["ConfigurationSet"], EventDestinationName="feedback"
    )


def _update_destination(fixture: DeploymentFixture, name: str, **changes: Any) -> None:
    ses, set_name = fixture.client("sesv2"), fixture["ConfigurationSet"]
    existing = ses.get_configuration_set_event_destinations(ConfigurationSetName=set_name)["EventDestinations"]
    [destination] = [destination for destination in existing if destination.pop("Name") == name]
    ses.update_configuration_set_event_destination(
        ConfigurationSetName=set_name, EventDestinationName=name, EventDestination=destination | changes
    )


def _role_denied(fixture: DeploymentFixture) -> Heal:
    iam, role = fixture.client("iam"), fixture["SesRoleArn"].rpartition("/")[2]
    [policy] = iam.list_role_policies(RoleName=role)["PolicyNames"]
    document = iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
    iam.delete_role_policy(RoleName=role, PolicyName=policy)
    return lambda: iam.put_role_policy(RoleName=role, PolicyName=policy, PolicyDocument=json.dumps(document))


FAULTS = (
    Fault(finding="set_paused", check="configuration sets", inject=_set_paused),
    Fault(finding="set_suppression_off", check="configuration sets", inject=_set_suppression_off),
    Fault(finding="destination_missing", check="destinations", inject=_destination_missing),
    Fault(
        finding="destination_disabled",
        check="destinations",
        inject=lambda fixture: _update_destination(fixture, "archive", Enabled=False),
    ),
    Fault(
        finding="destination_incomplete",
        check="destinations",
        inject=lambda fixture: _update_destination(fixture, "feedback", MatchingEventTypes=["BOUNCE"]),
    ),
    Fault(finding="role_denied", check="SES's role", inject=_role_denied),
)
