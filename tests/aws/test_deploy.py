"""A deployment, step by step: what is asked of AWS, in which order, and what is left where it stops."""

from collections.abc import Iterator
from typing import Any

import pytest
from moto import mock_aws

from pipeline.aws.deployment.bundle import Bundle
from pipeline.aws.deployment.change_set import PREFIX, ChangeSet
from pipeline.aws.deployment.deploy import deploy
from pipeline.aws.deployment.order import Clients, Order
from pipeline.aws.deployment.stack_event import StackEvent
from pipeline.aws.deployment.template import template
from pipeline.aws.stack import Stack
from pipeline.aws.tables import Tables, read_tables
from pipeline.errors import DeploymentFailed, Misuse
from tests.aws.fake_athena import FakeAthena
from tests.aws.fake_cloudformation import NAME, OURS, OUTPUTS, FakeCloudFormation, a_change, a_step
from tests.aws.fake_service import ACCOUNT, REGION, client

BUCKET = f"mailfold-code-{ACCOUNT}-{REGION}"
BUNDLE = Bundle(data=b"a zip file", sha256="0123")
MADE = [[a_step("CREATE_IN_PROGRESS")], [a_step("CREATE_COMPLETE", "LogBucket"), a_step("CREATE_COMPLETE")]]
UPDATED = [[a_step("UPDATE_IN_PROGRESS"), a_step("UPDATE_COMPLETE")]]
CHANGES = [a_change(), a_change(logical_id="Transform", kind="AWS::Lambda::Function")]


class AnOperator:
    """Somebody who agrees, or not, and remembers what they saw."""

    def __init__(self, *, agrees: bool = True, agrees_to_delete: bool = True) -> None:
        self.steps: list[str] = []
        self.found: list[ChangeSet | None] = []
        self.events: list[StackEvent] = []
        self.has_begun = False
        self._agrees, self._agrees_to_delete = agrees, agrees_to_delete

    def told(self, step: str) -> None:
        self.steps.append(step)

    def changes(self, found: ChangeSet | None) -> None:
        self.found.append(found)

    def agrees(self) -> bool:
        return self._agrees

    def began(self, found: ChangeSet) -> None:
        self.has_begun = True

    def happened(self, event: StackEvent) -> None:
        self.events.append(event)

    def agrees_to_delete(self, stack: Stack) -> bool:
        return self._agrees_to_delete


@pytest.fixture(autouse=True)
def aws() -> Iterator[None]:
    """What is beside CloudFormation, by moto; with the code's bucket, whose policy moto takes for a denial of all."""
    with mock_aws():
        client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        yield


def deployed(
    cloudformation: FakeCloudFormation,
    *,
    operator: AnOperator | None = None,
    athena: FakeAthena | None = None,
    **order: Any,
) -> Stack | None:
    clients = Clients(
        athena=(athena or FakeAthena()).client(),
        cloudformation=cloudformation.client(),
        s3=client("s3"),
        ssm=client("ssm"),
        sts=client("sts"),
    )
    wanted = Order(stack=NAME, **order)
    return deploy(wanted, clients, operator or AnOperator(), bundle=BUNDLE, poll_seconds=0)


def live_tables() -> Tables | None:
    return read_tables(client("ssm"), parameter=OUTPUTS["TablesParameter"])


def parameters(cloudformation: FakeCloudFormation) -> dict[str, Any]:
    given = cloudformation.asked("create_change_set")["Parameters"]
    return {one["ParameterKey"]: one.get("ParameterValue", one.get("UsePreviousValue")) for one in given}


def test_a_stack_that_is_not_there_is_made_from_what_was_uploaded() -> None:
    cloudformation, operator = FakeCloudFormation(changes=CHANGES, steps=MADE), AnOperator()
    stack = deployed(cloudformation, operator=operator, parameters={"StreamShards": "2"})
    assert stack is not None
    assert stack.status == "CREATE_COMPLETE"
    assert parameters(cloudformation) == {
        "CodeBucket": BUCKET,
        "CodeKey": "bundle-0123.zip",
        "StreamShards": "2",
    }
    key = f"template-{template().sha256}.yaml"
    assert cloudformation.asked("create_change_set")["TemplateURL"].endswith(f"/{BUCKET}/{key}")
    s3 = client("s3")
    assert s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() == template().text.encode()
    assert s3.get_object(Bucket=BUCKET, Key="bundle-0123.zip")["Body"].read() == BUNDLE.data


def test_what_would_change_is_shown_before_it_is_done_and_then_what_happens_in_order() -> None:
    cloudformation, operator = FakeCloudFormation(changes=CHANGES, steps=MADE), AnOperator()
    deployed(cloudformation, operator=operator)
    [found] = operator.found
    assert found is not None
    assert [change.logical_id for change in found.changes] == ["LogBucket", "Transform"]
    assert [(event.logical_id, event.status) for event in operator.events] == [
        (NAME, "CREATE_IN_PROGRESS"),
        ("LogBucket", "CREATE_COMPLETE"),
        (NAME, "CREATE_COMPLETE"),
    ]
    assert [event.is_end for event in operator.events] == [False, False, True]


