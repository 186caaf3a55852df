"""A consumer in Lambda's place: what the doctor finds at its service, at its leases, and at its roles."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from pipeline.aws.doctor.checks import LINKS
from pipeline.aws.doctor.finding import Severity
from tests.acceptance.deployment.account import Account
from tests.acceptance.deployment.one_task import one_task
from tests.acceptance.doctor.answer import Change, answering, at, refusing
from tests.acceptance.doctor.conftest import a_patient
from tests.acceptance.doctor.deployment_fixture import Patient, found, names
from tests.acceptance.doctor.test_healthy_deployment import EMULATOR_CANNOT_KNOW
from tests.support.cloudformation import CONTAINER
from tests.support.command_line import call

pytestmark = pytest.mark.slow

OF_CONSUMER = tuple(link for link in LINKS if link.name.startswith("consumer"))
SHARD = "shardId-000000000000"
STOPPED_AT = datetime(2026, 3, 1, 10, tzinfo=UTC)
SHORT = at("services.0.runningCount", 0)


def lease(
    dynamodb: Any, table: str, shard: str, *, checkpoint: str = "TRIM_HORIZON", owner: str | None = "one"
) -> None:
    """Write a lease as the Kinesis Client Library does."""
    owned = {"leaseOwner": {"S": owner}} if owner else {}
    item = {"leaseKey": {"S": shard}, "checkpoint": {"S": checkpoint}, "leaseCounter": {"N": "3"}, **owned}
    dynamodb.put_item(TableName=table, Item=item)


def a_lease_table(patient: Patient) -> None:
    """Make the table of leases, with one, as a consumer does when it begins."""
    patient.client("dynamodb").create_table(
        TableName=patient["ConsumerApplication"],
        KeySchema=[{"AttributeName": "leaseKey", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "leaseKey", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    lease(patient.client("dynamodb"), patient["ConsumerApplication"], SHARD)


@pytest.fixture(scope="module")
def contained(doctor_account: Account) -> Patient:
    """A deployment whose stream a container reads."""
    with one_task():
        made = a_patient(doctor_account, "contained", **CONTAINER)
    a_lease_table(made)
    return made


@pytest.fixture
def leases(contained: Patient) -> Iterator[tuple[Any, str]]:
    """The table of leases, which is as it was afterwards."""
    dynamodb, table = contained.client("dynamodb"), contained["ConsumerApplication"]
    yield dynamodb, table
    for item in dynamodb.scan(TableName=table)["Items"]:
        dynamodb.delete_item(TableName=table, Key={"leaseKey": item["leaseKey"]})
    lease(dynamodb, table, SHARD)


def found_of(patient: Patient, connect: Any = None) -> dict[str, Any]:
    """Return what is found at the consumer's links, by name."""
    findings = [finding for _, finding in found(patient.deployment(connect), OF_CONSUMER)]
    assert all(finding.mending for finding in findings)
    return {finding.name: finding for finding in findings}


def test_a_fresh_deployment_is_well(contained: Patient) -> None:
    """Nothing of the mapping is missed, and the projector needs no more than it has."""
    assert names(contained.deployment()) == EMULATOR_CANNOT_KNOW


def test_where_lambda_reads_there_is_none_to_look_at(patient: Patient) -> None:
    assert names(patient.deployment(), OF_CONSUMER) == set()


def test_a_consumer_elsewhere_has_leases_to_look_at_and_no_service(doctor_account: Account) -> None:
    made = a_patient(doctor_account, "elsewhere", Consumer="elsewhere")
    assert found_of(made).keys() == {"leases_missing"}
    assert "mailfold consume" in found_of(made)["leases_missing"].mending
    a_lease_table(made)
    assert found_of(made) == {}


def test_a_service_that_is_told_to_run_nothing(contained: Patient) -> None:
    ecs, cluster, name = contained.client("ecs"), contained["ConsumerCluster"], contained["ConsumerService"]
    ecs.update_service(cluster=cluster, service=name, desiredCount=0)
    stopped = found_of(contained)["consumer_stopped"]
    assert stopped.severity is Severity.FAULT
    told = call(stopped.mending)
    told.make(contained.client(told.service))
    assert found_of(contained) == {}


