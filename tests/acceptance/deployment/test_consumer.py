"""A container instead of Lambda, and back, on the emulator."""

from collections.abc import Iterator

import pytest

from pipeline.aws.deployment.bundle import Bundle
from pipeline.aws.settings import read_consumer_settings
from pipeline.aws.stack import find_stack
from pipeline.errors import InvalidInput
from tests.acceptance.deployment.account import Account
from tests.acceptance.deployment.deployment import Deployment, deploy
from tests.acceptance.deployment.one_task import one_task
from tests.support.builders import a_bounce
from tests.support.cloudformation import CONTAINER
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def contained(account: Account, bundle: Bundle) -> Iterator[Deployment]:
    """A deployment with a container as the consumer of the stream."""
    with one_task():
        yield deploy(account, name="contained", bundle=bundle, parameters=CONTAINER)


def test_the_task_has_the_resources_of_the_stack(contained: Deployment) -> None:
    """Environment, role and image of the deployed task are those of the stack."""
    ecs = contained.client("ecs")
    [service] = ecs.describe_services(cluster=contained["ConsumerCluster"], services=[contained["ConsumerService"]])[
        "services"
    ]
    task = ecs.describe_task_definition(taskDefinition=service["taskDefinition"])["taskDefinition"]
    [container] = task["containerDefinitions"]
    environment = {variable["name"]: variable["value"] for variable in container["environment"]}
    settings, consumer = read_consumer_settings(environment)
    assert consumer.stream == contained["FeedbackStream"]
    assert (settings.table, settings.bucket) == (contained["SuppressionTable"], contained["LogBucket"])
    assert environment["MAILFOLD_APPLICATION"] == contained["ConsumerApplication"]
    assert task["taskRoleArn"] == contained["ConsumerRoleArn"]
    assert container["image"] == CONTAINER["ConsumerImage"]
    assert service["runningCount"] == 1


def test_lambda_continues_after_a_container(contained: Deployment, account: Account, bundle: Bundle) -> None:
    """Each consumer has its own position, and starts with the oldest record."""
    contained.feed(a_bounce(recipients=["ann@contained.example"]))
    mappings = contained.client("lambda").list_event_source_mappings(EventSourceArn=contained["FeedbackStreamArn"])
    assert mappings["EventSourceMappings"] == []
    assert contained.item("ann@contained.example") is None
    with one_task():
        back = deploy(account, name="contained", bundle=bundle, parameters={"Consumer": "lambda"})
        assert eventually(lambda: back.item("ann@contained.example"), what="the item").verdict.suppressed
        again = deploy(account, name="contained", bundle=bundle, parameters={"Consumer": "container"})
    assert "StreamMapping" not in again.stack.outputs
    assert again["FeedbackStream"] == contained["FeedbackStream"]
    assert again["SuppressionTable"] == contained["SuppressionTable"]


def test_a_container_without_a_vpc_is_rejected(account: Account, bundle: Bundle) -> None:
    """CloudFormation rejects the parameters, and creates no resources."""
    with pytest.raises(InvalidInput, match="ConsumerVpc"):
        deploy(account, name="nowhere", bundle=bundle, parameters={**CONTAINER, "ConsumerVpc": ""})
    stack = find_stack(account.client("cloudformation"), name="nowhere")
    assert stack is None or stack.status == "REVIEW_IN_PROGRESS"
