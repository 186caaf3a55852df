"""The doctor reports a rebuild that is not over, and the command that goes on with it."""

from collections.abc import Iterator

import msgspec
import pytest
from moto import mock_aws

from pipeline.aws.doctor.deployment import Deployment
from pipeline.aws.doctor.rebuild import check_rebuild
from pipeline.aws.rebuild_state import LEASE
from pipeline.aws.stack import Stack
from pipeline.rebuild import RebuildStep
from tests.support.deployed import OUTPUTS
from tests.support.rebuild_scenario import BUCKET, RebuildScenario


@pytest.fixture
def scenario() -> Iterator[RebuildScenario]:
    with mock_aws():
        yield RebuildScenario()


def findings(scenario: RebuildScenario) -> list[tuple[str, str]]:
    """Return name and remedy of each finding, after every lease has ended."""
    outputs = {name: str(value) for name, value in OUTPUTS.items()} | {"LogBucket": BUCKET}
    arn = "arn:aws:cloudformation:us-east-1:123456789012:stack/mail/1"
    stack = Stack(name="mail", id=arn, status="UPDATE_COMPLETE", parameters={}, outputs=outputs)
    deployment = Deployment(stack=stack, clients=scenario.clients, now=scenario.now + LEASE)
    return [(finding.name, finding.remedy) for finding in check_rebuild(deployment)]


@pytest.mark.parametrize(
    ("step", "name", "options"),
    [
        (RebuildStep.FOLD, "rebuild_stopped", "--resume --yes"),
        (RebuildStep.CANCELLING, "rebuild_stopped", "--cancel"),
        (RebuildStep.FLIPPED, "rebuild_unfinished", "--finish"),
    ],
)
def test_a_rebuild_that_is_not_over_is_reported(
    step: RebuildStep, name: str, options: str, scenario: RebuildScenario
) -> None:
    """With the command that ends it."""
    scenario.state.create(scenario.a_rebuild(step=step))

    [(found, remedy)] = findings(scenario)
    assert (found, remedy) == (name, f"mailfold rebuild {options} --stack mail --region us-east-1")


def test_no_rebuild_and_one_that_runs_are_no_problem(scenario: RebuildScenario) -> None:
    """Its lease is extended while its process runs."""
    assert findings(scenario) == []
    scenario.state.create(msgspec.structs.replace(scenario.a_rebuild(), held_until=scenario.now + 2 * LEASE))
    assert findings(scenario) == []
