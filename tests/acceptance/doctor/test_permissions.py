"""The doctor reads and changes nothing, by no more than it says it needs; what it may not see is never good."""

from collections.abc import Callable
from typing import Any

import pytest

from pipeline.aws.clients import Service
from pipeline.aws.doctor.checks import run_checks
from pipeline.aws.doctor.finding import Severity
from pipeline.aws.doctor.permissions import READING, document
from tests.acceptance.doctor.answer import HEALTHY, answering
from tests.acceptance.doctor.deployment_fixture import Patient, names
from tests.acceptance.doctor.test_healthy_deployment import EMULATOR_CANNOT_KNOW
from tests.support.builders import OCCURRED_AT

pytestmark = pytest.mark.slow

READS = ("BatchGet", "Describe", "Get", "List", "Scan", "Simulate", "Test")
NOTHING_ALLOWED = [{"Effect": "Deny", "Action": "*", "Resource": "*"}]
# The emulator takes two of Lambda's reads for other actions than AWS does.
EMULATOR_ASKS_FOR = {
    "Effect": "Allow",
    "Action": ["lambda:ListEventSourceMappings", "lambda:PutFunctionConcurrency"],
    "Resource": "*",
}
# What stands in the stack, which was read before; and what is not looked at, since the stack has none.
KNOWN_BEFORE = {"stack", "notifications", "consumer", "consumer's roles"}
OF_NOTIFICATIONS = {"sns.GetSubscriptionAttributes"}
OF_CONSUMER = {"ecs.DescribeServices", "ecs.DescribeTasks", "ecs.ListTasks"}


@pytest.fixture(scope="module")
def asked(patient: Patient) -> set[str]:
    """Return every operation that an examination calls, with entries on SES's own list to look for."""
    operations: set[str] = set()

    def note(model: Any, **_: Any) -> None:
        operations.add(f"{model.service_model.service_name}.{model.name}")

    entry = {"EmailAddress": "ann@example.com", "Reason": "BOUNCE", "LastUpdateTime": OCCURRED_AT}
    entries = {"SuppressedDestinationSummaries": [entry]}
    connect = answering(patient, {"sesv2.ListSuppressedDestinations": entries})

    def watched(service: Service) -> Any:
        client = connect(service)
        client.meta.events.register("before-call", note)
        return client

    for _ in run_checks(patient.deployment(watched)):
        pass
    return operations


def test_it_only_reads(asked: set[str]) -> None:
    assert {name for name in asked if not name.partition(".")[2].startswith(READS)} == set()
    assert {action for action in READING.values() if not action.partition(":")[2].startswith(READS)} == set()


def test_it_calls_what_it_says_it_calls(asked: set[str]) -> None:
    """Reading the stack comes before; and this stack takes no notifications, and has no container."""
    assert asked | OF_NOTIFICATIONS | OF_CONSUMER | {"cloudformation.DescribeStacks"} == set(READING)


def test_its_own_policy_is_enough(patient: Patient) -> None:
    credentials = patient.account.user("doctor", [*document()["Statement"], EMULATOR_ASKS_FOR])
    assert names(patient.deployment(of(patient, credentials))) == EMULATOR_CANNOT_KNOW


def test_what_it_may_not_see_is_never_good(patient: Patient) -> None:
    credentials = patient.account.user("stranger", NOTHING_ALLOWED)
    for examined in run_checks(patient.deployment(of(patient, credentials))):
        severities = {finding.severity for finding in examined.findings}
        assert severities == {Severity.GOOD if examined.link in KNOWN_BEFORE else Severity.UNKNOWN}, examined
        assert all("denies" in finding.words for finding in examined.findings if finding.severity is Severity.UNKNOWN)


def of(patient: Patient, credentials: Any) -> Callable[[Service], Any]:
    return lambda service: patient.account.client(service, credentials)


def test_the_answers_that_tests_put_in_are_of_operations_that_are_called(asked: set[str]) -> None:
    assert HEALTHY.keys() <= asked
