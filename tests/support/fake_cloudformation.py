"""A scripted CloudFormation with one stack.

moto supports neither change sets for updates nor termination protection. Only the operations of a deployment exist.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from tests.support.fake_service import ACCOUNT, REGION, FakeService

NAME = "mail"
STACK_ID = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{NAME}/5af3dc00-da77-11e4-872e-1234567db123"
AT = datetime(2026, 3, 1, 12, 0, 3, tzinfo=UTC)
NO_CHANGES = "The submitted information didn't contain changes. Submit different information to create a change set."
OUTPUTS = {
    "TablesParameter": f"/mailfold/{NAME}/tables",
    "SuppressionTable": f"{NAME}-suppression-5af3dc00",
    "Database": NAME,
    "Workgroup": "primary",
    "ConfigurationSet": NAME,
    "SenderPolicyArn": f"arn:aws:iam::{ACCOUNT}:policy/sender",
}

MAILFOLD_PARAMETERS = {
    "CodeBucket": "an-old-one",
    "CodeKey": "an-old-key",
    "LogFirstDay": "2026-01-01",
    "TrackEngagement": "true",
}
"""Parameters that every stack of Mailfold has."""


def a_change(action: str = "Add", logical_id: str = "LogBucket", kind: str = "AWS::S3::Bucket", **more: str) -> Any:
    """Return a change as in DescribeChangeSet."""
    return {
        "Type": "Resource",
        "ResourceChange": {"Action": action, "LogicalResourceId": logical_id, "ResourceType": kind, **more},
    }


def a_step(status: str, logical_id: str = NAME, reason: str = "") -> Any:
    """Return an event without its ID, as in DescribeStackEvents; by default of the stack itself."""
    is_stack = logical_id == NAME
    return {
        "StackId": STACK_ID,
        "StackName": NAME,
        "LogicalResourceId": logical_id,
        "PhysicalResourceId": STACK_ID if is_stack else f"{NAME}-{logical_id}",
        "ResourceType": "AWS::CloudFormation::Stack" if is_stack else "AWS::S3::Bucket",
        "ResourceStatus": status,
        "ResourceStatusReason": reason,
        "Timestamp": AT,
    }


class FakeCloudFormation(FakeService):
    """One stack.

    Args:
        status: Status of the stack. None: it does not exist.
        parameters: Parameters of the stack. None: those of every stack of Mailfold.
        outputs: Outputs of the stack beside those of every stack of Mailfold.
        tags: Tags of the stack.
        kept_buckets: Buckets that a deleted stack of the same name left.
        changes: Changes of a change set. None of them: it fails because it changes nothing.
        rejection: Reason why a change set fails.
        problems: Events that DescribeEvents then returns. None: access is denied.
        steps: Events of an execution, by the request for events that shows them first.

    Attributes:
        status: Status of the stack.
        protected: Whether it is protected from deletion.
        change_sets: Names of the change sets that exist.
    """

    SERVICE = "cloudformation"

    def __init__(
        self,
        *,
        status: str | None = None,
        parameters: dict[str, str] | None = None,
        outputs: Mapping[str, str] = MappingProxyType({}),
        tags: Mapping[str, str] = MappingProxyType({}),
        kept_buckets: Sequence[str] = (),
        changes: Sequence[Any] = (),
        rejection: str | None = None,
        problems: Sequence[Any] | None = (),
        steps: Sequence[Sequence[Any]] = (),
    ) -> None:
        super().__init__()
        self.status, self.protected = status, False
        self.change_sets: list[str] = []
        self._stack_parameters = MAILFOLD_PARAMETERS if parameters is None else parameters
        self._outputs, self._tags, self._kept_buckets = {**OUTPUTS, **outputs}, tags, kept_buckets
        self._changes, self._rejection = changes, rejection or (None if changes else NO_CHANGES)
        self._problems = problems
        self._steps = [list(steps_shown) for steps_shown in steps]
        self._events: list[Any] = [] if status is None else [{**a_step("UPDATE_COMPLETE"), "EventId": "long ago"}]
        self._executed = False

    def _describe_stacks(self, **_: Any) -> dict[str, Any]:
        if self.status is None:
            return {"Error": {"Code": "ValidationError", "Message": "no such stack"}, "ResponseMetadata": {}}
        parameters = [{"ParameterKey": key, "ParameterValue": value} for key, value in self._stack_parameters.items()]
        outputs = [{"OutputKey": key, "OutputValue": value} for key, value in self._outputs.items()]
        tags = [{"Key": key, "Value": value} for key, value in self._tags.items()]
        stack = {"StackName": NAME, "StackId": STACK_ID, "StackStatus": self.status, "Tags": tags}
        return {"Stacks": [{**stack, "Parameters": parameters, "Outputs": outputs}]}

    def _list_stacks(self, **_: Any) -> dict[str, Any]:
        return {"StackSummaries": [{"StackName": NAME, "StackId": "a-deleted-one"}] if self._kept_buckets else []}

    def _list_stack_resources(self, **_: Any) -> dict[str, Any]:
        kept = {"ResourceType": "AWS::S3::Bucket", "ResourceStatus": "DELETE_SKIPPED"}
        return {"StackResourceSummaries": [{**kept, "PhysicalResourceId": bucket} for bucket in self._kept_buckets]}

    def _create_change_set(self, *, ChangeSetName: str, ChangeSetType: str, **_: Any) -> dict[str, Any]:  # noqa: N803 - as in AWS's API
        assert (ChangeSetType == "CREATE") == (self.status is None)
        self.status = self.status or "REVIEW_IN_PROGRESS"
        self.change_sets.append(ChangeSetName)
        return {"Id": ChangeSetName, "StackId": STACK_ID}

    def _describe_change_set(self, *, ChangeSetName: str, NextToken: str = "0", **_: Any) -> dict[str, Any]:  # noqa: N803 - as in AWS's API
        assert ChangeSetName in self.change_sets
        if self._rejection:
            return {"Status": "FAILED", "StatusReason": self._rejection, "Changes": []}
        page = int(NextToken)
        following = {"NextToken": str(page + 1)} if page + 1 < len(self._changes) else {}
        return {"Status": "CREATE_COMPLETE", "Changes": self._changes[page : page + 1], **following}

    def _describe_events(self, *, ChangeSetName: str, **_: Any) -> dict[str, Any]:  # noqa: N803 - as in AWS's API
        assert ChangeSetName in self.change_sets
        if self._problems is None:
            return {"Error": {"Code": "AccessDenied", "Message": "no"}, "ResponseMetadata": {}}
        return {"OperationEvents": list(self._problems)}

    def _delete_change_set(self, *, ChangeSetName: str) -> dict[str, Any]:  # noqa: N803 - as in AWS's API
        self.change_sets.remove(ChangeSetName)
        return {}

    def _list_change_sets(self, **_: Any) -> dict[str, Any]:
        return {"Summaries": [{"ChangeSetName": name} for name in self.change_sets]}

    def _delete_stack(self, **_: Any) -> dict[str, Any]:
        self.status = None
        return {}

    def _execute_change_set(self, *, ChangeSetName: str, **_: Any) -> dict[str, Any]:  # noqa: N803 - as in AWS's API
        self.change_sets.remove(ChangeSetName)
        self._executed = True
        return {}

    def _describe_stack_events(self, *, NextToken: str = "0", **_: Any) -> dict[str, Any]:  # noqa: N803 - as in AWS's API
        page = int(NextToken)
        if self._executed and not page and self._steps:
            for step in self._steps.pop(0):
                self._events.insert(0, {**step, "EventId": str(len(self._events))})
                self.status = step["ResourceStatus"] if step["LogicalResourceId"] == NAME else self.status
        following = {"NextToken": str(page + 1)} if page + 1 < len(self._events) else {}
        return {"StackEvents": self._events[page : page + 1], **following}

    def _update_termination_protection(self, *, EnableTerminationProtection: bool, **_: Any) -> dict[str, Any]:  # noqa: N803 - as in AWS's API
        self.protected = EnableTerminationProtection
        return {"StackId": STACK_ID}
