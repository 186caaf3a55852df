"""SES's notifications through an SNS topic reach table and log, by queue and directly."""

import pytest

from pipeline.aws.deployment.bundle import Bundle
from pipeline.decode import decode
from pipeline.event import Event
from tests.acceptance.deployment.account import Account
from tests.acceptance.deployment.deployment import Deployment, deploy
from tests.support.builders import a_bounce, a_complaint
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=["queue", "direct"])
def notified(request: pytest.FixtureRequest, account: Account, bundle: Bundle) -> Deployment:
    """A deployment with its own topic, by one of the two routes."""
    topic = account.client("sns").create_topic(Name=request.param)["TopicArn"]
    route = {"NotificationTopic": topic, "NotificationRoute": request.param}
    return deploy(account, name=request.param, bundle=bundle, parameters=route)


def test_a_notification_becomes_an_item_and_a_row(notified: Deployment) -> None:
    """A bounce through the topic reaches table and log."""
    notification = a_bounce(recipients=["ann@notified.example"], vocabulary="notificationType")
    notify(notified, notification)
    item = eventually(lambda: notified.item("ann@notified.example"), what="the item")
    assert item.verdict.suppressed
    [event] = decode(notification)
    assert isinstance(event, Event)
    assert event.id in eventually(lambda: {row.event_id for row in notified.rows()}, what="the row")


def test_poison_is_quarantined_and_the_next_notification_is_stored(notified: Deployment) -> None:
    """A notification after poison becomes an item, and the poison is quarantined once."""
    notify(notified, b'{"notificationType": "Bounce"}', a_complaint(recipients=["bob@notified.example"]))
    eventually(lambda: notified.item("bob@notified.example"), what="the item")
    assert len(eventually(lambda: notified.objects("quarantine/"), what="the poison")) == 1


def notify(deployment: Deployment, *notifications: bytes) -> None:
    """Publish notifications to the topic."""
    for notification in notifications:
        deployment.client("sns").publish(TopicArn=deployment["NotificationTopicArn"], Message=notification.decode())
