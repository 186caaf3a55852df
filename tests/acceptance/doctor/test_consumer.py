"""Tests of the checks of a consumer that replaces Lambda: its service, its leases and its roles."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from pipeline.aws.clients import Clients
from pipeline.aws.doctor.finding import Finding, Severity
from tests.acceptance.deployment.account import Account
from tests.acceptance.deployment.one_task import one_task
from tests.acceptance.doctor.conftest import deploy_fixture
from tests.acceptance.doctor.deployment_fixture import DeploymentFixture, checks_named, find_names, find_problems
from tests.acceptance.doctor.responses import Change, value_at, with_error, with_responses
from tests.acceptance.doctor.test_healthy_deployment import EMULATOR_LIMITS
from tests.support.cloudformation import CONTAINER
from tests.support.command_line import call

pytestmark = pytest.mark.slow

CONSUMER_CHECKS = checks_named("consumer", "consumer's roles")
SHARD = "shardId-000000000000"
STOPPED_AT = datetime(2026, 3, 1, 10, tzinfo=UTC)
NO_TASK_RUNS = value_at("services.0.runningCount", 0)


def put_lease(
    dynamodb: Any, table: str, shard: str, *, checkpoint: str = "TRIM_HORIZON", owner: str | None = "one"
) -> None:
    """Write a lease as the Kinesis Client Library does."""
    owner_attribute = {"leaseOwner": {"S": owner}} if owner else {}
    item = {"leaseKey": {"S": shard}, "checkpoint": {"S": checkpoint}, "leaseCounter": {"N": "3"}, **owner_attribute}
    dynamodb.put_item(TableName=table, Item=item)


def create_lease_table(fixture: DeploymentFixture) -> None:
    """Create the lease table with one lease, as a consumer does when it starts."""
    fixture.client("dynamodb").create_table(
        TableName=fixture["ConsumerApplication"],
        KeySchema=[{"AttributeName": "leaseKey", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "leaseKey", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    put_lease(fixture.client("dynamodb"), fixture["ConsumerApplication"], SHARD)


@pytest.fixture(scope="module")
def container(doctor_account: Account) -> DeploymentFixture:
    """A deployment whose stream a container reads."""
    with one_task():
        fixture = deploy_fixture(doctor_account, "contained", **CONTAINER)
    create_lease_table(fixture)
    return fixture


@pytest.fixture
def leases(container: DeploymentFixture) -> Iterator[tuple[Any, str]]:
    """A DynamoDB client and the name of the lease table, which is restored."""
    dynamodb, table = container.client("dynamodb"), container["ConsumerApplication"]
    yield dynamodb, table
    for item in dynamodb.scan(TableName=table)["Items"]:
        dynamodb.delete_item(TableName=table, Key={"leaseKey": item["leaseKey"]})
    put_lease(dynamodb, table, SHARD)


def consumer_problems(fixture: DeploymentFixture, clients: Clients | None = None) -> dict[str, Finding]:
    """Return the problems of the consumer, by name. Each has a remedy."""
    findings = [finding for _, finding in find_problems(fixture.deployment(clients), CONSUMER_CHECKS)]
    assert all(finding.remedy for finding in findings)
    return {finding.name: finding for finding in findings}


def test_fresh_deployment_is_healthy(container: DeploymentFixture) -> None:
    """The missing mapping is no problem, and the projector needs only the permissions that it has."""
    assert find_names(container.deployment()) == EMULATOR_LIMITS - {"mapping_without_metrics"}


def test_lambda_needs_no_consumer(deployed: DeploymentFixture) -> None:
    """Where Lambda reads the stream, the consumer's checks find nothing."""
    assert find_names(deployed.deployment(), CONSUMER_CHECKS) == set()


def test_consumer_elsewhere_has_leases_but_no_service(doctor_account: Account) -> None:
    """A consumer outside the stack is missed until its lease table exists."""
    fixture = deploy_fixture(doctor_account, "elsewhere", Consumer="elsewhere")
    problems = consumer_problems(fixture)
    assert problems.keys() == {"leases_missing"}
    assert "mailfold consume" in problems["leases_missing"].remedy
    create_lease_table(fixture)
    assert consumer_problems(fixture) == {}


