"""A deployment step by step: requests to AWS, their order, and what an abandoned deployment leaves behind."""

from contextlib import suppress
from typing import Any

import pytest

from pipeline.aws.deployment.template import load_template
from pipeline.aws.dynamodb import table_definition
from pipeline.aws.stack import SuppressionTables, create_tables
from pipeline.errors import DeploymentFailed, UsageError
from pipeline.policy import Policy
from tests.support.fake_athena import FakeAthena
from tests.support.fake_cloudformation import MAILFOLD_PARAMETERS, NAME, OUTPUTS, FakeCloudFormation, a_step
from tests.support.fake_service import client
from tests.support.one_deployment import BUCKET, BUNDLE, CHANGES, MADE, UPDATED, AnOperator, deploy_stack, live_tables

POLICY_2 = '{"version": 2}'

pytestmark = pytest.mark.usefixtures("beside_cloudformation")


def parameters(cloudformation: FakeCloudFormation) -> dict[str, Any]:
    """Return the parameters of the change set, with True for those that keep their value."""
    values = cloudformation.asked("create_change_set")["Parameters"]
    return {value["ParameterKey"]: value.get("ParameterValue", value.get("UsePreviousValue")) for value in values}


def test_a_missing_stack_is_created_from_uploaded_files() -> None:
    """Bundle and template are uploaded, and the change set refers to them."""
    cloudformation, operator = FakeCloudFormation(changes=CHANGES, steps=MADE), AnOperator()
    stack = deploy_stack(cloudformation, operator=operator, parameters={"StreamShards": "2"})
    assert stack is not None
    assert stack.status == "CREATE_COMPLETE"
    assert parameters(cloudformation) == {
        "CodeBucket": BUCKET,
        "CodeKey": "bundle-0123.zip",
        "StreamShards": "2",
    }
    key = f"template-{load_template().sha256}.yaml"
    assert cloudformation.asked("create_change_set")["TemplateURL"].endswith(f"/{BUCKET}/{key}")
    s3 = client("s3")
    assert s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() == load_template().text.encode()
    assert s3.get_object(Bucket=BUCKET, Key="bundle-0123.zip")["Body"].read() == BUNDLE.data


def test_requests_have_idempotency_tokens() -> None:
    """boto3 repeats a request without an answer. Without a token, CloudFormation would reject the second one."""
    cloudformation = FakeCloudFormation(changes=CHANGES, steps=MADE)
    deploy_stack(cloudformation)
    assert cloudformation.asked("create_change_set")["ClientToken"].isalnum()
    assert cloudformation.asked("execute_change_set")["ClientRequestToken"].isalnum()


def test_changes_are_shown_first_and_then_events_in_order() -> None:
    """The operator sees every change before the execution, and then every event once."""
    cloudformation, operator = FakeCloudFormation(changes=CHANGES, steps=MADE), AnOperator()
    deploy_stack(cloudformation, operator=operator)
    [change_set] = operator.change_sets
    assert change_set is not None
    assert [change.logical_id for change in change_set.changes] == ["LogBucket", "Transform"]
    assert [(event.logical_id, event.status) for event in operator.events] == [
        (NAME, "CREATE_IN_PROGRESS"),
        ("LogBucket", "CREATE_COMPLETE"),
        (NAME, "CREATE_COMPLETE"),
    ]
    assert [event.is_end for event in operator.events] == [False, False, True]


def test_a_new_stack_is_protected_and_its_table_is_live() -> None:
    """Termination protection is on, and the parameter names the stack's table."""
    cloudformation = FakeCloudFormation(changes=CHANGES, steps=MADE)
    deploy_stack(cloudformation)
    assert cloudformation.protected
    assert live_tables() == SuppressionTables(live=OUTPUTS["SuppressionTable"])


def test_an_update_keeps_other_parameters_and_the_live_table() -> None:
    """Parameters that are not given and the live table of a rebuild keep their values."""
    client("ssm").put_parameter(Name=OUTPUTS["TablesParameter"], Value='{"live":"another"}', Type="String")
    client("dynamodb").create_table(**table_definition("another"))
    before = MAILFOLD_PARAMETERS | {"StreamShards": "2", "NoLongerThere": "1"}
    cloudformation = FakeCloudFormation(status="UPDATE_COMPLETE", parameters=before, changes=CHANGES, steps=UPDATED)
    deploy_stack(cloudformation, parameters={"AlarmEmail": "ann@example.com"})
    assert cloudformation.asked("create_change_set")["ChangeSetType"] == "UPDATE"
    assert parameters(cloudformation) == {
        "AlarmEmail": "ann@example.com",
        "CodeBucket": BUCKET,
        "CodeKey": "bundle-0123.zip",
        **dict.fromkeys(("LogFirstDay", "StreamShards", "TrackEngagement"), True),
    }
    assert live_tables() == SuppressionTables(live="another")


