"""Deployments to accounts with rules of their own: roles, tags, code that they host, and what earlier stacks left."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from pipeline.aws.deployment.code_bucket import CodeObject
from pipeline.aws.deployment.service_linked_role import ECS_ROLE
from pipeline.aws.deployment.template import load_template
from pipeline.aws.stack import SuppressionTables
from pipeline.errors import NotFound, UsageError
from tests.support.fake_cloudformation import MAILFOLD_PARAMETERS, NAME, OUTPUTS, FakeCloudFormation
from tests.support.fake_service import REGION, FakeService, client
from tests.support.one_deployment import BUCKET, CHANGES, MADE, UPDATED, AnOperator, deploy_stack, live_tables

pytestmark = pytest.mark.usefixtures("beside_cloudformation")

ROLE = "arn:aws:iam::123456789012:role/deployer"
CONTAINER = {
    "Consumer": "container",
    "ConsumerImage": "image",
    "ConsumerVpc": "vpc-0a1b2c3d",
    "ConsumerSubnets": "subnet-0a1b2c3d",
}


def tags_of(request: Mapping[str, Any]) -> dict[str, str]:
    """Return the tags of a request."""
    return {tag["Key"]: tag["Value"] for tag in request["Tags"]}


def test_tags_reach_the_stack_and_the_parameter_beside_it() -> None:
    """CloudFormation tags the stack's resources, and the parameter beside it is tagged too."""
    cloudformation = FakeCloudFormation(changes=CHANGES, steps=MADE, tags={"team": "mail"})
    deploy_stack(cloudformation, tags={"team": "mail"})
    assert tags_of(cloudformation.asked("create_change_set")) == {"team": "mail"}
    listed = client("ssm").list_tags_for_resource(ResourceType="Parameter", ResourceId=OUTPUTS["TablesParameter"])
    assert listed["TagList"] == [{"Key": "team", "Value": "mail"}]


def test_tags_that_are_not_given_keep_their_values() -> None:
    """A change set replaces all tags, so the existing ones are sent again."""
    existing = {"team": "mail", "stage": "test"}
    cloudformation = FakeCloudFormation(status="UPDATE_COMPLETE", tags=existing, changes=CHANGES, steps=UPDATED)
    deploy_stack(cloudformation, tags={"stage": "live"})
    assert tags_of(cloudformation.asked("create_change_set")) == {"team": "mail", "stage": "live"}


@pytest.mark.parametrize("role_arn", [None, ROLE])
def test_cloudformation_assumes_the_given_role(role_arn: str | None) -> None:
    """Without a role, CloudFormation keeps the one of the stack. IAM names of the template are generated."""
    cloudformation = FakeCloudFormation(changes=CHANGES, steps=MADE)
    deploy_stack(cloudformation, role_arn=role_arn)
    request = cloudformation.asked("create_change_set")
    assert request.get("RoleARN") == role_arn
    assert request["Capabilities"] == ["CAPABILITY_IAM"]


def test_a_hosted_bundle_is_deployed_as_it_is() -> None:
    """Nothing but the template is uploaded, and the stack's code is the given object."""
    s3 = client("s3")
    s3.create_bucket(Bucket="artefacts", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket="artefacts", Key="mailfold/1.zip", Body=b"a zip file")
    cloudformation = FakeCloudFormation(changes=CHANGES, steps=MADE)
    deploy_stack(cloudformation, code=CodeObject(bucket="artefacts", key="mailfold/1.zip"))
    values = {
        value["ParameterKey"]: value["ParameterValue"]
        for value in cloudformation.asked("create_change_set")["Parameters"]
    }
    assert values == {"CodeBucket": "artefacts", "CodeKey": "mailfold/1.zip"}
    keys = [entry["Key"] for entry in s3.list_objects_v2(Bucket=BUCKET)["Contents"]]
    assert keys == [f"template-{load_template().sha256}.yaml"]


