"""Faults of what SES publishes, and of the role by which it does."""

import json
from typing import Any

from tests.acceptance.doctor.deployment_fixture import Patient
from tests.acceptance.doctor.fault_injection import Mend, Plant


def _set_paused(patient: Patient) -> None:
    patient.client("sesv2").put_configuration_set_sending_options(
        ConfigurationSetName=patient["ConfigurationSet"], SendingEnabled=False
    )


def _set_without_rates(patient: Patient) -> None:
    patient.client("sesv2").put_configuration_set_reputation_options(
        ConfigurationSetName=patient["ConfigurationSet"], ReputationMetricsEnabled=False
    )


def _set_list_off(patient: Patient) -> None:
    patient.client("sesv2").put_configuration_set_suppression_options(
        ConfigurationSetName=patient["ConfigurationSet"], SuppressedReasons=["BOUNCE"]
    )


def _destination_missing(patient: Patient) -> None:
    patient.client("sesv2").delete_configuration_set_event_destination(
        ConfigurationSetName=patient["ConfigurationSet"], EventDestinationName="feedback"
    )


def _destination(patient: Patient, name: str, **changes: Any) -> None:
    ses, of_set = patient.client("sesv2"), patient["ConfigurationSet"]
    there = ses.get_configuration_set_event_destinations(ConfigurationSetName=of_set)["EventDestinations"]
    [destination] = [one for one in there if one.pop("Name") == name]
    ses.update_configuration_set_event_destination(
        ConfigurationSetName=of_set, EventDestinationName=name, EventDestination=destination | changes
    )


def _role_denied(patient: Patient) -> Mend:
    iam, role = patient.client("iam"), patient["SesRoleArn"].rpartition("/")[2]
    [policy] = iam.list_role_policies(RoleName=role)["PolicyNames"]
    document = iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
    iam.delete_role_policy(RoleName=role, PolicyName=policy)
    return lambda: iam.put_role_policy(RoleName=role, PolicyName=policy, PolicyDocument=json.dumps(document))


PLANTS = (
    Plant(finding="set_paused", link="configuration sets", by=_set_paused),
    Plant(finding="set_without_rates", link="configuration sets", by=_set_without_rates),
    Plant(finding="set_list_off", link="configuration sets", by=_set_list_off),
    Plant(finding="destination_missing", link="destinations", by=_destination_missing),
    Plant(
        finding="destination_disabled",
        link="destinations",
        by=lambda mail: _destination(mail, "archive", Enabled=False),
    ),
    Plant(
        finding="destination_incomplete",
        link="destinations",
        by=lambda mail: _destination(mail, "feedback", MatchingEventTypes=["BOUNCE"]),
    ),
    Plant(finding="role_denied", link="SES's role", by=_role_denied),
)