def test_stopped_service(container: DeploymentFixture) -> None:
    """A desired count of 0 is an error, and the remedy starts the service."""
    ecs, cluster, name = container.client("ecs"), container["ConsumerCluster"], container["ConsumerService"]
    ecs.update_service(cluster=cluster, service=name, desiredCount=0)
    finding = consumer_problems(container)["consumer_stopped"]
    assert finding.severity is Severity.ERROR
    command = call(finding.remedy)
    command.make(container.client("ecs"))
    assert consumer_problems(container) == {}


@pytest.mark.parametrize(
    ("name", "severity", "change"),
    [
        ("consumer_missing", Severity.ERROR, value_at("services", [])),
        ("consumer_missing", Severity.ERROR, value_at("services.0.status", "INACTIVE")),
        ("consumer_tasks_missing", Severity.ERROR, NO_TASK_RUNS),
        ("consumer_tasks_missing", Severity.WARNING, value_at("services.0.desiredCount", 3)),
        ("consumer_update_failed", Severity.ERROR, value_at("services.0.deployments.0.rolloutState", "FAILED")),
        ("consumer_updating", Severity.WARNING, value_at("services.0.deployments.0.rolloutState", "IN_PROGRESS")),
    ],
)
def test_state_of_the_service(container: DeploymentFixture, name: str, severity: Severity, change: Change) -> None:
    """Each state of the service is the only finding, with its severity."""
    problems = consumer_problems(container, with_responses(container, {"ecs.DescribeServices": change}))
    assert {name: finding.severity for name, finding in problems.items()} == {name: severity}


def test_reason_of_the_last_stopped_task(container: DeploymentFixture) -> None:
    """The message contains the reason and the exit code of the task that stopped last."""
    stopped = [
        {"stoppedReason": "an older one.", "stoppedAt": STOPPED_AT.replace(hour=9)},
        {
            "stoppedReason": "Essential container in task exited",
            "stoppedAt": STOPPED_AT,
            "containers": [{"name": "consumer", "exitCode": 1}],
        },
    ]
    responses = {
        "ecs.DescribeServices": NO_TASK_RUNS,
        "ecs.ListTasks": value_at("taskArns", ["arn:one", "arn:two"]),
        "ecs.DescribeTasks": value_at("tasks", stopped),
    }
    problems = consumer_problems(container, with_responses(container, responses))
    message = problems["consumer_tasks_missing"].message
    assert message.endswith("the last one stopped: Essential container in task exited, exit code 1")
    assert message.startswith("0 of 1 tasks")


@pytest.mark.parametrize(
    ("name", "operation", "code"),
    [
        ("consumer_missing", "ecs.DescribeServices", "ClusterNotFoundException"),
        ("leases_missing", "dynamodb.Scan", "ResourceNotFoundException"),
        ("role_missing", "iam.GetRole", "NoSuchEntity"),
    ],
)
def test_missing_resource(container: DeploymentFixture, name: str, operation: str, code: str) -> None:
    """A cluster, lease table or role that does not exist is the only finding."""
    assert consumer_problems(container, with_error(container, operation, code)).keys() == {name}


def test_shard_without_reader(container: DeploymentFixture, leases: tuple[Any, str]) -> None:
    """A lease without an owner is reported, unless its shard was read to its end."""
    put_lease(*leases, "shardId-000000000001", owner=None)
    put_lease(*leases, "shardId-000000000002", owner=None, checkpoint="SHARD_END")
    unread = consumer_problems(container)["shard_unread"]
    assert unread.message == "1 of 2 shards have no reader: shardId-000000000001"


def test_many_shards_without_reader(container: DeploymentFixture, leases: tuple[Any, str]) -> None:
    """The message names at most five shards."""
    for number in range(7):
        put_lease(*leases, f"shardId-{number:012}", owner=None)
    message = consumer_problems(container)["shard_unread"].message
    assert message.startswith("7 of 7 shards")
    assert message.count("shardId-") == 5
    assert message.endswith(", …")


def test_shard_without_lease(container: DeploymentFixture) -> None:
    """An open shard of the stream that the lease table does not name has no reader."""

    def add_shard(response: dict[str, Any]) -> None:
        response["Shards"] += [{**response["Shards"][0], "ShardId": "shardId-000000000009"}]

    problems = consumer_problems(container, with_responses(container, {"kinesis.ListShards": add_shard}))
    assert problems.keys() == {"shard_unread"}
    assert problems["shard_unread"].message == "1 of 2 shards have no reader: shardId-000000000009"