def test_a_hosted_bundle_must_exist() -> None:
    """Lambda would reject it minutes later."""
    cloudformation = FakeCloudFormation(changes=CHANGES, steps=MADE)
    with pytest.raises(NotFound, match=r"reading the bundle 1\.zip in the bucket mailfold-code-"):
        deploy_stack(cloudformation, code=CodeObject(bucket=BUCKET, key="1.zip"))
    assert "create_change_set" not in cloudformation.operations()


class FakeIam(FakeService):
    """IAM with roles. It may deny reading them, as to an operator whose stacks CloudFormation's own role deploys."""

    SERVICE = "iam"

    def __init__(self, *, roles: Sequence[str] = (), denies: bool = False) -> None:
        super().__init__()
        self.roles, self._denies = [*roles], denies

    def _get_role(self, *, RoleName: str) -> dict[str, Any]:  # noqa: N803 - as in AWS's API
        if self._denies:
            return an_error("AccessDenied")
        return {"Role": {"RoleName": RoleName}} if RoleName in self.roles else an_error("NoSuchEntity")

    def _create_service_linked_role(self, *, AWSServiceName: str) -> dict[str, Any]:  # noqa: N803 - as in AWS's API
        assert AWSServiceName == "ecs.amazonaws.com"
        self.roles.append(ECS_ROLE)
        return {"Role": {"RoleName": ECS_ROLE}}


