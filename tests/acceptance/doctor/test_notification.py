"""Tests of a stack with an SNS topic, and of one with configuration sets that existed before it."""

import json
from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from pipeline.aws.doctor.deployment import Deployment
from tests.acceptance.deployment.account import Account
from tests.acceptance.doctor.conftest import deploy_fixture
from tests.acceptance.doctor.deployment_fixture import DeploymentFixture, checks_named, find_names, find_problems

pytestmark = pytest.mark.slow

NOTIFICATIONS = checks_named("notifications")


@pytest.fixture(scope="module")
def notified(doctor_account: Account) -> DeploymentFixture:
    """A deployment with an SNS topic."""
    topic = doctor_account.client("sns").create_topic(Name="ses")["TopicArn"]
    return deploy_fixture(doctor_account, "notified", NotificationTopic=topic)


@pytest.fixture
def unsubscribed(notified: DeploymentFixture) -> Iterator[DeploymentFixture]:
    """The same deployment while its queue is not subscribed to the topic."""
    sns, stack = notified.client("sns"), notified.stack
    sns.unsubscribe(SubscriptionArn=notified["NotificationSubscriptionArn"])
    yield notified
    topic, queue = notified["NotificationTopicArn"], notified.deployment().queue_arn(notified["NotificationQueue"])
    renewed = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)["SubscriptionArn"]
    notified.stack = replace(stack, outputs={**stack.outputs, "NotificationSubscriptionArn": renewed})


def test_healthy_notifications(notified: DeploymentFixture) -> None:
    """A fresh deployment has no problem with its topic, and its projector has the permissions that a topic needs."""
    checks = (*NOTIFICATIONS, *checks_named("projector's role"))
    assert find_names(notified.deployment(), checks) == set()


def test_disabled_mapping(notified: DeploymentFixture) -> None:
    """The remedy names the notification mapping, not the stream's."""
    functions, uuid = notified.client("lambda"), notified["NotificationMapping"]
    functions.update_event_source_mapping(UUID=uuid, Enabled=False)
    [(_, finding)] = find_problems(notified.deployment(), NOTIFICATIONS)
    assert finding.name == "mapping_disabled"
    assert uuid in finding.remedy
    functions.update_event_source_mapping(UUID=uuid, Enabled=True)


def test_projector_without_permission_on_the_queue(notified: DeploymentFixture) -> None:
    """The permissions that only a topic requires are checked too."""
    iam, role = notified.client("iam"), notified["ProjectorRoleArn"].rpartition("/")[2]
    document = iam.get_role_policy(RoleName=role, PolicyName="project")["PolicyDocument"]
    others = [statement for statement in document["Statement"] if "sqs:ReceiveMessage" not in statement["Action"]]
    changed = json.dumps({**document, "Statement": others})
    iam.put_role_policy(RoleName=role, PolicyName="project", PolicyDocument=changed)
    try:
        [(_, finding)] = find_problems(notified.deployment(), checks_named("projector's role"))
    finally:
        iam.put_role_policy(RoleName=role, PolicyName="project", PolicyDocument=json.dumps(document))
    assert finding.name == "role_denied"
    assert "sqs:ReceiveMessage" in finding.message


def test_dead_letters(notified: DeploymentFixture) -> None:
    """Messages in the topic's dead-letter queue are an error that names the queue."""
    sqs, url = notified.client("sqs"), notified["NotificationDeadLetters"]
    sqs.send_message(QueueUrl=url, MessageBody="{}")
    [finding] = [finding for _, finding in find_problems(notified.deployment(), checks_named("failed records"))]
    assert finding.name == "dead_letters_not_empty"
    assert url in finding.message
    sqs.purge_queue(QueueUrl=url)


def test_missing_subscription(unsubscribed: DeploymentFixture) -> None:
    """A subscription that was deleted by hand is found."""
    assert find_names(unsubscribed.deployment(), NOTIFICATIONS) == {"subscription_missing"}


def test_configuration_set_that_was_removed_by_hand(deployed: DeploymentFixture) -> None:
    """A set that the stack names is found missing, and not admitted by rule and role."""
    deployment = with_sets(deployed.deployment(), "mail,older")
    messages = {finding.name: finding.message for _, finding in find_problems(deployment)}
    assert {"set_missing", "rule_pattern_too_narrow", "role_not_assumable"} <= messages.keys()
    assert "older" in messages["set_missing"]
    assert messages["rule_pattern_too_narrow"].endswith(" of older")


def test_older_configuration_set_may_omit_opens_and_clicks(deployed: DeploymentFixture) -> None:
    """SES alters mail for opens and clicks, so a set that the stack did not create may leave out these two types."""
    ses = deployed.client("sesv2")
    ses.create_configuration_set(ConfigurationSetName="older")
    existing = ses.get_configuration_set_event_destinations(ConfigurationSetName=deployed["ConfigurationSet"])
    for destination in existing["EventDestinations"]:
        name = destination.pop("Name")
        types = [type_ for type_ in destination["MatchingEventTypes"] if type_ not in {"OPEN", "CLICK"}]
        ses.create_configuration_set_event_destination(
            ConfigurationSetName="older",
            EventDestinationName=name,
            EventDestination=destination | {"MatchingEventTypes": types},
        )
    deployment = with_sets(deployed.deployment(), "mail,older")
    assert find_names(deployment, checks_named("destinations")) == set()
    ses.delete_configuration_set(ConfigurationSetName="older")


def with_sets(deployment: Deployment, names: str) -> Deployment:
    """Return the deployment as if its stack had these configuration sets."""
    stack = deployment.stack
    return replace(deployment, stack=replace(stack, outputs={**stack.outputs, "ConfigurationSets": names}))
