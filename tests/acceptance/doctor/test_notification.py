"""A stack that takes notifications of SES's by an SNS topic, and one that lets in sets which were there before."""

import pytest
from msgspec.structs import replace

from pipeline.aws.doctor.checks import LINKS
from pipeline.aws.doctor.deployment import Deployment
from tests.acceptance.deployment.account import Account
from tests.acceptance.doctor.conftest import a_patient
from tests.acceptance.doctor.deployment_fixture import Patient, found, names

pytestmark = pytest.mark.slow

NOTIFICATIONS = tuple(link for link in LINKS if link.name == "notifications")


@pytest.fixture(scope="module")
def notified(doctor_account: Account) -> Patient:
    topic = doctor_account.client("sns").create_topic(Name="ses")["TopicArn"]
    return a_patient(doctor_account, "notified", NotificationTopic=topic)


def test_all_is_well(notified: Patient) -> None:
    assert names(notified.deployment(), NOTIFICATIONS) == set()


def test_a_mapping_that_is_disabled(notified: Patient) -> None:
    functions, uuid = notified.client("lambda"), notified["NotificationMapping"]
    functions.update_event_source_mapping(UUID=uuid, Enabled=False)
    [(_, finding)] = found(notified.deployment(), NOTIFICATIONS)
    assert finding.name == "mapping_disabled"
    assert uuid in finding.mending
    functions.update_event_source_mapping(UUID=uuid, Enabled=True)


def test_dead_letters(notified: Patient) -> None:
    sqs, url = notified.client("sqs"), notified["NotificationDeadLetters"]
    sqs.send_message(QueueUrl=url, MessageBody="{}")
    [(link, finding)] = [(link, one) for link, one in found(notified.deployment()) if one.name.startswith("dead")]
    assert (link, finding.name) == ("set aside", "dead_letters_not_empty")
    assert url in finding.words
    sqs.purge_queue(QueueUrl=url)


def test_a_subscription_that_is_gone(notified: Patient) -> None:
    notified.client("sns").unsubscribe(SubscriptionArn=notified["NotificationSubscriptionArn"])
    assert names(notified.deployment(), NOTIFICATIONS) == {"subscription_missing"}


def test_a_set_that_is_not_there_and_that_rule_and_role_do_not_let_in(patient: Patient) -> None:
    """As if it was named in the stack, and then all of it taken back by hand."""
    deployment = of_sets(patient.deployment(), "mail,older")
    seen = {finding.name: finding.words for _, finding in found(deployment)}
    assert {"set_missing", "rule_holds_back", "role_not_trusting"} <= seen.keys()
    assert "older" in seen["set_missing"]
    assert seen["rule_holds_back"].endswith(" of older")


def test_a_set_that_was_there_before_may_leave_out_opens_and_clicks(patient: Patient) -> None:
    """Its owner may not want SES to alter the mail; any other type that is missing is a fault."""
    ses = patient.client("sesv2")
    ses.create_configuration_set(ConfigurationSetName="older")
    there = ses.get_configuration_set_event_destinations(ConfigurationSetName=patient["ConfigurationSet"])
    for destination in there["EventDestinations"]:
        name = destination.pop("Name")
        types = [type_ for type_ in destination["MatchingEventTypes"] if type_ not in {"OPEN", "CLICK"}]
        ses.create_configuration_set_event_destination(
            ConfigurationSetName="older",
            EventDestinationName=name,
            EventDestination=destination | {"MatchingEventTypes": types},
        )
    destinations = tuple(link for link in LINKS if link.name == "destinations")
    assert names(of_sets(patient.deployment(), "mail,older"), destinations) == set()
    ses.delete_configuration_set(ConfigurationSetName="older")


def of_sets(deployment: Deployment, sets: str) -> Deployment:
    """Return the deployment as if its stack had these configuration sets."""
    stack = deployment.stack
    return replace(deployment, stack=replace(stack, outputs={**stack.outputs, "ConfigurationSets": sets}))