def test_a_new_stacks_policy_is_published() -> None:
    """A rollback of a later update then cannot return to an older one."""
    parameters = MAILFOLD_PARAMETERS | {"Policy": POLICY_2}
    deploy_stack(FakeCloudFormation(parameters=parameters, changes=CHANGES, steps=MADE))
    assert live_tables() == SuppressionTables(live=OUTPUTS["SuppressionTable"], policy=Policy(version=2))


def test_a_policy_outlives_an_update_that_is_rolled_back() -> None:
    """Items written meanwhile have the newer policy, at which projectors with the older one would stop."""
    name_live_table()
    failing = [[a_step("UPDATE_FAILED", "Transform", "no")], [a_step("UPDATE_ROLLBACK_COMPLETE")]]
    cloudformation = FakeCloudFormation(status="UPDATE_COMPLETE", changes=CHANGES, steps=failing)
    with pytest.raises(DeploymentFailed):
        deploy_stack(cloudformation, parameters={"Policy": POLICY_2})
    assert live_tables() == SuppressionTables(live=OUTPUTS["SuppressionTable"], policy=Policy(version=2))


@pytest.mark.parametrize("request_", [{"dry_run": True}, {"operator": AnOperator(confirms=False)}])
def test_a_policy_is_published_only_with_its_deployment(request_: dict[str, Any]) -> None:
    """Neither a dry run nor a declined change set publishes it."""
    name_live_table()
    deploy_stack(FakeCloudFormation(status="UPDATE_COMPLETE", changes=CHANGES), parameters={"Policy": ""}, **request_)
    assert live_tables() == SuppressionTables(live=OUTPUTS["SuppressionTable"])


@pytest.mark.parametrize("document", [POLICY_2, ""], ids=["an older one", "the default"])
def test_an_older_policy_is_not_deployed(document: str) -> None:
    """The change set is discarded, because projectors would go on with the newer policy."""
    name_live_table(Policy(version=3))
    parameters = MAILFOLD_PARAMETERS | {"Policy": '{"version":3}'}
    cloudformation = FakeCloudFormation(status="UPDATE_COMPLETE", parameters=parameters, changes=CHANGES, steps=UPDATED)
    with pytest.raises(UsageError, match="policy of version 3 is in force"):
        deploy_stack(cloudformation, parameters={"Policy": document})
    assert cloudformation.change_sets == []
    assert live_tables() == SuppressionTables(live=OUTPUTS["SuppressionTable"], policy=Policy(version=3))


def test_another_policy_of_the_version_in_force_is_not_deployed() -> None:
    """Also if none was published: items with the verdicts of the default one would keep them."""
    name_live_table()
    cloudformation = FakeCloudFormation(status="UPDATE_COMPLETE", changes=CHANGES, steps=UPDATED)
    with pytest.raises(UsageError, match="policy of version 1 is in force"):
        deploy_stack(cloudformation, parameters={"Policy": '{"version":1,"hard":null}'})
    assert live_tables() == SuppressionTables(live=OUTPUTS["SuppressionTable"])


@pytest.mark.parametrize("more", [{"parameters": {"Policy": POLICY_2}}, {"beside_only": True}], ids=["stack", "beside"])
def test_a_deployment_that_leaves_its_policy_leaves_a_newer_one_in_force(more: dict[str, Any]) -> None:
    """`mailfold policy apply` published it, and a script may name the template's again and again."""
    name_live_table(Policy(version=3))
    operator, parameters = AnOperator(), MAILFOLD_PARAMETERS | {"Policy": POLICY_2}
    cloudformation = FakeCloudFormation(status="UPDATE_COMPLETE", parameters=parameters, changes=CHANGES, steps=UPDATED)
    assert deploy_stack(cloudformation, operator=operator, **more) is not None
    assert live_tables() == SuppressionTables(live=OUTPUTS["SuppressionTable"], policy=Policy(version=3))
    assert "keeping the published policy of version 3: the template's is older" in operator.steps


def name_live_table(policy: Policy | None = None) -> None:
    """Create the parameter, as an earlier deployment did, with the stack's table as the live one."""
    tables = SuppressionTables(live=OUTPUTS["SuppressionTable"], policy=policy)
    create_tables(client("ssm"), parameter=OUTPUTS["TablesParameter"], tables=tables)
    with suppress(client("dynamodb").exceptions.ResourceInUseException):
        client("dynamodb").create_table(**table_definition(tables.live))


@pytest.mark.parametrize("tables", ['{"live":"gone"}', '{"live":"mail-suppression-5af3dc00","shadow_tables":["gone"]}'])
def test_a_parameter_with_a_missing_table_fails_the_deployment(tables: str) -> None:
    """A deleted stack of the same name may leave the parameter. Its feedback could not be stored."""
    client("ssm").put_parameter(Name=OUTPUTS["TablesParameter"], Value=tables, Type="String")
    with pytest.raises(DeploymentFailed, match=r"do not exist, .*: gone. Delete it with `aws ssm delete-parameter "):
        deploy_stack(FakeCloudFormation(changes=CHANGES, steps=MADE))
    client("ssm").delete_parameter(Name=OUTPUTS["TablesParameter"])
    assert deploy_stack(FakeCloudFormation(status="CREATE_COMPLETE")) is not None


