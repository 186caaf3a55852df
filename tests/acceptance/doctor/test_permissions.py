"""Tests of the doctor's own permissions: it only reads, with no more than it declares."""

from typing import Any

import pytest

from pipeline.aws.clients import Clients, Service
from pipeline.aws.doctor.checks import run_checks
from pipeline.aws.doctor.finding import Severity
from pipeline.aws.doctor.permissions import READING, doctor_policy
from tests.acceptance.doctor.deployment_fixture import DeploymentFixture, find_names
from tests.acceptance.doctor.responses import HEALTHY, with_responses
from tests.acceptance.doctor.test_healthy_deployment import EMULATOR_LIMITS
from tests.support.builders import OCCURRED_AT

pytestmark = pytest.mark.slow

READING_VERBS = ("BatchGet", "Describe", "Get", "List", "Scan", "Simulate", "Test")
DENY_ALL = [{"Effect": "Deny", "Action": "*", "Resource": "*"}]
# The emulator requires other actions than AWS for two of Lambda's operations.
EMULATOR_ACTIONS = {
    "Effect": "Allow",
    "Action": ["lambda:ListEventSourceMappings", "lambda:PutFunctionConcurrency"],
    "Resource": "*",
}
# The stack was read before, and this one has neither notifications nor a consumer, and its account no tenants.
CHECKS_WITHOUT_CALLS = {"stack", "notifications", "consumer", "consumer's roles"}
NOTIFICATION_OPERATIONS = {"sns.GetSubscriptionAttributes"}
TENANT_OPERATIONS = {"sesv2.GetTenant"}
PARAMETER_OPERATIONS = {"dynamodb.GetResourcePolicy", "sesv2.ListConfigurationSets"}  # SenderAccounts, all sets
CONSUMER_OPERATIONS = {
    *("ecs.DescribeServices", "ecs.DescribeTasks", "ecs.ListTasks"),
    *("kinesis.GetRecords", "kinesis.GetShardIterator", "kinesis.ListShards"),
}


@pytest.fixture(scope="module")
def operations(deployed: DeploymentFixture) -> set[str]:
    """Every operation that the checks call, where the account list has an entry to look up."""
    called: set[str] = set()

    def record(model: Any, **_: Any) -> None:
        called.add(f"{model.service_model.service_name}.{model.name}")

    entry = {"EmailAddress": "ann@example.com", "Reason": "BOUNCE", "LastUpdateTime": OCCURRED_AT}
    entries = {"SuppressedDestinationSummaries": [entry]}
    clients = with_responses(deployed, {"sesv2.ListSuppressedDestinations": entries})

    def create(service: Service) -> Any:
        client: Any = getattr(clients, service)
        client.meta.events.register("before-call", record)
        return client

    for _ in run_checks(deployed.deployment(Clients(create))):
        pass
    return called


def test_doctor_only_reads(operations: set[str]) -> None:
    """Every operation that it calls, and every action that its policy allows, only reads."""
    assert {name for name in operations if not name.partition(".")[2].startswith(READING_VERBS)} == set()
    assert {action for action in READING.values() if not action.partition(":")[2].startswith(READING_VERBS)} == set()


def test_declared_operations_are_those_it_calls(operations: set[str]) -> None:
    """The stack is read before, and some operations need other parameters, or an account with tenants."""
    elsewhere = NOTIFICATION_OPERATIONS | CONSUMER_OPERATIONS | TENANT_OPERATIONS | PARAMETER_OPERATIONS
    assert operations | elsewhere | {"cloudformation.DescribeStacks"} == set(READING)


def test_declared_policy_is_sufficient(deployed: DeploymentFixture) -> None:
    """A user with the printed policy gets the same findings as the operator."""
    credentials = deployed.account.user("doctor", [*doctor_policy()["Statement"], EMULATOR_ACTIONS])
    assert find_names(deployed.deployment(clients_of(deployed, credentials))) == EMULATOR_LIMITS


def test_denied_check_is_never_ok(deployed: DeploymentFixture) -> None:
    """For a user without permissions, every check that calls AWS is unknown and reports the denial."""
    credentials = deployed.account.user("stranger", DENY_ALL)
    for result in run_checks(deployed.deployment(clients_of(deployed, credentials))):
        severities = {finding.severity for finding in result.findings}
        expected = Severity.OK if result.check in CHECKS_WITHOUT_CALLS else Severity.UNKNOWN
        assert severities == {expected}, result
        unknown = [finding for finding in result.findings if finding.severity is Severity.UNKNOWN]
        assert all("denies" in finding.message for finding in unknown)


def clients_of(fixture: DeploymentFixture, credentials: Any) -> Clients:
    """Return clients with these credentials."""
    return Clients(lambda service: fixture.account.client(service, credentials))


def test_replaced_responses_are_of_operations_that_are_called(operations: set[str]) -> None:
    """The responses that these tests replace are of operations that the checks call."""
    assert HEALTHY.keys() <= operations
