"""An e-mail's configuration set has to exist, and its event destinations get the events."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from pipeline.event import EventKind
from tests.support.ses_cloud import DELIVERY_STREAM, EVENT_BUS, MESSAGE, RAW, SENDER, TO_ANN, SesCloud

ARCHIVE: Any = {"Enabled": True, "MatchingEventTypes": ["SEND", "BOUNCE", "DELIVERY_DELAY"]}
ARCHIVE |= {"KinesisFirehoseDestination": {"IamRoleArn": "arn:aws:iam::1:role/x", "DeliveryStreamArn": DELIVERY_STREAM}}
FEEDBACK: Any = {
    "Enabled": True,
    "MatchingEventTypes": ["BOUNCE"],
    "EventBridgeDestination": {"EventBusArn": EVENT_BUS},
}
SIMPLE: Any = {"Simple": MESSAGE}
BOUNCES: Any = {"ToAddresses": ["bounce@example.com"]}


@pytest.fixture
def name(cloud: SesCloud) -> Iterator[str]:
    """A configuration set without a destination."""
    name = f"set-{uuid4().hex}"
    cloud.sesv2.create_configuration_set(ConfigurationSetName=name)
    yield name
    cloud.sesv2.delete_configuration_set(ConfigurationSetName=name)


def send(cloud: SesCloud, name: str, *, to: Any = BOUNCES) -> None:
    cloud.ses.send_email(Source=SENDER, Destination=to, Message=MESSAGE, ConfigurationSetName=name)


def send_v2(cloud: SesCloud, name: str) -> None:
    cloud.sesv2.send_email(FromEmailAddress=SENDER, Destination=TO_ANN, Content=SIMPLE, ConfigurationSetName=name)


def send_raw(cloud: SesCloud, name: str) -> None:
    cloud.ses.send_raw_email(RawMessage={"Data": b"X-SES-CONFIGURATION-SET: " + name.encode() + b"\r\n" + RAW})


def put(cloud: SesCloud, name: str, **destinations: Any) -> None:
    for destination, definition in destinations.items():
        cloud.sesv2.create_configuration_set_event_destination(
            ConfigurationSetName=name, EventDestinationName=destination, EventDestination=definition
        )


def kinds(cloud: SesCloud) -> list[EventKind]:
    return [event.kind for event in cloud.events()]


@pytest.mark.parametrize(
    ("send", "code"),
    [
        (send, "ConfigurationSetDoesNotExist"),
        (send_raw, "ConfigurationSetDoesNotExist"),
        (send_v2, "NotFoundException"),
    ],
)
def test_a_set_has_to_exist(cloud: SesCloud, send: Callable[[SesCloud, str], None], code: str) -> None:
    """The commonest mistake in production: mail is rejected with SES's code, and no event is published."""
    with pytest.raises(ClientError, match="Configuration set <typo> does not exist") as raised:
        send(cloud, "typo")
    assert raised.value.response["Error"]["Code"] == code
    assert cloud.records == []


def test_a_set_without_destinations_publishes_nothing(cloud: SesCloud, name: str) -> None:
    """The mail is sent."""
    send(cloud, name)
    assert (cloud.records, cloud.feedback) == ([], [])


def test_each_destination_gets_its_event_types(cloud: SesCloud, name: str) -> None:
    """One that is not enabled gets none."""
    put(cloud, name, archive=ARCHIVE)
    send(cloud, name)
    assert (kinds(cloud), cloud.feedback) == ([EventKind.SEND, EventKind.BOUNCE], [])
    put(cloud, name, feedback=FEEDBACK)
    disabled: Any = {**ARCHIVE, "Enabled": False}
    cloud.sesv2.update_configuration_set_event_destination(
        ConfigurationSetName=name, EventDestinationName="archive", EventDestination=disabled
    )
    cloud.records.clear()
    send(cloud, name)
    assert (len(cloud.records), len(cloud.feedback)) == (0, 1)