def test_a_stack_that_was_made_is_protected_and_its_table_is_live() -> None:
    cloudformation = FakeCloudFormation(changes=CHANGES, steps=MADE)
    deployed(cloudformation)
    assert cloudformation.protected
    assert live_tables() == Tables(live=OUTPUTS["SuppressionTable"])


def test_an_update_leaves_what_is_not_given_as_it_was_and_the_live_table_too() -> None:
    client("ssm").put_parameter(Name=OUTPUTS["TablesParameter"], Value='{"live":"another"}', Type="String")
    before = OURS | {"StreamShards": "2", "NoLongerThere": "1"}
    cloudformation = FakeCloudFormation(status="UPDATE_COMPLETE", parameters=before, changes=CHANGES, steps=UPDATED)
    deployed(cloudformation, parameters={"AlarmEmail": "ann@example.com"})
    assert cloudformation.asked("create_change_set")["ChangeSetType"] == "UPDATE"
    assert parameters(cloudformation) == {
        "AlarmEmail": "ann@example.com",
        "CodeBucket": BUCKET,
        "CodeKey": "bundle-0123.zip",
        **dict.fromkeys(("LogFirstDay", "StreamShards", "TrackEngagement"), True),
    }
    assert live_tables() == Tables(live="another")


def test_the_end_is_the_new_one_and_not_that_of_an_older_change() -> None:
    steps = [
        [],
        [a_step("UPDATE_IN_PROGRESS")],
        [a_step("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")],
        [a_step("UPDATE_COMPLETE")],
    ]
    operator = AnOperator()
    deployed(FakeCloudFormation(status="UPDATE_COMPLETE", changes=CHANGES, steps=steps), operator=operator)
    assert len(operator.events) == 3


@pytest.mark.parametrize("status", [None, "UPDATE_COMPLETE"])
def test_a_dry_run_leaves_nothing_but_what_was_uploaded(status: str | None) -> None:
    cloudformation, operator = FakeCloudFormation(status=status, changes=CHANGES), AnOperator()
    assert deployed(cloudformation, operator=operator, dry_run=True) is None
    assert operator.found[0] is not None
    assert (cloudformation.status, cloudformation.change_sets) == (status, [])
    assert "execute_change_set" not in cloudformation.operations()
    assert live_tables() is None


@pytest.mark.parametrize("status", [None, "UPDATE_COMPLETE"])
def test_without_consent_nothing_is_done_and_nothing_left(status: str | None) -> None:
    cloudformation = FakeCloudFormation(status=status, changes=CHANGES)
    assert deployed(cloudformation, operator=AnOperator(agrees=False)) is None
    assert (cloudformation.status, cloudformation.change_sets) == (status, [])
    assert "execute_change_set" not in cloudformation.operations()


@pytest.mark.parametrize("operation", ["describe_change_set", "changes", "agrees"])
def test_an_interrupt_before_anything_was_done_leaves_nothing(operation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cloudformation, operator = FakeCloudFormation(changes=CHANGES), AnOperator()
    if hasattr(operator, operation):
        monkeypatch.setattr(operator, operation, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    else:
        cloudformation.interrupts[operation] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        deployed(cloudformation, operator=operator)
    assert (cloudformation.status, cloudformation.change_sets) == (None, [])


def test_where_nothing_would_change_what_stands_beside_the_stack_is_still_completed() -> None:
    cloudformation, operator = FakeCloudFormation(status="CREATE_COMPLETE"), AnOperator()
    assert deployed(cloudformation, operator=operator) is not None
    assert operator.found == [None]
    assert cloudformation.protected
    assert live_tables() is not None
    assert cloudformation.change_sets == []


def test_a_change_set_that_aws_refuses_is_told_in_its_words_without_addresses_and_leaves_nothing() -> None:
    cloudformation = FakeCloudFormation(refuses="Parameter AlarmEmail: ann@example.com is not an address")
    with pytest.raises(Misuse, match="refuses the change set for the stack mail: Parameter AlarmEmail: …@… is not"):
        deployed(cloudformation)
    assert (cloudformation.status, cloudformation.change_sets) == (None, [])


def test_what_cloudformation_checks_beforehand_is_told_resource_by_resource() -> None:
    """Its reason says but that there is something; and once the change set is gone, nobody can look."""
    reason = "The following hook(s)/validation failed: [AWS::EarlyValidation::ResourceExistenceCheck]."
    taken = {"LogicalResourceId": "ConfigurationSet", "ValidationStatusReason": "'mail' already exists."}
    cloudformation = FakeCloudFormation(refuses=reason, found_wrong=[{"EventType": "STACK_EVENT"}, taken])
    with pytest.raises(Misuse, match=r"ResourceExistenceCheck\]; ConfigurationSet: 'mail' already exists$"):
        deployed(cloudformation)
    assert cloudformation.asked("describe_events")["Filters"] == {"FailedEvents": True}
    assert (cloudformation.status, cloudformation.change_sets) == (None, [])


def test_who_may_not_read_what_was_checked_still_hears_the_reason() -> None:
    cloudformation = FakeCloudFormation(refuses="it is wrong", found_wrong=None)
    with pytest.raises(Misuse, match=r"refuses the change set for the stack mail: it is wrong$"):
        deployed(cloudformation)
    assert cloudformation.change_sets == []


def test_a_failure_names_what_failed_first_and_why() -> None:
    steps = [
        [a_step("CREATE_IN_PROGRESS"), a_step("CREATE_FAILED", "Transform", "No such role.")],
        [a_step("CREATE_FAILED", "Projector", "Resource creation cancelled"), a_step("ROLLBACK_IN_PROGRESS")],
        [a_step("ROLLBACK_COMPLETE")],
    ]
    cloudformation = FakeCloudFormation(changes=CHANGES, steps=steps)
    with pytest.raises(
        DeploymentFailed, match=r"^Transform \(AWS::S3::Bucket\) failed first: No such role\. The stack is ROLLBACK"
    ):
        deployed(cloudformation)
    assert not cloudformation.protected


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("UPDATE_ROLLBACK_FAILED", "continue-update-rollback --stack-name mail"),
        ("UPDATE_IN_PROGRESS", "wait until it has come to rest"),
        ("DELETE_IN_PROGRESS", "wait until it has come to rest"),
        ("DELETE_FAILED", "it was being deleted"),
        ("UPDATE_FAILED", "rollback-stack --stack-name mail"),
    ],
)
def test_a_stack_in_no_state_for_it_is_left_alone_and_what_to_do_is_said(status: str, words: str) -> None:
    cloudformation = FakeCloudFormation(status=status, changes=CHANGES)
    with pytest.raises(Misuse, match=f"the stack mail is {status}: .*{words}"):
        deployed(cloudformation)
    assert cloudformation.operations() == ["describe_stacks"]