def a_record(response: dict[str, Any], *, age: timedelta) -> None:
    """Let Kinesis return a record of this age."""
    arrived_at = datetime.now(UTC) - age
    response["Records"] = [
        {"SequenceNumber": "1", "Data": b"", "PartitionKey": "p", "ApproximateArrivalTimestamp": arrived_at}
    ]


@pytest.mark.parametrize("checkpoint", ["TRIM_HORIZON", "a record's"])
def test_late_checkpoint(container: DeploymentFixture, leases: tuple[Any, str], checkpoint: str) -> None:
    """A shard with an owner is late if the first record after its checkpoint arrived long ago."""
    if checkpoint != "TRIM_HORIZON":
        put_lease(*leases, SHARD, checkpoint=first_sequence_number(container))
    for age, names in ((timedelta(minutes=14), set()), (timedelta(hours=2), {"shard_late"})):
        responses = {"kinesis.GetRecords": partial(a_record, age=age)}
        problems = consumer_problems(container, with_responses(container, responses))
        assert problems.keys() == names
    assert problems["shard_late"].message == f"the checkpoints of 1 shards are up to 120 minutes late: {SHARD}"


def test_late_checkpoint_before_a_gap(container: DeploymentFixture, leases: tuple[Any, str]) -> None:
    """Kinesis may return no record, and states how far behind the end of the shard it is."""
    responses = {"kinesis.GetRecords": {"Records": [], "MillisBehindLatest": 7_200_000}}
    assert consumer_problems(container, with_responses(container, responses)).keys() == {"shard_late"}
    put_lease(*leases, SHARD, checkpoint="LATEST")
    assert consumer_problems(container, with_responses(container, responses)) == {}


def test_checkpoint_of_another_stream(container: DeploymentFixture, leases: tuple[Any, str]) -> None:
    """A stream that was made again has the old shard ids. The remedy deletes the table, and the consumer creates it."""
    put_lease(*leases, SHARD, checkpoint=str(int(first_sequence_number(container)) - 1))
    finding = consumer_problems(container)["leases_foreign"]
    assert finding.message.endswith(f"these shards are never read: {SHARD}")
    command, _, rest = finding.remedy.partition(", and then ")
    assert rest == "restart the consumer"
    call(command).make(container.client("dynamodb"))
    assert consumer_problems(container).keys() == {"leases_missing"}
    create_lease_table(container)


def first_sequence_number(fixture: DeploymentFixture) -> str:
    """Return the first sequence number of the stream's shard."""
    (shard,) = fixture.client("kinesis").list_shards(StreamName=fixture["FeedbackStream"])["Shards"]
    return str(shard["SequenceNumberRange"]["StartingSequenceNumber"])


def test_consumer_role_without_its_policy(container: DeploymentFixture) -> None:
    """The consumer's permissions come from a managed policy, whose absence is found."""
    iam, role, arn = container.client("iam"), role_name(container["ConsumerRoleArn"]), container["ConsumerPolicyArn"]
    iam.detach_role_policy(RoleName=role, PolicyArn=arn)
    problems = consumer_problems(container)
    iam.attach_role_policy(RoleName=role, PolicyArn=arn)
    assert problems.keys() == {"role_denied"}
    assert "kinesis:GetRecords" in problems["role_denied"].message
    assert consumer_problems(container) == {}


def test_start_role_without_its_policy(container: DeploymentFixture) -> None:
    """ECS needs its permissions on the repository of the image."""
    iam, role = container.client("iam"), role_name(container["ConsumerStartRoleArn"])
    document = iam.get_role_policy(RoleName=role, PolicyName="start")["PolicyDocument"]
    iam.delete_role_policy(RoleName=role, PolicyName="start")
    problems = consumer_problems(container)
    iam.put_role_policy(RoleName=role, PolicyName="start", PolicyDocument=json.dumps(document))
    assert problems.keys() == {"role_denied"}
    assert "ecr:BatchGetImage" in problems["role_denied"].message
    assert consumer_problems(container) == {}


def role_name(arn: str) -> str:
    """Return the name of a role."""
    return arn.rpartition("/")[2]