def test_destinations_are_described_and_deleted(cloud: SesCloud, name: str) -> None:
    """With SES's fields. The set of the local cloud has both."""
    put(cloud, name, feedback=FEEDBACK)
    [described] = cloud.sesv2.get_configuration_set_event_destinations(ConfigurationSetName=name)["EventDestinations"]
    assert described == {"Name": "feedback", **FEEDBACK}
    cloud.sesv2.delete_configuration_set_event_destination(ConfigurationSetName=name, EventDestinationName="feedback")
    assert cloud.sesv2.get_configuration_set_event_destinations(ConfigurationSetName=name)["EventDestinations"] == []


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda sesv2, _: sesv2.get_configuration_set_event_destinations(ConfigurationSetName="no"), "NotFound"),
        (
            lambda sesv2, name: sesv2.delete_configuration_set_event_destination(
                ConfigurationSetName=name, EventDestinationName="no"
            ),
            "NotFound",
        ),
        (
            lambda sesv2, name: sesv2.create_configuration_set_event_destination(
                ConfigurationSetName=name, EventDestinationName="feedback", EventDestination=FEEDBACK
            ),
            "AlreadyExists",
        ),
        (
            lambda sesv2, name: sesv2.create_configuration_set_event_destination(
                ConfigurationSetName=name,
                EventDestinationName="topic",
                EventDestination={"SnsDestination": {"TopicArn": "arn:aws:sns:eu-west-1:1:x"}},
            ),
            "BadRequest",
        ),
        (
            lambda sesv2, name: sesv2.create_configuration_set_event_destination(
                ConfigurationSetName=name,
                EventDestinationName="other",
                EventDestination={"EventBridgeDestination": {"EventBusArn": "arn:aws:events:eu-west-1:1:event-bus/x"}},
            ),
            "BadRequest",
        ),
    ],
)
def test_a_mistake_has_the_code_of_ses(cloud: SesCloud, name: str, call: Callable[[Any, str], None], code: str) -> None:
    """What is missing, exists already, or is not in the local cloud."""
    put(cloud, name, feedback=FEEDBACK)
    with pytest.raises(ClientError) as raised:
        call(cloud.sesv2, name)
    assert raised.value.response["Error"]["Code"] == f"{code}Exception"


def test_a_set_can_turn_the_list_off_or_use_the_tenants(cloud: SesCloud, name: str) -> None:
    """Its suppression options take precedence: without a reason no list applies, with scope TENANT the tenant's."""
    address = f"bounce+{uuid4().hex}@example.com"
    put(cloud, name, archive=ARCHIVE)
    for _ in range(2):
        send(cloud, name, to={"ToAddresses": [address]})
    assert b"OnAccountSuppressionList" in cloud.records[-1]
    cloud.sesv2.put_configuration_set_suppression_options(ConfigurationSetName=name, SuppressedReasons=[])
    send(cloud, name, to={"ToAddresses": [address]})
    assert b"OnAccountSuppressionList" not in cloud.records[-1]
    options: Any = {"SuppressedReasons": ["BOUNCE"], "SuppressionScope": "TENANT"}
    cloud.sesv2.put_configuration_set_suppression_options(ConfigurationSetName=name, **options)
    assert cloud.sesv2.get_configuration_set(ConfigurationSetName=name)["SuppressionOptions"] == options
    tenant = f"tenant-{uuid4().hex}"
    cloud.sesv2.create_tenant(TenantName=tenant)
    for _ in range(2):
        cloud.sesv2.send_email(
            FromEmailAddress=SENDER,
            Destination={"ToAddresses": [address]},
            Content=SIMPLE,
            ConfigurationSetName=name,
            TenantName=tenant,
        )
    assert b"OnTenantSuppressionList" in cloud.records[-1]


def test_suppression_options_are_part_of_a_new_set(cloud: SesCloud) -> None:
    """A set that is created again has none of the old one's options or destinations."""
    name = f"set-{uuid4().hex}"
    options: Any = {"SuppressedReasons": ["COMPLAINT"]}
    cloud.sesv2.create_configuration_set(ConfigurationSetName=name, SuppressionOptions=options)
    put(cloud, name, archive=ARCHIVE)
    assert cloud.sesv2.get_configuration_set(ConfigurationSetName=name)["SuppressionOptions"] == options
    cloud.sesv2.delete_configuration_set(ConfigurationSetName=name)
    cloud.sesv2.create_configuration_set(ConfigurationSetName=name)
    assert cloud.sesv2.get_configuration_set(ConfigurationSetName=name)["SuppressionOptions"] == {}
    assert cloud.sesv2.get_configuration_set_event_destinations(ConfigurationSetName=name)["EventDestinations"] == []