def an_error(code: str) -> dict[str, Any]:
    """Return a response with an error."""
    return {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": 400}}


@pytest.mark.parametrize("roles", [(), (ECS_ROLE,)])
def test_a_container_gets_the_service_linked_role_of_ecs(roles: Sequence[str]) -> None:
    """An account that never used ECS does not have it. One that does keeps it."""
    iam = FakeIam(roles=roles)
    deploy_stack(FakeCloudFormation(changes=CHANGES, steps=MADE), parameters=CONTAINER, iam=iam)
    assert iam.roles == [ECS_ROLE]


@pytest.mark.parametrize("request_", [{}, {"parameters": CONTAINER, "dry_run": True}])
def test_no_other_deployment_creates_that_role(request_: dict[str, Any]) -> None:
    """Neither another consumer nor a dry run needs it."""
    iam = FakeIam()
    deploy_stack(FakeCloudFormation(changes=CHANGES, steps=MADE), iam=iam, **request_)
    assert iam.operations() == []


def test_a_denial_by_iam_does_not_stop_a_deployment() -> None:
    """An account that already uses ECS has the role. The operator sees that it is unknown."""
    operator, cloudformation = AnOperator(), FakeCloudFormation(changes=CHANGES, steps=MADE)
    assert deploy_stack(cloudformation, operator=operator, parameters=CONTAINER, iam=FakeIam(denies=True))
    unknown = "whether this account has the service-linked role of ECS is unknown: AWS denies "
    assert any(step.startswith(unknown) for step in operator.steps)


@pytest.mark.parametrize(("status", "steps"), [(None, MADE), ("UPDATE_COMPLETE", UPDATED)])
def test_limits_are_checked_before_anything_is_uploaded(status: str | None, steps: Sequence[Any]) -> None:
    """What AWS would reject late stops the deployment once the stack is read."""
    cloudformation = FakeCloudFormation(status=status, changes=CHANGES, steps=steps)
    with pytest.raises(UsageError, match="LogExpirationDays must be greater than LogTransitionDays"):
        deploy_stack(cloudformation, parameters={"LogExpirationDays": "10"})
    assert cloudformation.operations() == ["describe_stacks"]


@pytest.mark.parametrize("deployed", ["0.2.0", "1.0", "0.1.1rc1", "0.10.0"])
def test_an_older_version_does_not_deploy_over_a_newer_one(deployed: str) -> None:
    """The template of an older version would remove what the newer one added."""
    cloudformation = FakeCloudFormation(
        status="UPDATE_COMPLETE", outputs={"Version": deployed}, changes=CHANGES, steps=UPDATED
    )
    with pytest.raises(UsageError, match=f"was deployed by Mailfold {deployed}, and this is 0.1.0"):
        deploy_stack(cloudformation)
    assert cloudformation.operations() == ["describe_stacks"]


@pytest.mark.parametrize("outputs", [{}, {"Version": "0.1.0"}, {"Version": "0.0.9"}, {"Version": "unknown"}])
def test_the_same_and_a_newer_version_deploy(outputs: dict[str, str]) -> None:
    """A stack without the output was deployed by a version before it."""
    cloudformation = FakeCloudFormation(status="UPDATE_COMPLETE", outputs=outputs, changes=CHANGES, steps=UPDATED)
    assert deploy_stack(cloudformation)


def test_what_is_beside_the_stack_is_updated_alone() -> None:
    """Another tool deploys the stack: it is protected and its table is live, and no change set is created."""
    cloudformation, operator = FakeCloudFormation(status="CREATE_COMPLETE", changes=CHANGES), AnOperator()
    assert deploy_stack(cloudformation, operator=operator, beside_only=True) is not None
    assert cloudformation.protected
    assert live_tables() == SuppressionTables(live=OUTPUTS["SuppressionTable"])
    assert "Athena has the view daily_rates" in operator.steps
    assert "create_change_set" not in cloudformation.operations()


def test_the_policy_of_a_stack_that_another_tool_updated_is_published() -> None:
    """The parameter exists, with an older policy than the stack's."""
    client("ssm").put_parameter(
        Name=OUTPUTS["TablesParameter"], Value=f'{{"live":"{OUTPUTS["SuppressionTable"]}"}}', Type="String"
    )
    parameters = MAILFOLD_PARAMETERS | {"Policy": '{"version":2}'}
    deploy_stack(FakeCloudFormation(status="UPDATE_COMPLETE", parameters=parameters), beside_only=True)
    tables = live_tables()
    assert tables
    assert tables.policy
    assert tables.policy.version == 2


def test_what_is_beside_a_missing_or_foreign_stack_is_not_updated() -> None:
    """The stack must exist, and belong to Mailfold."""
    with pytest.raises(NotFound, match="there is no stack mail"):
        deploy_stack(FakeCloudFormation(), beside_only=True)
    foreign = FakeCloudFormation(status="CREATE_COMPLETE", parameters={"CodeBucket": "theirs"})
    with pytest.raises(UsageError, match="does not belong to Mailfold"):
        deploy_stack(foreign, beside_only=True)
    assert not foreign.protected


def test_logs_of_earlier_stacks_are_shown_before_a_stack_is_created() -> None:
    """A bucket without events is no log, and an update shows nothing."""
    for name in ("full", "empty"):
        client("s3").create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    client("s3").put_object(Bucket="full", Key="events/dt=2026-03-01/hr=12/1.parquet", Body=b"x")
    client("s3").put_object(Bucket="empty", Key="errors/1", Body=b"x")
    kept = ["full", "empty", "missing"]
    created, updated = AnOperator(), AnOperator()
    deploy_stack(FakeCloudFormation(kept_buckets=kept, changes=CHANGES, steps=MADE), operator=created)
    assert created.kept_logs == ("full",)
    before = FakeCloudFormation(status="UPDATE_COMPLETE", kept_buckets=kept, changes=CHANGES, steps=UPDATED)
    deploy_stack(before, operator=updated, parameters={"StreamShards": "1"})
    assert updated.kept_logs == ()


def test_a_kept_table_stays_live_and_is_named() -> None:
    """The parameter of an earlier stack names its table, which is the suppression list until another one is live."""
    client("dynamodb").create_table(
        TableName=f"{NAME}-suppression-old",
        KeySchema=[{"AttributeName": "address", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "address", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    client("ssm").put_parameter(
        Name=OUTPUTS["TablesParameter"], Value=f'{{"live":"{NAME}-suppression-old"}}', Type="String"
    )
    operator = AnOperator()
    deploy_stack(FakeCloudFormation(changes=CHANGES, steps=MADE), operator=operator)
    assert (
        f"the live table is {NAME}-suppression-old, which the parameter /mailfold/mail/tables names" in operator.steps
    )
    assert live_tables() == SuppressionTables(live=f"{NAME}-suppression-old")
