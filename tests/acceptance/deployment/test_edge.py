"""The deployed functions, called by the local Firehose and event source mapping with the deployed roles' permissions.

The emulator's Firehose writes an object for each record, and its mapping ignores partial batch failures.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pipeline.aws.deployment.bundle import Bundle
from pipeline.decode import decode
from pipeline.event import Event
from pipeline.local.event_source_mapping.failure_destination import FailureBucket
from pipeline.local.event_source_mapping.mapping import EventSourceMapping
from pipeline.local.firehose.delivery_stream import DeliveryStream
from tests.acceptance.deployment.account import Account
from tests.acceptance.deployment.deployment import Deployment, deploy
from tests.acceptance.deployment.edge import acting_as
from tests.acceptance.deployment.permission import without
from tests.acceptance.deployment.use import ClientsOfUser
from tests.acceptance.emulators.ministack import ACCOUNT_ID, REGION
from tests.support.builders import a_bounce, a_delivery

pytestmark = pytest.mark.slow

WAIT_SECONDS = 300.0
ADDRESSES = [f"{name}@edge.example" for name in ("ann", "bob", "cid")]


@pytest.fixture(scope="module")
def edge(account: Account, bundle: Bundle) -> Deployment:
    """A deployment whose stream the emulator does not read."""
    deployment = deploy(account, name="edge", bundle=bundle)
    deployment.client("lambda").update_event_source_mapping(UUID=deployment["StreamMapping"], Enabled=False)
    return deployment


@pytest.fixture(scope="module")
def mapping(edge: Deployment) -> EventSourceMapping:
    """A mapping from the stream to the projector that discards a batch after two attempts."""
    client = acting_as(edge, "ProjectorRoleArn")
    return EventSourceMapping(
        kinesis_of(edge, client),
        stream=edge["FeedbackStream"],
        handler=calling(edge.client("lambda"), edge["Projector"]),
        on_failure=FailureBucket(client("s3"), bucket=edge["LogBucket"]),
        maximum_retry_attempts=1,
        retry_after_seconds=0.01,
    )


@pytest.fixture
def firehose(edge: Deployment) -> Iterator[DeliveryStream]:
    """A delivery stream that calls the deployed transform and writes into the deployed bucket."""
    client, function = acting_as(edge, "DeliveryRoleArn"), edge["Transform"]
    stream = DeliveryStream(
        client("s3"),
        bucket=edge["LogBucket"],
        transform=calling(client("lambda"), f"arn:aws:lambda:{REGION}:{ACCOUNT_ID}:function:{function}:$LATEST"),
        name=edge["DeliveryStream"],
    )
    yield stream
    stream.close(WAIT_SECONDS)


def test_records_become_one_object_and_poison_another(edge: Deployment, firehose: DeliveryStream) -> None:
    """The local Firehose writes one object of the log, and one of errors."""
    firehose.put([a_delivery(messageId=str(number)) for number in range(50)] + [b"poison"])
    firehose.flush(WAIT_SECONDS)
    assert len(edge.rows()) == 50
    assert len(edge.objects("events/")) == 1
    assert len(edge.objects("errors/processing-failed/")) == 1


def test_records_are_processed_after_an_outage(edge: Deployment, mapping: EventSourceMapping) -> None:
    """Without its permission the projector stores nothing. Afterwards it stores everything."""
    edge.feed(*(a_bounce(recipients=[address]) for address in ADDRESSES))
    with without(edge.account, edge["ProjectorRoleArn"], "dynamodb:PutItem"):
        assert mapping.poll() == 0
    assert mapping.drain(WAIT_SECONDS) == len(ADDRESSES)
    assert all(map(edge.item, ADDRESSES))
    assert mapping.given_up == 0


def test_a_discarded_batch_is_kept_whole(edge: Deployment, mapping: EventSourceMapping) -> None:
    """The failure destination has the whole record."""
    bounce = a_bounce(recipients=["dan@edge.example"])
    edge.feed(bounce)
    with without(edge.account, edge["ProjectorRoleArn"], "dynamodb:PutItem"):
        mapping.drain(WAIT_SECONDS)
    assert mapping.given_up == 1
    [key] = edge.objects("aws/lambda/")
    [stored], [expected] = decode(edge.read(key)), decode(bounce)
    assert isinstance(stored, Event)
    assert isinstance(expected, Event)
    assert (stored.id, stored.raw) == (expected.id, expected.raw)


def calling(client: Any, function: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Return a Python function that invokes a deployed Lambda function."""

    def call(event: dict[str, Any]) -> dict[str, Any]:
        answer = client.invoke(FunctionName=function, Payload=json.dumps(event))
        assert "FunctionError" not in answer
        result: dict[str, Any] = json.loads(answer["Payload"].read())
        return result

    return call


def kinesis_of(deployment: Deployment, client: ClientsOfUser) -> Any:
    """Return a client that names the stream in every request: the emulator needs it for permissions."""
    kinesis = client("kinesis")

    def name_stream(params: dict[str, Any], **_: Any) -> None:
        params["StreamARN"] = deployment["FeedbackStreamArn"]

    kinesis.meta.events.register("provide-client-params.kinesis.GetRecords", name_stream)
    return kinesis
