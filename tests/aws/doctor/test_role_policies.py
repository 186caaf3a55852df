"""Tests of what each role needs: the packaged template, resolved for a stack.

`tests.support.cloudformation` evaluates the same template independently.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any

import pytest

from pipeline.aws.clients import Clients
from pipeline.aws.doctor.deployment import Deployment
from pipeline.aws.doctor.iam import ROLES
from pipeline.aws.doctor.role_policies import RolePolicies
from pipeline.aws.stack import Stack
from tests.support import cloudformation
from tests.support.cloudformation import ACCOUNT, CONTAINER, NAME, PSEUDO_PARAMETERS, REGION, TOPIC, listed

LIVE_TABLE = f"{NAME}-suppression-2"
STREAM_ARN = f"arn:aws:firehose:{REGION}:{ACCOUNT}:deliverystream/{NAME}-DeliveryStream-1A2B"
GENERATED = {"DeliveryStreamArn": STREAM_ARN, "Transform": f"{NAME}-Transform-1A2B"}  # names of CloudFormation
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
PARAMETERS: Mapping[str, Mapping[str, str]] = {
    "defaults": {},
    "backup": {"SourceBackup": "true"},
    "table key": {"TableKey": KEY},
    "container": CONTAINER,
    "container and table key": {**CONTAINER, "TableKey": KEY},
    "public image": {**CONTAINER, "ConsumerRepository": ""},
    "elsewhere": {"Consumer": "elsewhere"},
    "topic by queue": {"NotificationTopic": TOPIC},
    "direct topic": {"NotificationTopic": TOPIC, "NotificationRoute": "direct", "Consumer": "elsewhere"},
}


class FakeSsm:
    """A parameter store that contains only the name of the live table."""

    def __init__(self, live_table: str) -> None:
        self._value = json.dumps({"live": live_table})

    def get_parameter(self, **_: Any) -> Any:
        return {"Parameter": {"Value": self._value}}


def a_deployment(live_table: str = LIVE_TABLE, **parameters: str) -> Deployment:
    """Return a deployment whose resources are named `{Name}`, after their logical ids, but for `GENERATED`."""
    outputs = cloudformation.stack(**parameters).outputs
    stack = Stack(
        name=NAME,
        id=PSEUDO_PARAMETERS["AWS::StackId"],
        status="CREATE_COMPLETE",
        parameters=parameters,
        outputs={name: str(output["Value"]) for name, output in outputs.items()} | GENERATED,
    )
    clients = Clients({"ssm": FakeSsm(live_table)}.__getitem__)
    return Deployment(stack=stack, clients=clients, now=datetime(2026, 3, 1, tzinfo=UTC))


def granted(role: str, **parameters: str) -> dict[str, set[str]]:
    """Return the actions that the template grants a role, by the pattern of a resource."""
    stack = cloudformation.stack(**parameters)
    properties = stack.properties(role)
    managed = [stack.properties(policy.strip("{}")) for policy in properties.get("ManagedPolicyArns", [])]
    actions: dict[str, set[str]] = {}
    for policy in (*properties.get("Policies", []), *managed):
        for statement in policy["PolicyDocument"]["Statement"]:
            for resource in listed(statement["Resource"]):
                actions.setdefault(arn(resource), set()).update(listed(statement["Action"]))
    return actions


def arn(resource: str) -> str:
    """Return a resource of the evaluated template with the ARN that a resource of that name has."""
    name = resource.partition(".Arn}")[0] + "}"
    match name:
        case "{LogBucket}":
            return resource.replace("{LogBucket.Arn}", "arn:aws:s3:::{LogBucket}")
        case "{DeliveryStream}":
            return STREAM_ARN
        case "{NotificationQueue}":
            return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"
        case _ if name.endswith("Logs}"):
            return f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{name}:*"
    return resource


@pytest.mark.parametrize("case", PARAMETERS)
@pytest.mark.parametrize("role", ROLES)
def test_permissions_are_those_of_the_template(role: str, case: str) -> None:
    """A role needs exactly the actions that the template grants, on one resource for each pattern."""
    deployment = a_deployment(**PARAMETERS[case])
    policies = RolePolicies(deployment)
    assert policies.exists(role) == (role in cloudformation.stack(**PARAMETERS[case]).resources)
    if not policies.exists(role):
        return
    patterns = granted(role, **PARAMETERS[case])
    permissions = policies.permissions(role)
    assert len(permissions) == len(patterns)
    for resource, actions in permissions.items():
        [pattern] = [name for name in patterns if name == resource or (name != "*" and fnmatchcase(resource, name))]
        assert set(actions) == patterns[pattern]


def test_wildcards_become_one_resource() -> None:
    """IAM simulates ARNs without wildcards, except for actions that have no resource type."""
    permissions = RolePolicies(a_deployment()).permissions("ProjectorRole")
    assert permissions["*"] == ["kinesis:ListStreams"]
    assert [resource for resource in permissions if "*" in resource] == ["*"]


def test_live_table_is_the_table_that_a_role_needs() -> None:
    """A live table outside the template's pattern is a permission that the role lacks."""
    permissions = RolePolicies(a_deployment("elsewhere")).permissions("ProjectorRole")
    assert permissions[f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/elsewhere"] == [
        "dynamodb:BatchGetItem",
        "dynamodb:PutItem",
    ]


def test_every_role_of_the_template_is_checked() -> None:
    """A new role in the template needs an entry in the doctor."""
    resources = cloudformation.template()["Resources"]
    assert {name for name, resource in resources.items() if resource["Type"] == "AWS::IAM::Role"} == ROLES.keys()


@pytest.mark.parametrize("role", ROLES)
def test_service_is_the_one_that_the_role_trusts(role: str) -> None:
    """The service that assumes a role comes from its trust policy."""
    [statement] = cloudformation.stack(**CONTAINER).properties(role)["AssumeRolePolicyDocument"]["Statement"]
    assert RolePolicies(a_deployment(**CONTAINER)).service(role) == statement["Principal"]["Service"]
