"""CloudFormation change sets: what a deployment would change, known before it changes anything.

docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-updating-stacks-changesets.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal
from uuid import uuid4

import msgspec

from pipeline.aws.errors import redact_addresses, translated
from pipeline.errors import DeploymentFailed, InvalidInput, MailfoldError, ServiceUnavailable

if TYPE_CHECKING:
    from botocore.exceptions import WaiterError
    from botocore.waiter import Waiter
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import ParameterTypeDef, ResourceChangeTypeDef

ChangeSetType = Literal["CREATE", "UPDATE"]

PREFIX = "mailfold-"  # of the names of change sets that Mailfold creates
# Polls once a second. CloudFormation creates a change set in seconds, or in minutes where hooks check it too.
WAITER_CONFIG = {"Delay": 1, "MaxAttempts": 600}

# A change set without changes fails, and only its reason distinguishes it from an invalid one. The AWS CLI reads the
# reason too: github.com/aws/aws-cli, awscli/customizations/cloudformation/deployer.py
NO_CHANGES = ("didn't contain changes", "No updates are to be performed")


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """Change of one resource.

    Attributes:
        action: Add, Modify, Remove, Import or Dynamic.
        logical_id: The resource's name in the template.
        type: The resource's type, such as `AWS::S3::Bucket`.
        replacement: Whether a new resource replaces it: True, False, Conditional, or empty if none can.
        policy_action: What happens to the existing resource: Retain, Delete, ReplaceAndRetain, …; or empty.
        properties: Properties that change.
    """

    action: str
    logical_id: str
    type: str
    replacement: str
    policy_action: str
    properties: tuple[str, ...]

    @property
    def removes_existing(self) -> bool:
        """Whether the existing resource leaves the stack, or may leave it."""
        return self.action in {"Remove", "Dynamic"} or self.replacement in {"True", "Conditional"}


class ChangeSet(msgspec.Struct, frozen=True, kw_only=True):
    """A change set that can be executed.

    Attributes:
        id: ARN of the change set.
        stack_id: ARN of the stack.
        kind: Whether it creates or updates the stack.
        changes: Changes, in CloudFormation's order.
    """

    id: str
    stack_id: str
    kind: ChangeSetType
    changes: tuple[Change, ...]


def create_change_set(
    cloudformation: CloudFormationClient,
    *,
    stack: str,
    kind: ChangeSetType,
    template_url: str,
    parameters: Sequence[ParameterTypeDef],
    tags: Mapping[str, str] = MappingProxyType({}),
    role_arn: str | None = None,
) -> ChangeSet | None:
    """Create a change set and wait for it. Return None if it contains no changes.

    A change set that fails, or that an interrupt leaves behind, is deleted.

    Args:
        cloudformation: Client of the stack's region.
        stack: Name of the stack.
        kind: Whether it creates or updates the stack.
        template_url: URL of the template.
        parameters: Parameters of the stack.
        tags: All tags of the stack. CloudFormation passes them on to its resources.
        role_arn: Role that CloudFormation assumes for this and all later operations on the stack. None: the one that
            it assumed before, or else the caller.

    Raises:
        InvalidInput: CloudFormation rejects it. The message contains the reasons.
        AccessDenied: Credentials are missing, expired or not allowed to do this.
        DeploymentFailed: The empty stack that was created with it cannot be deleted.
        ServiceUnavailable: AWS throttles, cannot be reached, or does not finish it.
    """
    change_set = _request_change_set(
        cloudformation,
        StackName=stack,
        ChangeSetType=kind,
        TemplateURL=template_url,
        Parameters=parameters,
        Tags=[{"Key": key, "Value": value} for key, value in sorted(tags.items())],
        **({"RoleARN": role_arn} if role_arn else {}),
    )
    try:
        reason = _wait_until_created(cloudformation, change_set)
        if reason is None:
            return msgspec.structs.replace(change_set, changes=_read_changes(cloudformation, change_set))
    except BaseException:  # an interrupt too
        with suppress(MailfoldError):
            discard(cloudformation, change_set)
        raise
    is_empty = any(text in reason for text in NO_CHANGES)
    problems = [] if is_empty else _validation_problems(cloudformation, change_set)
    discard(cloudformation, change_set)
    if is_empty:
        return None
    reasons = redact_addresses("; ".join([reason.rstrip("."), *problems]))
    raise InvalidInput(f"CloudFormation rejects the change set for the stack {stack}: {reasons}")


def _request_change_set(cloudformation: CloudFormationClient, **request: Any) -> ChangeSet:
    token = uuid4().hex  # identifies the request when boto3 sends it again
    with translated(f"creating a change set for the stack {request['StackName']}"):
        created = cloudformation.create_change_set(
            ChangeSetName=f"{PREFIX}{token}", ClientToken=token, Capabilities=["CAPABILITY_IAM"], **request
        )
    return ChangeSet(id=created["Id"], stack_id=created["StackId"], kind=request["ChangeSetType"], changes=())


def _wait_until_created(cloudformation: CloudFormationClient, change_set: ChangeSet) -> str | None:
    """Wait for a change set. Return the reason if it fails, and None if it does not."""
    waiter = cloudformation.get_waiter("change_set_create_complete")
    with translated("creating the change set"):
        failure = _wait(waiter, ChangeSetName=change_set.id)
    if failure is None:
        return None
    if failure.last_response.get("Status") == "FAILED":
        return str(failure.last_response.get("StatusReason", "CloudFormation reports no reason"))
    raise ServiceUnavailable(f"CloudFormation does not finish the change set, try again later: {failure}") from failure


def _read_changes(cloudformation: CloudFormationClient, change_set: ChangeSet) -> tuple[Change, ...]:
    with translated("reading the change set"):
        pages = cloudformation.get_paginator("describe_change_set").paginate(ChangeSetName=change_set.id)
        changes = [
            change["ResourceChange"] for page in pages for change in page["Changes"] if "ResourceChange" in change
        ]
    return tuple(map(_parse_change, changes))


def _parse_change(change: ResourceChangeTypeDef) -> Change:
    targets = [detail.get("Target", {}) for detail in change.get("Details", [])]
    return Change(
        action=change["Action"],
        logical_id=change["LogicalResourceId"],
        type=change["ResourceType"],
        replacement=change.get("Replacement", ""),
        policy_action=change.get("PolicyAction", ""),
        properties=tuple(dict.fromkeys(str(target.get("Name") or target.get("Attribute", "")) for target in targets)),
    )


def _validation_problems(cloudformation: CloudFormationClient, change_set: ChangeSet) -> list[str]:
    """Return what CloudFormation's own validation found, such as names in use. The reason only says that it failed.

    Empty if the events cannot be read: the reason is reported without them.
    docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeEvents.html
    """
    problems: list[str] = []
    with suppress(MailfoldError), translated("reading the problems of the change set"):
        pages = cloudformation.get_paginator("describe_events").paginate(
            ChangeSetName=change_set.id, Filters={"FailedEvents": True}
        )
        problems += [
            f"{event.get('LogicalResourceId', 'the stack')}: {reason.rstrip('.')}"
            for page in pages
            for event in page["OperationEvents"]
            if (reason := event.get("ValidationStatusReason") or event.get("HookStatusReason"))
        ]
    return problems


def execute(cloudformation: CloudFormationClient, change_set: ChangeSet) -> None:
    """Start to execute a change set.

    Raises:
        InvalidInput: AWS rejects it.
        AccessDenied: Credentials are missing, expired or not allowed to do this.
        ServiceUnavailable: AWS throttles, fails or cannot be reached.
    """
    with translated("executing the change set"):
        cloudformation.execute_change_set(ChangeSetName=change_set.id, ClientRequestToken=uuid4().hex)


def discard(cloudformation: CloudFormationClient, change_set: ChangeSet) -> None:
    """Delete a change set that was not executed, and the empty stack that was created with it.

    Raises:
        AccessDenied: Credentials are missing, expired or not allowed to do this.
        DeploymentFailed: The stack cannot be deleted.
        ServiceUnavailable: AWS throttles, fails or cannot be reached.
    """
    with translated("deleting the change set"):
        cloudformation.delete_change_set(ChangeSetName=change_set.id)
    if change_set.kind == "CREATE":
        delete_stack(cloudformation, stack_id=change_set.stack_id)


def is_abandoned(cloudformation: CloudFormationClient, *, stack_id: str) -> bool:
    """Return True if Mailfold created all change sets of a stack. An interrupt leaves such a stack behind.

    Raises:
        AccessDenied: Credentials are missing, expired or not allowed to do this.
        ServiceUnavailable: AWS throttles, fails or cannot be reached.
    """
    with translated("listing change sets"):
        pages = cloudformation.get_paginator("list_change_sets").paginate(StackName=stack_id)
        names = [summary["ChangeSetName"] for page in pages for summary in page["Summaries"]]
    return all(name.startswith(PREFIX) for name in names)


def delete_stack(cloudformation: CloudFormationClient, *, stack_id: str) -> None:
    """Delete a stack that was never created, and wait until it is deleted.

    Raises:
        AccessDenied: Credentials are missing, expired or not allowed to do this.
        DeploymentFailed: The stack cannot be deleted.
        ServiceUnavailable: AWS throttles, fails or cannot be reached.
    """
    waiter = cloudformation.get_waiter("stack_delete_complete")
    with translated("deleting the stack that was never created"):
        cloudformation.delete_stack(StackName=stack_id)
        failure = _wait(waiter, StackName=stack_id)
    if failure:
        raise DeploymentFailed(
            f"the stack {stack_id} cannot be deleted: see its events in the CloudFormation console"
        ) from failure


def _wait(waiter: Waiter, **request: str) -> WaiterError | None:
    """Wait, and return the error if that fails."""
    from botocore.exceptions import WaiterError  # noqa: PLC0415 - loads botocore, which parsing options must not

    try:
        waiter.wait(**request, WaiterConfig=WAITER_CONFIG)
    except WaiterError as error:
        return error
    return None