def test_events_of_an_earlier_operation_are_ignored() -> None:
    """A deployment ends only when the operation that it started ends."""
    steps = [
        [],
        [a_step("UPDATE_IN_PROGRESS")],
        [a_step("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")],
        [a_step("UPDATE_COMPLETE")],
    ]
    operator = AnOperator()
    deploy_stack(FakeCloudFormation(status="UPDATE_COMPLETE", changes=CHANGES, steps=steps), operator=operator)
    assert len(operator.events) == 3


@pytest.mark.parametrize("status", [None, "UPDATE_COMPLETE"])
def test_a_dry_run_leaves_only_uploaded_files(status: str | None) -> None:
    """The change set is discarded, and nothing is executed or created beside the stack."""
    cloudformation, operator = FakeCloudFormation(status=status, changes=CHANGES), AnOperator()
    assert deploy_stack(cloudformation, operator=operator, dry_run=True) is None
    assert operator.change_sets[0] is not None
    assert (cloudformation.status, cloudformation.change_sets) == (status, [])
    assert "execute_change_set" not in cloudformation.operations()
    assert live_tables() is None


@pytest.mark.parametrize("status", [None, "UPDATE_COMPLETE"])
def test_a_declined_change_set_is_discarded(status: str | None) -> None:
    """Without confirmation nothing is executed, and no change set or empty stack remains."""
    cloudformation = FakeCloudFormation(status=status, changes=CHANGES)
    assert deploy_stack(cloudformation, operator=AnOperator(confirms=False)) is None
    assert (cloudformation.status, cloudformation.change_sets) == (status, [])
    assert "execute_change_set" not in cloudformation.operations()


@pytest.mark.parametrize("operation", ["describe_change_set", "show_changes", "confirm"])
def test_an_interrupt_before_the_execution_leaves_nothing(operation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An interrupt while waiting, showing or asking discards the change set and its empty stack."""
    cloudformation, operator = FakeCloudFormation(changes=CHANGES), AnOperator()
    if hasattr(operator, operation):
        monkeypatch.setattr(operator, operation, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    else:
        cloudformation.interrupts[operation] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        deploy_stack(cloudformation, operator=operator)
    assert (cloudformation.status, cloudformation.change_sets) == (None, [])


def test_resources_beside_the_stack_are_created_without_changes() -> None:
    """A change set without changes is discarded, and the resources beside the stack are completed."""
    cloudformation, operator = FakeCloudFormation(status="CREATE_COMPLETE"), AnOperator()
    assert deploy_stack(cloudformation, operator=operator) is not None
    assert operator.change_sets == [None]
    assert cloudformation.protected
    assert live_tables() is not None
    assert cloudformation.change_sets == []


def test_views_are_updated_unless_disabled() -> None:
    """Views and saved queries are updated by default, and not with `views=False`."""
    athena, operator = FakeAthena(), AnOperator()
    deploy_stack(FakeCloudFormation(status="CREATE_COMPLETE"), operator=operator, athena=athena)
    assert {"Athena has the view daily_rates", "Athena has the query history_of_a_mail"} <= set(operator.steps)
    deploy_stack(FakeCloudFormation(status="CREATE_COMPLETE"), athena=(left := FakeAthena()), views=False)
    assert (bool(athena.calls), left.calls) == (True, [])


def test_a_failure_names_the_first_failed_resource() -> None:
    """The message has the first failure, its reason and the final status. The stack is not protected."""
    steps = [
        [a_step("CREATE_IN_PROGRESS"), a_step("CREATE_FAILED", "Transform", "No such role.")],
        [a_step("CREATE_FAILED", "Projector", "Resource creation cancelled"), a_step("ROLLBACK_IN_PROGRESS")],
        [a_step("ROLLBACK_COMPLETE")],
    ]
    cloudformation = FakeCloudFormation(changes=CHANGES, steps=steps)
    with pytest.raises(
        DeploymentFailed, match=r"^Transform \(AWS::S3::Bucket\) failed first: No such role\. The stack is ROLLBACK"
    ):
        deploy_stack(cloudformation)
    assert not cloudformation.protected


def test_an_error_beside_an_existing_stack_is_a_failed_deployment() -> None:
    """The stack exists by then, so an error of Athena is a failed deployment and not a usage error."""
    athena = FakeAthena()
    athena.refuses = "There is no output location"
    with pytest.raises(DeploymentFailed, match=r"the stack mail is CREATE_COMPLETE, but .*There is no output location"):
        deploy_stack(FakeCloudFormation(changes=CHANGES, steps=MADE), athena=athena)
    assert live_tables() is not None