@pytest.mark.parametrize("status", ["UPDATE_COMPLETE", "ROLLBACK_COMPLETE", "CREATE_FAILED"])
def test_a_stack_of_somebody_elses_is_neither_updated_nor_deleted(status: str) -> None:
    """An update by our template would take away all that is in it."""
    another = {"CodeBucket": "theirs", "CodeKey": "theirs"}
    cloudformation = FakeCloudFormation(status=status, parameters=another, changes=CHANGES, steps=UPDATED)
    with pytest.raises(Misuse, match="the stack mail is none of Mailfold's"):
        deployed(cloudformation)
    assert cloudformation.operations() == ["describe_stacks"]


def test_what_an_interrupted_attempt_left_is_removed_first() -> None:
    cloudformation = FakeCloudFormation(status="REVIEW_IN_PROGRESS", changes=CHANGES, steps=MADE)
    cloudformation.change_sets.append(f"{PREFIX}0")
    assert deployed(cloudformation) is not None
    operations = cloudformation.operations()
    assert operations.index("delete_stack") < operations.index("create_change_set")


def test_a_change_set_that_somebody_else_has_under_review_is_left() -> None:
    cloudformation = FakeCloudFormation(status="REVIEW_IN_PROGRESS", changes=CHANGES)
    cloudformation.change_sets.append("of-the-auditors")
    with pytest.raises(Misuse, match="somebody else's change set"):
        deployed(cloudformation)
    assert "delete_stack" not in cloudformation.operations()


def test_a_stack_whose_making_failed_is_made_anew_if_that_is_agreed_to() -> None:
    cloudformation = FakeCloudFormation(status="ROLLBACK_COMPLETE", changes=CHANGES, steps=MADE)
    assert deployed(cloudformation) is not None
    assert "delete_stack" in cloudformation.operations()


@pytest.mark.parametrize(("agrees_to_delete", "dry_run"), [(False, False), (True, True)])
def test_a_stack_whose_making_failed_is_otherwise_left_and_what_to_do_is_said(
    *, agrees_to_delete: bool, dry_run: bool
) -> None:
    cloudformation = FakeCloudFormation(status="ROLLBACK_COMPLETE", changes=CHANGES)
    operator = AnOperator(agrees_to_delete=agrees_to_delete)
    with pytest.raises(Misuse, match="delete-stack --stack-name mail"):
        deployed(cloudformation, operator=operator, dry_run=dry_run)
    assert "delete_stack" not in cloudformation.operations()


def test_athena_is_brought_up_to_date_unless_it_is_to_be_left() -> None:
    athena, operator = FakeAthena(), AnOperator()
    deployed(FakeCloudFormation(status="CREATE_COMPLETE"), operator=operator, athena=athena)
    assert {"Athena has the view daily_rates", "Athena has the query history_of_a_mail"} <= set(operator.steps)
    deployed(FakeCloudFormation(status="CREATE_COMPLETE"), athena=(left := FakeAthena()), views=False)
    assert (bool(athena.calls), left.calls) == (True, [])


def test_what_goes_wrong_beside_a_stack_that_is_there_is_no_misuse() -> None:
    athena = FakeAthena()
    athena.refuses = "There is no output location"
    with pytest.raises(DeploymentFailed, match=r"the stack mail is CREATE_COMPLETE, but .*There is no output location"):
        deployed(FakeCloudFormation(changes=CHANGES, steps=MADE), athena=athena)
    assert live_tables() is not None