@pytest.mark.parametrize(
    ("name", "severity", "operation", "change"),
    [
        ("consumer_missing", Severity.FAULT, "ecs.DescribeServices", at("services", [])),
        ("consumer_missing", Severity.FAULT, "ecs.DescribeServices", at("services.0.status", "INACTIVE")),
        ("consumer_short", Severity.FAULT, "ecs.DescribeServices", SHORT),
        ("consumer_short", Severity.WARNING, "ecs.DescribeServices", at("services.0.desiredCount", 3)),
        (
            "consumer_not_updated",
            Severity.FAULT,
            "ecs.DescribeServices",
            at("services.0.deployments.0.rolloutState", "FAILED"),
        ),
        (
            "consumer_changing",
            Severity.WARNING,
            "ecs.DescribeServices",
            at("services.0.deployments.0.rolloutState", "IN_PROGRESS"),
        ),
    ],
)
def test_a_service_that_is_not_as_it_has_to_be(
    contained: Patient, name: str, severity: Severity, operation: str, change: Change
) -> None:
    findings = found_of(contained, answering(contained, {operation: change}))
    assert {each: finding.severity for each, finding in findings.items()} == {name: severity}


def test_why_the_last_task_ended_is_told(contained: Patient) -> None:
    stopped = [
        {"stoppedReason": "an older one.", "stoppedAt": STOPPED_AT.replace(hour=9)},
        {
            "stoppedReason": "Essential container in task exited",
            "stoppedAt": STOPPED_AT,
            "containers": [{"name": "consumer", "exitCode": 1}],
        },
    ]
    answers = {
        "ecs.DescribeServices": SHORT,
        "ecs.ListTasks": at("taskArns", ["arn:one", "arn:two"]),
        "ecs.DescribeTasks": at("tasks", stopped),
    }
    words = found_of(contained, answering(contained, answers))["consumer_short"].words
    assert words.endswith("the last one ended: Essential container in task exited, exit code 1")
    assert words.startswith("0 of 1 tasks")


@pytest.mark.parametrize(
    ("name", "operation", "code"),
    [
        ("consumer_missing", "ecs.DescribeServices", "ClusterNotFoundException"),
        ("leases_missing", "dynamodb.Scan", "ResourceNotFoundException"),
        ("role_missing", "iam.GetRole", "NoSuchEntity"),
    ],
)
def test_what_is_gone(contained: Patient, name: str, operation: str, code: str) -> None:
    assert found_of(contained, refusing(contained, operation, code)).keys() == {name}


def test_a_shard_that_nobody_reads(contained: Patient, leases: tuple[Any, str]) -> None:
    lease(*leases, "shardId-000000000001", owner=None)
    lease(*leases, "shardId-000000000002", owner=None, checkpoint="SHARD_END")  # read to its end
    unread = found_of(contained)["shard_unread"]
    assert unread.words == "nobody reads shardId-000000000001: 1 of 3 shards"


def test_many_shards_that_nobody_reads_are_not_all_named(contained: Patient, leases: tuple[Any, str]) -> None:
    for number in range(7):
        lease(*leases, f"shardId-{number:012}", owner=None)
    words = found_of(contained)["shard_unread"].words
    assert words.count("shardId-") == 5
    assert words.endswith("…: 7 of 7 shards")


@pytest.mark.parametrize(("output", "policy"), [("ConsumerRoleArn", None), ("ConsumerStartRoleArn", "start")])
def test_a_role_that_may_not(contained: Patient, output: str, policy: str | None) -> None:
    iam, role = contained.client("iam"), contained[output].rpartition("/")[2]
    if policy is None:
        arn = contained["ConsumerPolicyArn"]
        iam.detach_role_policy(RoleName=role, PolicyArn=arn)
        assert found_of(contained).keys() == {"role_denied"}
        iam.attach_role_policy(RoleName=role, PolicyArn=arn)
    else:
        document = iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
        iam.delete_role_policy(RoleName=role, PolicyName=policy)
        denied = found_of(contained)
        assert denied.keys() == {"role_denied"}
        assert "ecr:BatchGetImage" in denied["role_denied"].words
        iam.put_role_policy(RoleName=role, PolicyName=policy, PolicyDocument=json.dumps(document))
    assert found_of(contained) == {}
